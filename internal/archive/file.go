package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"sort"
	"sync/atomic"

	"bulla/internal/fullio"
)

// A Piece is a part of a file, as it lies in the archive's source.
type Piece struct {
	Offset int64 // in the file
	At     int64 // in the source
	Length int64 // more than 0
}

// hole is where parts of a file lie that are nothing but zeros.
const hole = -1

// A file gives its data from the beginning only.
type file struct {
	info
	r io.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

func (f *file) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != io.EOF {
		err = damage(err)
	}
	return n, err
}

// A RandomFile is a file whose data lies in the archive as it is. It can be read
// at any place, from several goroutines by ReadAt.
type RandomFile struct {
	*io.SectionReader
	stat    info
	pieces  pieces
	checked io.Reader // checks what it reads; nil if there is no checksum, or no use of it any more
}

// Pieces says where in the source the data lies, in the order of the file. What is
// between pieces is holes. The caller must not change it.
func (f *RandomFile) Pieces() []Piece { return f.pieces.all }

// Stat returns what the archive says of the file.
func (f *RandomFile) Stat() (fs.FileInfo, error) { return f.stat, nil }

// Close does nothing: the source stays open.
func (f *RandomFile) Close() error { return nil }

// Read reads on. From the beginning to the end, without Seek, it checks the
// checksum if there is one, and fails there with ErrDamaged.
func (f *RandomFile) Read(p []byte) (int, error) {
	if f.checked == nil {
		return f.SectionReader.Read(p)
	}
	n, err := f.checked.Read(p)
	f.SectionReader.Seek(int64(n), io.SeekCurrent)
	return n, err
}

// Seek sets where Read reads on.
func (f *RandomFile) Seek(offset int64, whence int) (int64, error) {
	f.checked = nil
	return f.SectionReader.Seek(offset, whence)
}

// pieces reads a file that is made of pieces of src.
type pieces struct {
	src  io.ReaderAt
	all  []Piece
	size int64
}

// parts goes through a range of the file, as far as that is in it, in pieces and holes.
func (f pieces) parts(offset, length int64) iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		end := offset + min(length, f.size-offset)
		i := sort.Search(len(f.all), func(i int) bool { return f.all[i].Offset+f.all[i].Length > offset })
		for offset < end {
			part := Piece{offset, hole, end - offset}
			if i < len(f.all) {
				if p := f.all[i]; p.Offset > offset {
					part.Length = min(part.Length, p.Offset-offset)
				} else {
					part.At, part.Length = p.At+offset-p.Offset, min(part.Length, p.Offset+p.Length-offset)
					i++
				}
			}
			if !yield(part) {
				return
			}
			offset += part.Length
		}
	}
}

func (f pieces) ReadAt(p []byte, off int64) (n int, err error) {
	for part := range f.parts(off, int64(len(p))) {
		b := p[n:][:part.Length]
		if part.At == hole {
			clear(b)
		} else if k, err := f.src.ReadAt(b, part.At); k < len(b) {
			return n + k, damage(early(err))
		}
		n += len(b)
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// A dir is an open directory.
type dir struct {
	info
	left []fs.DirEntry
}

func (d *dir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *dir) Close() error               { return nil }
func (d *dir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

// ReadDir gives the next n entries, or with n <= 0 all that are left.
func (d *dir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.left)
	} else if len(d.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.left))
	next := slices.Clone(d.left[:n])
	d.left = d.left[n:]
	return next, nil
}

// A RangeWriter writes ranges of what it stands for to w, until ctx ends. If a range
// ends after the end, it writes what there is.
type RangeWriter interface {
	WriteRange(ctx context.Context, w io.Writer, offset, length int64) (int64, error)
}

// A Content writes ranges of a file's data: from where they lie in the archive's
// source if they lie there as they are, or else by reading from the beginning.
type Content struct {
	fs     *FS
	m      *Member
	random *RandomFile // nil if the data is not in the source as it is
	src    RangeWriter
	done   *atomic.Int64
}

// Content opens a file's data as OpenMember does, with the same errors. src writes
// what the archive was opened on; done counts what is read in any other way.
func (f *FS) Content(m *Member, src RangeWriter, done *atomic.Int64) (*Content, error) {
	file, err := f.OpenMember(m)
	if err != nil {
		return nil, err
	}
	random, _ := file.(*RandomFile)
	return &Content{fs: f, m: m, random: random, src: src, done: done}, nil
}

// WriteRange writes a range that ends before the end of the file, or at it. All of a
// file that has a checksum is checked. It fails with ErrDamaged, or an error of the
// source, of w or of ctx.
func (c *Content) WriteRange(ctx context.Context, w io.Writer, offset, length int64) (n int64, err error) {
	if c.random != nil && !(c.m.Checked && length == c.m.Size) {
		n, err = c.writeParts(ctx, w, offset, length)
	} else {
		n, err = c.writeFrom(ctx, w, offset, length)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%w: it ends within %q", ErrDamaged, c.m.Name)
	}
	return n, err
}

// writeParts writes a range of what lies in the source, and skips the holes in it if w can.
func (c *Content) writeParts(ctx context.Context, w io.Writer, offset, length int64) (n int64, err error) {
	skipper, _ := w.(interface{ Skip(int64) error })
	for p := range c.random.pieces.parts(offset, length) {
		k := p.Length
		switch {
		case ctx.Err() != nil:
			return n, context.Cause(ctx)
		case p.At == hole && skipper != nil:
			err = skipper.Skip(k)
		case p.At == hole:
			k, err = io.CopyN(w, fullio.Counted{Src: zeros{}, Done: new(atomic.Int64), Ctx: ctx}, k)
		default:
			k, err = c.src.WriteRange(ctx, w, p.At, p.Length)
		}
		if n += k; err == nil && k < p.Length {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// writeFrom writes a range of what is read from its beginning. If it is read to its
// end, its checksum is checked there.
func (c *Content) writeFrom(ctx context.Context, w io.Writer, offset, length int64) (int64, error) {
	file, err := c.fs.OpenMember(c.m)
	if err != nil {
		return 0, err
	}
	src := fullio.Counted{Src: file, Done: c.done, Ctx: ctx}
	n, err := io.CopyN(io.Discard, src, offset)
	if err == nil {
		n, err = io.CopyN(w, src, length)
	}
	if err == nil && offset+length == c.m.Size {
		if _, err = io.ReadFull(src, make([]byte, 1)); err == io.EOF {
			err = nil
		}
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
