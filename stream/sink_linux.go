package stream

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// setPipeSize asks for a pipe of n bytes; what is not a pipe, or not allowed,
// stays as it is.
func setPipeSize(f syscall.Conn, n int) {
	rc, err := f.SyscallConn()
	if err != nil {
		return
	}
	rc.Control(func(fd uintptr) {
		if have, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0); err == nil && have < n {
			unix.FcntlInt(fd, unix.F_SETPIPE_SZ, n)
		}
	})
}
