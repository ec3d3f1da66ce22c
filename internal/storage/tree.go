package storage

import (
	"context"
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
// there. No link is followed at its end. The names in its directory are not
// durable before [Tree.Sync]. Its errors are those of [Run.Plan] and
// [Pending.Begin], and *Error of kind Reserved.
func (t *Tree) Create(ctx context.Context, path string, opts Options) (*Pending, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
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
