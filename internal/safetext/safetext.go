// Package safetext keeps text that came from somewhere else from acting on a
// terminal. File names, members of archives, words of plugins and whole streams
// may hold escape sequences: what is shown goes through this package.
//
//	Printable  a name in a message: quoted if it does not print
//	OneLine    prose from another program: one line, control characters replaced
//	String     text in JSON: exact for programs, harmless on a terminal
//	Name       a file name, for both
//	Filter     a stream of text on its way to a terminal: refused if it is not text
package safetext

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable is s, quoted as a Go string if it is empty, is not UTF-8 or has
// characters that do not print, such as those a terminal takes for commands.
func Printable(s string) string {
	bad := func(r rune) bool { return !unicode.IsPrint(r) }
	if s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, bad) {
		return strconv.Quote(s)
	}
	return s
}

// OneLine is s as one line without control or formatting characters: line ends
// and tabs become spaces, every other character that does not print a �.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.TrimSpace(s))
}
