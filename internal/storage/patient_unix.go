//go:build unix

package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func isNotNow(err error) bool { return errors.Is(err, unix.EAGAIN) }

// wait waits until f can be read or written.
func wait(f *os.File, write bool) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	events := int16(unix.POLLIN)
	if write {
		events = unix.POLLOUT
	}
	for {
		var polled error
		if err := rc.Control(func(fd uintptr) {
			_, polled = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, -1)
		}); err != nil {
			return err
		}
		if !errors.Is(polled, unix.EINTR) {
			return polled
		}
	}
}
