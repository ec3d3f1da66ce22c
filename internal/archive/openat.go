package archive

import (
	"io"
	"io/fs"
	"sync"
	"time"
)

// Single is the tree of one file: size bytes of src, which is no archive.
func Single(name string, src io.ReaderAt, size int64, modTime time.Time) *FS {
	return &FS{limit: MaxIndex, kind: &single{&Member{Name: name, Kind: File, Size: size, Mode: 0o600, ModTime: modTime}, io.NewSectionReader(source{src}, 0, size)}}
}

type single struct {
	m   *Member
	src *io.SectionReader
}

func (s *single) members(yield func(*Member, error) bool) { yield(s.m, nil) }
func (s *single) at(int64) (*Member, error)               { m := *s.m; return &m, nil }
func (s *single) source() *io.SectionReader               { return s.src }
func (s *single) open(m *Member) (io.Reader, []Piece, error) {
	return nil, []Piece{{0, 0, m.Size}}[:min(1, m.Size)], nil
}

// OpenAt opens a file to be read at any place, several times at once. What lies
// compressed in a zip is read on from where the last read was, or from its beginning if
// that is before; of what it was read last, 1 MiB is kept.
func (f *FS) OpenAt(name string) (io.ReaderAt, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	switch r := file.(type) {
	case *RandomFile:
		return r, nil
	case *dir:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return &rewound{open: func() (io.Reader, error) { return f.Open(name) }}, nil
}

// A rewound reader is read at any place by reading it on, or again.
type rewound struct {
	open func() (io.Reader, error)

	mu    sync.Mutex
	r     io.Reader
	begin int64 // where last begins
	last  []byte
}

const keptOfRewound = 1 << 20

func (w *rewound) ReadAt(p []byte, off int64) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.r == nil || off < w.begin {
		w.begin, w.last = 0, w.last[:0]
		if w.r, err = w.open(); err != nil {
			return 0, err
		}
	}
	buf := make([]byte, 64<<10)
	for n < len(p) && err == nil {
		if at := off + int64(n) - w.begin; at < int64(len(w.last)) {
			n += copy(p[n:], w.last[at:])
			continue
		}
		if len(w.last) >= 2*keptOfRewound {
			w.begin += keptOfRewound
			w.last = w.last[:copy(w.last, w.last[keptOfRewound:])]
		}
		var k int
		k, err = w.r.Read(buf)
		w.last = append(w.last, buf[:k]...)
		if k > 0 {
			err = nil // which comes again
		}
	}
	return n, err
}
