package storage

import (
	"os"
	"strconv"
	"syscall"
)

// Inherited returns descriptor n if the caller of the program passed it on, as a
// duplicate that the caller of this function closes. Windows passes on the
// standard streams and no others by number. The error wraps [ErrNotInherited].
func Inherited(n int) (*os.File, error) {
	const op = "use"
	name := "file descriptor " + strconv.Itoa(n)
	if n < 0 || n > 2 {
		return nil, &os.PathError{Op: op, Path: name, Err: ErrNotInherited}
	}
	std := []int{syscall.STD_INPUT_HANDLE, syscall.STD_OUTPUT_HANDLE, syscall.STD_ERROR_HANDLE}[n]
	h, err := syscall.GetStdHandle(std)
	if err != nil || h == 0 || h == syscall.InvalidHandle {
		return nil, &os.PathError{Op: op, Path: name, Err: ErrNotInherited}
	}
	self, err := syscall.GetCurrentProcess()
	if err == nil {
		err = syscall.DuplicateHandle(self, h, self, &h, 0, false, syscall.DUPLICATE_SAME_ACCESS)
	}
	if err != nil {
		return nil, &os.PathError{Op: op, Path: name, Err: err}
	}
	return os.NewFile(uintptr(h), name), nil
}
