package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
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

const (
	partialPrefix = "."
	partialSuffix = ".partial"
	maxBaseName   = 255 // bytes, on almost every file system
)

// errInUse is an unfinished output that another run is busy with.
var errInUse = errors.New("another run is writing it")

// errNoFile is something under the name of an unfinished output that no run has
// put there.
var errNoFile = errors.New("it is no regular file")

// partialPath is what an output is called while it is written.
func partialPath(path string) string {
	dir, base := filepath.Split(path)
	if len(partialPrefix+base+partialSuffix) > maxBaseName {
		sum := sha256.Sum256([]byte(base))
		base = hex.EncodeToString(sum[:16])
	}
	return dir + partialPrefix + base + partialSuffix
}

// claim takes f, which was opened or created at path, for this process until it
// is closed. Its only error is errInUse: another run has it, or has removed it
// before it was locked.
func claim(f *os.File, path string) error {
	if err := lock(f); err != nil {
		return err
	}
	if !isAt(f, path) {
		return errInUse
	}
	return nil
}

// isAt reports whether path is a name of f.
func isAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, there)
}

// removeStale removes an unfinished output that a run which is no more has left.
// It fails with errInUse if the run is still there, and with errNoFile if it is
// something that none has made.
func removeStale(path string) error {
	st, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return errNoFile
	}
	return removeUnused(path)
}
