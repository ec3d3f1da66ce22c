package stream

import (
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

// frames writes what the payload decompresses to, and zeros for the frames that
// touch a lost chunk.
func (d *delivery) frames() error {
	d.Decoded = true
	size, known := d.size()
	if !known {
		return d.walk()
	}
	z, err := zseek.NewReaderAt(foundAt{d.salvager}, size, 1)
	if err != nil { // the table is damaged
		return d.walk()
	}
	d.SizeKnown = true
	var content []byte
	for i := range z.Table().Frames() {
		if f, err := z.Table().Frame(i); err == nil {
			d.done.Add(int64(f.Size))
		}
		if content, err = z.ReadFrame(content, i); err == nil {
			err = d.give(content)
		} else {
			err = d.lose(min(zseek.FrameContent, z.Size()-i*zseek.FrameContent))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
