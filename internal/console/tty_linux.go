package console

import "golang.org/x/sys/unix"

const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
)

// drain waits until the terminal has shown what was written to it.
func drain(fd int) error { return unix.IoctlSetInt(fd, unix.TCSBRK, 1) }
