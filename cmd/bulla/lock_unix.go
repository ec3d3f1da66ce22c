//go:build unix

package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockForChange keeps other runs from changing f in place, until f is closed. It
// fails with errInUse if one does so now, and in another way where the file
// system has no locks.
func lockForChange(f *os.File) error {
	err := lock(f)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errInUse
	}
	return err
}
