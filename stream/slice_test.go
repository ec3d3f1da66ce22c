package stream_test

import (
	"bytes"
	"fmt"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// The slices of any container, in any number, are all of it and each part once.
func TestSlicesCover(t *testing.T) {
	for _, chunks := range []int64{1, 2, 127, 128, 129, 1000, 128 * 30, 128*30 + 1, 1 << 20, format.MaxChunks} {
		for _, of := range []int{1, 2, 3, 7, 30, 365, 1 << 30} {
			var next, least, most int64 = 0, format.MaxChunks, 0
			for n := 1; n <= of; n++ {
				if of > 1000 && n == 1000 {
					break // they are in order, as far as this goes
				}
				first, end := stream.Slice{N: n, Of: of}.Chunks(chunks)
				if first != next || end < first || end > chunks || first%format.SegmentChunks != 0 && first != chunks {
					t.Fatalf("slice %d of %d of %d chunks is %d to %d, behind %d", n, of, chunks, first, end, next)
				}
				next = end
				least, most = min(least, end-first), max(most, end-first)
			}
			if of <= 1000 && next != chunks {
				t.Errorf("%d slices of %d chunks end at %d", of, chunks, next)
			}
			if most-least > 2*format.SegmentChunks {
				t.Errorf("the slices of %d chunks in %d have from %d to %d", chunks, of, least, most)
			}
		}
	}
	if first, end := (stream.Slice{}).Chunks(100); first != 0 || end != 100 {
		t.Errorf("no slice is %d to %d", first, end)
	}
}

// Each of them reads its part, and the last chunk, and finds what is wrong there
// and nowhere else.
func TestVerifySlice(t *testing.T) {
	const segments, of = 7, 3
	v, plain := new(vault), plaintext(segments*segment-chunk+100)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	const chunks = segments * format.SegmentChunks
	for _, bad := range []int{-1, 0, 300, 500, chunks - 1} {
		b := container
		if bad >= 0 {
			b = flipped(container, at(bad)+5, 1)
		}
		var authentic int64
		for n := 1; n <= of; n++ {
			t.Run(fmt.Sprintf("chunk %d bad, slice %d", bad, n), func(t *testing.T) {
				s := stream.Slice{N: n, Of: of}
				rep, err := stream.VerifySlice(t.Context(), bytes.NewReader(b), int64(len(b)), s, with(v), nil)
				if err != nil || !rep.Keyed {
					t.Fatal(rep, err)
				}
				first, end := s.Chunks(chunks)
				want := end - first
				if end != chunks {
					want++ // the last
				}
				mine := int64(bad) >= first && int64(bad) < end || bad == chunks-1
				if rep.Authentic+rep.Failed != want || (rep.Failed == 1) != mine || rep.Valid() == mine {
					t.Errorf("%d authentic and %d not, of %d; %v", rep.Authentic, rep.Failed, want, rep.Findings)
				}
				authentic += rep.Authentic
			})
		}
		if bad < 0 && authentic != chunks+of-1 {
			t.Errorf("all slices have %d chunks, not %d and the last again for each but one", authentic, chunks)
		}
	}
	// A slice before a cut finds the cut.
	cut := container[:at(500)+1000]
	rep, err := stream.VerifySlice(t.Context(), bytes.NewReader(cut), int64(len(cut)), stream.Slice{N: 1, Of: of}, with(v), nil)
	if err != nil || rep.Valid() {
		t.Errorf("a container that is cut off: %v, %v", rep.Findings, err)
	}
	for _, s := range []stream.Slice{{0, 3}, {4, 3}, {-1, 3}, {1, 0}, {1, -1}, {0, -1}} {
		if rep, err := stream.VerifySlice(t.Context(), bytes.NewReader(container), int64(len(container)), s, with(v), nil); err == nil || rep == nil {
			t.Errorf("slice %v: %v, %v", s, rep, err)
		}
	}
}
