package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Two runs may want to write the same output. The one that creates .NAME.partial
// and locks it has it; the other is refused. A file without a lock was left by a run
// that was killed, or was created this moment by a run that is about to lock it. So a
// run that has the lock checks that the name still stands for what it locked.
//
// Where a file system has no locks, a run cannot tell whether another is still
// there, and takes its output for the remains of a killed one. The other notices before
// it gives its output the final name: the unfinished name is no longer its own.

// A place is where names are made: any path, or the paths below an *os.Root,
// which keeps every name and every link on the way inside. Plain paths are no os.Root
// of their directory: to open that one must be able to read it, and a directory may be
// for writing alone.
type place interface {
	OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error)
	Lstat(name string) (fs.FileInfo, error)
	Remove(name string) error
	Rename(from, to string) error
	Link(from, to string) error
	Chtimes(name string, atime, mtime time.Time) error
}

// anywhere is the place of plain paths.
type anywhere struct{}

func (anywhere) OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, mode)
}
func (anywhere) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }
func (anywhere) Remove(name string) error               { return os.Remove(name) }
func (anywhere) Rename(from, to string) error           { return os.Rename(from, to) }
func (anywhere) Link(from, to string) error             { return os.Link(from, to) }
func (anywhere) Chtimes(name string, atime, mtime time.Time) error {
	return os.Chtimes(name, atime, mtime)
}

const (
	partialPrefix = "."
	memberPrefix  = ".bulla-" // below a root: members of archives may be called like outputs are until they are complete
	partialSuffix = ".partial"
	maxBaseName   = 255 // bytes, on almost every file system
)

// PartialPath is the path that an output has until it is complete.
func PartialPath(path string) string { return partialPath(path, partialPrefix) }

func partialPath(path, prefix string) string {
	dir, base := filepath.Split(path)
	if len(prefix+base+partialSuffix) > maxBaseName {
		sum := sha256.Sum256([]byte(base))
		base = hex.EncodeToString(sum[:16])
	}
	return dir + prefix + base + partialSuffix
}

// FinalPath is the reverse of PartialPath: the final path of an unfinished output. It
// returns any other path as it is.
func FinalPath(path string) string {
	dir, base := filepath.Split(path)
	for _, prefix := range []string{memberPrefix, partialPrefix} {
		if strings.HasPrefix(base, prefix) && strings.HasSuffix(base, partialSuffix) && len(base) > len(prefix+partialSuffix) {
			return dir + base[len(prefix):len(base)-len(partialSuffix)]
		}
	}
	return path
}

var (
	errInUse = errors.New("another run is using it")
	errInput = errors.New("this run reads it")
	errOther = errors.New("it is not a regular file")
)

// claim takes f, which was opened or created at path, until it is closed.
// It fails with errInUse if another run has it, or has removed it before it was
// locked.
func claim(at place, f *os.File, path string) error {
	if err := lock(f); errors.Is(err, errInUse) {
		return err
	} // any other error: no locks here
	there, err := isAt(at, f, path)
	if err == nil && !there {
		err = errInUse
	}
	return err
}

// isAt reports whether path is a name of f.
func isAt(at place, f *os.File, path string) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := at.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, there), err
}

// removeStale removes an unfinished output that a killed run has left. It fails with
// errInUse if the run still writes it, with errInput if this run reads the file, and with
// errOther if no run can have made it.
func (r *Run) removeStale(at place, path string) error {
	st, err := at.Lstat(path)
	switch {
	case err != nil:
		return err
	case isLinkIn(at, st):
		return at.Remove(path)
	case !st.Mode().IsRegular():
		return errOther
	case r.isRead(st):
		return errInput
	}
	f, err := at.OpenFile(path, os.O_RDONLY|openItself, 0)
	if err != nil {
		return err
	}
	defer f.Close() // after the removal, so that no other run removes its successor
	if err := claim(at, f, path); err != nil {
		return err
	}
	if closeToRename {
		f.Close()
	}
	return at.Remove(path)
}

// isLinkIn reports whether a file is a symbolic link below a root. There links are
// created and replaced like files, and never followed.
func isLinkIn(at place, st fs.FileInfo) bool {
	_, tree := at.(*os.Root)
	return tree && st.Mode().Type() == fs.ModeSymlink
}

// renameNew gives the file at from the name to, unless there is one of that name.
func renameNew(at place, from, to string) error {
	if at == (anywhere{}) {
		if err := renameOnce(from, to); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return renameOver(at, from, to)
}

// renameOver is renameNew for every system. It links first, which replaces nothing.
// Without hard links it looks and then renames; another program can come between. Its
// error is of kind Leftover if the file has its new name, and its old one still.
func renameOver(at place, from, to string) error {
	switch err := at.Link(from, to); {
	case err == nil:
		if err := at.Remove(from); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &Error{Kind: Leftover, Name: to, Partial: from, Err: causeOf(err)}
		}
		return nil
	case errors.Is(err, fs.ErrExist):
		return err
	}
	if _, err := at.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	return at.Rename(from, to)
}
