package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameOnce renames a file unless there is one of the new name, in one step. It
// fails with errors.ErrUnsupported where the file system cannot.
func renameOnce(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL { // a flag that it does not know
		err = errors.ErrUnsupported
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// syncsAll says that one call makes all durable that was written to a file system:
// one wait for the disk, where a sync of each file waits once for each. It fails if
// something could not be written, from Linux 5.8 on.
const syncsAll = true

// syncIn makes the file system durable that a directory is on, unless that is done.
func syncIn(root *os.Root, dir string, done map[uint64]bool) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	var st unix.Stat_t
	err = unix.Fstat(int(d.Fd()), &st)
	if err == nil && !done[uint64(st.Dev)] {
		done[uint64(st.Dev)] = true
		err = unix.Syncfs(int(d.Fd()))
	}
	if err != nil {
		return &os.PathError{Op: "sync", Path: dir, Err: err}
	}
	return nil
}

// dropCache has the kernel forget what it keeps of a file in memory; pages that
// are not on the disk yet it keeps.
func dropCache(f *os.File) { unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// absent reports whether a standard stream is one that the caller closed. The
// runtime has opened /dev/null for reading and writing in its place before any
// code of ours ran, which is how it is told. A caller that passes /dev/null
// opened in that way means much the same by it.
func absent(f *os.File) bool {
	var st, null unix.Stat_t
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && f.Fd() <= 2 && flags&unix.O_ACCMODE == unix.O_RDWR &&
		unix.Fstat(int(f.Fd()), &st) == nil && unix.Stat(os.DevNull, &null) == nil &&
		st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == null.Rdev
}
