package stream

import (
	"context"
	"errors"
	"io"
	"sort"

	"bulla/format"
	"bulla/internal/zseek"
)

// errLost is a read of a part of the payload that was not found.
var errLost = errors.New("lost")

// A foundAt reads the payload of what a salvager has found, each chunk where it
// belongs. A read that touches a lost one fails.
type foundAt struct{ *salvager }

func (f foundAt) ReadAt(p []byte, off int64) (int, error) {
	b := f.getBuf()
	defer f.putBuf(b)
	n := 0
	for n < len(p) {
		i, skip := off/format.ChunkSize, off%format.ChunkSize
		k := sort.Search(len(f.places), func(k int) bool { return f.places[k].end > i })
		if k == len(f.places) {
			return n, io.EOF
		}
		plain, ok := []byte(nil), f.places[k].first <= i
		if ok {
			plain, ok = f.opens(b, i, f.places[k])
		}
		if !ok {
			return n, errLost
		}
		if skip >= int64(len(plain)) {
			return n, io.EOF
		}
		c := copy(p[n:], plain[skip:])
		n += c
		off += int64(c)
	}
	return n, nil
}

// size is the length of the payload's plaintext, if its end was found.
func (s *salvager) size() (n int64, known bool) {
	if len(s.places) == 0 {
		return 0, false
	}
	last := s.places[len(s.places)-1]
	return (last.end-1)*format.ChunkSize + last.length - format.TagSize, last.final
}

// writeFrames writes what the payload decompresses to, and zeros for the frames
// that touch a lost chunk. ok is false if the payload is not compressed, or its
// end, where the table of the frames is, was lost: then nothing is written.
func (s *salvager) writeFrames(dst io.Writer) (out *Salvaged, ok bool, err error) {
	size, known := s.size()
	if s.op.head.Head.Coding != format.Zstd || !known {
		return nil, false, nil
	}
	z, err := zseek.NewReaderAt(foundAt{s}, size, 1)
	if err != nil {
		return nil, false, nil
	}
	out = &Salvaged{Head: s.op.head.Head, SizeKnown: true, Decoded: true, Shifts: s.moved()}
	to := newSink(dst)
	var content []byte
	for i := range z.Table().Frames() {
		if err := context.Cause(s.ctx); err != nil {
			return out, true, err
		}
		n := min(zseek.FrameContent, z.Size()-i*zseek.FrameContent)
		if content, err = z.ReadFrame(content, i); err != nil {
			out.lose(n)
			err = zeroFill(s.ctx, to, n)
		} else {
			out.Size += n
			out.Intact += n
			err = to.write(content)
		}
		if err != nil {
			return out, true, err
		}
	}
	return out, true, nil
}

// moved lists where what was found has moved to.
func (s *salvager) moved() []Shift {
	var shifts []Shift
	for _, p := range s.places {
		if n := len(shifts); p.by != 0 && (n == 0 || shifts[n-1].By != p.by) {
			shifts = append(shifts, Shift{p.first, s.at(p.first, p.by), p.by})
		}
	}
	return shifts
}
