package archive

import (
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// Single is the tree of one file: size bytes of src, which is no archive.
func Single(name string, src io.ReaderAt, size int64, modTime time.Time) *FS {
	m := &Member{Name: name, Kind: File, Size: size, Mode: 0o600, ModTime: modTime}
	return &FS{limit: MaxIndex, kind: &single{m, io.NewSectionReader(source{src}, 0, size)}}
}

type single struct {
	m   *Member
	src *io.SectionReader
}

func (s *single) members(yield func(*Member, error) bool) { yield(s.m, nil) }
func (s *single) at(int64) (*Member, error)               { return s.m, nil }
func (s *single) source() *io.SectionReader               { return s.src }
func (s *single) open(m *Member) (io.Reader, []Piece, error) {
	return nil, []Piece{{0, 0, m.Size}}[:min(1, m.Size)], nil
}

// OpenAt opens a file to be read at any place, by several at once. What is compressed in
// a zip is read on from where the last read was, or from its beginning if that is before;
// of what was read last 1 to 2 MiB are kept.
func (f *FS) OpenAt(name string) (io.ReaderAt, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	if st, err := file.Stat(); err != nil || st.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if r, ok := file.(io.ReaderAt); ok {
		return r, nil
	}
	return &rewound{fs: f, name: name, r: file}, nil
}

// A rewound reader is read at any place by reading it on, or again.
type rewound struct {
	fs   *FS
	name string

	mu    sync.Mutex
	r     io.Reader
	begin int64 // where kept begins
	kept  []byte
}

func (w *rewound) ReadAt(p []byte, off int64) (n int, err error) {
	const most = 2 << 20
	w.mu.Lock()
	defer w.mu.Unlock()
	if off < w.begin {
		if w.r, err = w.fs.Open(w.name); err != nil {
			return 0, err
		}
		w.begin, w.kept = 0, w.kept[:0]
	}
	for n < len(p) {
		if at := off + int64(n) - w.begin; at < int64(len(w.kept)) {
			n += copy(p[n:], w.kept[at:])
			continue
		} else if err != nil {
			return n, err
		}
		if len(w.kept) >= most {
			w.begin += most / 2
			w.kept = w.kept[:copy(w.kept, w.kept[most/2:])]
		}
		end := len(w.kept)
		w.kept = slices.Grow(w.kept, 64<<10)
		var k int
		k, err = w.r.Read(w.kept[end:cap(w.kept)])
		w.kept = w.kept[:end+k]
	}
	return n, nil
}
