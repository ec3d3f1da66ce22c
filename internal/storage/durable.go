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
	return nil // one that this user cannot read is somebody else's, and has been there
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
