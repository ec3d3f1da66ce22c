package storage

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// See system_unix.go and system_linux.go for what these are.
const (
	closeToRename = true
	openNoWait    = 0
	openItself    = 0
	syncsAll      = false
)

// Links is how many names a file has; 0 if that is not known.
func Links(fs.FileInfo) int { return 0 }

func fileID(fs.FileInfo) string { return "" } // not to be told without opening it

func isOursAlone(st fs.FileInfo) bool { return st.Mode().IsRegular() } // its directory's rights are its own

// lock locks a byte that no file reaches: here, locked bytes cannot be read by
// others.
func lock(f *os.File) error {
	beyond := &windows.Overlapped{Offset: 0xffffffff, OffsetHigh: 0x7fffffff}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, beyond)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errInUse
	}
	return err
}

// renameOnce renames a file unless there is one of the new name.
func renameOnce(from, to string) error {
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

// What needs nothing done here: writes fail where they are made, NTFS logs names, a
// handle's mode is its own, and no descriptors are passed on but the standard streams.

func flush(*os.File) error                           { return nil }
func syncDir(place, string) error                    { return nil }
func syncIn(*os.Root, string, map[uint64]bool) error { return nil }
func dropCache(*os.File)                             {}
func absent(*os.File) bool                           { return false }
func wait(*os.File, bool) error                      { return nil }
func inherited(int) (fd int, err error)              { return 0, ErrNotInherited }
