package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeDirs makes a directory and those above it that are missing, and makes their
// names durable. One that is there may have been made by a run that was stopped
// before it came to that, so its name is made durable, too.
func MakeDirs(dir string, mode fs.FileMode) error {
	dir = filepath.Clean(dir)
	parents := []string{filepath.Dir(dir)}
	for up := parents[0]; ; up = filepath.Dir(up) {
		_, err := os.Stat(up)
		if !errors.Is(err, fs.ErrNotExist) || up == filepath.Dir(up) {
			break // it is there, or MkdirAll says what is wrong with it
		}
		parents = append(parents, filepath.Dir(up))
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	for _, up := range parents {
		if err := syncDir(anywhere{}, up); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err // one that this user cannot read is somebody else's, and has been there
		}
	}
	return nil
}

// Settle makes a file durable that is there already, and its name.
func Settle(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) // not every system synchronizes what is open for reading
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncDir(anywhere{}, filepath.Dir(path))
}
