package main

import (
	"errors"
	"io"

	"bulla/format"
)

// Ends keeps the two ends of a stream that is written to it: all that a check
// without a key looks at. Afterwards they can be read at their places.
type ends struct {
	size  int64
	first []byte // up to maxEnd bytes from the beginning
	last  []byte // a ring of maxEnd bytes: byte i of the stream is at i modulo its length
}

const maxEnd = format.MaxHeadSize

func (e *ends) Write(p []byte) (int, error) {
	if room := maxEnd - len(e.first); room > 0 {
		e.first = append(e.first, p[:min(room, len(p))]...)
	}
	if e.last == nil {
		e.last = make([]byte, maxEnd)
	}
	for b := p[max(0, len(p)-maxEnd):]; len(b) > 0; {
		at := (e.size + int64(len(p)-len(b))) % maxEnd
		b = b[copy(e.last[at:], b):]
	}
	e.size += int64(len(p))
	return len(p), nil
}

// ReadAt gives what was kept.
func (e *ends) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	n := 0
	for n < len(p) && off < e.size {
		var k int
		switch {
		case off < int64(len(e.first)):
			k = copy(p[n:], e.first[off:])
		case off >= e.size-maxEnd:
			at := off % maxEnd
			k = copy(p[n:], e.last[at:min(maxEnd, at+e.size-off)])
		default:
			return n, errors.New("internal error: only the ends of a stream can be read again")
		}
		n += k
		off += int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
