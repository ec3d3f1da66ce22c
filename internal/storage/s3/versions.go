package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
)

// DeleteVersions deletes every version of an object, and the marks of deletions. It returns
// how many there were; after a failure some of them may be gone.
func (s *Store) DeleteVersions(ctx context.Context, name string) (n int, err error) {
	p, err := s.at(ctx, name)
	if err != nil {
		return 0, err
	}
	var t tally
	for pages := api.NewListObjectVersionsPaginator(s.api, &api.ListObjectVersionsInput{Bucket: &p.bucket, Prefix: &p.key}); pages.HasMorePages(); {
		out, err := page(ctx, p, pages.NextPage)
		if err == nil {
			err = t.add(p, 0, pages.HasMorePages(), out.NextKeyMarker, out.NextVersionIdMarker) // nothing of it is kept
		}
		if err != nil {
			return n, err
		}
		var versions []*string
		for _, v := range out.Versions {
			if aws.ToString(v.Key) == p.key { // the prefix is others', too
				versions = append(versions, v.VersionId)
			}
		}
		for _, v := range out.DeleteMarkers {
			if aws.ToString(v.Key) == p.key {
				versions = append(versions, v.VersionId)
			}
		}
		for _, v := range versions {
			if err := s.client.Try(ctx, name, func(ctx context.Context) error { return p.Delete(ctx, aws.ToString(v)) }); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}
