package storage

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

const (
	closeToRename = true // an open file cannot be renamed
	openNoWait    = 0
)

func fileID(fs.FileInfo) string { return "" } // not to be told without opening it

func sameDevice(x, y fs.FileInfo) bool { return os.SameFile(x, y) }

// lock has nothing to do: a file that a process has open cannot be removed.
func lock(*os.File) error { return nil }

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

// removeUnused removes a file unless another run has it open.
func removeUnused(at place, path string) error {
	if err := at.Remove(path); err != nil {
		return errInUse
	}
	return nil
}

// openPartial opens what an earlier run has left of an output. It returns nil if
// there is nothing, and fails with errInUse if another run is busy with it.
func openPartial(at place, path string) (*os.File, error) {
	st, err := at.Lstat(path)
	if err != nil || !st.Mode().IsRegular() {
		return nil, nil // make says what is the matter, or sees to it
	}
	f, err := at.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errInUse
	}
	return f, nil
}

// flush has nothing to do: writes fail where they are made.
func flush(*os.File) error { return nil }

// syncDir has nothing to do: NTFS logs names.
func syncDir(place, string) error { return nil }

// renameNew renames a file unless there is one of the new name.
func renameNew(at place, from, to string) error {
	if at != (anywhere{}) {
		return renameOver(at, from, to)
	}
	f, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	t, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	if err := windows.MoveFileEx(f, t, windows.MOVEFILE_WRITE_THROUGH); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// isNotNow is never so: a handle's mode is its own.
func isNotNow(error) bool { return false }

func wait(*os.File, bool) error { return nil }

// ExposedTo and ChangeableBy are not to be told from a mode here.
func ExposedTo(fs.FileInfo) string          { return "" }
func ChangeableBy(fs.FileInfo, bool) string { return "" }

// NoSpace reports whether err means that a file cannot grow.
func NoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// BrokenPipe reports whether err comes of a pipe that is not read any more.
func BrokenPipe(err error) bool {
	return errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, windows.ERROR_NO_DATA)
}
