package origin

import (
	"io"

	"bulla/format"
	"bulla/internal/recent"
	"bulla/internal/ring"
)

// A ReaderAt is a container at random: see [Signed.ReaderAt].
type ReaderAt struct {
	signed   *Signed
	src      io.ReaderAt
	segments *recent.Cache // that have been checked
}

// ReaderAt returns the container that src holds, of size bytes, for a reader that seeks.
// A read of the payload reads and checks the whole segments that it is in, and gives what
// was checked (ORIGIN-9); the head and the tail are the caller's affair: see CheckHead. It
// fails with an *Error if the size is not the one that was signed. Reads fail with an
// *Error, or one of src.
//
// It holds workers+1 segments of 8 MiB; workers 0 means GOMAXPROCS. ReadAt may be called
// concurrently.
func (s *Signed) ReaderAt(src io.ReaderAt, size int64, workers int) (*ReaderAt, error) {
	if size != s.Size() {
		return nil, &Error{ORIGIN8, format.ErrForged, min(size, s.Size()), "the container is not as long as the one that was signed"}
	}
	r := &ReaderAt{signed: s, src: src}
	r.segments = recent.New(ring.Workers(workers)+1, r.readSegment)
	return r, nil
}

// ReadAt implements io.ReaderAt.
func (r *ReaderAt) ReadAt(p []byte, off int64) (n int, err error) {
	begin := r.signed.HeadSize()
	end := begin + r.signed.Payload
	for n < len(p) && err == nil {
		var k int
		at, rest := off+int64(n), p[n:]
		switch {
		case at < begin:
			k, err = r.src.ReadAt(rest[:min(int64(len(rest)), begin-at)], at)
		case at >= end:
			k, err = r.src.ReadAt(rest, at)
		default:
			k, err = r.segments.Copy(rest, (at-begin)/sealedSegmentSize, (at-begin)%sealedSegmentSize)
		}
		n += k
	}
	if n == len(p) {
		err = nil
	}
	return n, err
}

// readSegment reads a segment, and checks it.
func (r *ReaderAt) readSegment(buf []byte, i int64) ([]byte, error) {
	offset, length := r.signed.segment(i)
	if buf == nil {
		buf = make([]byte, min(sealedSegmentSize, r.signed.Payload))
	}
	n, err := r.src.ReadAt(buf[:length], offset)
	if int64(n) == length {
		err = r.signed.checkSegment(i, buf[:length])
	}
	return buf[:length], err
}
