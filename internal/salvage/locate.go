package salvage

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"

	"bulla/format"
)

// A search finds where the chunks are:
//
//	chunk     0  1  2  3  4  5  6  7  8  9
//	where     1  1  1  0  2  2  2  0  1  1     0: lost
//	moves     0 bytes, -512 bytes
//
// That takes 16 MiB for each TiB.
type search struct {
	*Container
	Options
	ctx   context.Context
	base  int64   // by how much the container as a whole has moved
	where []uint8 // of each chunk up to the last that was found: its move, from 1 on
	moves []int64 // by how much chunks have moved, in bytes: at most maxSlips+2
	final int64   // the sealed length of the last of them, if that is the container's last; else 0

	tries int // places that were tried for slips
	slips int // that were found
}

const farChunk = format.MaxChunks

func newSearch(ctx context.Context, c *Container, o Options) *search {
	o.Limits.Slip = cmp.Or(o.Limits.Slip, maxSlip)
	o.Limits.Ranges = cmp.Or(o.Limits.Ranges, maxRanges)
	return &search{Container: c, Options: o, ctx: ctx}
}

// at is where chunk i begins if it has moved by that much.
func (s *search) at(i, by int64) int64 { return format.ChunkOffset(int64(s.Head.HeadSize()), i) + by }

// chunks is how many there are up to the last that was found.
func (s *search) chunks() int64 { return int64(len(s.where)) }

// movedBy is by how much chunk i has moved, which was found. What stands before
// the first moves as the whole does.
func (s *search) movedBy(i int64) int64 {
	if i < 0 {
		return s.base
	}
	return s.moves[s.where[i]-1]
}

// found notes that chunk i has moved by that much.
func (s *search) found(i, by int64) {
	move := slices.Index(s.moves, by)
	if move < 0 {
		move = len(s.moves)
		s.moves = append(s.moves, by)
	}
	if more := i + 1 - s.chunks(); more > 0 {
		s.where = append(s.where, make([]uint8, more)...)
	}
	s.where[i] = uint8(move + 1)
}

// moved lists where in the container what was found begins to be moved, is moved
// differently, or is in its place again.
func (s *search) moved() []Shift {
	shifts := []Shift{}
	by := int64(0)
	for i := range s.chunks() {
		if s.where[i] > 0 && s.movedBy(i) != by {
			by = s.movedBy(i)
			shifts = append(shifts, Shift{i, s.at(i, by), by})
		}
	}
	return shifts
}

// locate finds the chunks: first where they belong, then those that are missing
// where they may have moved to, the end first, as most depends on it.
func (s *search) locate() error {
	if err := s.sweep(0, farChunk, 0); err != nil {
		return err
	}
	if s.chunks() == 0 { // perhaps it is a part of something larger
		c, err := FindCopy(s.ctx, s.Src, s.Size, s.Head.Preamble.Bytes())
		if c != nil && c.Offset != 0 && c.Offset != s.Tail {
			s.base = c.Offset
			err = s.sweep(0, farChunk, s.base)
		}
		if err != nil {
			return err
		}
	}
	vain := map[int64]bool{}
	for s.ctx.Err() == nil && s.tries < maxTries && s.slips < maxSlips {
		g := s.widest(vain)
		if g.end == 0 {
			break
		}
		by, ok := s.slip(g)
		if !ok {
			vain[g.first] = true
		} else if err := s.sweep(g.first, g.end, by); err != nil {
			return err
		}
	}
	return context.Cause(s.ctx)
}

// A gap is the chunks first..end-1, which were not found.
type gap struct {
	first, end int64 // up to farChunk, if nothing was found after it
	before     int64 // by how much the chunk before it has moved
	to         int64 // where in the container it ends at the latest
}

// widest returns the gap with most chunks, of those that have room for one out of
// its place and were not searched in vain, by their first chunk. The zero gap
// stands for none.
func (s *search) widest(vain map[int64]bool) (widest gap) {
	if n := s.chunks(); s.final == 0 && !vain[n] {
		return gap{n, farChunk, s.movedBy(n - 1), s.limit()}
	}
	for first := int64(0); first < s.chunks(); first++ {
		end := first
		for s.where[end] == 0 {
			end++
		}
		if end-first > widest.end-widest.first && !vain[first] {
			g := gap{first, end, s.movedBy(first - 1), s.at(end, s.movedBy(end))}
			if g.to-s.at(first, g.before) > format.SealedChunkSize {
				widest = g
			}
		}
		first = end
	}
	return widest
}

// findFinal looks for the container's last chunk after those that were found, if
// it has moved by that much. Its length and index follow from where it ends.
func (s *search) findFinal(by int64) {
	var b room
	for _, end := range s.ends(s.at(s.chunks(), by)) {
		if i, length, ok := s.finalAt(end, by); ok && i >= s.chunks() {
			if _, ok := s.read(&b, i, by, length, true); ok {
				s.found(i, by)
				s.final = length
				return
			}
		}
	}
}

// finalAt is the last chunk, and its length, if it ends there and has moved by
// that much.
func (s *search) finalAt(end, by int64) (i, length int64, ok bool) {
	payload := end - s.at(0, by)
	i, length = payload/format.SealedChunkSize, payload%format.SealedChunkSize
	return i, length, payload >= 0 && length >= format.TagSize
}

// limit is where the payload ends at the latest.
func (s *search) limit() int64 {
	if s.Tail >= 0 {
		return s.Tail
	}
	return s.Size
}

// ends are where the payload may end, if the last chunks that were found end at
// from.
func (s *search) ends(from int64) []int64 {
	const (
		near = 1 << 20
		most = 16 // preambles there
	)
	preamble := s.Head.Preamble.Bytes()
	ends := []int64{s.limit(), s.Size - int64(s.Head.HeadSize())} // the tail is there, or damaged
	// Something stands after the tail, or a part of it is missing.
	after := s.load(from, min(s.Size, from+near)).b
	for i := range occurrences(after, preamble) {
		if ends = append(ends, from+int64(i)); len(ends) == most+2 {
			break
		}
	}
	for k := range int64(len(preamble)) {
		ends = append(ends, s.Size-k)
	}
	return ends
}

// occurrences are the places in b where something begins.
func occurrences(b, something []byte) iter.Seq[int] {
	return func(yield func(int) bool) {
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], something)
			if at += i; i < 0 || !yield(at) {
				return
			}
		}
	}
}

// expected is how long the payload's plaintext seems to be, where its end was
// not found.
func (s *search) expected() int64 {
	payload := max(0, s.limit()-s.at(0, s.movedBy(s.chunks()-1)))
	chunks := payload / format.SealedChunkSize
	if rest := payload % format.SealedChunkSize; s.Tail >= 0 && rest > format.TagSize {
		return chunks*format.ChunkSize + rest - format.TagSize
	}
	return chunks * format.ChunkSize
}

// How far chunks that are not in their place are looked for: at every byte up to
// 512, at every sector up to Limits.Slip. To give up on a gap costs the
// authentication of some 200,000 chunks, about 3 seconds of one processor.
const (
	maxSlipBytes = 512
	slipSector   = 512
	maxSlip      = 16 << 20

	maxTries = 1 << 21 // in all gaps: a minute and a half
	maxSlips = 100     // found; each costs a pass over the chunks after it

	maxRanges = 1 << 18
)

// slipAt is how far the n-th place is that a slip is looked for at, the nearest
// first.
func slipAt(n int64) int64 {
	if n < maxSlipBytes {
		return n + 1
	}
	return (n - maxSlipBytes + 1 + maxSlipBytes/slipSector) * slipSector
}

// slip looks for a chunk of a gap that is not in its place, nearest first, and
// returns by how much it has moved. Bytes were inserted in or lost from the first
// chunk of the gap, so the second is likely to be intact, or the first if it was
// before that; and the container's last, which ends where the tail begins, if
// more is damaged. At most one place is right, but for the work of someone who
// has the key.
func (s *search) slip(g gap) (by int64, ok bool) {
	from := s.at(g.first, g.before)
	near := s.load(from, min(g.to, from+s.Limits.Slip+2*format.SealedChunkSize))
	var last stretch
	if g.end == farChunk && s.Tail >= 0 {
		last = s.load(s.Tail-format.SealedChunkSize, s.Tail)
	}
	var b room
	opens := func(by int64) bool {
		first := g.first // of those that begin in the gap, moved so
		if d := g.before - by; d > 0 {
			first += (d + format.SealedChunkSize - 1) / format.SealedChunkSize
		}
		for _, i := range [2]int64{first + 1, first} {
			if i < g.end {
				if _, ok := s.open(&b, near.bytes(s.at(i, by), format.SealedChunkSize), i, false); ok {
					return true
				}
			}
		}
		i, length, ok := s.finalAt(s.Tail, by)
		if ok = ok && i >= g.first; ok {
			_, ok = s.open(&b, last.bytes(s.at(i, by), length), i, true)
		}
		return ok
	}
	for n := int64(0); slipAt(n) <= s.Limits.Slip && s.tries < maxTries && s.ctx.Err() == nil; n++ {
		for _, by := range [2]int64{g.before + slipAt(n), g.before - slipAt(n)} {
			if s.tries++; opens(by) {
				s.slips++
				return by, true
			}
		}
	}
	return 0, false
}

// A stretch is bytes of the container from one place on.
type stretch struct {
	at int64
	b  []byte
}

// load returns the source's bytes from one place to another.
func (s *search) load(from, to int64) stretch {
	from = max(0, from)
	b := make([]byte, max(0, to-from))
	n, _ := s.Src.ReadAt(b, from)
	return stretch{from, b[:n]}
}

// bytes returns the n bytes at off; none if they are not all in the stretch.
func (s stretch) bytes(off, n int64) []byte {
	if off -= s.at; off < 0 || off+n > int64(len(s.b)) {
		return nil
	}
	return s.b[off:][:n]
}
