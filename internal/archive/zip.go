package archive

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
)

// encrypted is the bit of a zip member's flags that says so.
const encrypted = 0x1

func (a *Archive) zipMembers(yield func(*Member, error) bool) {
	for i, f := range a.zip.File {
		m := &Member{archive: a, index: i, Name: f.Name, Size: int64(f.UncompressedSize64), Mode: f.Mode(), ModTime: f.Modified, Checked: true}
		if f.UncompressedSize64 > math.MaxInt64 || f.CompressedSize64 > math.MaxInt64 {
			m.Size = math.MaxInt64
			m.bad = fmt.Errorf("%w: %q is larger than anything can be", ErrDamaged, m.Name)
		}
		switch t := f.Mode().Type(); {
		case t.IsDir():
			m.Kind, m.Size = Dir, 0
		case t == fs.ModeSymlink:
			m.Kind = Symlink
		case t.IsRegular():
			m.Kind = File
		default:
			m.Kind = Other
		}
		if !yield(m, nil) {
			return
		}
	}
}

// openZip decompresses a member. Its checksum is checked at the end.
func (a *Archive) openZip(m *Member) (io.Reader, error) {
	f := a.zip.File[m.index]
	if f.Flags&encrypted != 0 {
		return nil, &UnsupportedError{m.Name, "encrypted inside the zip"}
	}
	r, err := f.Open()
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		return nil, &UnsupportedError{m.Name, fmt.Sprintf("compressed with method %d of zip", f.Method)}
	case err != nil:
		return nil, damage(err)
	}
	return &ownErrors{r}, nil
}

// zipExtent is where the data of a member lies that is stored as it is.
func (a *Archive) zipExtent(m *Member) (offset int64, ok bool, err error) {
	f := a.zip.File[m.index]
	if f.Method != zip.Store || f.Flags&encrypted != 0 || f.CompressedSize64 != f.UncompressedSize64 {
		return 0, false, nil
	}
	offset, err = f.DataOffset()
	return offset, err == nil, damage(err)
}

// ownErrors makes ErrDamaged of what is wrong with the data itself.
type ownErrors struct{ io.Reader }

func (r *ownErrors) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = damage(err)
	}
	return n, err
}
