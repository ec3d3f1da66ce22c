package object

import (
	"math/rand/v2"
	"testing"

	"bulla/internal/storage"
)

// However an object is changed, its parts cover it, all but the last have 5 MiB, what
// changes is sent, but for little else, and what is copied is there.
func TestSegments(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 3))
	for range 2000 {
		size := rng.Int64N(4<<30) + 1
		was := size
		switch rng.IntN(6) {
		case 0:
			was = rng.Int64N(4<<30) + 1
		case 1:
			was = max(1, size+rng.Int64N(10000)-5000)
		}
		p := &Patchable{Reader: &Reader{info: &Info{Size: was}}}
		var changes []storage.Range
		for range rng.IntN(6) {
			n := min(size, rng.Int64N(100_000)+1)
			changes = append(changes, storage.Range{Offset: rng.Int64N(size - n + 1), Length: n})
		}
		if rng.IntN(8) == 0 { // from somewhere on all
			from := rng.Int64N(size)
			changes = append(changes, storage.Range{Offset: from, Length: size - from})
		}
		all := p.segments(size, changes)
		must := max(0, size-was)
		for _, c := range changes {
			must += c.Length
		}
		at, sent := int64(0), int64(0)
		for i, s := range all {
			if s.off != at || s.n <= 0 || i < len(all)-1 && s.n < minPart {
				t.Fatalf("%d bytes: part %d of %d is %+v, and begins after %d", size, i, len(all), s, at)
			}
			at += s.n
			if s.sent {
				sent += s.n
				continue
			}
			if s.off+s.n > was {
				t.Fatalf("%d bytes: %+v is not there to be copied: there are %d", size, s, was)
			}
			for _, c := range changes {
				if c.Offset < s.off+s.n && c.Offset+c.Length > s.off {
					t.Fatalf("%d bytes: a change at %d is not sent", size, c.Offset)
				}
			}
		}
		if at != size {
			t.Fatalf("%d of %d bytes", at, size)
		}
		if most := max(whole, must+int64(len(changes)+1)*4*minPart); sent > most {
			t.Errorf("%d bytes, %d changes: %d bytes are sent", size, len(changes), sent)
		}
	}
	// Where there would be too many parts, they are larger.
	for _, size := range []int64{100 << 30, 1 << 40, 5 << 40} {
		p := &Patchable{Reader: &Reader{info: &Info{Size: size}}}
		var changes []storage.Range
		for off := int64(0); off < size; off += 64 << 20 {
			changes = append(changes, storage.Range{Offset: off, Length: 1})
		}
		for _, changes := range [][]storage.Range{changes, {{Offset: 4096, Length: size - 4096}}} {
			if n := len(p.segments(size, changes)); n > MaxParts || n < 100 {
				t.Errorf("%d bytes in %d parts", size, n)
			}
		}
	}
}
