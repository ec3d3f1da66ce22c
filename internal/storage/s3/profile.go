package s3

import (
	"context"
	"errors"
	"strings"

	"bulla/internal/storage"
	"bulla/internal/storage/object"
)

// Some stores answer 200 to a request whose condition they have not looked at, so that an
// answer proves nothing. What a store does is found out by trying, on a key of its own
// beside the object, which is removed afterwards:
//
//	PUT       key.bulla-probe-XXXX, one byte
//	begin     an upload to the same key, and send a part
//	complete  under If-None-Match: *, where there is an object
//	complete  under If-Match with an ETag that nothing has
//
// Each of the last two is to fail. That takes about ten requests, once for a bucket
// in a run that needs to know. AWS itself is not tried.

// absent is an ETag that nothing has.
const absent = `"00000000000000000000000000000000"`

// Profile implements [object.Target].
func (p *place) Profile(ctx context.Context) (*object.Profile, error) {
	switch {
	case p.Options.Profile != nil:
		return p.Options.Profile, nil
	case p.endpoint() == "":
		return &object.Honest, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.profiles[p.bucket] == nil {
		got, err := p.probe(ctx)
		switch {
		case errors.Is(err, storage.Denied), errors.Is(err, storage.Refused):
			p.client.Tell("it could not be found out whether the store of "+p.name+" honours conditions: "+err.Error(), "--storage-option conditions=honoured says that it does")
			got = object.Profile{}
		case err != nil:
			return nil, err
		}
		p.profiles[p.bucket] = &got
	}
	return p.profiles[p.bucket], nil
}

// probe tries what the store does.
func (p *place) probe(ctx context.Context) (got object.Profile, err error) {
	q := *p
	q.key += ".bulla-probe-" + object.NewID()
	q.name = "s3://" + q.bucket + "/" + q.key
	var there *object.Info
	do := func(f func(ctx context.Context) error) {
		if err == nil {
			err = p.client.Try(ctx, q.name, f)
		}
	}
	upload, etag := "", ""
	start := func() {
		do(func(ctx context.Context) (err error) { upload, err = q.Begin(ctx, &object.Making{}); return err })
		do(func(ctx context.Context) (err error) {
			etag, err = q.Send(ctx, upload, 1, strings.NewReader("2"), 1)
			return err
		})
	}
	complete := func(as *object.Making) (honoured bool) {
		do(func(ctx context.Context) error { return q.Complete(ctx, upload, []string{etag}, as) })
		if errors.Is(err, storage.Changed) || errors.Is(err, storage.NotFound) {
			err = nil
			return true
		}
		start() // the other is used up
		return false
	}
	do(func(ctx context.Context) error { return q.Put(ctx, strings.NewReader("1"), 1, &object.Making{}) })
	do(func(ctx context.Context) (err error) { there, err = q.Stat(ctx); return err })
	start()
	got.New = complete(&object.Making{New: true})
	got.Instead = complete(&object.Making{Instead: &object.Info{ETag: absent}})
	q.clean(ctx, upload, there)
	return got, err
}

// clean removes what a probe has made, every version of it.
func (p *place) clean(ctx context.Context, upload string, there *object.Info) {
	ctx = context.WithoutCancel(ctx)
	if upload != "" {
		p.client.Try(ctx, p.name, func(ctx context.Context) error { return p.Abort(ctx, upload) })
	}
	for i := 0; i < 4 && there != nil; i++ {
		if p.client.Try(ctx, p.name, func(ctx context.Context) error { return p.Delete(ctx, there.Version) }) != nil || there.Version == "" {
			return
		}
		there, _ = p.Stat(ctx)
	}
}
