package archive

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"sort"
)

// A Piece is a part of a file that lies in the archive's source as it is. What is
// between pieces is holes, which are read as zeros.
type Piece struct {
	Offset int64 // in the file
	At     int64 // in the source
	Length int64 // more than 0
}

// A file gives its data from the beginning only.
type file struct {
	info
	r io.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { f.r = closed{}; return nil }
func (f *file) Read(p []byte) (int, error) { return f.r.Read(p) }

type closed struct{}

func (closed) Read([]byte) (int, error) { return 0, fs.ErrClosed }

// A RandomFile is a file whose data lies in the archive as it is. It can be read
// at any place, from several goroutines by ReadAt.
type RandomFile struct {
	info
	*io.SectionReader
	pieces  pieces
	checked io.Reader // checks what it reads; nil if there is no checksum, or no use of it any more
}

func newRandomFile(src io.ReaderAt, stat info, checked io.Reader, all []Piece) *RandomFile {
	p := pieces{src, all, stat.m.Size}
	return &RandomFile{info: stat, pieces: p, checked: checked, SectionReader: io.NewSectionReader(p, 0, stat.m.Size)}
}

// Pieces says where in the source the data lies, in the order of the file. The
// caller must not change it.
func (f *RandomFile) Pieces() []Piece { return f.pieces.all }

// Size returns the length of the file in bytes.
func (f *RandomFile) Size() int64 { return f.info.Size() }

// Stat returns what the archive says of the file.
func (f *RandomFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close ends reading.
func (f *RandomFile) Close() error {
	f.checked = nil
	f.SectionReader = io.NewSectionReader(shut{}, 0, f.Size())
	return nil
}

type shut struct{}

func (shut) ReadAt([]byte, int64) (int, error) { return 0, fs.ErrClosed }

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

func (f pieces) ReadAt(p []byte, off int64) (n int, err error) {
	if off >= f.size {
		return 0, io.EOF
	}
	i := sort.Search(len(f.all), func(i int) bool { return f.all[i].Offset+f.all[i].Length > off })
	for n < len(p) && off < f.size {
		hole := f.size - off
		if i < len(f.all) {
			hole = f.all[i].Offset - off
		}
		part := p[n:]
		if hole > 0 {
			part = part[:min(hole, int64(len(part)))]
			clear(part)
		} else {
			piece := f.all[i]
			skip := off - piece.Offset
			part = part[:min(piece.Length-skip, int64(len(part)))]
			k, err := f.src.ReadAt(part, piece.At+skip)
			if k < len(part) {
				if err == nil || err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return n + k, damage(err)
			}
			if i++; skip+int64(len(part)) < piece.Length {
				i--
			}
		}
		n += len(part)
		off += int64(len(part))
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// own makes ErrDamaged of what is wrong with the data itself.
type own struct{ io.Reader }

func (r *own) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = damage(err)
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
