//go:build unix

package main

import "golang.org/x/sys/unix"

// echoOff keeps a terminal from showing what is typed.
func echoOff(fd int) error {
	t, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return err
	}
	t.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, setTermios, t)
}
