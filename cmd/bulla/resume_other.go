//go:build !unix

package main

import (
	"errors"
	"io/fs"
	"os"
)

// openPartial opens what an earlier run has left of an output. It returns nil if
// there is nothing, and fails with errInUse if another run is busy with it.
func openPartial(path string) (*os.File, error) {
	st, err := os.Lstat(path)
	if err != nil || !st.Mode().IsRegular() {
		return nil, nil // create says what is the matter, or sees to it
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errInUse
	}
	return f, nil
}
