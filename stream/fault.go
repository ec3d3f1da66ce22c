package stream

import (
	"bytes"
	"errors"

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

// name returns the error for f in a container with that head.
func (f *fault) name(h *format.Head) error {
	size := h.HeadSize()
	preamble := h.Preamble.Bytes()
	for p := 0; p < format.SealedChunkSize; {
		i := bytes.Index(f.window[p:], preamble)
		if i < 0 {
			break
		}
		p += i
		end := p + size
		if p < format.SealedChunkSize && isCopy(f.window[p:]) && (f.more || len(f.window) > end) {
			return &TrailingError{f.offset + int64(end)} // FILE-4
		}
		p++
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

// checkTail compares the tail of a container, whose chunks have all opened,
// with its head and names what is wrong (TAIL-1, TAIL-2); nil if nothing is.
func (op *opened) checkTail(tail []byte, offset int64) *format.Finding {
	if bytes.Equal(tail, op.head.Raw) {
		return nil
	}
	f := &format.Finding{Clause: format.TAIL1, Severity: format.Warning, Offset: offset, Length: int64(len(tail)),
		Message: "the tail is damaged: it is no copy of the head"}
	h, err := format.ParseHead(tail)
	if err != nil {
		return f
	}
	if !h.SameContainer(op.head.Head) || !op.keys.VerifyHead(h, tail) {
		f.Message = "the tail is not authentic"
		return f
	}
	f.Clause = format.TAIL2
	f.Message = "the tail is a stale copy of the head, as an interrupted change of recipients leaves it"
	if h.Generation > op.head.Head.Generation {
		f.Offset, f.Message = 0, "the head is a stale copy of the tail, as an interrupted change of recipients leaves it"
	}
	return f
}
