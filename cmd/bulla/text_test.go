package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bulla/format"
)

func TestDidYouMean(t *testing.T) {
	names := []string{"encrypt", "decrypt", "verify", "ls", "cat"}
	for word, want := range map[string]string{
		"encypt": "encrypt", "encrytp": "encrypt", "dcrypt": "decrypt", "verfiy": "verify", "lS": "ls",
		"enc": "encrypt", "ver": "verify", "c": "cat", "frobnicate": "", "": "", "xx": "", "letter": "",
	} {
		got := didYouMean(word, names)
		if want != "" {
			want = "did you mean " + want + "?"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestPlural(t *testing.T) {
	for want, got := range map[string]string{
		"1 key": plural(1, "key"), "2 keys": plural(2, "key"), "0 chunks": plural(0, "chunk"),
		"3 identities": plural(3, "identity"), "4 passes": plural(4, "pass"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPlainName(t *testing.T) {
	for path, want := range map[string]string{
		"/dev/stdin": "standard input", "/dev/stdout": "standard output", "dir/.x.partial": "dir/x", ".x.partial": "x",
		"dir/x": "dir/x", "dir/.x": "dir/.x", "x.partial": "x.partial",
	} {
		if got := plainName(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestPartialPath(t *testing.T) {
	for _, base := range []string{"x", strings.Repeat("n", 246), strings.Repeat("n", 247), strings.Repeat("n", 255)} {
		got := partialPath(filepath.Join("dir", base))
		dir, name := filepath.Split(got)
		if filepath.Clean(dir) != "dir" || len(name) > maxBaseName || !strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".partial") {
			t.Errorf("%d bytes: %s", len(base), got)
		}
	}
	if partialPath(strings.Repeat("n", 250)+"a") == partialPath(strings.Repeat("n", 250)+"b") {
		t.Error("two long names have the same unfinished output")
	}
}

func TestStripLineEnd(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "a", "a\n": "a", "a\r\n": "a", "a\r": "a\r", "a\n\n": "a\n", "\n": "", " a ": " a "} {
		if got := stripLineEnd([]byte(in)); string(got) != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestEnds compares what ends keeps with the stream it was given, in pieces of
// every size.
func TestEnds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, maxEnd - 1, maxEnd, maxEnd + 1, 2*maxEnd - 1, 2 * maxEnd, 5*maxEnd + 12345} {
		whole := make([]byte, size)
		for i := range whole {
			whole[i] = byte(r.Uint32())
		}
		for _, most := range []int{1000, maxEnd / 2, maxEnd, 3 * maxEnd} {
			e := &ends{}
			for rest := whole; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(most))
				if k, err := e.Write(rest[:n]); k != n || err != nil {
					t.Fatal(k, err)
				}
				rest = rest[n:]
			}
			if e.size != int64(size) {
				t.Fatalf("%d bytes: size %d", size, e.size)
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
				off := r.IntN(maxEnd + 1)
				check(off, r.IntN(maxEnd-off+1))
				off = max(0, size-maxEnd) + r.IntN(maxEnd)
				check(off, r.IntN(maxEnd))
			}
			check(max(0, size-maxEnd), maxEnd)
			check(size, 1)
		}
	}
	e := &ends{}
	e.Write(make([]byte, 4*maxEnd))
	if _, err := e.ReadAt(make([]byte, 1), 2*maxEnd); err == nil || err == io.EOF {
		t.Errorf("the middle was given: %v", err)
	}
	if _, err := e.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("an offset below zero was taken")
	}
}

// TestEndsCheck has a check without a key find the same in ends as in a file.
func TestEndsCheck(t *testing.T) {
	var h format.Head
	h.Suite, h.Pages, h.Generation = format.AES256GCM, 1, 1
	h.Slots = []format.Slot{{Type: 99, Body: []byte("body")}}
	head, err := h.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	whole := slices.Concat(head, make([]byte, 3*format.SealedChunkSize*maxEnd/format.SealedChunkSize), make([]byte, format.TagSize), head)
	e := &ends{}
	e.Write(whole)
	got, want := format.Check(e, e.size), format.Check(bytes.NewReader(whole), int64(len(whole)))
	if len(got.Findings) != 0 || len(want.Findings) != 0 || got.Layout != want.Layout {
		t.Errorf("got %+v, %+v", got.Layout, got.Findings)
	}
}
