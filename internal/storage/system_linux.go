package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameNew renames a file unless there is one of the new name, in one step
// where the file system can.
func renameNew(at place, from, to string) error {
	if at != (anywhere{}) {
		return renameOver(at, from, to)
	}
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, errors.ErrUnsupported):
		return renameOver(at, from, to)
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
}

// syncsAll says that one call makes all durable that was written to a file system:
// one wait for the disk, where a sync of each file waits once for each. It fails if
// something could not be written, from Linux 5.8 on.
const syncsAll = true

// syncOf makes the file system durable that a directory is on, unless that is done.
func syncOf(dir *os.File, done map[uint64]bool) error {
	var st unix.Stat_t
	err := unix.Fstat(int(dir.Fd()), &st)
	if err == nil && !done[uint64(st.Dev)] {
		done[uint64(st.Dev)] = true
		err = unix.Syncfs(int(dir.Fd()))
	}
	if err != nil {
		return &os.PathError{Op: "sync", Path: dir.Name(), Err: err}
	}
	return nil
}

// dropCache has the kernel forget what it keeps of a file in memory; pages that
// are not on the disk yet it keeps.
func dropCache(f *os.File) { unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// Absent reports whether f is a standard stream that the caller closed. The
// runtime has opened /dev/null for reading and writing in its place before any
// code of ours ran, which is how it is told. A caller that passes /dev/null
// opened in that way means much the same by it.
func Absent(f *os.File) bool {
	fd := int(f.Fd())
	if fd > 2 {
		return false
	}
	var st, null unix.Stat_t
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_ACCMODE != unix.O_RDWR || unix.Fstat(fd, &st) != nil || unix.Stat(os.DevNull, &null) != nil {
		return false
	}
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == null.Rdev
}
