package salvage

import "bulla/format"

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
