//go:build unix

package main

import (
	"bytes"
	"context"
	"io"

	"bulla/keyslot"
	"bulla/set"
	"bulla/stream"
)

// must is v, which cannot fail here.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// seal makes a container for key.
func seal(plain []byte, key *keyslot.KEK, o stream.WriterOptions) []byte {
	var b bytes.Buffer
	w := must(stream.NewWriter(context.Background(), &b, []stream.Recipient{key}, &o))
	must(w.Write(plain))
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// A pending part of a set in memory.
type pending struct {
	bytes.Buffer
	commit func(b []byte)
}

func (p *pending) Writer() io.Writer { return p }
func (p *pending) Abort()            {}
func (p *pending) Commit() error     { p.commit(p.Bytes()); return nil }

// sealSet makes a set of volumes of 2 MiB.
func sealSet(plain []byte, key *keyslot.KEK, level int) map[string][]byte {
	files := make(map[string][]byte)
	create := func(_ context.Context, suffix string) (set.Pending, error) {
		return &pending{commit: func(b []byte) { files[suffix] = b }}, nil
	}
	o := &set.WriterOptions{WriterOptions: stream.WriterOptions{Level: level}, VolumeSize: set.VolumeUnit}
	w := must(set.NewWriter(context.Background(), create, []stream.Recipient{key}, o))
	must(w.Write(plain))
	if err := w.Close(); err != nil {
		panic(err)
	}
	return files
}

// sealGrant makes a container and a grant on it.
func sealGrant(plain []byte, key *keyslot.KEK) map[string][]byte {
	b := seal(plain, key, stream.WriterOptions{})
	r := must(stream.NewReaderAt(context.Background(), bytes.NewReader(b), int64(len(b)), []stream.Identity{key}, nil))
	defer r.Close()
	g := must(r.Grant(stream.Range{Offset: grantedFrom, Length: grantedTo - grantedFrom}))
	defer g.Close()
	var grant bytes.Buffer
	if err := g.Write(context.Background(), &grant, []stream.Recipient{key}, nil); err != nil {
		panic(err)
	}
	return map[string][]byte{"": b, "grant": grant.Bytes()}
}
