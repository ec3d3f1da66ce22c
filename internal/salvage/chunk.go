package salvage

import (
	"context"
	"errors"
	"io"

	"bulla/format"
	"bulla/internal/ring"
	"bulla/internal/seal"
)

// A room has place for one chunk, sealed and opened, and keeps the keys that it
// was last used with.
type room struct {
	key    *seal.ChunkKey // of a segment
	last   *seal.ChunkKey // of what may be the container's last chunk
	nonce  seal.Nonce
	sealed [format.SealedChunkSize]byte
	plain  [format.ChunkSize]byte
}

// open returns the plaintext, in b, of what may be chunk i.
func (s *search) open(b *room, sealed []byte, i int64, final bool) (plain []byte, ok bool) {
	if len(sealed) < format.TagSize {
		return nil, false
	}
	if [format.TagSize]byte(sealed[len(sealed)-format.TagSize:]) == [format.TagSize]byte{} {
		return nil, false // a hole, most likely: no tag is all zeros
	}
	kept := &b.key
	if final {
		kept = &b.last
	}
	key, err := s.Keys.Key(i, final, *kept)
	if err != nil {
		return nil, false
	}
	*kept = key
	plain, err = key.Open(b.plain[:0], sealed, i, &b.nonce)
	return plain, err == nil
}

// read returns the plaintext, in b, of what may be chunk i, moved by that much.
func (s *search) read(b *room, i, by, length int64, final bool) (plain []byte, ok bool) {
	off := s.at(i, by)
	if off < 0 || off+length > s.Size {
		return nil, false
	}
	sealed := b.sealed[:length]
	if n, _ := s.Src.ReadAt(sealed, off); n < len(sealed) {
		return nil, false
	}
	return s.open(b, sealed, i, final)
}

// sweep tries the chunks first..end-1, in parallel, where they are if they have
// moved by that much, and the container's last if they have no end.
func (s *search) sweep(first, end, by int64) error {
	type try struct {
		room
		i    int64
		open bool
	}
	next, stop := first, min(end, (s.Size-s.at(0, by))/format.SealedChunkSize) // the first that is not all in Src
	feed := func(t *try) (more bool) {
		t.i = next
		next++
		return next < stop
	}
	work := func(t *try) { _, t.open = s.read(&t.room, t.i, by, format.SealedChunkSize, false) }
	pull := ring.NewPuller(s.Workers, 2*s.Workers+1, feed, work)
	defer pull.Close()
	for t := pull.Next(); t != nil; t = pull.Next() {
		if t.open {
			s.found(t.i, by)
		}
		s.Done.Add(format.SealedChunkSize)
		if err := context.Cause(s.ctx); err != nil {
			return err
		}
	}
	if end == farChunk {
		s.findFinal(by)
	}
	return nil
}

// length is that of chunk i, sealed, and whether it is the container's last.
func (s *search) length(i int64) (n int64, final bool) {
	if s.final > 0 && i == s.chunks()-1 {
		return s.final, true
	}
	return format.SealedChunkSize, false
}

// chunk returns the plaintext, in b, of chunk i, unless it was not found or the
// medium has got worse since.
func (s *search) chunk(b *room, i int64) (plain []byte, ok bool) {
	if s.where[i] == 0 {
		return nil, false
	}
	n, final := s.length(i)
	return s.read(b, i, s.movedBy(i), n, final)
}

// errLost is a read of a part of the payload that was not found.
var errLost = errors.New("lost")

// ReadAt reads the payload of what was found, each chunk where it belongs. A read
// that touches a lost one fails with errLost.
func (s *search) ReadAt(p []byte, off int64) (n int, err error) {
	var b room
	for n < len(p) {
		i, skip := off/format.ChunkSize, off%format.ChunkSize
		if i >= s.chunks() {
			return n, io.EOF
		}
		plain, ok := s.chunk(&b, i)
		if !ok {
			return n, errLost
		}
		if skip >= int64(len(plain)) {
			return n, io.EOF
		}
		k := copy(p[n:], plain[skip:])
		n += k
		off += int64(k)
	}
	return n, nil
}

// payload is how long what was found is, up to its last chunk.
func (s *search) payload() int64 {
	if s.chunks() == 0 {
		return 0
	}
	last := s.chunks() - 1
	n, _ := s.length(last)
	return last*format.ChunkSize + n - format.TagSize
}
