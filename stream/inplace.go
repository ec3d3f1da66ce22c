package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"bulla/format"
)

// A File is what a container is changed in: an *os.File, for instance.
type File interface {
	io.ReaderAt
	io.WriterAt
	Sync() error // returns when what was written is durable
}

// Heads is the head of a container, opened: what its copies say to someone with
// a key, and the way to change it. A container is opened once, looked at, edited
// any number of times in memory with [Heads.Apply], and written once with
// [Heads.Save]; [Rewrap] and [Repair] are short for that.
//
// It is for one goroutine, and holds secrets until Close.
type Heads struct {
	Encoded   []byte           // the copy that counts (READ-1), or what Apply has made of it
	Head      *format.Head     // the same, parsed: not to be changed
	Layout    format.Layout    // of the container; zero for a head by itself
	Faults    []format.Finding // what is wrong with the copies in the container; empty if both are good and equal
	Truncated bool             // the container's end is missing, and Layout says only what may be there

	op     *opened
	copies *format.Copies // that stand in the container
	err    error          // of Save
}

// OpenHeads opens the copies of the head of the container of size bytes in src
// with one of the identities, and authenticates the container's last chunk, so
// that the copies are known to stand where they should. Its errors are those of
// NewReaderAt.
func OpenHeads(ctx context.Context, src io.ReaderAt, size int64, identities []Identity, opts *ReaderOptions) (*Heads, error) {
	o := opts.orDefault()
	r, err := openPayload(ctx, src, size, identities, &o, true)
	if err != nil {
		return nil, err
	}
	return &Heads{
		Encoded:   r.op.head.Raw,
		Head:      r.op.head.Head,
		Layout:    r.layout,
		Faults:    r.faults(r.op.head),
		Truncated: r.partial,
		op:        r.op,
		copies:    r.copies,
	}, nil
}

// OpenHead opens a head by itself, which encoded begins with: a detached one, or
// that of a container of which no more is at hand. Its errors are those of
// NewReaderAt, as far as they do not concern the payload.
func OpenHead(ctx context.Context, encoded []byte, identities []Identity) (*Heads, error) {
	h, err := format.ParseHead(encoded)
	if err != nil {
		return nil, err
	}
	c := &format.Copy{Raw: bytes.Clone(encoded[:h.HeadSize()]), Head: h}
	op, err := open(ctx, []*format.Copy{c}, identities, true)
	if err != nil {
		return nil, err
	}
	return &Heads{Encoded: c.Raw, Head: c.Head, op: op, copies: &format.Copies{}}, nil
}

// Close forgets the keys. What the fields say stays; no method may be called
// any more.
func (h *Heads) Close() { h.op.wipe() }

// SlotsOf returns the positions in h.Head.Slots of the slots of n, from 0: none
// if n is no recipient.
func (h *Heads) SlotsOf(n Named) []int { return h.op.slotsOf(n) }

// Apply edits the head in memory: Encoded and Head are then the next generation
// (WRAP-1), the same one however often Apply is called. Its errors are those of
// [RewrapHead] for a head that opens; after one, the head is as it was.
func (h *Heads) Apply(ctx context.Context, edit *Edit) error {
	b, err := h.op.rewrap(ctx, edit)
	if err != nil {
		return err
	}
	parsed, err := format.ParseHead(b)
	if err != nil {
		return err
	}
	h.op.head = &format.Copy{Raw: b, Head: parsed}
	h.Encoded, h.Head = b, parsed
	return nil
}

// Sound reports whether the head stands in both of its places.
func (h *Heads) Sound() bool { return h.stands(0) && h.stands(h.Layout.TailOffset()) }

// Save writes the head to both of its places in f, which is what the container
// was opened from, or to the one that does not have it yet. The caller sees to it
// that nobody else changes f meanwhile.
//
// A crash at any moment leaves at least one good copy, the old one or the new:
// of the two places, the one whose copy is not in use is written first and made
// durable before the other is touched (WRAP-2). Each is read back.
//
// Its errors are those of f, and final: what then stands in f has to be opened
// anew.
func (h *Heads) Save(f File) error {
	switch {
	case h.Layout.Size == 0 || h.Truncated:
		return errors.New("there is no whole container to write the head to")
	case h.err != nil:
		return h.err
	}
	first, second := h.Layout.TailOffset(), int64(0)
	if c := h.copies.Tail; c != nil && c == h.op.stored {
		first, second = second, first // the tail is the only good copy
	}
	for _, at := range []int64{first, second} {
		if h.stands(at) {
			continue
		}
		if h.err = put(f, h.Encoded, at); h.err != nil {
			return h.err
		}
	}
	h.op.head = &format.Copy{Raw: h.Encoded, Head: h.Head}
	h.copies = &format.Copies{Head: h.op.head, Tail: &format.Copy{Offset: h.Layout.TailOffset(), Raw: h.Encoded, Head: h.Head}}
	h.op.all, h.op.stored = []*format.Copy{h.copies.Head, h.copies.Tail}, h.copies.Head
	h.Faults = nil
	return nil
}

// stands reports whether the head stands in that place already.
func (h *Heads) stands(at int64) bool {
	c := h.copies.Head
	if at != 0 {
		c = h.copies.Tail
	}
	return c != nil && bytes.Equal(c.Raw, h.Encoded)
}

// put writes b at off, makes it durable and reads it back.
func put(f File, b []byte, off int64) error {
	if n, err := f.WriteAt(b, off); err != nil {
		return err
	} else if n < len(b) {
		return io.ErrShortWrite
	}
	if err := f.Sync(); err != nil {
		return err
	}
	back := make([]byte, len(b))
	if _, err := f.ReadAt(back, off); err != nil && err != io.EOF {
		return err
	}
	if !bytes.Equal(back, b) {
		return fmt.Errorf("what was written at byte %d did not read back", off)
	}
	return nil
}

// Rewrap changes the recipients of the container of size bytes in f, in place:
// it writes the two copies of the head, 2*H bytes, as [Heads.Save] does, and
// nothing else. It returns what then stands there, closed.
//
// Its errors are those of [OpenHeads] and [Heads.Apply], before anything is
// written, and of [Heads.Save].
func Rewrap(ctx context.Context, f File, size int64, identities []Identity, edit *Edit, opts *ReaderOptions) (*Heads, error) {
	h, err := openWhole(ctx, f, size, identities, opts)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if err := h.Apply(ctx, edit); err != nil {
		return nil, err
	}
	if err := h.Save(f); err != nil {
		return nil, err
	}
	return h, nil
}

// Repair makes both copies of the container in f the one that counts: after a
// rewrap that was interrupted, damage to one, or from a detached head in opts
// to both. It writes only a copy that is not so, and returns what was wrong.
//
// Its errors are those of [OpenHeads] and [Heads.Save].
func Repair(ctx context.Context, f File, size int64, identities []Identity, opts *ReaderOptions) ([]format.Finding, error) {
	h, err := openWhole(ctx, f, size, identities, opts)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	faults := h.Faults
	return faults, h.Save(f)
}

// openWhole is OpenHeads of a container that must have its end.
func openWhole(ctx context.Context, f File, size int64, identities []Identity, opts *ReaderOptions) (*Heads, error) {
	o := opts.orDefault()
	o.AllowTruncated = false
	return OpenHeads(ctx, f, size, identities, &o)
}
