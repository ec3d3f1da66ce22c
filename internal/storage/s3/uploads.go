package s3

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/s3"

	"bulla/internal/storage"
)

// An Unfinished upload was begun and neither completed nor aborted. Its parts are paid for.
type Unfinished struct {
	Name  string // of the object that it would have made
	ID    string
	Begun time.Time
}

// Uploads lists the unfinished uploads of all keys that begin as the name does. The name
// may be that of a bucket alone.
func (s *Store) Uploads(ctx context.Context, name string) (all []Unfinished, err error) {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(name, "s3://"), "/")
	if bucket == "" {
		return nil, &storage.Error{Kind: storage.BadURL, Name: name}
	}
	if err := s.connect(ctx); err != nil {
		return nil, about(name, err)
	}
	p := &place{s, name, bucket, prefix}
	in := &api.ListMultipartUploadsInput{Bucket: &bucket}
	if prefix != "" {
		in.Prefix = &prefix
	}
	for {
		var out *api.ListMultipartUploadsOutput
		err := s.client.Try(ctx, name, func(ctx context.Context) (err error) {
			out, err = s.api.ListMultipartUploads(ctx, in)
			return p.failure(err)
		})
		if err != nil {
			return nil, err
		}
		for _, u := range out.Uploads {
			all = append(all, Unfinished{"s3://" + bucket + "/" + aws.ToString(u.Key), aws.ToString(u.UploadId), aws.ToTime(u.Initiated)})
		}
		if !aws.ToBool(out.IsTruncated) {
			return all, nil
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}

// AbortUpload ends an unfinished upload and removes its parts. One that has ended meanwhile
// is no error.
func (s *Store) AbortUpload(ctx context.Context, u Unfinished) error {
	p, err := s.at(ctx, u.Name)
	if err != nil {
		return err
	}
	err = s.client.Try(ctx, u.Name, func(ctx context.Context) error { return p.Abort(ctx, u.ID) })
	if errors.Is(err, storage.NotFound) {
		return nil
	}
	return err
}
