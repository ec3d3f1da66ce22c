package safetext

import (
	"strings"
	"unicode/utf8"
)

// A Filter tells text from what a terminal would act on, in a stream that comes in
// pieces cut anywhere. The zero value stands at the stream's beginning.
//
// Text is UTF-8 without control characters but tab, line feed, carriage return,
// form feed and backspace. C1 controls are refused in both encodings, U+009B and
// the byte 0x9b alone: to many terminals either is an escape and a bracket.
type Filter struct {
	cut [utf8.UTFMax - 1]byte // a character's beginning, that came with the last piece
	n   int
	bad bool
}

// Accept reports whether p, the next piece of the stream, is text, so far as it can
// be told without what follows: a character may be cut at its end. After false it
// stays false. It keeps no part of p.
func (f *Filter) Accept(p []byte) bool {
	for f.n > 0 && len(p) > 0 && !f.bad {
		char := append(f.cut[:f.n:f.n], p[0])
		p = p[1:]
		if utf8.FullRune(char) {
			f.bad = !isText(utf8.DecodeRune(char))
			f.n = 0
		} else {
			f.n = copy(f.cut[:], char)
		}
	}
	for len(p) > 0 && !f.bad {
		r, n := utf8.DecodeRune(p)
		if n == 1 && r == utf8.RuneError && !utf8.FullRune(p) {
			f.n = copy(f.cut[:], p)
			break
		}
		f.bad = !isText(r, n)
		p = p[n:]
	}
	return !f.bad
}

// isText reports whether a character of n bytes is text.
func isText(r rune, n int) bool {
	invalid := r == utf8.RuneError && n == 1
	c0 := r < ' ' && !strings.ContainsRune("\t\n\r\f\b", r)
	c1 := 0x7f <= r && r < 0xa0
	return !invalid && !c0 && !c1
}
