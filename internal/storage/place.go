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
// and locks it has it; the other is refused. A file that nobody has locked was
// left by a run that was killed, or was created this moment by one that is about
// to lock it: whoever has the lock therefore looks whether the name still stands
// for what was locked, and only then trusts it.
//
// Where a file system has no locks, a run cannot tell whether another is still
// there, and takes what that writes for left behind. The other then finds, before
// it gives the output its final name, that the preliminary one is not its own any
// more.

// A place is where names are made: any path, or the paths below an *os.Root,
// which keeps every name and every link on the way inside.
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

// PartialPath is what an output of that path is called until it is complete.
func PartialPath(path string) string { return partialPath(path, partialPrefix) }

func partialPath(path, prefix string) string {
	dir, base := filepath.Split(path)
	if len(prefix+base+partialSuffix) > maxBaseName {
		sum := sha256.Sum256([]byte(base))
		base = hex.EncodeToString(sum[:16])
	}
	return dir + prefix + base + partialSuffix
}

// FinalPath is the path of the output that is called path until it is complete;
// path itself if no output is.
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
	errOther = errors.New("it is no regular file")
)

// claim takes f, which was opened or created at path, until it is closed.
// It fails with errInUse if another run has it, or has removed it before it was
// locked.
func claim(at place, f *os.File, path string) error {
	if err := lock(f); err != nil {
		return err
	}
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
	if err != nil {
		return false, err
	}
	return os.SameFile(mine, there), nil
}

// removeStale removes an unfinished output that a run which is no more has left.
// It fails with errInUse if the run is still there, with errInput if this run
// reads the file, and with errOther if it is something that no run has made.
func (r *Run) removeStale(at place, path string) error {
	st, err := at.Lstat(path)
	switch {
	case err != nil:
		return err
	case !st.Mode().IsRegular():
		return errOther
	case r.isRead(st):
		return errInput
	}
	return removeUnused(at, path)
}

// renameOver gives the file at from the name to, unless there is one of that
// name, with what every system can do. It links first, so that nothing is
// replaced; where the file system has no hard links it looks first and renames
// then, which another program can come between.
func renameOver(at place, from, to string) error {
	switch err := at.Link(from, to); {
	case err == nil:
		if err := at.Remove(from); err != nil {
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
