package seal

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"bulla/format"
)

// A cover gives the keys of its segments, of no others, and has as few secrets as can be:
// none of its nodes' parents lies in the range.
func TestCover(t *testing.T) {
	k, err := NewKeys(make([]byte, format.CEKSize), &format.Preamble{Suite: format.AES256GCM, Pages: 1})
	if err != nil {
		t.Fatal(err)
	}
	segmentKeys := make(map[int64][]byte)
	key := func(s int64) []byte {
		if segmentKeys[s] == nil {
			segmentKeys[s] = k.tree.segment(s)
		}
		return segmentKeys[s]
	}
	check := func(first, end int64) {
		t.Helper()
		b := k.AppendCover(nil, first, end)
		if int64(len(b)) != CoverSize(first, end) {
			t.Fatalf("%d to %d: %d bytes, not %d", first, end, len(b), CoverSize(first, end))
		}
		c := NewGranted(format.AES256GCM, first, end, b, nil)
		next, n := first, 0
		for level, i := range cover(first, end) {
			width := int64(1)
			for range level {
				width *= fanOut
			}
			if i*width != next {
				t.Fatalf("%d to %d: level %d, %d follows %d", first, end, level, i, next)
			}
			if above := width * fanOut; level < levels && next%above == 0 && next+above <= end {
				t.Fatalf("%d to %d: its parent would do for level %d, %d", first, end, level, i)
			}
			next += width
			n++
		}
		if next != end || n > 124+int((end-first)/1024) {
			t.Fatalf("%d to %d: %d secrets up to %d", first, end, n, next)
		}
		for _, s := range []int64{first, (first + end) / 2, end - 1} {
			if !bytes.Equal(c.tree.segment(s), key(s)) {
				t.Fatalf("%d to %d: another key for segment %d", first, end, s)
			}
		}
		for _, s := range []int64{first - 1, end, end + 1000} {
			func() {
				defer func() { recover() }()
				if s >= 0 {
					NewGranted(format.AES256GCM, first, end, b, nil).tree.segment(s)
					t.Errorf("%d to %d: it gives a key for segment %d", first, end, s)
				}
			}()
		}
	}
	for first := range int64(70) {
		for end := first + 1; end < 71; end++ {
			check(first, end)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		first := rng.Int64N(5000)
		check(first, first+1+rng.Int64N(5000))
	}
	for _, e := range []int64{1023, 1024, 1025, 2047, 2048, 2049} {
		for _, f := range []int64{0, 1, 31, 32, 33, 991, 992, 1000, 1022} {
			check(f, e)
		}
	}
	for first := range int64(1024) { // 1 TiB, wherever it begins
		if n := CoverSize(first, first+1<<17); n > 14016 {
			t.Errorf("%d bytes of keys for 1 TiB from segment %d on", n, first)
		}
	}
	if n := CoverSize(0, 1<<17); n != 128*nodeSize {
		t.Errorf("%d bytes of keys for 1 TiB", n)
	}
	if n := CoverSize(1023, 1<<60+1); n != keySize+(1<<50-1)*nodeSize+keySize { // at once
		t.Errorf("%d bytes of keys for 2^60 segments", n)
	}
}

// A grant has the final key that it was given, and none of its own.
func TestGrantedFinal(t *testing.T) {
	k, err := NewKeys(make([]byte, format.CEKSize), &format.Preamble{Suite: format.ChaCha20Poly1305, Pages: 1})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := k.Key(7, true, nil)
	var n Nonce
	sealed := f.Seal(nil, []byte("end"), 7, &n)
	c := NewGranted(format.ChaCha20Poly1305, 0, 1, k.AppendCover(nil, 0, 1), k.AppendFinal(nil, 7))
	g, err := c.Key(7, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.Open(nil, sealed, 7, &n); err != nil || string(got) != "end" {
		t.Error(err)
	}
	s, _ := c.Key(7, false, nil)
	if _, err := s.Open(nil, sealed, 7, &n); err == nil {
		t.Error("the segment key opens the last chunk")
	}
	defer func() {
		if recover() == nil {
			t.Error("it has a final key that nobody gave it")
		}
	}()
	NewGranted(format.ChaCha20Poly1305, 0, 1, k.AppendCover(nil, 0, 1), nil).Key(7, true, nil)
}
