//go:build unix

package storage

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Inherited returns descriptor n if the caller of the program passed it on, as a
// duplicate that the caller of this function closes. Everything that this
// program opens, and the runtime's own descriptors, are closed when a program is
// executed: a descriptor without that flag was there when this one began. The
// error wraps [ErrNotInherited].
func Inherited(n int) (*os.File, error) {
	const op = "use"
	name := "file descriptor " + strconv.Itoa(n)
	if n < 0 {
		return nil, &os.PathError{Op: op, Path: name, Err: ErrNotInherited}
	}
	flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC != 0 {
		return nil, &os.PathError{Op: op, Path: name, Err: ErrNotInherited}
	}
	fd, err := unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: op, Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
