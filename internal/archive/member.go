package archive

import (
	"archive/zip"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// A Kind is what a member is.
type Kind string

const (
	File     Kind = "file"
	Dir      Kind = "directory"
	Symlink  Kind = "symlink"
	HardLink Kind = "hardlink" // another name of an earlier member, without data of its own
	Other    Kind = "other"    // a device, a pipe, or what no other kind fits
)

// kindOf is the kind of all that have a type, but of hard links.
func kindOf(mode fs.FileMode) Kind {
	switch mode.Type() {
	case 0:
		return File
	case fs.ModeDir:
		return Dir
	case fs.ModeSymlink:
		return Symlink
	}
	return Other
}

// A Member is one entry of an archive.
type Member struct {
	Name    string // as it stands there, which may be anything
	Kind    Kind
	Size    int64 // of the data, in bytes
	Mode    fs.FileMode
	ModTime time.Time // zero if it is not told
	Owner   string    // "user/group", "" if it is not told
	Link    string    // of a tar's links, what they lead to; a zip's symbolic links have it as data
	Checked bool      // the data, read from its beginning to its end, is checked against a checksum

	place int64
	broke error // why there is no data; nil if there is
	tar   tarData
	zip   *zip.File
}

// Path returns the place in the tree that a name stands for: without "./", "//",
// ".." and a "/" at its end, "." for the root. ok is false if it is none in it, but
// absolute, or leads out.
func Path(name string) (clean string, ok bool) {
	clean = path.Clean(name)
	return clean, !strings.HasPrefix(clean, "/") && clean != ".." && !strings.HasPrefix(clean, "../")
}

// maxLink is how long what a symbolic link leads to may be, on most systems.
const maxLink = 4096

// LinkOf returns what a symbolic link leads to.
func (f *FS) LinkOf(m *Member) (string, error) {
	if m.Kind != Symlink {
		return "", fmt.Errorf("%q is no symbolic link: %w", m.Name, fs.ErrInvalid)
	}
	to := m.Link
	if m.zip != nil {
		r, _, err := f.data(m)
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(io.LimitReader(r, maxLink))
		if err != nil {
			return "", damage(err)
		}
		if to = string(b); len(to) == maxLink {
			return "", damaged("%q is a link to more than a name", m.Name)
		}
	}
	if to == "" {
		return "", damaged("%q is a link to nothing", m.Name)
	}
	return to, nil
}

// data returns the data of a member, as a kind's open does.
func (f *FS) data(m *Member) (io.Reader, []Piece, error) {
	switch {
	case m.broke != nil:
		return nil, nil, m.broke
	case m.Kind == HardLink:
		return nil, nil, &LinkError{m.Name, m.Link, "which is not there before it"}
	case m.Kind != File && m.Kind != Symlink:
		return nil, nil, fmt.Errorf("%q is a %s, which has no data: %w", m.Name, m.Kind, fs.ErrInvalid)
	}
	r, pieces, err := f.open(m)
	return r, pieces, damage(err)
}

// OpenMember opens a file's data: a [*RandomFile] if it can be read at any place.
// It fails with a [*LinkError] for a hard link, unless Find or Select returned it,
// with an [*UnsupportedError], or with ErrDamaged.
func (f *FS) OpenMember(m *Member) (fs.File, error) {
	if m.Kind == Symlink {
		return nil, fmt.Errorf("%q is a symbolic link: %w", m.Name, fs.ErrInvalid)
	}
	r, all, err := f.data(m)
	if err != nil {
		return nil, err
	}
	from := &file{info{m, path.Base(m.Name)}, r}
	if all == nil {
		return from, nil
	}
	p := pieces{f.source(), all, m.Size}
	random := &RandomFile{SectionReader: io.NewSectionReader(p, 0, p.size), stat: from.info, pieces: p}
	if r != nil {
		random.checked = from
	}
	return random, nil
}

// An info is what io/fs tells of a member.
type info struct {
	m    *Member
	name string
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.m.Size }
func (i info) Mode() fs.FileMode  { return i.m.Mode }
func (i info) ModTime() time.Time { return i.m.ModTime }
func (i info) IsDir() bool        { return i.m.Mode.IsDir() }

// Sys returns the *Member, nil if there is none.
func (i info) Sys() any {
	if i.m.place == noPlace {
		return nil
	}
	return i.m
}

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
