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
	"archive/tar"
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
	src  *io.SectionReader
	size int64
	zip  *zip.Reader // nil: it is a tar
}

// UnknownSize stands for the size of a source whose end is not known. A zip,
// whose directory is at its end, cannot be read then.
const UnknownSize = -1

// Open recognizes the archive of size bytes in src, or fails with an
// [*UnknownError] or an error of src. src must take reads from several
// goroutines if members are read from several.
func Open(src io.ReaderAt, size int64) (*Archive, error) {
	a := &Archive{size: size}
	if size < 0 {
		a.size = math.MaxInt64
	}
	a.src = io.NewSectionReader(src, 0, a.size)
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
		a.zip, err = zip.NewReader(src, size)
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

// damage wraps what a parser says of the archive's own bytes in ErrDamaged;
// errors of the source stay as they are.
func damage(err error) error {
	for _, own := range []error{tar.ErrHeader, tar.ErrFieldTooLong, io.EOF, io.ErrUnexpectedEOF, zip.ErrFormat, zip.ErrAlgorithm, zip.ErrChecksum} {
		if errors.Is(err, own) {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return err
}
