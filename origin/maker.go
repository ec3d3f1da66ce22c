package origin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/parallel"
	"bulla/internal/ring"
)

// A Maker makes the tree of a container from its chunks, which may come in any order: as a
// [stream.Observer] it hashes them in the workers that seal them, while they are in the
// cache. The zero Maker is ready for one container.
type Maker struct {
	head   [format.IdentitySize]byte
	hashes sync.Pool // of workers that wait

	mu      sync.Mutex
	chunks  int64 // that have come, and their bytes
	payload int64
	roots   []Hash            // by segment
	open    map[int64]*leaves // that are not complete: the last ones
	spare   []*leaves
}

// leaves are those of a segment, n of which have come.
type leaves struct {
	all [format.SegmentChunks]Hash
	n   int
}

// Head takes the head, before any chunk.
func (m *Maker) Head(head []byte) { copy(m.head[:], head) }

// Sealed hashes consecutive chunks, of which the first has that number. Each must come once; all
// but the container's last are whole. It keeps nothing of them, and is safe for concurrent use.
// It fails with an *Error if there are too many.
func (m *Maker) Sealed(first int64, chunks []byte) error {
	h, _ := m.hashes.Get().(hash.Hash)
	if h == nil {
		h = sha256.New()
	}
	defer m.hashes.Put(h)
	for i := first; len(chunks) > 0; i++ {
		n := min(format.SealedChunkSize, len(chunks))
		if err := m.add(i, leaf(h, chunks[:n]), n); err != nil {
			return err
		}
		chunks = chunks[n:]
	}
	return nil
}

// add adds the leaf of chunk i, of n bytes.
func (m *Maker) add(i int64, leaf Hash, n int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := i / format.SegmentChunks
	if at >= MaxSegments {
		return unsupported(ORIGIN3, "the container has more than %d segments", MaxSegments)
	}
	s := m.open[at]
	if s == nil {
		if k := len(m.spare); k > 0 {
			s, m.spare = m.spare[k-1], m.spare[:k-1]
		} else {
			s = new(leaves)
		}
		if m.open == nil {
			m.open = make(map[int64]*leaves)
		}
		m.open[at] = s
	}
	s.all[i%format.SegmentChunks] = leaf
	s.n++
	m.chunks++
	m.payload += int64(n)
	if s.n == format.SegmentChunks {
		m.fold(at, s)
	}
	return nil
}

// fold makes the root of a segment.
func (m *Maker) fold(at int64, s *leaves) {
	for int64(len(m.roots)) <= at {
		m.roots = append(m.roots, Hash{})
	}
	m.roots[at] = root(s.all[:s.n])
	s.n = 0
	delete(m.open, at)
	m.spare = append(m.spare, s)
}

// A Part is a container that was hashed: what is to be signed of it, and the roots of its
// segments.
type Part struct {
	Statement // as yet without a time and a name
	Roots     []Hash
}

// Finish returns what was hashed of the container, all of whose chunks have come. It must be
// called once. It fails with an *Error if there can be no such container.
func (m *Maker) Finish() (*Part, error) {
	p := &Part{Statement: Statement{Head: m.head, Chunks: m.chunks, Payload: m.payload}}
	if err := p.check(); err != nil {
		return nil, err
	}
	for at, s := range m.open {
		m.fold(at, s)
	}
	m.open, m.spare = nil, nil // which whoever has m need not keep
	if int64(len(m.roots)) != p.Segments() {
		return nil, malformed(ORIGIN3, "chunks of the container are missing")
	}
	p.Roots = m.roots
	p.Root = root(slices.Clone(p.Roots))
	return p, nil
}

// readChunks is how many chunks are read at once: 1 MiB.
const readChunks = 16

// NewPart hashes the container of size bytes that src holds, on workers goroutines; 0 means
// GOMAXPROCS. done, if not nil, grows by the bytes that were read. It fails with an *Error or
// a [*format.ParseError] if that is no container, by its size and its beginning, and with the
// errors of src, io.ErrUnexpectedEOF if it is shorter, and the cause of ctx's end.
func NewPart(ctx context.Context, src io.ReaderAt, size int64, workers int, done *atomic.Int64) (*Part, error) {
	var m Maker
	if n, err := src.ReadAt(m.head[:], 0); n < len(m.head) && err != io.EOF {
		return nil, err
	}
	headSize := format.HeadSizeOf(m.head[:])
	if headSize == 0 {
		return nil, malformed(ORIGIN3, "the head is not that of a container")
	}
	l, err := format.NewLayout(size, headSize)
	if err != nil {
		return nil, err
	}
	done = cmp.Or(done, new(atomic.Int64))
	done.Add(2 * l.HeadSize)
	workers = ring.Workers(workers)
	bufs := make([][]byte, workers)
	const run = readChunks * format.SealedChunkSize
	payload := l.TailOffset() - l.HeadSize
	err = parallel.Do(workers, int((payload+run-1)/run), func(worker, i int) error {
		if bufs[worker] == nil {
			bufs[worker] = make([]byte, min(run, payload))
		}
		at := int64(i) * run
		buf := bufs[worker][:min(run, payload-at)]
		switch n, err := src.ReadAt(buf, l.HeadSize+at); {
		case n == len(buf):
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		default:
			return err
		}
		done.Add(int64(len(buf)))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return m.Sealed(int64(i)*readChunks, buf)
	})
	if err != nil {
		return nil, err
	}
	return m.Finish()
}
