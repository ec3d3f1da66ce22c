package zseek

import (
	"bytes"
	"errors"
	"testing"
)

// A Walker goes from frame to frame up to the table, and finds the way again
// from any place.
func TestWalker(t *testing.T) {
	content := text(1, 3*FrameContent+1000)
	stream := compress(t, content, 3, 1)
	w := NewWalker()
	var got []byte
	var starts []int
	at := 0
	for !IsTable(stream[at:]) {
		starts = append(starts, at)
		c, size, err := w.Next(stream[at:min(len(stream), at+MaxFrameSize)])
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 4, 5, 6, 12, size / 2, size - 1} {
			if _, _, err := NewWalker().Next(stream[at : at+n]); !errors.Is(err, ErrCut) {
				t.Errorf("%d bytes of a frame: %v", n, err)
			}
		}
		got = append(got, c...)
		at += size
	}
	if !bytes.Equal(got, content) {
		t.Errorf("%d bytes, not %d", len(got), len(content))
	}
	for i, want := range starts[1 : len(starts)-1] { // the last is short: it may be anything
		for _, from := range []int{starts[i] + 1, want - 1, want} {
			if at := FindFrame(stream, from); at != want {
				t.Errorf("from %d on: found at %d, not %d", from, at, want)
			}
		}
	}
	last := starts[len(starts)-1]
	for _, b := range [][]byte{nil, stream[last:], stream[:1], stream[:4], stream[:5], stream[:6], content} {
		if at := FindFrame(b, 0); at != -1 {
			t.Errorf("%d bytes: found at %d", len(b), at)
		}
		if IsTable(b) {
			t.Errorf("%d bytes pass for a table", len(b))
		}
	}
	if at := FindFrame(stream[:10], 20); at != -1 {
		t.Errorf("found at %d, behind the end", at)
	}
	bad := bytes.Clone(stream[:starts[1]])
	bad[len(bad)-1] ^= 1 // the checksum
	if _, _, err := w.Next(bad); err == nil || errors.Is(err, ErrCut) {
		t.Errorf("with a wrong checksum: %v", err)
	}
}
