package safetext

import (
	"strings"
	"unicode/utf8"
)

// IsText reports whether p, a piece of a stream, can be text: UTF-8, perhaps cut
// in a character at both ends, without control characters that a terminal acts on.
func IsText(p []byte) bool {
	for n := 0; n < utf8.UTFMax-1 && len(p) > 0 && !utf8.RuneStart(p[0]); n++ {
		p = p[1:]
	}
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(p) // the rest of a character comes with the next piece
		}
		if r < ' ' && !strings.ContainsRune("\t\n\r\f\b", r) || r >= 0x7f && r < 0xa0 {
			return false
		}
		p = p[n:]
	}
	return true
}
