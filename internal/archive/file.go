package archive

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"
	"sort"
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
