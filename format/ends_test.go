package format

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"
)

// TestEnds compares what Ends keep with the stream it was given, in pieces of
// every size.
func TestEnds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, MaxHeadSize - 1, MaxHeadSize, MaxHeadSize + 1, 2*MaxHeadSize - 1, 2 * MaxHeadSize, 5*MaxHeadSize + 12345} {
		whole := make([]byte, size)
		for i := range whole {
			whole[i] = byte(r.Uint32())
		}
		for _, most := range []int{1000, MaxHeadSize / 2, MaxHeadSize, 3 * MaxHeadSize} {
			e := &Ends{}
			for rest := whole; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(most))
				if k, err := e.Write(rest[:n]); k != n || err != nil {
					t.Fatal(k, err)
				}
				rest = rest[n:]
			}
			if e.Size() != int64(size) {
				t.Fatalf("%d bytes: size %d", size, e.Size())
			}
			check := func(off, n int) {
				t.Helper()
				got := make([]byte, n)
				k, err := e.ReadAt(got, int64(off))
				want := whole[min(off, size):min(off+n, size)]
				if !bytes.Equal(got[:k], want) || k < n && err != io.EOF || k == n && err != nil {
					t.Fatalf("%d bytes in pieces of %d: %d at %d gave %d, %v", size, most, n, off, k, err)
				}
			}
			for range 20 {
				off := r.IntN(MaxHeadSize + 1)
				check(off, r.IntN(MaxHeadSize-off+1))
				off = max(0, size-MaxHeadSize) + r.IntN(MaxHeadSize)
				check(off, r.IntN(MaxHeadSize))
			}
			check(max(0, size-MaxHeadSize), MaxHeadSize)
			check(size, 1)
		}
	}
	e := &Ends{}
	e.Write(make([]byte, 4*MaxHeadSize))
	if _, err := e.ReadAt(make([]byte, 1), 2*MaxHeadSize); err == nil || err == io.EOF {
		t.Errorf("the middle was given: %v", err)
	}
	if _, err := e.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("an offset below zero was taken")
	}
}

// TestEndsCheck has a check without a key find the same in Ends as in a file.
func TestEndsCheck(t *testing.T) {
	var h Head
	h.Suite, h.Pages, h.Generation = AES256GCM, 1, 1
	h.Slots = []Slot{{Type: 99, Body: []byte("body")}}
	head, err := h.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	whole := slices.Concat(head, make([]byte, 3*SealedChunkSize*MaxHeadSize/SealedChunkSize), make([]byte, TagSize), head)
	e := &Ends{}
	e.Write(whole)
	got, want := Check(e, e.Size()), Check(bytes.NewReader(whole), int64(len(whole)))
	if len(got.Findings) != 0 || len(want.Findings) != 0 || got.Layout != want.Layout {
		t.Errorf("got %+v, %+v", got.Layout, got.Findings)
	}
	if got := CheckReader(bytes.NewReader(whole)); got.Layout != want.Layout || got.Err != nil {
		t.Errorf("of a stream: %+v, %v", got.Layout, got.Err)
	}
	if got := CheckReader(io.MultiReader(bytes.NewReader(head), iotest.ErrReader(io.ErrClosedPipe))); got.Err != io.ErrClosedPipe {
		t.Errorf("of a stream that breaks off: %v", got.Err)
	}
}
