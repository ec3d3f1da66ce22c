package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Tree is where files are made below a directory, and never outside of it.
// It is for one goroutine.
type Tree struct {
	run  *Run
	root *os.Root
	dirs map[string]bool // that names were made in
}

// Below returns the tree of root, which the caller closes.
func (r *Run) Below(root *os.Root) *Tree {
	return &Tree{run: r, root: root, dirs: map[string]bool{}}
}

// treeOf is the place below a root.
type treeOf struct{ *os.Root }

// Create begins an output of a path below the tree's directory, which is
// there. No link is followed at its end, and with Force one is replaced. The names in its directory are not
// durable before [Tree.Sync]. Its errors are those of [Run.Plan] and
// [Pending.Begin], and *Error of kind Reserved.
func (t *Tree) Create(path string, opts Options) (*Pending, error) {
	if err := t.run.ended(); err != nil {
		return nil, err
	}
	p := &Pending{run: t.run, opts: opts, name: path, at: treeOf{t.root}, prefix: memberPrefix, path: path}
	if IsReserved(path) {
		return nil, p.fails(Reserved, nil)
	}
	st, err := t.root.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case st.IsDir():
		return nil, p.fails(IsDirectory, nil)
	case !opts.Force:
		return nil, p.fails(Exists, nil)
	default:
		if err := p.checkReplaced(); err != nil {
			return nil, err
		}
	}
	t.Made(path)
	return p, p.Begin()
}

// Symlink makes a symbolic link at a path below the tree's directory. With force
// it takes the place of a link or a regular file. Its errors are those of the
// operating system, and *Error of the kinds Exists, NotRegular, IsInput and
// Reserved.
func (t *Tree) Symlink(to, path string, force bool) error {
	p := &Pending{run: t.run, name: path, at: treeOf{t.root}, prefix: memberPrefix, path: path}
	if IsReserved(path) {
		return p.fails(Reserved, nil)
	}
	t.Made(path)
	err := t.root.Symlink(to, path)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if !force {
		return p.fails(Exists, nil)
	}
	if err := p.checkReplaced(); err != nil {
		return err
	}
	temp := p.Partial()
	if st, err := t.root.Lstat(temp); err == nil && st.Mode()&fs.ModeSymlink != 0 {
		t.root.Remove(temp) // a run that was killed has left it
	}
	if err := t.root.Symlink(to, temp); err != nil {
		return err
	}
	if err := t.root.Rename(temp, path); err != nil {
		t.root.Remove(temp)
		return err
	}
	return nil
}

// IsReserved reports whether a path is of the form that unfinished files of a tree
// have.
func IsReserved(path string) bool {
	base := filepath.Base(path)
	return strings.HasPrefix(base, memberPrefix) && strings.HasSuffix(base, partialSuffix)
}

// Made says that a name was made by other means: a directory, a link.
func (t *Tree) Made(path string) {
	for dir := filepath.Dir(path); !t.dirs[dir]; dir = filepath.Dir(dir) {
		t.dirs[dir] = true
	}
}

// Sync makes the names durable that were made in the tree.
func (t *Tree) Sync() error {
	for dir := range t.dirs {
		if err := syncDir(treeOf{t.root}, dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}
