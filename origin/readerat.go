package origin

import (
	"io"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/recent"
	"bulla/internal/ring"
)

// A ReaderAt is a container at random: see [Signed.ReaderAt].
type ReaderAt struct {
	signed   *Signed
	src      io.ReaderAt
	segments *recent.Cache // that have been checked
	until    atomic.Int64  // the end of what was announced
}

// ReaderAt returns the container that src holds, of size bytes, for a reader that seeks.
// A read of the payload reads and checks the whole segments that it is in, and gives what
// was checked (ORIGIN-9); the head and the tail are the caller's affair: see CheckHead. It
// fails with an *Error if the size is not the one that was signed. Reads fail with an
// *Error, or one of src.
//
// It holds workers+1 segments of 8 MiB; workers 0 means GOMAXPROCS. ReadAt may be called
// concurrently: within what ReadAhead announced, as many segments are checked at a time as
// there are reads under way.
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
			until := (min(end, r.until.Load()) - begin + sealedSegmentSize - 1) / sealedSegmentSize
			k, err = r.segments.CopyAhead(rest, (at-begin)/sealedSegmentSize, (at-begin)%sealedSegmentSize, until)
		}
		n += k
	}
	if n == len(p) {
		err = nil
	}
	return n, err
}

// ReadAhead announces that n bytes from off on are going to be read in order, as package stream
// does, to src, too.
func (r *ReaderAt) ReadAhead(off, n int64) {
	src, ok := r.src.(interface{ ReadAhead(off, n int64) })
	if !ok {
		r.until.Store(off + n)
		return
	}
	begin := r.signed.HeadSize() // a source that is far away reads ahead itself
	from, to := max(0, off-begin), min(off+n-begin, r.signed.Payload)
	if from < to {
		at, _ := r.signed.segment(from / sealedSegmentSize)
		last, length := r.signed.segment((to - 1) / sealedSegmentSize)
		src.ReadAhead(at, last+length-at)
	}
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
