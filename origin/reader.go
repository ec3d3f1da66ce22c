package origin

import (
	"fmt"
	"io"

	"bulla/format"
	"bulla/internal/ring"
)

const sealedSegmentSize = format.SegmentChunks * format.SealedChunkSize

// segment returns where in the container segment i begins, and how long it is.
func (s *Signed) segment(i int64) (offset, length int64) {
	return s.HeadSize() + i*sealedSegmentSize, min(sealedSegmentSize, s.Payload-i*sealedSegmentSize)
}

// checkSegment reports whether these are the bytes of segment i (ORIGIN-8).
func (s *Signed) checkSegment(i int64, sealed []byte) error {
	if segmentRoot(sealed) == s.roots[i] {
		return nil
	}
	offset, _ := s.segment(i)
	return &Error{ORIGIN8, format.ErrForged, offset, fmt.Sprintf("segment %d, at %d, is not the one that was signed", i, offset)}
}

// A piece is the head, a segment or the tail of a container that streams.
type piece struct {
	buf     []byte
	segment int64 // -1: of the head or the tail, which are not signed
	err     error // behind the bytes, io.EOF at the end
}

// A Reader is a container as a stream: see [Signed.Reader].
type Reader struct{ r *ring.Reader[piece] }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) { return r.r.Read(p) }

// Close returns when nothing of r runs any more, after a Read of the source that is under
// way. It does not close the source.
func (r *Reader) Close() { r.r.Close() }

// Reader returns the container that src holds, for a reader that streams. Each segment
// is released once it has proved to be the one that was signed (ORIGIN-9); where one does
// not, or the container goes on after its end, Read fails with an *Error. A container that
// is cut off ends before the segment in which it is cut. The head is the caller's affair:
// see CheckHead.
//
// It holds workers+1 segments of 8 MiB; workers 0 means GOMAXPROCS.
func (s *Signed) Reader(src io.Reader, workers int) *Reader {
	workers = ring.Workers(workers)
	next := int64(-1) // -1: the head; Segments(): the tail
	feed := func(p *piece) (more bool) {
		i, size := next, s.HeadSize()
		next++
		p.segment, p.err = -1, nil
		switch {
		case i == s.Segments():
			size++ // to see whether it goes on
		case i >= 0:
			p.segment = i
			_, size = s.segment(i)
		}
		if int64(cap(p.buf)) < size {
			p.buf = make([]byte, max(size, min(sealedSegmentSize, s.Payload)))
		}
		n, err := io.ReadFull(src, p.buf[:size])
		p.buf = p.buf[:n]
		switch ended := err == io.EOF || err == io.ErrUnexpectedEOF; {
		case i == s.Segments() && err == nil:
			p.buf = p.buf[:0]
			p.err = &Error{ORIGIN8, format.ErrForged, s.Size(), "the container goes on after the end that was signed"}
		case ended && i >= 0 && i < s.Segments():
			p.buf, p.segment, p.err = p.buf[:0], -1, io.EOF
		case ended:
			p.err = io.EOF
		default:
			p.err = err
		}
		return p.err == nil
	}
	work := func(p *piece) {
		if p.segment >= 0 && p.err == nil {
			if p.err = s.checkSegment(p.segment, p.buf); p.err != nil {
				p.buf = p.buf[:0]
			}
		}
	}
	give := func(p *piece) ([]byte, error) { return p.buf, p.err }
	return &Reader{ring.NewReader(ring.NewPuller(workers, workers+1, feed, work), give)}
}
