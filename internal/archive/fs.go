package archive

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// whole indexes all of the archive, once.
func (f *FS) whole() (*Selection, error) {
	f.indexed.Do(func() { f.all, f.failed = f.Select() })
	return f.all, f.failed
}

// maxHops is how many symbolic links a path may lead over, as on most systems.
const maxHops = 40

var (
	errOut   = errors.New("a link leads out of the archive")
	errLoops = errors.New("too many links")
)

// walk finds what a path stands for: over symbolic links, the last of them only if
// it is to be followed. A ".." is one of a link's.
func (f *FS) walk(name string, follow bool) (*Selection, int32, error) {
	if clean, local := Path(name); clean != name || !local {
		return nil, 0, fs.ErrInvalid
	}
	s, err := f.whole()
	if err != nil {
		return nil, 0, err
	}
	id, hops := int32(root), 0
	for rest, more := name, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		switch {
		case !s.tree.node(id).typ.IsDir():
			return nil, 0, fs.ErrNotExist
		case part == "" || part == ".":
			continue
		case part == ".." && id == root:
			return nil, 0, errOut
		case part == "..":
			id = s.tree.node(id).parent
			continue
		}
		next := s.tree.child(id, part)
		switch {
		case next == 0 && s.End != nil:
			return nil, 0, s.End // it may be what is missing
		case next == 0:
			return nil, 0, fs.ErrNotExist
		case s.tree.kind(next) != Symlink || !more && !follow:
			id = next
			continue
		}
		to, err := s.link(next)
		switch hops++; {
		case err != nil:
			return nil, 0, err
		case strings.HasPrefix(to, "/"):
			return nil, 0, errOut
		case hops > maxHops || len(to)+len(rest) > 2*MaxName:
			return nil, 0, errLoops
		case more:
			to += "/" + rest
		}
		rest, more = to, true
	}
	return s, id, nil
}

func (s *Selection) link(id int32) (string, error) {
	m, err := s.member(id)
	if err != nil {
		return "", err
	}
	return s.fs.LinkOf(m.Member)
}

// info is what there is to tell of a node.
func (s *Selection) info(id int32) (info, error) {
	t := s.tree
	n := t.node(id)
	name := path.Base(t.path(id))
	if n.own == noPlace {
		return info{&Member{Name: t.path(id), Kind: Dir, Mode: fs.ModeDir | 0o755, place: noPlace}, name}, nil
	}
	m, err := s.member(id)
	if err != nil {
		return info{}, err
	}
	return info{m.Member, name}, nil
}

// An entry is one of a directory, whose header is read when it is asked for.
type entry struct {
	name string
	s    *Selection
	id   int32
}

func (e *entry) Name() string               { return e.name }
func (e *entry) IsDir() bool                { return e.Type().IsDir() }
func (e *entry) Type() fs.FileMode          { return e.s.tree.node(e.id).typ }
func (e *entry) Info() (fs.FileInfo, error) { return e.s.info(e.id) }
func (e *entry) String() string             { return fs.FormatDirEntry(e) }

// entries are those of a directory, by name.
func (s *Selection) entries(id int32) (all []fs.DirEntry, err error) {
	if !s.tree.node(id).typ.IsDir() {
		return nil, errors.New("not a directory")
	}
	for child := s.tree.node(id).child; child != 0; child = s.tree.node(child).next {
		all = append(all, &entry{s.tree.node(child).name, s, child})
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

// reach does something with what a path stands for.
func reach[T any](f *FS, op, name string, follow bool, do func(*Selection, int32) (T, error)) (T, error) {
	s, id, err := f.walk(name, follow)
	var result T
	if err == nil {
		result, err = do(s, id)
	}
	if err != nil {
		var none T
		return none, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return result, nil
}

// Open opens a file or a directory: as OpenMember does, over symbolic links if they
// stay in the tree.
func (f *FS) Open(name string) (fs.File, error) {
	return reach(f, "open", name, true, func(s *Selection, id int32) (fs.File, error) {
		i, err := s.info(id)
		if err != nil {
			return nil, err
		}
		if i.IsDir() {
			all, err := s.entries(id)
			return &dir{i, all}, err
		}
		file, err := f.OpenMember(i.m)
		return file, err
	})
}

// ReadDir reads a directory, in the order of names.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	return reach(f, "readdir", name, true, (*Selection).entries)
}

// Stat tells what a path leads to.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	return reach(f, "stat", name, true, func(s *Selection, id int32) (fs.FileInfo, error) { return s.info(id) })
}

// Lstat tells what a path is, a symbolic link itself.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	return reach(f, "lstat", name, false, func(s *Selection, id int32) (fs.FileInfo, error) { return s.info(id) })
}

// ReadLink tells what a symbolic link leads to.
func (f *FS) ReadLink(name string) (string, error) {
	return reach(f, "readlink", name, false, (*Selection).link)
}

var _ interface {
	fs.ReadDirFS
	fs.StatFS
	fs.ReadLinkFS
} = (*FS)(nil)

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
		again, err := w.fs.Open(w.name)
		if err != nil {
			return 0, err
		}
		w.r, w.begin, w.kept = again, 0, w.kept[:0]
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
