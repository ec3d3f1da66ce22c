//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/set"
	"bulla/stream"
)

// A target is what one can read with a key: the container "" and what belongs to it.
type target struct {
	name   string
	files  map[string][]byte
	plain  []byte
	other  map[string][]byte // of another plaintext under the same key
	theirs []byte            // that plaintext
	read   func(t *trial, x *target, files map[string][]byte)
}

// text is n bytes without a zero among them, which a compressor finds something in.
func text(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + r.IntN(4)*r.IntN(64))
	}
	return b
}

// readers changes containers, sets and grants and reads them by the library.
func readers(c *campaign) (int, func(*trial)) {
	kek := must(keyslot.GenerateKEK(entropy.Default()))
	var all []target
	for _, o := range []stream.WriterOptions{{Suite: format.AES256GCM}, {Suite: format.ChaCha20Poly1305}, {Level: 1}} {
		for _, n := range []int{0, 1, 3 * format.ChunkSize, 5*format.ChunkSize + 77} {
			x := target{name: fmt.Sprintf("container of %d bytes, %v, level %d", n, o.Suite, o.Level), plain: text(1, n), theirs: text(2, n)}
			x.files = map[string][]byte{"": seal(x.plain, kek, o)}
			x.other = map[string][]byte{"": seal(x.theirs, kek, o)}
			x.read = func(t *trial, x *target, files map[string][]byte) { readContainer(t, x, files[""], kek) }
			all = append(all, x)
		}
	}
	for _, level := range []int{0, 1} {
		x := target{name: fmt.Sprintf("set, level %d", level), plain: text(3, 5<<20), theirs: text(4, 5<<20)}
		x.files, x.other = sealSet(x.plain, kek, level), sealSet(x.theirs, kek, level)
		x.read = func(t *trial, x *target, files map[string][]byte) { readSet(t, x, files, kek) }
		all = append(all, x)
	}
	g := target{name: "grant", plain: text(5, 400_000), theirs: text(6, 400_000)}
	g.files, g.other = sealGrant(g.plain, kek), sealGrant(g.theirs, kek)
	g.read = func(t *trial, x *target, files map[string][]byte) { readGrant(t, x, files, kek) }
	all = append(all, g)
	return c.pick(1_500, 60_000), func(t *trial) {
		x := &all[t.rand.IntN(len(all))]
		if t.rand.IntN(4) > 0 { // a set takes as long as many containers
			x = &all[t.rand.IntN(len(all)-3)]
		}
		files := maps.Clone(x.files)
		name := slices.Sorted(maps.Keys(files))[t.rand.IntN(len(files))]
		switch t.rand.IntN(len(files) * 4) {
		case 1:
			delete(files, name)
			t.did = fmt.Sprintf("%s: %q is missing", x.name, name)
		default:
			var what string
			files[name], what = change(t.rand, files[name], x.other[name])
			t.did = fmt.Sprintf("%s, %q: %s", x.name, name, what)
		}
		if maps.EqualFunc(files, x.files, bytes.Equal) || bytes.Contains(files[name], payload(x.other[name])) {
			t.void = true // nothing was changed, or it is the other, with damage to its copies of the head
			return
		}
		defer func() {
			if p := recover(); p != nil {
				t.fail("panic: %v\n%s", p, debug.Stack())
			}
		}()
		x.read(t, x, files)
	}
}

// payload is all of a container but the copies of its head.
func payload(b []byte) []byte {
	n := must(format.ParseHead(b)).HeadSize()
	return b[n : len(b)-n]
}

// sealed reports whether got, from that place on, was sealed: in x or, as its copies of the
// head may be all that is left, in the other.
func (x *target) sealed(got []byte, at int64) bool {
	return bytes.HasPrefix(x.plain[at:], got) || bytes.HasPrefix(x.theirs[at:], got)
}

// released judges what a reader gave, in order from the beginning, and how it ended.
// Something was changed: only with a warning is that no error, and then nothing is missing.
func (t *trial) released(by string, x *target, got []byte, err error, warned bool) {
	t.runs.Add(1)
	switch {
	case !x.sealed(got, 0):
		t.fail("%s gave %d bytes that were never sealed", by, len(got))
	case err == nil && len(got) != len(x.plain):
		t.fail("%s gave %d bytes of %d, without an error", by, len(got), len(x.plain))
	case err == nil && !warned:
		t.fail("%s found nothing", by)
	}
}

func readContainer(t *trial, x *target, b []byte, key stream.Identity) {
	ctx, ids := context.Background(), []stream.Identity{key}
	var got bytes.Buffer
	r, err := stream.NewReader(ctx, bytes.NewReader(b), ids, &stream.ReaderOptions{Workers: 1 + t.rand.IntN(2)})
	warned := false
	if err == nil {
		_, err = r.WriteTo(&got)
		warned = len(r.Warnings()) > 0
		r.Close()
	}
	t.released("Reader", x, got.Bytes(), err, warned)

	got.Reset()
	src, size := bytes.NewReader(b), int64(len(b))
	at, err := stream.NewReaderAt(ctx, src, size, ids, nil)
	if err == nil {
		t.ranges(at, x)
		warned = len(at.Warnings()) > 0
		_, err = at.WriteTo(&got)
		at.Close()
	}
	t.released("ReaderAt", x, got.Bytes(), err, warned)
	if at, err := stream.NewReaderAt(ctx, src, size, ids, &stream.ReaderAtOptions{AllowTruncated: true}); err == nil {
		t.ranges(at, x)
		at.Close()
	}
	for by, verify := range map[string]func() (*stream.Report, error){
		"Verify":       func() (*stream.Report, error) { return stream.Verify(ctx, src, size, ids, nil) },
		"VerifyReader": func() (*stream.Report, error) { return stream.VerifyReader(ctx, bytes.NewReader(b), ids, nil) },
	} {
		if rep, err := verify(); err == nil && len(rep.Findings) == 0 {
			t.fail("%s found nothing", by)
		}
	}
	if t.rand.IntN(4) == 0 { // it takes as long as all the others
		var saved bytes.Buffer
		stream.Salvage(ctx, &saved, src, size, ids, nil)
		t.salvaged(x, saved.Bytes())
	}
	if e, err := stream.EditHead(ctx, src, size, ids, nil); err == nil {
		e.Close()
	}
}

// ranges reads some, and compares what comes.
func (t *trial) ranges(r io.ReaderAt, x *target) {
	for range 4 {
		at, p := int64(t.rand.IntN(len(x.plain)+1)), make([]byte, 1+t.rand.IntN(100_000))
		n, err := r.ReadAt(p, at)
		if !x.sealed(p[:n], at) || err == nil && n < len(p) {
			t.fail("ReadAt(%d bytes, %d) gave %d bytes, %v, that were never sealed there", len(p), at, n, err)
		}
	}
}

// salvaged judges what is left: zeros where something is lost.
func (t *trial) salvaged(x *target, got []byte) {
	for i, c := range got {
		if c != 0 && (i >= len(x.plain) || c != x.plain[i] && c != x.theirs[i]) {
			t.fail("salvage wrote what was never sealed at byte %d", i)
			return
		}
	}
}

// A memFile is a part of a set.
type memFile struct{ *bytes.Reader }

func (memFile) Close() error { return nil }

func opener(files map[string][]byte) set.Opener {
	return func(_ context.Context, suffix string) (set.File, error) {
		b, ok := files[suffix]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return memFile{bytes.NewReader(b)}, nil
	}
}

func readSet(t *trial, x *target, files map[string][]byte, key stream.Identity) {
	ctx, ids, open := context.Background(), []stream.Identity{key}, opener(files)
	root := bytes.NewReader(files[""])
	var got bytes.Buffer
	warned := false
	r, err := set.NewReaderAt(ctx, root, root.Size(), open, ids, nil)
	if err == nil {
		t.ranges(r, x)
		_, err = r.WriteTo(&got)
		warned = len(r.Warnings()) > 0
		r.Close()
	}
	t.released("set.ReaderAt", x, got.Bytes(), err, warned)
	if rep, err := set.Verify(ctx, root, root.Size(), open, ids, nil); err == nil && len(rep.Findings) == 0 {
		t.fail("set.Verify found nothing")
	}
	var saved bytes.Buffer
	set.Salvage(ctx, &saved, root, root.Size(), open, ids, nil)
	t.salvaged(x, saved.Bytes())
}

// grantedFrom and grantedTo are what the grant gives; its own file is "grant".
const grantedFrom, grantedTo = 70_001, 399_000

func readGrant(t *trial, x *target, files map[string][]byte, key stream.Identity) {
	b := files["grant"]
	g, err := stream.OpenGrant(context.Background(), bytes.NewReader(b), int64(len(b)), []stream.Identity{key}, func(format.Part) (stream.Target, error) {
		return opener(files)(context.Background(), "")
	}, nil)
	if err != nil {
		return
	}
	defer g.Close()
	var got bytes.Buffer
	_, err = g.WriteTo(&got)
	want := x.plain[grantedFrom:grantedTo]
	if !bytes.HasPrefix(want, got.Bytes()) || err == nil && got.Len() < len(want) {
		t.fail("the grant gave %d bytes, %v, that were never sealed", got.Len(), err)
	}
	for range 4 {
		at, p := int64(grantedFrom+t.rand.IntN(grantedTo-grantedFrom)), make([]byte, 1+t.rand.IntN(100_000))
		if n, _ := g.ReadAt(p, at); !bytes.HasPrefix(x.plain[at:grantedTo], p[:n]) {
			t.fail("the grant gave %d bytes at %d that were never sealed there", n, at)
		}
	}
}
