package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/s3"

	"bulla/internal/storage"
	"bulla/internal/storage/object"
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
	var t tally
	for pages := api.NewListMultipartUploadsPaginator(s.api, in); pages.HasMorePages(); {
		out, err := page(ctx, p, pages.NextPage)
		if err == nil {
			err = t.add(p, len(out.Uploads), pages.HasMorePages(), out.NextKeyMarker, out.NextUploadIdMarker)
		}
		if err != nil {
			return nil, err
		}
		for _, u := range out.Uploads {
			all = append(all, Unfinished{"s3://" + bucket + "/" + aws.ToString(u.Key), aws.ToString(u.UploadId), aws.ToTime(u.Initiated)})
		}
	}
	return all, nil
}

// page asks for the next page of a list, which tells of something about p.
func page[T any](ctx context.Context, p *place, next func(context.Context, ...func(*api.Options)) (*T, error)) (out *T, err error) {
	err = p.client.Try(ctx, p.name, func(ctx context.Context) (err error) {
		out, err = next(ctx)
		return p.failure(err)
	})
	return out, err
}

// A tally is kept of the pages of a list, which a store could go on with without end.
type tally struct {
	names int
	next  string // where the next page begins
}

const (
	maxNames = 1 << 20 // of a list
	perPage  = 1 << 8  // what a page counts for at least: empty ones have to end, too
)

// add counts a page with n names, and if there are more judges where the next one begins.
func (t *tally) add(p *place, n int, more bool, next ...*string) error {
	before := t.next
	t.next = strings.Join(aws.ToStringSlice(next), "\x00")
	if t.names += max(n, perPage); t.names > maxNames || more && t.next == before {
		return &storage.Error{Kind: storage.Refused, Name: p.name, Err: errors.New("its list does not end")}
	}
	return nil
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

// List implements [storage.Holder].
func (s *Store) List(ctx context.Context, prefix string) (names []string, err error) {
	p, err := s.at(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var t tally
	for pages := api.NewListObjectsV2Paginator(s.api, &api.ListObjectsV2Input{Bucket: &p.bucket, Prefix: &p.key}); pages.HasMorePages(); {
		out, err := page(ctx, p, pages.NextPage)
		if err == nil {
			err = t.add(p, len(out.Contents), pages.HasMorePages(), out.NextContinuationToken)
		}
		if err != nil {
			return nil, err
		}
		for _, o := range out.Contents {
			names = append(names, strings.TrimPrefix(aws.ToString(o.Key), p.key))
		}
	}
	return names, nil
}

// Hold implements [storage.Holder].
func (s *Store) Hold(ctx context.Context, name string, size int64) (*storage.Held, error) {
	p, err := s.at(ctx, name)
	if err != nil {
		return nil, err
	}
	if _, err := s.client.Create(ctx, name, p, storage.Options{Size: size}); err != nil { // it exists, or is too large
		return nil, err
	}
	h := &storage.Held{ID: object.NewID(), Size: size}
	return h, s.client.Try(ctx, name, func(ctx context.Context) (err error) {
		h.Upload, err = p.Begin(ctx, &object.Making{ID: h.ID, New: true})
		return err
	})
}

// Send implements [storage.Holder].
func (s *Store) Send(ctx context.Context, name string, h *storage.Held, number int, body io.ReadSeeker, n int64) error {
	p, err := s.at(ctx, name)
	if err != nil {
		return err
	}
	return s.client.Send(ctx, name, p, h, number, body, n)
}

// Settle implements [storage.Holder].
func (s *Store) Settle(ctx context.Context, name string, h *storage.Held) error {
	p, err := s.at(ctx, name)
	if err != nil {
		return err
	}
	return s.client.Settle(ctx, name, p, h, func() ([]string, error) { return p.parts(ctx, h) })
}

// parts returns the ETags of the parts of an upload that is held, which have to be all there.
func (p *place) parts(ctx context.Context, h *storage.Held) (etags []string, err error) {
	size := int64(0)
	var t tally
	for pages := api.NewListPartsPaginator(p.api, &api.ListPartsInput{Bucket: &p.bucket, Key: &p.key, UploadId: &h.Upload}); pages.HasMorePages(); {
		out, err := page(ctx, p, pages.NextPage)
		if err == nil {
			err = t.add(p, len(out.Parts), pages.HasMorePages(), out.NextPartNumberMarker)
		}
		if err != nil {
			return nil, err
		}
		for _, part := range out.Parts {
			if etags = append(etags, aws.ToString(part.ETag)); aws.ToInt32(part.PartNumber) != int32(len(etags)) {
				return nil, about(p.name, &storage.Error{Kind: storage.Lost, Err: fmt.Errorf("part %d of the upload is not there", len(etags))})
			}
			size += aws.ToInt64(part.Size)
		}
	}
	if size != h.Size {
		return nil, about(p.name, &storage.Error{Kind: storage.Lost, Err: fmt.Errorf("%d bytes are there of %d", size, h.Size)})
	}
	return etags, nil
}

// Discard implements [storage.Holder].
func (s *Store) Discard(ctx context.Context, name string, h *storage.Held) error {
	return s.AbortUpload(ctx, Unfinished{Name: name, ID: h.Upload})
}

// Strays implements [storage.Holder].
func (s *Store) Strays(ctx context.Context, prefix string) (names []string, all []*storage.Held, err error) {
	uploads, err := s.Uploads(ctx, prefix)
	for _, u := range uploads {
		names, all = append(names, u.Name), append(all, &storage.Held{Upload: u.ID})
	}
	return names, all, err
}
