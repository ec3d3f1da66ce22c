// Package safetext keeps text that came from somewhere else from acting on a
// terminal. File names, members of archives, words of plugins and whole streams
// may hold escape sequences: what is shown goes through this package.
//
//	Printable  a name in a message: quoted if it does not print
//	Shell      a name in a command line that is meant to be pasted
//	OneLine    prose from another program: one line, control characters replaced
//	String     text in JSON: exact for programs, harmless on a terminal
//	Name       a file name, for both
//	Filter     a stream of text on its way to a terminal: refused if it is not text
package safetext

import (
	"fmt"
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

// Shell returns name as one word of a command line that is meant to be pasted
// into a shell. A name that begins with a dash is no flag there, and one with
// characters that do not print is quoted as bash, zsh and POSIX 2024 have it.
func Shell(name string) string {
	if strings.HasPrefix(name, "-") && name != "-" {
		name = "./" + name
	}
	plain := func(r rune) bool {
		return r >= 0x80 || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-+:@%,=", r)
	}
	odd := func(r rune) bool { return !plain(r) }
	switch {
	case name == Printable(name) && !strings.ContainsFunc(name, odd):
		return name
	case name == Printable(name) || name == "":
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		switch {
		case r == '\\' || r == '\'':
			b.WriteString(`\` + string(r))
		case r != utf8.RuneError && unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			for _, c := range []byte(name[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		}
		i += n
	}
	return b.String() + "'"
}
