package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"bulla/internal/archive"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

const (
	privateDir  = 0o700
	privateFile = 0o600
)

// make makes a directory, or a file and the directory that it is in.
func (e *extraction) make(m *archive.Selected, path string) error {
	switch m.Kind {
	case archive.Dir:
		return e.mkdir(path)
	case archive.Other:
		return refuse("", "it is a device, a pipe or the like")
	}
	if err := e.mkdir(filepath.Dir(path)); err != nil {
		return err
	}
	if m.LinkTo != "" && e.tree.Link(filepath.FromSlash(m.LinkTo), path, e.force) == nil {
		return e.made(path, 0, nil)
	} // or else it is a file of its own
	from, err := e.from.member(e.in, m.Member)
	if err != nil {
		return err
	}
	out, err := e.tree.Create(path, storage.Options{Force: e.force, NoSync: e.noSync, Mode: privateFile | m.Mode.Perm()&0o100, ModTime: m.ModTime})
	if err != nil {
		return e.about(path, err)
	}
	defer e.app.left.Add(out.Abort)()
	defer out.Abort()
	n, err := from.write(out.Sparse(), 0, from.size)
	if err == nil {
		err = out.Commit()
	}
	return e.made(path, n, e.about(path, err))
}

func (e *extraction) made(path string, n int64, err error) error {
	if err == nil {
		e.done.Files++
		e.done.Bytes += n
		e.app.note("%s", safetext.Printable(filepath.Join(e.dir, path)))
	}
	return err
}

// link makes a symbolic link. Where it leads is of no matter here: no link is
// followed, those that were made before on the way to this one included.
func (e *extraction) link(m *archive.Selected, path string) error {
	to, err := e.in.LinkOf(m.Member)
	if err != nil {
		return archiveError(e.from, err)
	}
	if err := e.mkdir(filepath.Dir(path)); err != nil {
		return err
	}
	err = e.tree.Symlink(filepath.FromSlash(to), path, e.force)
	return e.made(path, 0, e.about(path, err))
}

// mkdir makes a directory, and those on the way to it.
func (e *extraction) mkdir(path string) error {
	return e.about(path, e.tree.Mkdir(path, privateDir))
}

// dirTime gives a directory the time it had.
func (e *extraction) dirTime(m *archive.Selected, path string) error {
	if !m.ModTime.IsZero() {
		e.root.Chtimes(path, m.ModTime, m.ModTime) // nothing to fail for
	}
	return nil
}

func (e *extraction) exists(path string) error {
	name := safetext.Printable(filepath.Join(e.dir, path))
	if st, err := e.root.Lstat(path); err == nil && st.IsDir() {
		return refuse("remove it, or name another directory with -C", "%s is a directory", name)
	}
	return refuse("--force replaces it; -C names another directory", "%s exists", name)
}

// everywhere is what keeps not only one member from being written, but the next as
// well. Everything else that a system says of a member is about that one.
var everywhere = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}

// about words what became of the writing of path, as the user knows it.
func (e *extraction) about(path string, err error) error {
	name := filepath.Join(e.dir, path)
	if se, ok := errors.AsType[*storage.Error](err); ok && se.Kind != storage.Exists && se.Kind != storage.IsDirectory {
		same := *se
		same.Name = name
		return withHint(&same, "name another directory with -C")
	} else if ok || errors.Is(err, fs.ErrExist) {
		return e.exists(path)
	}
	var errno syscall.Errno
	switch {
	case err == nil || errors.As(err, new(*failure)) || errors.As(err, new(*fileError)):
		return err // of the archive
	case strings.Contains(err.Error(), "path escapes from parent"): // the error itself is not exported
		return refuse("remove the link, or name another directory with -C", "%s leads out of the directory over a link", safetext.Printable(name))
	case !errors.As(err, &errno):
		return err
	}
	for _, same := range everywhere {
		if errors.Is(err, same) || storage.NoSpace(err) && !errors.Is(err, syscall.EFBIG) {
			return &fs.PathError{Op: "write", Path: name, Err: errno}
		}
	}
	return refuse("name another directory with -C", "%s cannot be made: %v", safetext.Printable(name), errno)
}

// settle waits until what was written is on the disk.
func (e *extraction) settle() error {
	if e.noSync {
		return nil
	}
	err := e.tree.Sync()
	if err == nil {
		return nil
	}
	return &failure{exit: exitIO, err: err, what: "the files were written, but may not be safe on the disk: " + causeOf(err).Error(),
		hint: "check the disk, and extract them again with --force"}
}

// stopped is an error that no more is written after.
func (e *extraction) stopped(err error) error {
	f := explain(err)
	switch {
	case f.exit != exitIO:
		return err
	case storage.NoSpace(err):
		f.hint = "make room, or name another directory with -C"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		f.hint = "check who may read and write there, or name another directory with -C"
	default:
		return err
	}
	if e.done.Files > 0 {
		f.hint += "; what was written before is whole: " + plural(e.done.Files, "file")
	}
	return f
}
