// Package archive is the file tree in a tar or zip that can be read at any place.
// An [FS] is an fs.FS, and gives besides what that has no words for: the members in
// the order of the archive ([FS.Members]), what stands in their headers ([Member]),
// where their data lies ([RandomFile.Pieces]), and which of them some names stand
// for ([FS.Select]).
//
//	tar   header, data, header, data, …    walked from header to header
//	zip   data, data, …, directory         the directory, at the end
//
// Two rules make a tree of any list of members. One name is one place, however it
// is written, and of several members with it the last counts. A directory that has
// members and a member that is no directory are never the same place: the later of
// the two has no place ([Selection.Misplaced]).
//
// What is wrong with one member is an error of that member alone. A kind of archive
// is one file with a type that implements kind, and its place in [Open].
package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
)

// MaxIndex bounds the memory in bytes that the places of an archive take: about
// three million members with names of common length. More is a [LimitError]. An
// archive is not indexed to be listed, and to find some members only for those.
const MaxIndex = 256 << 20

// MaxName is how long a member's name may be, in bytes.
const MaxName = 1<<16 - 1

// An FS is the tree in an archive. All its methods are safe for concurrent use if
// the source's ReadAt is. Errors of the source come out wrapped, with the same words;
// those of the archive's own bytes are ErrDamaged, wrapped.
//
// It implements fs.ReadDirFS, fs.StatFS and fs.ReadLinkFS, the Sys method of whose
// infos returns the *Member, or nil for a directory that only the names of others
// imply. Names may be any bytes, UTF-8 or not.
type FS struct {
	kind
	limit int64 // MaxIndex

	indexed sync.Once
	all     *Selection // all there is, once it is indexed
	failed  error      // why it is not
}

// A kind is a format of archives. Its members have a place, a number by which they
// are found again, which grows with their order.
type kind interface {
	// members yields them in the order of the archive, and errors in place of those
	// that are damaged. It goes on after ErrDamaged, and ends after any other.
	members(yield func(*Member, error) bool)
	// at reads the member at a place again.
	at(place int64) (*Member, error)
	// open returns the data of a file or of a zip's symbolic link: as it is read from
	// its beginning, or where it lies in the source, or both.
	open(m *Member) (io.Reader, []Piece, error)
	// source is what the archive is read from.
	source() *io.SectionReader
}

// UnknownSize stands for the size of a source whose end is not known. A zip,
// whose directory is at its end, cannot be read then.
const UnknownSize = -1

// Open recognizes the archive of size bytes in src, or fails with an
// [*UnknownError], ErrDamaged or an error of src. It reads no more than that takes.
func Open(src io.ReaderAt, size int64) (*FS, error) {
	kinds := []func(*io.SectionReader) (kind, error){newTar, newZip} // nil is none of it
	if size < 0 {
		size, kinds = beyond-1, kinds[:1]
	}
	marked := io.NewSectionReader(source{src}, 0, size)
	for _, open := range kinds {
		if k, err := open(marked); err != nil || k != nil {
			return &FS{kind: k, limit: MaxIndex}, damage(err)
		}
	}
	start := make([]byte, 8)
	n, err := marked.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, damage(err)
	}
	return nil, &UnknownError{looksLike(start[:n])}
}

// Members goes through the archive in its order, and keeps none of it. Where a
// member is damaged it gives an error that is ErrDamaged and goes on with the next;
// after an error of the source it ends.
func (f *FS) Members() iter.Seq2[*Member, error] { return f.kind.members }

// ErrDamaged is an archive, or a part of one, that breaks off or does not follow
// its format.
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

// A LinkError is a hard link that leads to no file of the archive.
type LinkError struct {
	Name, To string // the link, and what it is to
	Why      string // that is none
}

func (e *LinkError) Error() string {
	return fmt.Sprintf("%q is a hard link to %q, %s", e.Name, e.To, e.Why)
}

// A MissingError is a name that no member has.
type MissingError struct{ Name string }

func (e *MissingError) Error() string { return "the archive has no member " + e.Name }

// An UnsupportedError is a member whose data lies in the archive in a way that
// this package does not know.
type UnsupportedError struct{ Name, Why string }

func (e *UnsupportedError) Error() string { return fmt.Sprintf("%q is %s", e.Name, e.Why) }

// A LimitError is an archive, or a part of one, with too many members to index.
type LimitError struct{}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the names of its members take more than %d MiB of memory", MaxIndex>>20)
}

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

func (e *sourceError) Unwrap() error { return e.error }

// damage wraps what a parser says of the archive's own bytes in ErrDamaged; errors
// of the source stay what they are. Nil stays nil.
func damage(err error) error {
	if err == nil || errors.Is(err, ErrDamaged) || errors.As(err, new(*sourceError)) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// damaged is an error of the archive's own bytes.
func damaged(format string, args ...any) error {
	return damage(fmt.Errorf(format, args...))
}
