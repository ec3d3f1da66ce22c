package origin

import (
	"crypto/sha256"
	"hash"
	"slices"

	"bulla/format"
	"bulla/internal/ring"
)

// batchChunks is how many chunks are hashed at a time: 1 MiB.
const batchChunks = 16

// A batch is a part of the payload, and of what follows it.
type batch struct {
	sealed []byte
	leaves [batchChunks]Hash
	n      int // of leaves: one for each 65,552 bytes
	sha    hash.Hash
}

func (b *batch) buffer() *[]byte {
	if b.sealed == nil {
		b.sealed = make([]byte, 0, batchChunks*format.SealedChunkSize)
		b.sha = sha256.New()
	}
	return &b.sealed
}

func (b *batch) hash() {
	b.n = len(b.sealed) / format.SealedChunkSize
	for i := range b.n {
		b.leaves[i] = leaf(b.sha, b.sealed[i*format.SealedChunkSize:][:format.SealedChunkSize])
	}
}

// A Maker hashes a container that is written to it, several chunks at a time. Until the
// end it cannot tell the payload from the tail: it hashes on in steps of a chunk, and
// drops what turns out to be no chunk.
//
// Write and Finish are for one goroutine at a time.
type Maker struct {
	push   *ring.Pusher[batch]
	size   int64
	head   []byte // bytes 0..95
	skip   int    // bytes of the head still to come
	last   []byte // the end of what was written: a chunk and a tail at least, if there is as much
	keep   int    // that size
	leaves []Hash // that are in no segment yet
	roots  []Hash // of whole segments
}

// NewMaker returns a Maker that hashes on workers goroutines; 0 means GOMAXPROCS.
func NewMaker(workers int) *Maker {
	workers = ring.Workers(workers)
	m := &Maker{keep: format.MaxHeadSize + format.SealedChunkSize}
	m.push = ring.NewPusher(workers, 2*workers+1, ring.Stages[batch]{
		Buffer: (*batch).buffer,
		Number: func(*batch, bool) error { return nil },
		Work:   (*batch).hash,
		Commit: m.commit,
	})
	return m
}

// Write takes the next bytes of the container. It fails with an *Error if they do not
// begin one.
func (m *Maker) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	m.remember(p)
	rest := p
	if k := min(len(rest), format.IdentitySize-len(m.head)); k > 0 {
		m.head, rest = append(m.head, rest[:k]...), rest[k:]
		if len(m.head) == format.IdentitySize {
			h := int(format.HeadSizeOf(m.head))
			if h == 0 {
				return 0, m.push.Fail(malformed(ORIGIN3, "the head is not that of a container"))
			}
			m.skip = h - format.IdentitySize
			m.keep = h + format.SealedChunkSize
		}
	}
	k := min(len(rest), m.skip)
	m.skip -= k
	if rest = rest[k:]; len(rest) > 0 {
		if _, err := m.push.Write(rest); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// remember keeps the last bytes.
func (m *Maker) remember(p []byte) {
	if len(p) >= m.keep {
		m.last = append(m.last[:0], p[len(p)-m.keep:]...)
		return
	}
	m.last = append(m.last, p...)
	if drop := len(m.last) - m.keep; drop > m.keep {
		m.last = m.last[:copy(m.last, m.last[drop:])]
	}
}

// commit adds a batch, and folds segments of which it is certain that they are payload:
// a tail is shorter than maxTail chunks.
func (m *Maker) commit(b *batch) error {
	const maxTail = format.MaxHeadSize/format.SealedChunkSize + 1
	m.leaves = append(m.leaves, b.leaves[:b.n]...)
	for len(m.leaves) > format.SegmentChunks+maxTail {
		if err := m.fold(format.SegmentChunks); err != nil {
			return err
		}
	}
	return nil
}

// fold makes a segment of the first n leaves.
func (m *Maker) fold(n int) error {
	if len(m.roots) == MaxSegments {
		return unsupported(ORIGIN3, "the container has more than %d segments", MaxSegments)
	}
	m.roots = append(m.roots, root(m.leaves[:n]))
	m.leaves = m.leaves[:copy(m.leaves, m.leaves[n:])]
	return nil
}

// A Part is a container that was hashed: what is to be signed of it, and the roots of its
// segments.
type Part struct {
	Statement // as yet without a time and a name
	Roots     []Hash
}

// Finish returns what was hashed of the container, which has ended. It must be called once.
// It fails with an *Error if what was written is no container, by its size and its beginning.
func (m *Maker) Finish() (*Part, error) {
	if err := m.push.Close(false); err != nil {
		return nil, err
	}
	m.push = nil // whose memory whoever wrote to m need not keep
	s := new(Part)
	copy(s.Head[:], m.head)
	l, err := format.NewLayout(m.size, s.HeadSize())
	if err != nil {
		return nil, err
	}
	s.Chunks, s.Payload = l.Chunks, l.TailOffset()-l.HeadSize

	_, n := l.Chunk(l.Chunks - 1)
	end := m.last[len(m.last)-int(n+l.HeadSize):]
	m.leaves = append(m.leaves[:l.Chunks-1-int64(len(m.roots))*format.SegmentChunks], leaf(sha256.New(), end[:n]))
	for len(m.leaves) > 0 {
		if err := m.fold(min(format.SegmentChunks, len(m.leaves))); err != nil {
			return nil, err
		}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.Roots = slices.Clone(m.roots)
	s.Root = root(m.roots)
	return s, nil
}
