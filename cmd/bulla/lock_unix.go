//go:build unix

package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock takes f for this process. It fails at once, with errInUse, if another has
// it; it is released when f is closed, and with it when the process ends in
// whatever way. That a lock fails otherwise says that there are none here, as on
// NFS without a lock daemon (ENOLCK) and on some FUSE file systems (EINVAL,
// ENOSYS), and not that anybody is in the way: it is no error.
func lock(f *os.File) error {
	if err := lockForChange(f); errors.Is(err, errInUse) {
		return err
	}
	return nil
}

// lockForChange keeps other runs from changing f in place, until f is closed. It
// fails with errInUse if one does so now, and in another way where the file
// system has no locks.
func lockForChange(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errInUse
	}
	return err
}

// removeUnused removes a file unless another run has locked it.
func removeUnused(path string) error {
	// Without following a link, or waiting should it be a pipe by now.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close() // after the removal: until then nobody else removes it
	if err := claim(f, path); err != nil {
		return err
	}
	return os.Remove(path)
}
