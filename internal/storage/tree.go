package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Tree creates files below a directory, and never outside of it. It is for one
// goroutine, and for one output at a time. Paths have this system's form.
type Tree struct {
	run  *Run
	root *os.Root
	dirs map[string]bool // that are there, and are made durable by Sync
	here *os.Root        // the directory of the last name that was made; nil: none was
	dir  string          // its path
}

// Below returns the tree of root, which the caller closes after the tree.
func (r *Run) Below(root *os.Root) *Tree {
	return &Tree{run: r, root: root, dirs: map[string]bool{".": true}}
}

// Close closes what the tree has opened.
func (t *Tree) Close() error {
	if t.here == nil {
		return nil
	}
	err := t.here.Close()
	t.here = nil
	return err
}

// plan plans an output of a path. The directory stays open while one name after the
// other is created in it: walking there for each step would be most of the work.
func (t *Tree) plan(path string, opts Options) (*Pending, error) {
	if err := t.run.ended(); err != nil {
		return nil, err
	}
	dir, base := filepath.Dir(path), filepath.Base(path)
	if IsReserved(path) {
		return nil, &Error{Kind: Reserved, Name: path}
	}
	at := t.root
	if dir != "." {
		if t.here == nil || t.dir != dir {
			here, err := t.root.OpenRoot(dir)
			if err != nil {
				return nil, err
			}
			t.Close()
			t.here, t.dir = here, dir
		}
		at = t.here
	}
	t.dirs[dir] = true
	return &Pending{run: t.run, opts: opts, name: path, at: at, path: base, partial: partialPath(base, memberPrefix)}, nil
}

// Mkdir makes a directory, and those on the way to it, unless they are there.
func (t *Tree) Mkdir(path string, mode fs.FileMode) error {
	if t.dirs[path] {
		return nil
	}
	if err := t.root.MkdirAll(path, mode); err != nil {
		return err
	}
	for ; path != "."; path = filepath.Dir(path) {
		t.dirs[path] = true
	}
	return nil
}

// Create begins an output of a path below the tree's directory, whose own directory is
// there. It does not follow a link at the end of the path. The output is durable after
// [Tree.Sync]. Errors are those of [Run.Plan] and [Pending.Begin], and *Error of kind
// Reserved.
func (t *Tree) Create(path string, opts Options) (*Pending, error) {
	p, err := t.plan(path, opts)
	if err != nil {
		return nil, err
	}
	st, err := p.at.Lstat(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.opts.NoSync = opts.NoSync || syncsAll // Sync waits for all; a file that replaces another does not wait until then
	case err == nil && st.IsDir():
		err = p.fails(IsDirectory, nil)
	case err == nil:
		err = p.mayReplace(st)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return p, p.Begin()
}

// Symlink makes a symbolic link at a path below the tree's directory. With force
// it takes the place of a link or a regular file. Its errors are those of the
// operating system, and *Error of the kinds Exists, NotRegular, IsInput and
// Reserved.
func (t *Tree) Symlink(to, path string, force bool) error {
	return t.link(path, force, func(p *Pending, name string) error { return p.at.(*os.Root).Symlink(to, name) })
}

// Link makes a path another name of the file at first, a path of the tree. Its
// errors are those of Symlink.
func (t *Tree) Link(first, path string, force bool) error {
	return t.link(path, force, func(p *Pending, name string) error {
		if filepath.Dir(first) == filepath.Dir(path) {
			return p.at.Link(filepath.Base(first), name)
		}
		return t.root.Link(first, filepath.Join(filepath.Dir(path), name))
	})
}

// link creates a link at its path or, to replace something there, under the unfinished
// name, and renames that.
func (t *Tree) link(path string, force bool, do func(p *Pending, name string) error) error {
	p, err := t.plan(path, Options{Force: force})
	if err != nil {
		return err
	}
	if err = do(p, p.path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	if !force {
		return p.fails(Exists, nil)
	}
	if err := p.checkReplaced(); err != nil {
		return err
	}
	if err := p.anew(func() error { return do(p, p.partial) }); err != nil {
		return err
	}
	if err = p.at.Rename(p.partial, p.path); err != nil {
		p.at.Remove(p.partial)
	}
	return err
}

// IsReserved reports whether a path has the form of a tree's unfinished files.
func IsReserved(path string) bool {
	base := filepath.Base(path)
	return strings.HasPrefix(base, memberPrefix) && strings.HasSuffix(base, partialSuffix)
}

// Sync makes durable what was created in the tree.
func (t *Tree) Sync() error {
	done := make(map[uint64]bool)
	for dir := range t.dirs {
		if err := syncIn(t.root, dir, done); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}
