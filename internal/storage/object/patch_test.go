package object

import (
	"math/rand/v2"
	"testing"

	"bulla/internal/storage"
)

// However an object is changed, its parts cover it, all but the last have 5 MiB, and what
// changes is sent, but for little else.
func TestSegments(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 3))
	for range 2000 {
		size := rng.Int64N(4<<30) + 1
		p := &Patchable{Reader: &Reader{info: &Info{Size: size}}}
		var changes []storage.Change
		for range rng.IntN(6) {
			n := min(size, rng.Int64N(100_000)+1)
			changes = append(changes, storage.Change{Offset: rng.Int64N(size - n + 1), New: make([]byte, n)})
		}
		all, err := p.segments(changes)
		if err != nil {
			t.Fatal(err)
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
			for _, c := range changes {
				if c.Offset < s.off+s.n && c.Offset+int64(len(c.New)) > s.off {
					t.Fatalf("%d bytes: a change at %d is not sent", size, c.Offset)
				}
			}
		}
		if at != size {
			t.Fatalf("%d of %d bytes", at, size)
		}
		if most := max(whole, int64(len(changes))*4*minPart); sent > most {
			t.Errorf("%d bytes, %d changes: %d bytes are sent", size, len(changes), sent)
		}
	}
	// Too many parts are refused before anything is sent.
	p := &Patchable{Reader: &Reader{info: &Info{Size: 1 << 40}}}
	var changes []storage.Change
	for off := int64(0); off < 1<<40; off += 64 << 20 {
		changes = append(changes, storage.Change{Offset: off, New: make([]byte, 1)})
	}
	if _, err := p.segments(changes); err == nil {
		t.Error("more than 10,000 parts")
	}
}
