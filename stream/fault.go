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

// maxLookalikes is how many places in a chunk that begin with the container's
// preamble are looked at: no chunk has one by accident, and to sum up a copy
// takes up to 256 KiB.
const maxLookalikes = 16

// name returns the error for f in a container in which that copy of the head is
// in use.
func (f *fault) name(head *format.Copy) error {
	size := head.Head.HeadSize()
	preamble := head.Raw[:format.PreambleSize]
	for at, seen := 0, 0; seen < maxLookalikes; at, seen = at+1, seen+1 {
		i := bytes.Index(f.window[at:], preamble)
		if at += i; i < 0 || at >= format.SealedChunkSize {
			break
		}
		if end := at + size; (f.more || len(f.window) > end) && isCopy(f.window[at:]) {
			return &TrailingError{f.offset + int64(end)} // FILE-4
		}
	}
	if f.final && f.cut(head.Raw[:size]) {
		return &TruncatedError{Chunks: f.index, Offset: f.offset + int64(len(f.window))} // FILE-1
	}
	return &ChunkError{f.index, f.offset, f.length} // CHUNK-1
}

// cut reports whether the container's end is missing: a tail begins and is not
// all there, or nothing like the copy in use, or the beginning of a larger one,
// stands in its place. What has the length of a
// tail and looks like one, changed as it may be and be it zeros, is damaged.
func (f *fault) cut(head []byte) bool {
	at := len(f.window) - len(head)
	if at < 0 || bytes.Contains(f.window[at+1:], head[:format.PreambleSize]) {
		return true
	}
	tail := f.window[at:]
	if n, err := format.CheckCopy(tail); err == nil && n == len(tail) {
		return false
	}
	same := 0
	for i, c := range tail {
		if c == head[i] {
			same++
		}
	}
	return same < len(tail)/8
}

// isFault reports whether err is about the container, and not about reading it.
func isFault(err error) bool {
	return errors.Is(err, format.ErrDamaged) || errors.Is(err, format.ErrTruncated) || errors.Is(err, format.ErrMalformed)
}

// nameSize returns the error for a payload of a size that no payload has, of
// which f is the last piece: the same, but FILE-2 where a chunk would be damaged.
func (f *fault) nameSize(head *format.Copy) error {
	err := f.name(head)
	if _, ok := errors.AsType[*ChunkError](err); ok {
		if _, impossible := format.NewLayout(f.offset+int64(len(f.window)), int64(head.Head.HeadSize())); impossible != nil {
			return impossible
		}
	}
	return err
}

// isCopy reports whether an undamaged copy of a head begins b (HEAD-5).
func isCopy(b []byte) bool {
	_, err := format.CheckCopy(b)
	return err == nil
}
