package s3

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
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
//	copy      a part, under If-Match with an ETag that nothing has
//	complete  under If-None-Match: *, where there is an object
//	complete  under If-Match with an ETag that nothing has
//
// Each of the last three is to fail. That takes about ten requests, once for an endpoint
// and bucket: the answer is kept in a file. AWS itself is not tried.

// absent is an ETag that nothing has.
const absent = `"00000000000000000000000000000000"`

// Profile implements [object.Target].
func (p *place) Profile(ctx context.Context) (*object.Profile, error) {
	switch {
	case p.opts.Trust, p.endpoint() == "" && !p.opts.Distrust:
		return &object.Honest, nil
	case p.opts.Distrust:
		return &object.Profile{}, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	id := p.endpoint() + " " + p.bucket
	if p.profiles[id] != nil {
		return p.profiles[id], nil
	}
	kept := p.readProfiles()
	profile, ok := kept[id]
	if !ok {
		var err error
		if profile, err = p.probe(ctx); errors.Is(err, storage.Denied) || errors.Is(err, storage.Refused) {
			p.client.Tell("it could not be found out whether the store of "+p.name+" honours conditions: "+err.Error(), "--storage-option conditions=honoured says that it does")
			return &object.Profile{}, nil
		} else if err != nil {
			return nil, err
		}
		p.keepProfile(id, profile)
	}
	p.profiles[id] = &profile
	return &profile, nil
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
	refused := func(f func(ctx context.Context) error) (honoured bool) {
		do(f)
		if errors.Is(err, storage.Changed) || errors.Is(err, storage.NotFound) {
			err = nil
			return true
		}
		return false
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
		honoured = refused(func(ctx context.Context) error { return q.Complete(ctx, upload, []string{etag}, as) })
		if !honoured && err == nil {
			start() // the other is used up
		}
		return honoured
	}
	do(func(ctx context.Context) error { return q.Put(ctx, strings.NewReader("1"), 1, &object.Making{}) })
	do(func(ctx context.Context) (err error) { there, err = q.Stat(ctx); return err })
	start()
	got.Copy = refused(func(ctx context.Context) error {
		_, err := q.Copy(ctx, upload, 2, 0, 1, &object.Info{ETag: absent})
		return err
	})
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

func (p *place) readProfiles() map[string]object.Profile {
	all := make(map[string]object.Profile)
	if b, err := os.ReadFile(p.opts.Profiles); err == nil {
		json.Unmarshal(b, &all)
	}
	return all
}

// keepProfile keeps a profile for later runs, if there is a place for it.
func (p *place) keepProfile(id string, profile object.Profile) {
	if p.opts.Profiles == "" {
		return
	}
	all := p.readProfiles()
	all[id] = profile
	b, err := json.Marshal(all)
	if err == nil && os.MkdirAll(filepath.Dir(p.opts.Profiles), 0o700) == nil {
		if f, err := new(storage.Run).Create(p.opts.Profiles, storage.Options{Force: true, Mode: 0o600}); err == nil {
			f.Write(b)
			f.Commit()
		}
	}
}
