package stream

import (
	"bytes"
	"errors"
	"fmt"

	"bulla/format"
)

// A fault is a chunk that did not open, with what a reader has at hand to name
// the reason (spec section 8).
type fault struct {
	index  int64
	offset int64 // of the chunk in the container
	length int64 // of the chunk
	final  bool  // it was opened as the last

	window []byte // the container from the chunk's first byte on, up to 65,552 + H bytes or to the end
	more   bool   // the container goes on behind the window
}

// maxLookalikes is how many places in a chunk that begin with the container's
// preamble are looked at: no chunk has one by accident, and to sum up a copy
// takes up to 256 KiB.
const maxLookalikes = 16

// name returns the error for f in a container with that head.
func (f *fault) name(h *format.Head) error {
	size := h.HeadSize()
	preamble := h.Preamble.Bytes()
	for at, seen := 0, 0; seen < maxLookalikes; at, seen = at+1, seen+1 {
		i := bytes.Index(f.window[at:], preamble)
		if at += i; i < 0 || at >= format.SealedChunkSize {
			break
		}
		if end := at + size; (f.more || len(f.window) > end) && isCopy(f.window[at:]) {
			return &TrailingError{f.offset + int64(end)} // FILE-4
		}
	}
	if f.final {
		tail := len(f.window) - size
		if tail < 0 || !isCopy(f.window[tail:]) {
			return &TruncatedError{Chunks: f.index, Offset: f.offset + int64(len(f.window))} // FILE-1
		}
	}
	return &ChunkError{f.index, f.offset, f.length} // CHUNK-1
}

// isFault reports whether err is about the container, and not about reading it.
func isFault(err error) bool {
	return errors.Is(err, format.ErrDamaged) || errors.Is(err, format.ErrTruncated) || errors.Is(err, format.ErrMalformed)
}

// nameSize returns the error for a payload of a size that no payload has, of
// which f is the last piece: the same, but FILE-2 where a chunk would be damaged.
func (f *fault) nameSize(h *format.Head) error {
	err := f.name(h)
	if _, ok := errors.AsType[*ChunkError](err); ok {
		_, err = format.NewLayout(f.offset+int64(len(f.window)), int64(h.HeadSize()))
	}
	return err
}

// isCopy reports whether an undamaged copy of a head begins b (HEAD-1 to HEAD-5).
func isCopy(b []byte) bool {
	_, err := format.CheckCopy(b)
	return err == nil
}

// The two places where a copy of the head stands in a container.
const (
	headPlace = "head"
	tailPlace = "tail"
)

// own is the copy that the container's places are judged by: the one that counts
// of those that stand in it. A newer detached head does not make them stale.
func (op *opened) own() *format.Copy {
	if op.stored == nil {
		return op.head
	}
	return op.stored
}

// compare says what is wrong with what stands in one place, at that offset, by
// a good copy (HEAD-13, TAIL-1, TAIL-2); nil if nothing is.
func (op *opened) compare(good *format.Copy, raw []byte, place string, offset int64) *format.Finding {
	if bytes.Equal(raw, good.Raw) {
		return nil
	}
	f := &format.Finding{Clause: format.TAIL1, Severity: format.Violation, Offset: offset, Length: int64(len(raw))}
	h, err := format.ParseHead(raw)
	switch {
	case err != nil:
		f.Message = fmt.Sprintf("the %s is damaged: %v", place, err)
	case !h.SameContainer(good.Head):
		f.Message = fmt.Sprintf("the %s is another container's", place)
		if place == headPlace {
			f.Clause = format.KEY1
		}
	case !op.keys.VerifyHead(h, raw):
		f.Message = fmt.Sprintf("the %s was changed by someone who cannot open it", place)
		if place == headPlace {
			f.Clause = format.HEAD13
		}
	case h.Generation == good.Head.Generation:
		f.Clause, f.Message = format.TAIL2, "the copies of the head are of the same generation and differ"
	default:
		if h.Generation > good.Head.Generation { // then it is the other that is behind
			place, f.Offset = headPlace, 0
		}
		f.Clause = format.TAIL2
		f.Message = fmt.Sprintf("the %s is stale: an older copy, as an interrupted change of recipients leaves it", place)
	}
	return f
}
