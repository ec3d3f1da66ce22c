package origin

import (
	"io"
	"sync"

	"bulla/format"
	"bulla/internal/ring"
)

// A ReaderAt is a container at random: see [Signed.ReaderAt].
type ReaderAt struct {
	signed *Signed
	src    io.ReaderAt

	mu    sync.Mutex
	free  *sync.Cond // a segment is no longer read from
	held  []*held
	clock int64
}

// A held segment is in memory, once it has been checked.
type held struct {
	index int64
	used  int64 // by the clock
	users int
	load  *sync.Once
	buf   []byte
	err   error
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
	r := &ReaderAt{signed: s, src: src, held: make([]*held, ring.Workers(workers)+1)}
	r.free = sync.NewCond(&r.mu)
	for i := range r.held {
		r.held[i] = &held{index: -1}
	}
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
			k, err = r.readSegment(rest, (at-begin)/sealedSegmentSize, (at-begin)%sealedSegmentSize)
		}
		n += k
	}
	if n == len(p) {
		err = nil
	}
	return n, err
}

// readSegment reads from a segment, checked, from an offset in it on.
func (r *ReaderAt) readSegment(p []byte, i, off int64) (int, error) {
	h := r.take(i)
	defer r.release(h)
	h.load.Do(func() {
		offset, length := r.signed.segment(i)
		if h.buf == nil {
			h.buf = make([]byte, min(sealedSegmentSize, r.signed.Payload))
		}
		h.buf = h.buf[:length]
		var n int
		if n, h.err = r.src.ReadAt(h.buf, offset); int64(n) == length {
			h.err = r.signed.checkSegment(i, h.buf)
		}
	})
	if h.err != nil {
		return 0, h.err
	}
	return copy(p, h.buf[off:]), nil
}

// take returns the place of a segment: the one it is in, or the one that has not been
// used for longest, of those that nobody reads from.
func (r *ReaderAt) take(i int64) *held {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var oldest *held
		for _, h := range r.held {
			if h.index == i {
				return r.use(h)
			}
			if h.users == 0 && (oldest == nil || h.used < oldest.used) {
				oldest = h
			}
		}
		if oldest != nil {
			oldest.index, oldest.err, oldest.load = i, nil, new(sync.Once)
			return r.use(oldest)
		}
		r.free.Wait()
	}
}

func (r *ReaderAt) use(h *held) *held {
	r.clock++
	h.used = r.clock
	h.users++
	return h
}

func (r *ReaderAt) release(h *held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.users--; h.err != nil && h.users == 0 {
		h.index = -1 // to be tried again
	}
	r.free.Broadcast()
}
