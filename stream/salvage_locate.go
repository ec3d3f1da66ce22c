package stream

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
// number of bytes. Beyond maxHoles of them, what lies between two runs is in the
// placement as well, though it does not.
type placement struct {
	run
	by     int64
	length int64 // of each chunk
	final  bool  // it is one chunk, the container's last
}

// A gap is a run of chunks that were not found, and the bytes of the container
// in which they may be.
type gap struct {
	run            // up to farChunk, if nothing was found behind it
	from, to int64 // offsets in the container
	before   int64 // by how much the chunks before it have moved
}

// open reports whether nothing was found behind the gap.
func (g gap) open() bool { return g.end == farChunk }

const farChunk = format.MaxChunks

// A salvager finds where the chunks are.
type salvager struct {
	*payloadAt
	ctx    context.Context
	head   int64 // length of the head
	tail   int64 // where the tail is, -1 if it was not found
	base   int64 // by how much the container as a whole has moved
	places []placement

	searchBounds
	tries  int64 // candidates tried in searches
	shifts int   // searches that found something
	missed bool  // a search found nothing where there is room for a chunk
}

func newSalvager(ctx context.Context, r *payloadAt, bounds *searchBounds) *salvager {
	s := &salvager{payloadAt: r, ctx: ctx, head: int64(r.op.head.Head.HeadSize()), tail: -1, searchBounds: *bounds}
	if c := r.copies.Tail; c != nil {
		s.tail = c.Offset
	}
	// Scans try every chunk as a whole one that is not the last.
	s.partial = true
	return s
}

// at is where chunk i begins if it has moved by that much.
func (s *salvager) at(i, by int64) int64 { return format.ChunkOffset(s.head, i) + by }

// limit is where the payload ends at the latest.
func (s *salvager) limit() int64 {
	if s.tail >= 0 {
		return s.tail
	}
	return s.layout.Size
}

// locate finds the chunks: first where they belong, then those that are missing
// where they may have moved to. Afterwards places are in order.
func (s *salvager) locate() error {
	if err := s.sweep(run{0, farChunk}, 0); err != nil {
		return err
	}
	if len(s.places) == 0 {
		// Perhaps it all has moved: something stands before it, or it is a part
		// of something larger.
		c, err := findCopy(s.ctx, s.src, s.layout.Size, s.op.head.Head.Preamble.Bytes())
		if err != nil {
			return err
		}
		if c != nil && c.Offset != 0 && c.Offset != s.tail {
			s.base = c.Offset
			if err := s.sweep(run{0, farChunk}, s.base); err != nil {
				return err
			}
		}
	}
	for _, g := range s.gaps() {
		if err := s.settle(g); err != nil {
			return err
		}
	}
	s.sort()
	return context.Cause(s.ctx)
}

func (s *salvager) sort() {
	slices.SortFunc(s.places, func(a, b placement) int { return cmp.Compare(a.first, b.first) })
}

// moved lists where in the container what was found begins to be moved, is moved
// differently, or is in its place again.
func (s *salvager) moved() []Shift {
	var shifts []Shift
	by := int64(0)
	for _, p := range s.places {
		if p.by != by {
			by = p.by
			shifts = append(shifts, Shift{p.first, s.at(p.first, by), by})
		}
	}
	return shifts
}

// sweep tries the chunks of a run, in parallel, where they are if they have
// moved by that much, and notes those that authenticate.
func (s *salvager) sweep(r run, by int64) error {
	// Whole chunks that lie in the container.
	r.end = min(r.end, (s.layout.Size-s.at(0, by))/format.SealedChunkSize)
	for r.first < r.end && s.at(r.first, by) < 0 {
		r.first++
	}
	if r.len() == 0 {
		return nil
	}
	s.layout.HeadSize = s.head + by // so that scan looks there
	pull := s.scan(r.first, r.end, (*batch).openAll)
	defer pull.Close()
	last := -1 // the placement that chunks are added to
	for b := pull.Next(); b != nil; b = pull.Next() {
		for i := b.first; i < b.first+int64(b.n/format.SealedChunkSize); i++ {
			if slices.Contains(b.bad, i) {
				continue
			}
			if last < 0 || s.places[last].end != i && len(s.places) < s.maxHoles {
				s.places = append(s.places, placement{run: run{i, i}, by: by, length: format.SealedChunkSize})
				last = len(s.places) - 1
			}
			s.places[last].end = i + 1
		}
		s.done.Add(int64(b.n))
		if err := context.Cause(s.ctx); err != nil {
			return err
		}
	}
	return nil
}

// gaps are what is missing between the places, which are in order: first what is
// open, as most depends on that, then the longest.
func (s *salvager) gaps() []gap {
	var all []gap
	before := placement{run: run{0, 0}, by: s.base}
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

// settle looks for the chunks of a gap, and then in the gaps that remain.
func (s *salvager) settle(g gap) error {
	if g.open() {
		if p, ok := s.findFinal(g); ok {
			g = s.close(g, p)
		}
	}
	if g.len() == 0 || !g.open() && g.to-g.from <= format.SealedChunkSize {
		return nil // no room for a chunk but in its place
	}
	open := g.open()
	g, by, ok := s.search(g)
	if err := context.Cause(s.ctx); err != nil {
		return err
	}
	if !ok {
		s.missed = s.missed || g.to-g.from > format.SealedChunkSize
		return nil
	}
	n := len(s.places)
	if err := s.sweep(g.run, by); err != nil {
		return err
	}
	found := slices.Clone(s.places[n:])
	if len(found) == 0 {
		if open && !g.open() { // only the last chunk has moved so
			return s.settle(g)
		}
		return nil // the medium has got worse since
	}
	for _, p := range found {
		if err := s.settle(gap{run{g.first, p.first}, g.from, s.at(p.first, p.by), g.before}); err != nil {
			return err
		}
		g.first, g.from, g.before = p.end, s.at(p.end, p.by), by
	}
	return s.settle(g)
}

// close notes the last chunk of the container and returns what of a gap is
// before it.
func (s *salvager) close(g gap, p placement) gap {
	s.places = append(s.places, p)
	g.end, g.to = p.first, s.at(p.first, p.by)
	return g
}

// findFinal looks for the container's last chunk in an open gap, moved as far as
// the chunks before it. Its length and index follow from where it ends.
func (s *salvager) findFinal(g gap) (placement, bool) {
	b, w := s.getBuf(), &window{src: s.src}
	defer s.putBuf(b)
	for _, end := range s.ends(g.from) {
		for _, by := range slices.Compact([]int64{g.before, s.base}) {
			if p, ok := s.tryFinal(b, w, g, end, by); ok {
				return p, true
			}
		}
	}
	return placement{}, false
}

// tryFinal tries the last chunk that ends there and has moved by that much.
func (s *salvager) tryFinal(b *chunkBuf, w *window, g gap, end, by int64) (placement, bool) {
	p, ok := s.finalAt(end, by)
	if !ok || p.first < g.first {
		return p, false
	}
	_, ok = s.openSealed(b, w.bytes(s.at(p.first, by), p.length), p.first, true)
	return p, ok
}

// finalAt is the last chunk that ends there and has moved by that much, if there
// can be one.
func (s *salvager) finalAt(end, by int64) (p placement, ok bool) {
	payload := end - s.at(0, by)
	p = placement{by: by, length: payload % format.SealedChunkSize, final: true}
	p.first = payload / format.SealedChunkSize
	p.end = p.first + 1
	return p, payload >= 0 && p.length >= format.TagSize && s.at(p.first, by) >= 0
}

// ends are where the payload may end, if the last chunks that were found end at
// from.
func (s *salvager) ends(from int64) []int64 {
	var ends []int64
	if s.tail >= 0 {
		ends = append(ends, s.tail)
	}
	size := s.layout.Size
	ends = append(ends, size-s.head) // the tail is damaged
	// Something stands behind the tail, or a part of it is missing.
	const near = 1 << 20
	preamble := s.op.head.Head.Preamble.Bytes()
	from = max(0, from)
	behind := make([]byte, max(0, min(near, size-from)))
	n, _ := s.src.ReadAt(behind, from)
	for p := 0; p < n; p++ {
		i := bytes.Index(behind[p:n], preamble)
		if i < 0 {
			break
		}
		p += i
		ends = append(ends, from+int64(p))
	}
	for k := range int64(len(preamble)) {
		ends = append(ends, size-k)
	}
	return ends
}

// opens returns the plaintext of chunk i of a placement if it authenticates
// there. The plaintext is in b.
func (s *salvager) opens(b *chunkBuf, i int64, p placement) (plain []byte, ok bool) {
	off := s.at(i, p.by)
	if off < 0 || off+p.length > s.layout.Size {
		return nil, false
	}
	sealed := b.sealed[:p.length]
	if n, _ := s.src.ReadAt(sealed, off); n < len(sealed) {
		return nil, false
	}
	return s.openSealed(b, sealed, i, p.final)
}

// openSealed returns the plaintext of what may be chunk i, in b. It is none if
// nothing could be read.
func (s *salvager) openSealed(b *chunkBuf, sealed []byte, i int64, final bool) (plain []byte, ok bool) {
	if len(sealed) < format.TagSize {
		return nil, false
	}
	if [format.TagSize]byte(sealed[len(sealed)-format.TagSize:]) == [format.TagSize]byte{} {
		return nil, false // a hole, most likely: no tag is all zeros
	}
	seg, err := s.segment(i)
	if err != nil {
		return nil, false
	}
	plain, err = seg.Open(b.room[:0], sealed, i, final, &b.nonce)
	return plain, err == nil
}

// expected is the size that the plaintext seems to have, where its end was not
// found.
func (s *salvager) expected() int64 {
	by := s.base
	if n := len(s.places); n > 0 {
		by = s.places[n-1].by
	}
	payload := max(0, s.limit()-s.at(0, by))
	chunks := payload / format.SealedChunkSize
	if rest := payload % format.SealedChunkSize; s.tail >= 0 && rest > format.TagSize {
		return chunks*format.ChunkSize + rest - format.TagSize
	}
	return chunks * format.ChunkSize
}
