package archive

import (
	"cmp"
	"fmt"
	"io/fs"
)

// letters are the types as ls and tar show them.
var letters = map[fs.FileMode]string{0: "-", fs.ModeDir: "d", fs.ModeSymlink: "l", fs.ModeNamedPipe: "p", fs.ModeDevice: "b", fs.ModeDevice | fs.ModeCharDevice: "c"}

// specials are the permissions besides those to read, write and execute.
var specials = []struct {
	bit, digit fs.FileMode
	at         int // of the x that it shows in place of
	mark       byte
}{{fs.ModeSetuid, 0o4000, 3, 's'}, {fs.ModeSetgid, 0o2000, 6, 's'}, {fs.ModeSticky, 0o1000, 9, 't'}}

// ModeText is the type and the permissions as ls and tar show them: "-rwxr-x---".
func (m *Member) ModeText() string {
	letter := cmp.Or(letters[m.Mode.Type()], "?")
	if m.Kind == HardLink {
		letter = "h"
	}
	text := []byte(letter + m.Mode.Perm().String()[1:])
	for _, s := range specials {
		if m.Mode&s.bit == 0 {
			continue
		}
		if text[s.at] != 'x' {
			s.mark -= 'a' - 'A'
		}
		text[s.at] = s.mark
	}
	return string(text)
}

// ModeDigits is the permissions in octal digits, as chmod takes them: "0750".
func (m *Member) ModeDigits() string {
	n := m.Mode.Perm()
	for _, s := range specials {
		if m.Mode&s.bit != 0 {
			n |= s.digit
		}
	}
	return fmt.Sprintf("%04o", uint32(n))
}
