package parity_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"bulla/format"
	"bulla/parity"
)

// made is the parity file that the package makes of a container that comes in pieces.
func made(t testing.TB, container []byte, cells, piece int) ([]byte, parity.Strength) {
	return madeDeep(t, container, cells, depth(cells), piece)
}

func madeDeep(t testing.TB, container []byte, cells, depth, piece int) ([]byte, parity.Strength) {
	t.Helper()
	var out bytes.Buffer
	m, err := parity.NewMakerDepth(&out, cells, 0, depth)
	if err != nil {
		t.Fatal(err)
	}
	for rest := container; len(rest) > 0; {
		p := rest[:min(piece, len(rest))]
		if n, err := m.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
		rest = rest[len(p):]
	}
	s, err := m.Close()
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), s
}

// depth is the depth that a Maker chooses: what 32 MiB of cells allow.
func depth(cells int) int {
	for d := 256; ; d /= 2 {
		if cells*d <= 512 || d == 16 {
			return d
		}
	}
}

// A Maker makes what the text says, byte for byte, whatever the length, and however
// the container comes.
func TestMaker(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct{ cells, n, pages int }{
		{1, 16, 1}, {1, 100, 1}, {7, L - 1, 1}, {7, L + 16, 64}, {3, 2*L + 16, 17}, {2, 255*L + 70, 1}, {2, 256*L + 16, 16},
		{1, 257*L + 5000, 1}, {8, 40*L + 99, 3}, {9, 300*L + 16, 1}, {17, 130*L + 16, 1}, {33, 33*L + 16, 1}, {128, 17*L + 16, 1},
		{1, 512*L + 16, 1}, {1, 515*L + 16, 64}, // whole rows
		{65, 260*L + 65551, 1}, // G = 4
	} {
		t.Run(fmt.Sprint(c.cells, "x", c.n), func(t *testing.T) {
			container := newContainer(t, rng, c.n, c.pages)
			want := slow(container, c.cells, depth(c.cells))
			chunks := int64(c.n/L + 1)
			pieces := []int{256<<10 + 64, len(container), 4097}
			if testing.Short() {
				pieces = pieces[:1]
			}
			for _, piece := range pieces {
				got, s := made(t, container, c.cells, piece)
				if !bytes.Equal(got, want) {
					t.Fatalf("in pieces of %d: %d bytes, not the %d of the text", piece, len(got), len(want))
				}
				if g := s.Groups; s.Parity != c.cells || s.Hole != int64(c.cells*g-1)*L+1 || int64(128*g) < chunks || g > 2 && int64(64*g) >= chunks {
					t.Errorf("strength %+v", s)
				}
			}
		})
	}
}

// Several windows, the last of them short, full but for one byte, and of one chunk.
func TestMakerWindows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const window = 128 * 16
	for _, n := range []int{window*L - 1, window*L + 16, (window+5)*L + 300, (2*window-1)*L + 16} {
		container := newContainer(t, rng, n, 1)
		if got, _ := madeDeep(t, container, 1, 16, 1<<20); !bytes.Equal(got, slow(container, 1, 16)) {
			t.Errorf("%d bytes of payload: not what the text says", n)
		}
		if testing.Short() {
			break
		}
	}
}

// Whole chunks are kept and coded without a copy, however many come at once, and whatever else comes
// between; the buffers that are given for them are the caller's.
func TestMakerKeeps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	n := 150*L + 100 // 128 chunks wait at a time
	if !testing.Short() {
		n = 128*16*L + 300*L + 100 // more than a window
	}
	for _, pages := range []int{1, 64} {
		container := newContainer(t, rng, n, pages)
		want, _ := madeDeep(t, container, 3, 16, 1<<20)
		for _, batch := range []int{1, 3, 4, 200} {
			for _, odd := range []int{0, 1, L} { // bytes that come by Write, now and then
				if !bytes.Equal(kept(t, container, 4096*pages, batch, odd), want) {
					t.Errorf("%d pages, by %d chunks and %d bytes: another parity file", pages, batch, odd)
				}
			}
		}
	}
}

// kept is what a Maker makes of a container of which it keeps batches of chunks.
func kept(t *testing.T, container []byte, head, batch, odd int) []byte {
	var out bytes.Buffer
	m, err := parity.NewMakerDepth(&out, 3, 0, 16)
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	rest, buf := container[head:], make([]byte, batch*L)
	_, err = m.Write(container[:head])
	for i := 0; len(rest) >= len(buf) && err == nil; i++ {
		copy(buf, rest)
		before := &buf[0]
		buf, err = m.Keep(buf)
		if len(buf) != batch*L {
			t.Fatalf("%d bytes instead of %d", len(buf), batch*L)
		}
		if &buf[0] != before {
			taken++
		}
		if rest = rest[batch*L:]; i%50 == 7 && len(rest) > odd && err == nil {
			_, err = m.Write(rest[:odd])
			rest = rest[odd:]
		}
	}
	if err == nil {
		_, err = m.Write(rest)
	}
	if _, cerr := m.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	if taken == 0 && batch < 128 {
		t.Error("nothing was kept")
	}
	if again, err := m.Keep(buf); err == nil || &again[0] != &buf[0] {
		t.Error("a closed Maker keeps")
	}
	return out.Bytes()
}

func TestMakerRefuses(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	good := newContainer(t, rng, 3*L+16, 1)
	stale := bytes.Clone(good)
	h, err := format.ParseHead(stale[len(stale)-4096:])
	if err != nil {
		t.Fatal(err)
	}
	h.Generation++
	tail, _ := h.Append(nil)
	copy(stale[len(stale)-4096:], tail)
	for name, c := range map[string][]byte{
		"empty": {}, "no container": make([]byte, 100_000), "half a head": good[:2000], "a head": good[:4096],
		"cut": good[:len(good)-1], "cut in the payload": good[:100_000], "longer": append(bytes.Clone(good), 0),
		"stale tail": stale, "a damaged head": append([]byte{0}, good[1:]...),
	} {
		m, err := parity.NewMaker(io.Discard, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, werr := m.Write(c)
		_, err = m.Close()
		if pe, ok := errors.AsType[*format.ParseError](err); !ok || werr != nil && werr != err {
			t.Errorf("%s: %v, %v, %v", name, werr, err, pe)
		}
	}
	for _, cells := range []int{-1, 0, 129} {
		if _, err := parity.NewMaker(io.Discard, cells, 0); err == nil {
			t.Errorf("%d cells", cells)
		}
	}
	for _, fail := range []int{0, 1, 600, 5000, 80_000} { // a destination that is full after so many bytes
		m, _ := parity.NewMaker(&full{fail}, 1, 0)
		m.Write(good)
		if _, err := m.Close(); !errors.Is(err, errFull) {
			t.Errorf("full after %d: %v", fail, err)
		}
		if _, err := m.Write([]byte{1}); !errors.Is(err, errFull) {
			t.Errorf("the error does not stick: %v", err)
		}
	}
}

var errFull = errors.New("full")

type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return f.left, errFull
	}
	f.left -= len(p)
	return len(p), nil
}

func TestCells(t *testing.T) {
	for percent, want := range map[float64]int{0.1: 1, 0.78125: 1, 0.79: 2, 5: 7, 10: 13, 100: 128} {
		if got, err := parity.Cells(percent); got != want || err != nil {
			t.Errorf("%v %%: %d, %v", percent, got, err)
		}
	}
	for _, percent := range []float64{0, -1, 100.1} {
		if _, err := parity.Cells(percent); err == nil {
			t.Errorf("%v %%", percent)
		}
	}
}
