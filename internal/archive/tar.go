package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
)

const tarBlock = 512

// maxEmptyTar is how long a tar without members may be: the largest record that
// programs fill up with zeros.
const maxEmptyTar = 1 << 20

// isTar reports whether the source begins with a tar's header, or is an empty
// one: zeros and nothing else. The zeros that a disk image begins with are none.
func (a *Archive) isTar() (bool, error) {
	_, err := tar.NewReader(io.NewSectionReader(a.src, 0, a.src.Size())).Next()
	switch {
	case err == nil, errors.Is(err, tar.ErrInsecurePath):
		return true, nil
	case err != io.EOF:
		if err = damage(err); errors.Is(err, ErrDamaged) {
			err = nil
		}
		return false, err
	case a.src.Size() > maxEmptyTar:
		return false, nil
	}
	all, err := io.ReadAll(io.NewSectionReader(a.src, 0, a.src.Size()))
	if err != nil {
		return false, damage(err)
	}
	return bytes.Count(all, []byte{0}) == len(all), nil
}

// Types of entries that GNU tar makes and package tar has no names for.
const (
	typeDumpDir = 'D' // a directory, with a list of names as its data
	typeVolume  = 'V' // the label of the tape: no member
)

// tarMembers walks from header to header. Package tar seeks over data, and reads
// no further than it must: after Next the source stands where the data begins.
func (a *Archive) tarMembers(yield func(*Member, error) bool) {
	src := &headerFinder{SectionReader: io.NewSectionReader(a.src, 0, a.src.Size())}
	r := tar.NewReader(src)
	for i := 0; ; i++ {
		src.found = false
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			yield(nil, damage(err))
			return
		}
		if h.Typeflag == tar.TypeXGlobalHeader || h.Typeflag == typeVolume {
			continue // not a member: it is about others
		}
		m := newTarMember(a, h)
		m.index, m.header = i, src.header
		if m.Kind == File && !isSparse(h) {
			if m.offset, err = src.Seek(0, io.SeekCurrent); err != nil {
				yield(nil, err)
				return
			}
			m.contiguous = true
		}
		if !yield(m, nil) {
			return
		}
	}
}

// A headerFinder is a source for package tar that notes where a member's first
// header is: the first whole block that is read for it. What is left of the
// member before is skipped, but for a byte, and padding is less than a block.
type headerFinder struct {
	*io.SectionReader
	header int64
	found  bool
}

func (f *headerFinder) Read(p []byte) (int, error) {
	if !f.found && len(p) == tarBlock {
		f.found = true
		f.header, _ = f.Seek(0, io.SeekCurrent) // which does not fail there
	}
	return f.SectionReader.Read(p)
}

func newTarMember(a *Archive, h *tar.Header) *Member {
	m := &Member{archive: a, Name: h.Name, Mode: h.FileInfo().Mode(), ModTime: h.ModTime, Link: h.Linkname, Owner: owner(h)}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		m.Kind, m.Size = File, h.Size
	case tar.TypeDir, typeDumpDir:
		m.Kind = Dir
	case tar.TypeSymlink:
		m.Kind = Symlink
	case tar.TypeLink:
		m.Kind = HardLink
	default:
		m.Kind = Other
	}
	return m
}

// isSparse reports whether the data in the tar is not the member's as it stands:
// pieces of it, with a map of the holes between.
func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// openTar opens a member whose data only package tar can put together.
func (a *Archive) openTar(m *Member) (io.Reader, error) {
	r := tar.NewReader(io.NewSectionReader(a.src, m.header, a.src.Size()-m.header))
	if _, err := r.Next(); err != nil && !errors.Is(err, tar.ErrInsecurePath) {
		return nil, damage(err)
	}
	return r, nil
}
