package main

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"bulla/internal/archive"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

// An extraction writes members below a directory.
type extraction struct {
	*extractFlags
	app  *app
	from *randomAccess
	root *os.Root      // keeps every path, and every link on it, inside
	tree *storage.Tree // writes below it

	done  extracted
	exit  int      // what the members that are not written make the exit code
	links []target // the symbolic links that were made
}

// A target is a member, and where it goes.
type target struct {
	*archive.Member
	path string
}

// run writes what is to be written, once it is known that nothing is in the way.
// Links come last, so that nothing is written by way of them, whatever the order
// of the members is.
func (e *extraction) run(ctx context.Context, members []*archive.Member) error {
	targets, total, err := e.plan(members)
	if err != nil {
		return err
	}
	bar := e.app.startProgress(&e.workFlags, e.from.in.name, total, e.from.done, nil)
	for i := 0; i < len(targets) && err == nil; i++ {
		if err = e.try(targets[i]); err == nil {
			err = context.Cause(ctx)
		}
	}
	e.checkLinks()
	if err == nil && !e.noSync {
		err = e.tree.Sync()
	}
	bar.Finish(err)
	return err
}

// plan says what goes where, and how many bytes that are.
func (e *extraction) plan(members []*archive.Member) (targets []target, total int64, err error) {
	var links []target
	for _, m := range members {
		path, ok := m.Local()
		switch {
		case !ok:
			e.refuse(m.Name, exitRefused, "its name leads out of the directory, or has control characters")
			continue
		case path == "." && m.Kind == archive.Dir:
			continue
		case path == ".":
			e.refuse(m.Name, exitRefused, "it has no name of its own")
			continue
		case m.Kind == archive.Other:
			e.refuse(m.Name, exitRefused, "it is a device, a pipe or the like")
			continue
		}
		if st, err := e.root.Lstat(path); err == nil && !(st.IsDir() && m.Kind == archive.Dir) {
			if !e.force || st.IsDir() {
				return nil, 0, e.exists(path)
			}
		}
		if m.Kind == archive.Symlink {
			links = append(links, target{m, path})
			continue
		}
		targets = append(targets, target{m, path})
		total += min(m.Size, math.MaxInt64-total)
	}
	return append(targets, links...), total, nil
}

// try writes one member. What is wrong with that alone keeps no other from being
// written.
func (e *extraction) try(t target) error {
	err := e.make(t)
	if err == nil {
		return nil
	}
	p := explain(err)
	if e.from.atEnd(err) {
		p.exit = exitLoss
	}
	if !slices.Contains(severity, p.exit) {
		return err
	}
	e.refuse(t.Name, p.exit, p.what)
	return nil
}

func (e *extraction) make(t target) error {
	switch t.Kind {
	case archive.Dir:
		return e.mkdir(t.path)
	case archive.Symlink:
		return e.link(t)
	}
	if err := e.mkdir(filepath.Dir(t.path)); err != nil {
		return err
	}
	return e.file(t)
}

const (
	privateDir  = 0o700
	privateFile = 0o600
)

// mkdir makes a directory, and those on the way to it.
func (e *extraction) mkdir(path string) error {
	if err := e.root.MkdirAll(path, privateDir); err != nil {
		return e.about(path, err)
	}
	e.tree.Made(path)
	return nil
}

// exists refuses to write where something is.
func (e *extraction) exists(path string) error {
	name := safetext.Printable(filepath.Join(e.dir, path))
	if st, err := e.root.Lstat(path); err == nil && st.IsDir() {
		return refuse("remove it, or name another directory with -C", "%s is a directory", name)
	}
	return refuse("--force replaces it; -C names another directory", "%s exists", name)
}

// about words what became of the writing of path, as the user knows it. What the
// name alone is to blame for is refused.
func (e *extraction) about(path string, err error) error {
	name := filepath.Join(e.dir, path)
	if se, ok := errors.AsType[*storage.Error](err); ok && !errors.Is(err, storage.Exists) && !errors.Is(err, storage.IsDirectory) {
		same := *se
		same.Name = name
		return withHint(&same, "name another directory with -C")
	} else if ok {
		return e.exists(path)
	}
	if strings.Contains(err.Error(), "path escapes from parent") { // the error itself is not exported
		return refuse("remove the link, or name another directory with -C", "%s leads out of the directory over a link", safetext.Printable(name))
	}
	if errors.Is(err, fs.ErrExist) {
		return e.exists(path)
	}
	op := "write"
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		op, err = strings.TrimSuffix(pe.Op, "at"), pe.Err
	} else if le, ok := errors.AsType[*os.LinkError](err); ok {
		op, err = strings.TrimSuffix(le.Op, "at"), le.Err
	}
	for _, unfit := range []error{syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL, syscall.EILSEQ} {
		if errors.Is(err, unfit) {
			return refuse("name another directory with -C", "%s cannot be made: %v", safetext.Printable(name), err)
		}
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
