package safetext

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// streams says of streams whether they are text. No character is cut at their end.
var streams = map[string]bool{
	"": true, "hello\n\tw\r\n": true, "größe": true, "a\f\b": true, "€": true, "\U0001f512a": true, "\u00a0": true, "\ufffd": true,
	"ě": true, // C4 9B: a continuation byte is no control

	"a\x00b": false, "a\x7f": false, "\x0e": false,
	"\x1b[2J": false, "ab\x1b": false, "a\x1b]0;x\a": false,
	"\x9b2J": false, "a\x9b": false, "\x80": false, "a\x9fb": false, "€\x9b2J": false, "\xc3\x28": false,
	"\u009b2J": false, "a\u0080": false, "\u009f": false, "€\u009b": false, "\u0090q": false,
	"\xc2\xc2\x9b": false, "\xe2\x82\x9b\x9b": false, "\xe2\x82\x1b[": false, "\xf0\x9f\x94\x1b": false,
	"\xff\xfe": false, "\xed\xa0\x80": false, "\xc0\x9b": false, "\xe0\x82\x9b": false, "\xf4\x90\x80\x80": false,
}

// TestFilter has every stream in every way of cutting it, empty pieces included.
func TestFilter(t *testing.T) {
	for s, want := range streams {
		for cuts := range 1 << max(0, len(s)-1) {
			var f Filter
			var out []byte
			got := true
			for from := 0; from < len(s) && got; {
				to := from + 1
				for to < len(s) && cuts>>(to-1)&1 == 0 {
					to++
				}
				f.Accept(nil)
				if got = f.Accept([]byte(s[from:to])); got {
					out = append(out, s[from:to]...)
				}
				from = to
			}
			if got != want {
				t.Fatalf("%q cut as %b: %v", s, cuts, got)
			}
			if !got && f.Accept([]byte("a")) {
				t.Fatalf("%q cut as %b: goes on after it was refused", s, cuts)
			}
			if i := dangerous(out); i >= 0 {
				t.Fatalf("%q cut as %b: %q reaches the terminal", s, cuts, out[i:])
			}
		}
	}
}

// TestFilterAllPairs has all that can be made of two characters' bytes, cut at
// every place, agree with the whole.
func TestFilterAllPairs(t *testing.T) {
	alphabet := []byte{0, '\n', '\x1b', 'a', '[', 0x7f, 0x80, 0x9b, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xc3, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0xff}
	var p [4]byte
	for i := range len(alphabet) * len(alphabet) * len(alphabet) * len(alphabet) {
		for k := range p {
			p[k] = alphabet[i%len(alphabet)]
			i /= len(alphabet)
		}
		want := new(Filter).Accept(p[:])
		for at := 1; at < len(p); at++ {
			var f Filter
			if got := f.Accept(p[:at]) && f.Accept(p[at:]); got != want {
				t.Fatalf("% x cut at %d: %v", p, at, got)
			}
		}
		if i := dangerous(p[:]); want && i >= 0 {
			t.Fatalf("% x passes", p)
		}
	}
}

// dangerous is where out has a control that a terminal acts on, -1 if nowhere. A
// character that is cut at the end of out is none.
func dangerous(out []byte) int {
	for i := 0; i < len(out); {
		r, n := utf8.DecodeRune(out[i:])
		switch {
		case !utf8.FullRune(out[i:]):
			return -1
		case r == utf8.RuneError && n == 1, r < ' ' && !bytes.ContainsRune([]byte("\t\n\r\f\b"), r), 0x7f <= r && r < 0xa0:
			return i
		}
		i += n
	}
	return -1
}

func FuzzFilter(f *testing.F) {
	for s := range streams {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, p []byte, at uint8) {
		var whole, cut Filter
		n := min(int(at), len(p))
		want, got := whole.Accept(p), cut.Accept(p[:n]) && cut.Accept(p[n:])
		if got != want || want && dangerous(p) >= 0 {
			t.Errorf("%q cut at %d: %v, whole %v", p, n, got, want)
		}
	})
}
