package main

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lock has nothing to do: a file that a process has open cannot be removed.
func lock(*os.File) error { return nil }

// removeUnused removes a file unless another run has it open.
func removeUnused(path string) error {
	if err := os.Remove(path); err != nil {
		return errInUse
	}
	return nil
}

// lockForChange keeps other runs from changing f in place, until f is closed. It
// fails with errInUse if one does so now, and in another way where the file
// system has no locks. What is locked is a byte that no file reaches: here, locked
// bytes cannot be read by others.
func lockForChange(f *os.File) error {
	beyond := &windows.Overlapped{Offset: 0xffffffff, OffsetHigh: 0x7fffffff}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, beyond)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errInUse
	}
	return err
}
