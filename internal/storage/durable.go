package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeDirs creates a directory and those above it that are missing, and makes their
// names durable. It syncs the name of an existing directory, too: the run that created
// it may have been stopped before it did.
func MakeDirs(dir string, mode fs.FileMode) error {
	up := filepath.Dir(filepath.Clean(dir))
	if _, err := os.Stat(up); errors.Is(err, fs.ErrNotExist) {
		if err := MakeDirs(up, mode); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	if err := syncDir(anywhere{}, up); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil // a parent that this user cannot read belongs to another, and is not new
}

// Settle makes an existing file and its name durable.
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
