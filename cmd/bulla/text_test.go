package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
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

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "abd", 1},
		{"abc", "ab", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestBytesText(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1.0 MiB",
		1 << 30: "1.0 GiB", 5 << 40: "5.0 TiB", 1 << 62: "4.0 EiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestDurationText(t *testing.T) {
	for s, want := range map[float64]string{0: "0s", 7.4: "7s", 200: "3m20s", 3720: "1h2m", 7200: "2h0m", 1e12: "days"} {
		if got := durationText(s); got != want {
			t.Errorf("%v s: %q, want %q", s, got, want)
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

// A recorder is a console whose output can be looked at.
func recorder(t *testing.T) (*console, func() string) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "console"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &console{w: f}, func() string {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func TestConsole(t *testing.T) {
	c, text := recorder(t)
	c.status("12345", false)
	c.status("123", false)
	c.line("a line")
	c.line("another")
	c.status("x", false)
	c.status("xy", true)
	c.end()
	c.status("z", false)
	c.end()
	want := "\r12345" + "\r123  " + "\r   \ra line\n" + "another\n" + "\rx" + "\rxy\n" + "\rz\n"
	if got := text(); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestProgressLine(t *testing.T) {
	p := &progress{name: "x", total: 4 << 20}
	for _, c := range []struct {
		total, done int64
		rate        float64
		want        string
	}{
		{4 << 20, 1 << 20, 1 << 20, "x  25%  1.0 MiB of 4.0 MiB  1.0 MiB/s  3s left"},
		{4 << 20, 1 << 20, 0, "x  25%  1.0 MiB of 4.0 MiB  0 bytes/s  stalled"},
		{4 << 20, 5 << 20, 1 << 20, "x  99%  5.0 MiB of 4.0 MiB  1.0 MiB/s  0s left"},
		{-1, 1 << 20, 1 << 20, "x  1.0 MiB  1.0 MiB/s"},
		{0, 1 << 20, 1 << 20, "x  1.0 MiB  1.0 MiB/s"},
	} {
		p.total = c.total
		if got := p.line(c.done, c.rate); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestProgressRate(t *testing.T) {
	p := &progress{}
	for i := range int64(100) {
		got := p.rate((i + 1) * 200) // 200 bytes in a fifth of a second
		if got < 999 || got > 1001 {
			t.Fatalf("step %d: %v", i, got)
		}
	}
	for range rateWindow {
		p.rate(100 * 200)
	}
	if got := p.rate(100 * 200); got != 0 {
		t.Errorf("after nothing for the whole window: %v", got)
	}
}

func TestProgressLast(t *testing.T) {
	c, text := recorder(t)
	done := new(atomic.Int64)
	for _, fails := range []error{nil, io.EOF} {
		p := &progress{con: c, name: "x", total: 10, done: done, log: true, shown: true, stop: make(chan struct{}), ended: make(chan struct{})}
		go p.run()
		done.Store(10)
		p.finish(fails)
	}
	if got := text(); strings.Count(got, "x  10 bytes  ") != 1 || !strings.HasSuffix(got, "\n") {
		t.Errorf("%q", got)
	}
	var none *progress
	none.finish(nil)
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		s       string
		columns int
		want    string
	}{{"abcdef", 6, "abcdef"}, {"abcdef", 5, "…cdef"}, {"äöü", 2, "…ü"}, {"abc", 0, "abc"}} {
		if got := clip(c.s, c.columns); got != c.want {
			t.Errorf("%q in %d: %q", c.s, c.columns, got)
		}
	}
}
