package archive

import (
	"archive/tar"
	"errors"
	"io"
	"strings"
)

const tarBlock = 512

// isTar reports whether the source begins with a tar's header, or with the two
// blocks of zeros that end a tar and make up an empty one.
func (a *Archive) isTar() (bool, error) {
	_, err := tar.NewReader(io.NewSectionReader(a.src, 0, a.size)).Next()
	switch {
	case err == nil, err == io.EOF, errors.Is(err, tar.ErrInsecurePath):
		return true, nil
	case errors.Is(err, tar.ErrHeader), errors.Is(err, io.ErrUnexpectedEOF):
		return false, nil
	}
	return false, err
}

// tarMembers walks from header to header. Package tar seeks over data, and reads
// no further than it must: after Next the source stands where the data begins.
func (a *Archive) tarMembers(yield func(*Member, error) bool) {
	src := io.NewSectionReader(a.src, 0, a.size)
	r := tar.NewReader(src)
	for i := 0; ; i++ {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			yield(nil, damage(err))
			return
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue // not a member: it is about those that follow
		}
		m := newTarMember(a, h)
		m.index = i
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

func newTarMember(a *Archive, h *tar.Header) *Member {
	m := &Member{archive: a, Name: h.Name, Size: h.Size, Mode: h.FileInfo().Mode(), ModTime: h.ModTime, Link: h.Linkname, Owner: owner(h)}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		m.Kind = File
	case tar.TypeDir:
		m.Kind = Dir
	case tar.TypeSymlink:
		m.Kind = Symlink
	case tar.TypeLink:
		m.Kind, m.Size = HardLink, 0
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

// openTar walks to a member whose data only package tar can put together.
func (a *Archive) openTar(index int) (io.Reader, error) {
	r := tar.NewReader(io.NewSectionReader(a.src, 0, a.size))
	for i := 0; ; i++ {
		if _, err := r.Next(); err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, damage(err)
		}
		if i == index {
			return r, nil
		}
	}
}
