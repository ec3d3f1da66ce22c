package salvage

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"bulla/format"
)

// A run is the chunks first..end-1.
type run struct{ first, end int64 }

func (r run) len() int64 { return max(0, r.end-r.first) }

// A placement is a run of chunks that authenticate, all moved by the same
// number of bytes. Beyond Limits.Holes of them, what lies between two runs is in
// the placement as well, though it does not.
type placement struct {
	run
	by     int64
	length int64 // of each chunk
	final  bool  // it is one chunk, the container's last
}

// A gap is a run of chunks that were not found, and the bytes of the container
// in which they may be.
type gap struct {
	run            // up to farChunk, if nothing was found after it
	from, to int64 // offsets in the container
	before   int64 // by how much the chunks before it have moved
}

// open reports whether nothing was found after the gap.
func (g gap) open() bool { return g.end == farChunk }

const farChunk = format.MaxChunks

// A search finds where the chunks are.
type search struct {
	*Container
	Options
	ctx    context.Context
	head   int64 // length of the head
	base   int64 // by how much the container as a whole has moved
	places []placement
	opened int64 // whole chunks that were found
	tries  int   // places that were tried for slips
	slips  int   // that were found
}

func newSearch(ctx context.Context, c *Container, o Options) *search {
	o.Limits.Slip = cmp.Or(o.Limits.Slip, maxSlip)
	o.Limits.Holes = cmp.Or(o.Limits.Holes, maxHoles)
	return &search{Container: c, Options: o, ctx: ctx, head: int64(c.Head.HeadSize())}
}

// at is where chunk i begins if it has moved by that much.
func (s *search) at(i, by int64) int64 { return format.ChunkOffset(s.head, i) + by }

// limit is where the payload ends at the latest.
func (s *search) limit() int64 {
	if s.Tail >= 0 {
		return s.Tail
	}
	return s.Size
}

// locate finds the chunks: first where they belong, then those that are missing
// where they may have moved to. Afterwards places are in order.
func (s *search) locate() error {
	if err := s.sweep(run{0, farChunk}, 0); err != nil {
		return err
	}
	if len(s.places) == 0 { // perhaps it is a part of something larger
		c, err := FindCopy(s.ctx, s.Src, s.Size, s.Head.Preamble.Bytes())
		if c != nil && c.Offset != 0 && c.Offset != s.Tail {
			s.base = c.Offset
			err = s.sweep(run{0, farChunk}, s.base)
		}
		if err != nil {
			return err
		}
	}
	for todo := s.gaps(); len(todo) > 0; {
		rest, err := s.settle(todo[0])
		if err != nil {
			return err
		}
		todo = append(rest, todo[1:]...)
	}
	slices.SortFunc(s.places, func(a, b placement) int { return cmp.Compare(a.first, b.first) })
	return context.Cause(s.ctx)
}

// moved lists where in the container what was found begins to be moved, is moved
// differently, or is in its place again.
func (s *search) moved() []Shift {
	shifts := []Shift{}
	by := int64(0)
	for _, p := range s.places {
		if p.by != by {
			by = p.by
			shifts = append(shifts, Shift{p.first, s.at(p.first, by), by})
		}
	}
	return shifts
}

// gaps are what is missing between the places, which are in order: first what is
// open, as most depends on that, then the longest.
func (s *search) gaps() []gap {
	var all []gap
	before := placement{by: s.base}
	for _, p := range s.places {
		if p.first > before.end {
			all = append(all, gap{run{before.end, p.first}, s.at(before.end, before.by), s.at(p.first, p.by), before.by})
		}
		before = p
	}
	all = append(all, gap{run{before.end, farChunk}, s.at(before.end, before.by), s.limit(), before.by})
	slices.SortStableFunc(all, func(a, b gap) int { return cmp.Compare(b.len(), a.len()) })
	return all
}

// settle looks for the chunks of a gap, and returns the gaps that are left of it
// and worth another look.
func (s *search) settle(g gap) (rest []gap, err error) {
	if g.open() {
		if p, ok := s.findFinal(g); ok {
			s.places = append(s.places, p)
			g.end, g.to = p.first, s.at(p.first, p.by)
		}
	}
	if g.len() == 0 || !g.open() && g.to-g.from <= format.SealedChunkSize {
		return nil, nil // no room for a chunk but in its place
	}
	by, ok := s.slip(g)
	if err := context.Cause(s.ctx); err != nil || !ok {
		return nil, err
	}
	n := len(s.places)
	if err := s.sweep(g.run, by); err != nil {
		return nil, err
	}
	for _, p := range s.places[n:] {
		rest = append(rest, gap{run{g.first, p.first}, g.from, s.at(p.first, p.by), g.before})
		g.first, g.from = p.end, s.at(p.end, p.by)
	}
	g.before = by // the last chunk, too, if it is that which was found
	return append(rest, g), nil
}

// findFinal looks for the container's last chunk in an open gap, moved as far as
// the chunks before it. Its length and index follow from where it ends.
func (s *search) findFinal(g gap) (p placement, ok bool) {
	var b room
	for _, end := range s.ends(g.from) {
		if p, ok := s.finalAt(end, g.before); ok && p.first >= g.first {
			if _, ok := s.read(&b, p.first, p); ok {
				return p, true
			}
		}
	}
	return placement{}, false
}

// finalAt is the last chunk that ends there and has moved by that much, if there
// can be one.
func (s *search) finalAt(end, by int64) (p placement, ok bool) {
	payload := end - s.at(0, by)
	p = placement{by: by, length: payload % format.SealedChunkSize, final: true}
	p.first = payload / format.SealedChunkSize
	p.end = p.first + 1
	return p, payload >= 0 && p.length >= format.TagSize && s.at(p.first, by) >= 0
}

// ends are where the payload may end, if the last chunks that were found end at
// from.
func (s *search) ends(from int64) []int64 {
	var ends []int64
	if s.Tail >= 0 {
		ends = append(ends, s.Tail)
	}
	ends = append(ends, s.Size-s.head) // the tail is damaged
	// Something stands after the tail, or a part of it is missing.
	const (
		near = 1 << 20
		most = 16 // preambles there
	)
	preamble := s.Head.Preamble.Bytes()
	after := make([]byte, max(0, min(near, s.Size-from)))
	n, _ := s.Src.ReadAt(after, from)
	for p, seen := 0, 0; seen < most; p, seen = p+1, seen+1 {
		i := bytes.Index(after[min(p, n):n], preamble)
		if i < 0 {
			break
		}
		p += i
		ends = append(ends, from+int64(p))
	}
	for k := range int64(len(preamble)) {
		ends = append(ends, s.Size-k)
	}
	return ends
}

// expected is how long the payload's plaintext seems to be, where its end was
// not found.
func (s *search) expected() int64 {
	by := s.base
	if n := len(s.places); n > 0 {
		by = s.places[n-1].by
	}
	payload := max(0, s.limit()-s.at(0, by))
	chunks := payload / format.SealedChunkSize
	if rest := payload % format.SealedChunkSize; s.Tail >= 0 && rest > format.TagSize {
		return chunks*format.ChunkSize + rest - format.TagSize
	}
	return chunks * format.ChunkSize
}
