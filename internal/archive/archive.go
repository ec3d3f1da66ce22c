// Package archive lists the members of a tar or zip that can be read at any
// place, and gives the data of single ones. Of the data it reads none but what
// is asked for:
//
//	tar   header, data, header, data, …    walked from header to header
//	zip   data, data, …, directory         the directory, at the end
//
// Names are given as they stand in the archive, which may be anything: whoever
// shows one sees to what it does to a terminal, and whoever writes to one asks
// [Member.Local] first.
package archive

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
)

// An Archive is a tar or a zip.
type Archive struct {
	src *io.SectionReader // of a source, which marks its errors
	zip *zip.Reader       // nil: it is a tar
}

// UnknownSize stands for the size of a source whose end is not known. A zip,
// whose directory is at its end, cannot be read then.
const UnknownSize = -1

// Open recognizes the archive of size bytes in src, or fails with an
// [*UnknownError] or an error of src. src must take reads from several
// goroutines if members are read from several.
func Open(src io.ReaderAt, size int64) (*Archive, error) {
	end := size
	if size < 0 {
		end = math.MaxInt64
	}
	a := &Archive{src: io.NewSectionReader(source{src}, 0, end)}
	start := make([]byte, tarBlock)
	n, err := src.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if start = start[:n]; n == tarBlock {
		switch ok, err := a.isTar(); {
		case err != nil:
			return nil, err
		case ok:
			return a, nil
		}
	}
	if size >= 0 {
		a.zip, err = zip.NewReader(a.src, size)
		switch {
		case err == nil, errors.Is(err, zip.ErrInsecurePath): // names are looked at where they are used
			return a, nil
		case !errors.Is(err, zip.ErrFormat), bytes.HasPrefix(start, []byte("PK")):
			return nil, damage(err)
		}
	}
	return nil, &UnknownError{looksLike(start)}
}

// ErrDamaged is an archive that breaks off or does not follow its format.
var ErrDamaged = errors.New("the archive is damaged")

// An UnknownError is something that is neither a tar nor a zip.
type UnknownError struct {
	Compression string // that it seems to be in: "gzip"; "" if in none that is known
}

func (e *UnknownError) Error() string {
	if e.Compression == "" {
		return "neither a tar nor a zip"
	}
	return "neither a tar nor a zip, but compressed with " + e.Compression
}

func looksLike(start []byte) string {
	for _, c := range []struct{ name, magic string }{
		{"gzip", "\x1f\x8b"}, {"zstd", "\x28\xb5\x2f\xfd"}, {"xz", "\xfd7zXZ\x00"}, {"bzip2", "BZh"}, {"lz4", "\x04\x22\x4d\x18"},
	} {
		if bytes.HasPrefix(start, []byte(c.magic)) {
			return c.name
		}
	}
	return ""
}

// Members goes through the archive. It ends after an error, if there is one:
// ErrDamaged, possibly wrapped, or one of the source. A member stays good for as
// long as its archive.
func (a *Archive) Members() iter.Seq2[*Member, error] {
	if a.zip != nil {
		return a.zipMembers
	}
	return a.tarMembers
}

// A LinkError is a hard link that leads to no file of the archive.
type LinkError struct {
	Name, To string // the link, and what it is to
	Why      string // that is none
}

func (e *LinkError) Error() string {
	return fmt.Sprintf("%q is a hard link to %q, %s", e.Name, e.To, e.Why)
}

// An UnsupportedError is a member whose data lies in the archive in a way that
// this package does not know.
type UnsupportedError struct{ Name, Why string }

func (e *UnsupportedError) Error() string { return fmt.Sprintf("%q is %s", e.Name, e.Why) }

// A source marks its errors, so that they are told from what a parser has to say
// of the bytes.
type source struct{ io.ReaderAt }

func (s source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = &sourceError{err}
	}
	return n, err
}

type sourceError struct{ error }

// damage wraps what a parser says of the archive's own bytes in ErrDamaged;
// errors of the source come out as they were. Nil stays nil.
func damage(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sourceError](err); ok {
		return e.error
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}
