package format

import (
	"errors"
	"io"
)

// CheckReader is [Check] of a container that can be read only once, to its end. If
// reading fails, the report has nothing but the error, in Err.
func CheckReader(src io.Reader) *Report {
	var ends Ends
	if _, err := io.Copy(&ends, src); err != nil {
		return &Report{Err: err}
	}
	return Check(&ends, ends.Size())
}

// Ends keep the two ends of a stream that is written to them: all that [Check]
// looks at. They take 512 KiB, whatever the size of the stream. The zero value is
// ready.
type Ends struct {
	size  int64
	first []byte // up to MaxHeadSize bytes from the beginning
	last  []byte // a ring of MaxHeadSize bytes: byte i of the stream is at i modulo its length
}

// Size is how many bytes were written.
func (e *Ends) Size() int64 { return e.size }

// Write takes the next bytes of the stream. It never fails, and does not keep p.
func (e *Ends) Write(p []byte) (int, error) {
	if room := MaxHeadSize - len(e.first); room > 0 {
		e.first = append(e.first, p[:min(room, len(p))]...)
	}
	if e.last == nil {
		e.last = make([]byte, MaxHeadSize)
	}
	for b := p[max(0, len(p)-MaxHeadSize):]; len(b) > 0; {
		at := (e.size + int64(len(p)-len(b))) % MaxHeadSize
		b = b[copy(e.last[at:], b):]
	}
	e.size += int64(len(p))
	return len(p), nil
}

// ReadAt gives bytes of the first and of the last 256 KiB, by their offsets in
// the stream. It fails for those between.
func (e *Ends) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	n := 0
	for n < len(p) && off < e.size {
		var k int
		switch {
		case off < int64(len(e.first)):
			k = copy(p[n:], e.first[off:])
		case off >= e.size-MaxHeadSize:
			at := off % MaxHeadSize
			k = copy(p[n:], e.last[at:min(MaxHeadSize, at+e.size-off)])
		default:
			return n, errors.New("only the ends of a stream can be read again")
		}
		n += k
		off += int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
