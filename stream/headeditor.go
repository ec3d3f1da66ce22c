package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"bulla/format"
)

// A File is what a container is changed in: an *os.File, for instance.
type File interface {
	io.ReaderAt
	io.WriterAt
	Sync() error // returns when what was written is durable
}

// A HeadEditor holds the head of a container, opened, and changes it. Open it
// with [EditHead] or [EditDetachedHead], look, edit in memory with [HeadEditor.Apply]
// any number of times, and write once with [HeadEditor.Save].
//
// It is for one goroutine, and holds secrets until Close.
type HeadEditor struct {
	layout format.Layout
	faults []format.Finding
	cut    error // why the container's end is missing; nil if it is there
	op     *opened
	copies *format.Copies // that stand in the container
	err    error          // of Save
}

// EditHead opens the copies of the head of the container of size bytes in src
// with one of the identities, and authenticates the container's last chunk, so
// that the copies are known to stand where they should. Its errors are those of
// [NewReaderAt].
func EditHead(ctx context.Context, src io.ReaderAt, size int64, identities []Identity, opts *HeadOptions) (*HeadEditor, error) {
	o := opts.orDefault()
	r, err := openPayload(ctx, src, size, identities, &o, true)
	if err != nil {
		return nil, err
	}
	return &HeadEditor{layout: r.layout, faults: r.faults(r.op.head), cut: r.cut, op: r.op, copies: r.copies}, nil
}

// EditDetachedHead opens a head by itself, with which encoded begins: a detached
// one, or that of a container of which no more is at hand. Its errors are those
// of [NewReaderAt], as far as they do not concern the payload.
func EditDetachedHead(ctx context.Context, encoded []byte, identities []Identity) (*HeadEditor, error) {
	op, err := openHead(ctx, encoded, identities, true)
	if err != nil {
		return nil, err
	}
	op.stored = nil // there is no container that it stands in
	return &HeadEditor{op: op, copies: &format.Copies{}}, nil
}

// Close forgets the keys. Head, Encoded, Faults and Truncated still answer; no
// other method may be called any more. It returns nil.
func (h *HeadEditor) Close() error {
	h.op.wipe()
	return nil
}

// Head returns the copy that counts (READ-1), or what Apply has made of it. It
// must not be changed.
func (h *HeadEditor) Head() *format.Head { return h.op.head.Head }

// Encoded returns the bytes of Head, as they go into a container or a detached
// head. They must not be changed.
func (h *HeadEditor) Encoded() []byte { return h.op.head.Raw }

// Stored returns the newest authentic copy that stands in the container, nil if
// none does: Save replaces it. It must not be changed.
func (h *HeadEditor) Stored() *format.Head {
	if h.op.stored == nil {
		return nil
	}
	return h.op.stored.Head
}

// Faults returns what is wrong with the copies in the container: nothing if
// both are good and equal.
func (h *HeadEditor) Faults() []format.Finding { return slices.Clone(h.faults) }

// Truncated returns why the container's end is missing, nil if it is not.
func (h *HeadEditor) Truncated() error { return h.cut }

// SlotsOf returns the positions in Head().Slots of the slots of n, from 0: none
// if n is no recipient.
func (h *HeadEditor) SlotsOf(n Named) []int { return h.op.slotsOf(n) }

// Removed returns the slots by which recipients still open the container, though
// the copy that counts does not have them: those of stale copies.
func (h *HeadEditor) Removed() (slots []format.Slot) {
	for _, c := range h.op.all {
		for _, i := range c.Head.SlotsNotIn(h.Head()) {
			s := c.Head.Slots[i]
			if !slices.ContainsFunc(slots, func(t format.Slot) bool { return t.ID == s.ID && bytes.Equal(t.Body, s.Body) }) {
				slots = append(slots, s)
			}
		}
	}
	return slots
}

// Owns reports whether a slot of the container is n's.
func (h *HeadEditor) Owns(n Named, s *format.Slot) bool { return h.op.owns(n, s) }

// OpenedSlot returns the position in Head().Slots of the slot that was opened,
// from 0; -1 if Head has it no more.
func (h *HeadEditor) OpenedSlot() int { return h.op.openedSlot() }

// Apply edits the head in memory: Head and Encoded are then the next generation
// (WRAP-1), the same one however often Apply is called. It fails with
// [ErrLastSlot], a [*HeadFullError], a [*RecipientNotFoundError],
// [format.ErrMixedClasses], or an error of a recipient's Wrap; the head is then
// as it was.
//
// Removing a recipient is not revocation: whoever could open the container
// once may have kept its key.
func (h *HeadEditor) Apply(ctx context.Context, edit *Edit) error {
	next := *h.op.head.Head
	next.Generation = h.op.all[0].Head.Generation // of any copy that there is
	if next.Generation == math.MaxUint32 {
		return &LimitError{format.WRAP1, "the head has been changed 2^32 times"}
	}
	next.Generation++ // WRAP-1
	kept, err := h.op.plan(edit)
	if err != nil {
		return err
	}
	if next.Slots, err = addSlots(ctx, kept, edit.Add, edit.AllowClassical, edit.mixer(), &next.Preamble, edit.pages(h.Head()), h.op.cek, h.op.keys); err != nil {
		return err
	}
	if next.CopyPages = next.Pages; next.SlotsSize() > format.Room(next.Pages) {
		next.CopyPages = roomyPages(next.SlotsSize(), 0)
	}
	head, err := encodeHead(&next, h.op.keys)
	if err == nil {
		h.op.head = head
	}
	return err
}

// Sound reports whether the head stands in both of its places.
func (h *HeadEditor) Sound() bool { return h.stands(0) && h.stands(h.layout.TailOffset()) }

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
func (h *HeadEditor) Save(f File) error {
	writes, err := h.Writes()
	if err != nil {
		return err
	}
	for _, w := range writes {
		if h.err = put(f, w.New, w.Offset); h.err != nil {
			return h.err
		}
	}
	head, tail := *h.op.head, *h.op.head
	head.Offset, tail.Offset = 0, h.layout.TailOffset()
	h.copies = &format.Copies{Head: &head, Tail: &tail}
	h.op.head, h.op.stored, h.op.all = &head, &head, []*format.Copy{&head, &tail}
	h.faults = nil
	return nil
}

// A HeadWrite is a copy of the head on its way to its place in a container.
type HeadWrite struct {
	Offset int64
	Old    []byte // the copy that stands there; nil if none that is usable does
	New    []byte
}

// Writes returns what Save writes, in its order, for a caller that makes each
// durable itself, and sees whether Old still stands there. Its error is the last
// of Save, that the container's end is missing, or a [*HeadFullError] if Head is a
// larger detached one.
func (h *HeadEditor) Writes() ([]HeadWrite, error) {
	switch {
	case h.layout.Size == 0 || h.cut != nil:
		return nil, errors.New("there is no whole container to write the head to")
	case h.err != nil:
		return nil, h.err
	case h.Head().CopyPages > h.Head().Pages: // HEAD-16
		return nil, &HeadFullError{h.Head().SlotsSize(), format.Room(h.Head().Pages), len(h.Head().Slots)}
	}
	places := []int64{h.layout.TailOffset(), 0}
	if c := h.copies.Tail; c != nil && c == h.op.stored {
		slices.Reverse(places) // the tail is the only good copy
	}
	var writes []HeadWrite
	for _, at := range places {
		if h.stands(at) {
			continue
		}
		w := HeadWrite{Offset: at, New: h.op.head.Raw}
		if c := h.copyAt(at); c != nil {
			w.Old = c.Raw
		}
		writes = append(writes, w)
	}
	return writes, nil
}

// stands reports whether the head stands in that place already.
func (h *HeadEditor) stands(at int64) bool {
	c := h.copyAt(at)
	return c != nil && bytes.Equal(c.Raw, h.op.head.Raw)
}

func (h *HeadEditor) copyAt(at int64) *format.Copy {
	if at != 0 {
		return h.copies.Tail
	}
	return h.copies.Head
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
