package archive

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
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

// A Member is one entry of an archive.
type Member struct {
	Name    string // as it stands there
	Kind    Kind
	Size    int64 // of the data, in bytes
	Mode    fs.FileMode
	ModTime time.Time
	Owner   string // "user/group", "" if it is not told
	Link    string // of a tar's links, what they point to; a zip's have it as data
	Checked bool   // Open, read to its end, checks the data against a checksum

	archive    *Archive
	index      int   // among the entries
	header     int64 // of a tar: where its first header is
	offset     int64 // where the data begins,
	contiguous bool  // if it is known, and the data lies there as it is
	bad        error // why there is no data; nil if there is
}

// Extent is where the member's data lies in the archive's source as it is, in
// one piece. ok is false if it does not, or the member has no data; then Open
// gives it.
func (m *Member) Extent() (offset, length int64, ok bool, err error) {
	switch {
	case m.bad != nil:
		return 0, 0, false, m.bad
	case m.contiguous:
		return m.offset, m.Size, true, nil
	case m.archive.zip != nil && m.Kind == File:
		offset, ok, err = m.archive.zipExtent(m)
		return offset, m.Size, ok, err
	}
	return 0, 0, false, nil
}

// Open returns the member's data from its beginning: of a file, or of a zip's
// symbolic link. Errors in it are those of [Archive.Members]; it fails with an
// [*UnsupportedError], or for a hard link that Find or Select has returned with a
// [*LinkError].
func (m *Member) Open() (io.Reader, error) {
	a := m.archive
	switch {
	case m.bad != nil:
		return nil, m.bad
	case a.zip != nil && (m.Kind == File || m.Kind == Symlink):
		return a.openZip(m)
	case a.zip != nil || m.Kind != File:
		return nil, fmt.Errorf("a %s has no data", m.Kind)
	case m.contiguous:
		return &ownErrors{&whole{io.NewSectionReader(a.src, m.offset, m.Size), m.Size}}, nil
	}
	r, err := a.openTar(m)
	if err != nil {
		return nil, err
	}
	return &ownErrors{r}, nil
}

// maxLink is how long what a symbolic link points to may be, on most systems.
const maxLink = 4096

// ReadLink returns what a symbolic link points to. Errors are those of Open.
func (m *Member) ReadLink() (string, error) {
	if m.archive.zip == nil {
		return m.Link, nil
	}
	r, err := m.Open()
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(r, maxLink))
	if err == nil && len(b) == maxLink {
		err = fmt.Errorf("%w: %q is a link to more than a name", ErrDamaged, m.Name)
	}
	return string(b), err
}

// whole is a reader of n bytes; fewer are an error.
type whole struct {
	r io.Reader
	n int64
}

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.n -= int64(n)
	if err == io.EOF && w.n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Clean is a member's name as one would give it: without the "./" before and
// the "/" behind that some archives have.
func Clean(name string) string {
	for strings.HasPrefix(name, "./") {
		name = strings.TrimLeft(name[2:], "/")
	}
	if name = strings.TrimRight(name, "/"); name == "" {
		return "."
	}
	return name
}

// Local returns the path below a directory that the member's name stands for,
// with this system's separators. ok is false if it stands for none: it is
// absolute, leads out of the directory, or has control characters.
func (m *Member) Local() (name string, ok bool) {
	if strings.HasPrefix(m.Name, "/") || strings.ContainsFunc(m.Name, unicode.IsControl) {
		return "", false
	}
	name = filepath.FromSlash(Clean(m.Name))
	if !filepath.IsLocal(name) {
		return "", false
	}
	return filepath.Clean(name), true
}

// LinkLocal reports whether a symbolic link of the member's name to target leads
// to nothing outside the directory, whatever links there are in it that do not
// either; the directories on the way to the member must be none. A target goes up
// at its beginning only: behind a name that may be a link, nobody knows from where.
func (m *Member) LinkLocal(target string) bool {
	name, ok := m.Local()
	target = filepath.ToSlash(target)
	if !ok || target == "" || strings.HasPrefix(target, "/") || strings.Contains(target, "\x00") {
		return false
	}
	down := false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if down {
				return false
			}
		default:
			down = true
		}
	}
	return filepath.IsLocal(filepath.Join(filepath.Dir(name), filepath.FromSlash(target)))
}

func owner(h *tar.Header) string {
	user, group := h.Uname, h.Gname
	if user == "" {
		user = strconv.Itoa(h.Uid)
	}
	if group == "" {
		group = strconv.Itoa(h.Gid)
	}
	return user + "/" + group
}
