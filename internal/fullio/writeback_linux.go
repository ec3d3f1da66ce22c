package fullio

import (
	"cmp"
	"syscall"

	"golang.org/x/sys/unix"
)

// writeback has n bytes from off on written to the disk, and does not wait.
func writeback(f syscall.Conn, off, n int64) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	cerr := rc.Control(func(fd uintptr) { err = unix.SyncFileRange(int(fd), off, n, unix.SYNC_FILE_RANGE_WRITE) })
	return cmp.Or(cerr, err)
}
