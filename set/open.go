package set

import (
	"context"
	"io"
	"slices"
	"sync/atomic"

	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// An opened set: its root, and its index if there are volumes.
type opened struct {
	*Unfinished
	key      *keyslot.HPKEIdentity // the set key
	head     *format.Head          // of the root
	slot     int                   // of head, that was opened
	warnings []Finding
}

// A Finding is something that was found about a part.
type Finding struct {
	Suffix string `json:"suffix"` // of the part: "" is the root
	format.Finding
}

// judgeRoot checks what shows of a root without a key (ROLE-2, SET-3).
func judgeRoot(src io.ReaderAt, size int64, detached []byte) error {
	r := format.Check(src, size)
	h, err := r.Newest(detached)
	switch {
	case err != nil || r.Copies.Conflict(detached) != nil: // which is named in its turn
		return nil
	case h.Role != format.RoleRoot:
		return &stream.RoleError{Part: h.Part, Want: format.RoleRoot}
	case h.Coding != format.Plain:
		return bad(format.SET3, "coding", codingAt, format.ErrMalformed, "a root is not compressed")
	}
	return nil
}

// openRoot opens the root (spec/set.md section 6). detached is a detached head, or nil.
func openRoot(ctx context.Context, src io.ReaderAt, size int64, ids []stream.Identity, detached []byte) (*opened, error) {
	s, err := readRoot(ctx, src, size, ids, detached)
	return s, inPart("", err)
}

// Key opens the root of a set with one of the identities, and returns the set key, which
// opens the index and the volumes. It fails as [NewReaderAt] does.
func Key(ctx context.Context, src io.ReaderAt, size int64, identities []stream.Identity) (stream.Identity, error) {
	s, err := openRoot(ctx, src, size, identities, nil)
	if err != nil {
		return nil, err
	}
	return s.key, nil
}

func readRoot(ctx context.Context, src io.ReaderAt, size int64, ids []stream.Identity, detached []byte) (*opened, error) {
	if err := judgeRoot(src, size, detached); err != nil {
		return nil, err
	}
	c, err := stream.NewReaderAt(ctx, src, size, ids, options(format.RoleRoot, detached))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	b, err := readWhole(c, func(n int64) bool { return n == rootSize })
	defer clear(b)
	if err != nil {
		return nil, err
	}
	r, err := parseRoot(b, c.Head().Set)
	if err != nil {
		return nil, err
	}
	defer clear(r.Secret[:])
	s := &opened{head: c.Head(), slot: c.OpenedSlot()}
	s.warn("", c)
	s.Unfinished, s.key, err = r.keys()
	return s, err
}

// openIndex opens the index of the set whose root is open.
func (s *opened) openIndex(ctx context.Context, open Opener) error {
	return inPart(IndexSuffix, s.readIndex(ctx, open))
}

func (s *opened) readIndex(ctx context.Context, open Opener) error {
	f, err := openPart(ctx, open, IndexSuffix)
	if err != nil {
		return err
	}
	defer f.Close()
	x := &expected{Part: s.part(format.RoleIndex, 0)}
	c, err := stream.NewReaderAt(ctx, f, f.Size(), []stream.Identity{s.key}, options(format.RoleIndex, nil))
	if err == nil {
		defer c.Close()
	}
	if err = x.check(f, c, err); err != nil {
		return err
	}
	b, err := readWhole(c, func(n int64) bool { return volumesIn(n) > 0 })
	if err != nil {
		return err
	}
	s.warn(IndexSuffix, c)
	s.Volumes, err = s.parseIndex(b)
	return err
}

func options(role format.Role, detached []byte) *stream.ReaderAtOptions {
	return &stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Role: role, Head: detached, Workers: 1}}
}

// readWhole returns all of a small part, if that is as long as one can be: else nothing, for its
// parser to name.
func readWhole(c *stream.ReaderAt, possible func(size int64) bool) ([]byte, error) {
	n, err := c.Size()
	if err != nil || !possible(n) {
		return nil, err
	}
	b := make([]byte, n)
	_, err = c.ReadAt(b, 0)
	return b, err
}

func (s *opened) warn(suffix string, c *stream.ReaderAt) {
	for _, f := range c.Warnings() {
		if !slices.Contains(s.warnings, Finding{suffix, f}) { // a volume may be opened again
			s.warnings = append(s.warnings, Finding{suffix, f})
		}
	}
}

// A volume that is open.
type volume struct {
	*stream.ReaderAt
	file File
}

func (v *volume) Close() {
	v.ReaderAt.Close()
	v.file.Close()
}

// expects is what volume i has to be.
func (s *opened) expects(i int) *expected {
	x := &expected{Part: s.part(format.RoleVolume, i), coding: s.Coding}
	if i < len(s.Volumes) {
		x.listed = &s.Volumes[i]
	}
	return x
}

// openVolume opens volume i up to its last chunk, and checks it against the index, if
// that is open.
func (s *opened) openVolume(ctx context.Context, open Opener, i, workers int, done *atomic.Int64) (*volume, error) {
	f, err := openPart(ctx, open, VolumeSuffix(i))
	if err != nil {
		return nil, inPart(VolumeSuffix(i), err)
	}
	r, err := s.readVolume(ctx, f, i, workers, done)
	if err != nil {
		f.Close()
		return nil, inPart(VolumeSuffix(i), err)
	}
	return &volume{r, f}, nil
}

func (s *opened) readVolume(ctx context.Context, f File, i, workers int, done *atomic.Int64) (*stream.ReaderAt, error) {
	r, err := stream.NewReaderAt(ctx, f, f.Size(), []stream.Identity{s.key}, &stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Role: format.RoleVolume, Workers: workers, Done: done}})
	if cerr := s.expects(i).check(f, r, err); cerr != nil {
		if err == nil {
			r.Close()
		}
		return nil, cerr
	}
	return r, nil
}
