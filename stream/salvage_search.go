package stream

import (
	"io"
	"sync"
	"sync/atomic"

	"bulla/format"
)

// searchBounds say how far chunks that are not in their place are looked for.
// A try costs the authentication of one chunk, some 20 µs with AES: to give up on
// one gap takes half a minute of one processor, on a container two minutes at most.
type searchBounds struct {
	reaches   []reach
	maxTries  int64 // in all searches
	maxShifts int   // found; each costs a pass over the chunks behind it

	// MaxHoles bounds the memory, to some 30 MiB: a placement takes 40 bytes, a gap
	// 48, and a lost range 16. Where there are more holes, the rest is not searched
	// for what has moved, and told as one range.
	maxHoles int
}

// A reach is how far from where it is expected, and at which places, a chunk is
// looked for.
type reach struct {
	within, step int64   // bytes
	ahead        []int64 // which chunks of a gap, counted from its first: these may be intact
	least        int64   // chunks in a gap that is worth it, if something was found behind
	final        bool    // instead, the container's last chunk, which ends where the tail begins
}

// What was inserted or removed begins in the first chunk of a gap, so that the
// second is likely to be intact; where others are damaged as well, a later one.
// The last chunk is in front of the tail whatever is damaged before. How long it
// is follows only from how much has moved, but to try it takes half the time, as
// it is half as long on average.
var defaultBounds = searchBounds{
	reaches: []reach{
		{within: 512, step: 1, ahead: []int64{1, 0}},
		{within: 16 << 20, step: format.SealedChunkSize, ahead: []int64{0, 1}},
		{within: 4 << 10, step: 1, final: true},
		{within: 4 << 10, step: 1, ahead: []int64{1, 0, 2, 4, 16, 64, 256, 1024}, least: 8},
		{within: 16 << 20, step: 512, final: true},
		{within: 512 << 10, step: 1, final: true},
		{within: 16 << 20, step: 512, ahead: []int64{1, 0, 16}},
		{within: 64 << 10, step: 1, ahead: []int64{1, 0, 16}, least: format.SegmentChunks},
	},
	maxTries:  4 << 20,
	maxShifts: 100,
	maxHoles:  1 << 18,
}

// search looks for a chunk of a gap and returns by how much it has moved, and
// what of the gap is before it, if it is the container's last.
func (s *salvager) search(g gap) (before gap, by int64, ok bool) {
	if s.shifts == s.maxShifts {
		return g, 0, false
	}
	for _, r := range s.reaches {
		if r.final {
			if p, ok := s.findMovedFinal(g, r); ok {
				s.shifts++
				return s.close(g, p), p.by, true
			}
			continue
		}
		if !g.open() && g.len() < r.least {
			continue
		}
		for _, ahead := range r.ahead {
			if by, ok := s.find(g, r, g.first+ahead); ok {
				s.shifts++
				return g, by, true
			}
		}
	}
	return g, 0, false
}

// find looks within a reach for chunk i, in case something was inserted before
// it; and, in case something was removed, for the chunk that then is where chunk
// i would be. At most one of them is authentic, but for the work of someone who
// has the key.
func (s *salvager) find(g gap, r reach, i int64) (by int64, ok bool) {
	return s.nearest(r, g.before, func(b *chunkBuf, w *window, by int64) bool {
		i := i
		if d := g.before - by; d > 0 {
			i += (d + format.SealedChunkSize - 1) / format.SealedChunkSize
		}
		at := s.at(i, by)
		if i >= g.end || at < max(0, g.from) || at+format.SealedChunkSize > g.to {
			return false
		}
		_, ok := s.openSealed(b, w.bytes(at, format.SealedChunkSize), i, false)
		return ok
	})
}

// findMovedFinal looks within a reach for the container's last chunk, in front
// of the tail.
func (s *salvager) findMovedFinal(g gap, r reach) (p placement, ok bool) {
	if !g.open() || s.tail < 0 {
		return p, false
	}
	by, ok := s.nearest(r, g.before, func(b *chunkBuf, w *window, by int64) bool {
		_, ok := s.tryFinal(b, w, g, s.tail, by)
		return ok
	})
	if ok {
		p, _ = s.finalAt(s.tail, by)
	}
	return p, ok
}

// nearest tries what may have moved by about as much as what is before it,
// nearest first, on all workers, until something has.
func (s *salvager) nearest(r reach, before int64, try func(b *chunkBuf, w *window, by int64) bool) (by int64, ok bool) {
	const stride = 256 // steps that a worker takes at a time
	var next, tries atomic.Int64
	var found atomic.Pointer[int64]
	var all sync.WaitGroup
	for range s.workers {
		all.Go(func() {
			b := s.getBuf()
			defer s.putBuf(b)
			further, here := &window{src: s.src}, &window{src: s.src}
			for found.Load() == nil && s.ctx.Err() == nil && s.tries+tries.Load() < s.maxTries {
				d := next.Add(stride*r.step) - stride*r.step
				if d >= r.within {
					return
				}
				for range stride {
					d += r.step
					if by := before + d; try(b, further, by) {
						found.Store(&by)
					}
					if by := before - d; try(b, here, by) {
						found.Store(&by)
					}
				}
				tries.Add(2 * stride)
			}
		})
	}
	all.Wait()
	s.tries += tries.Load()
	if by := found.Load(); by != nil {
		return *by, true
	}
	return 0, false
}

// A window is what chunks are looked for in. It reads what it needs once, though
// it is looked at in many places: there may be bad sectors in it, which take
// their time. What may have been inserted makes the places go further from one
// candidate to the next, and what may have been removed back and forth over a
// chunk's length; so two cells are enough for either.
type window struct {
	src   io.ReaderAt
	cells [2]cell
}

// A cell has every chunk that may begin in a stretch of cellSize bytes.
type cell struct {
	number int64 // of the stretch, from 1; 0 if the cell is empty
	b      []byte
}

const cellSize = format.ChunkSize

// bytes returns the n bytes at off, a chunk's at most, and nil if the source ends
// before.
func (w *window) bytes(off int64, n int64) []byte {
	number := off/cellSize + 1
	c := &w.cells[number%int64(len(w.cells))]
	if c.number != number {
		c.number, c.b = number, grow(c.b[:cap(c.b)], cellSize+format.SealedChunkSize)
		n, _ := w.src.ReadAt(c.b, (number-1)*cellSize)
		c.b = c.b[:n]
	}
	at := off % cellSize
	if int64(len(c.b)) < at+n {
		return nil
	}
	return c.b[at : at+n]
}
