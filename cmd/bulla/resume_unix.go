//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openPartial opens and locks what an earlier run has left of an output. It
// returns nil if there is nothing, or something that is not this user's alone:
// others could read what is going to be written to it. It fails with errInUse if
// another run is busy with it.
func openPartial(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil // create says what is the matter, or sees to it
	}
	if err := claim(f, path); err != nil {
		f.Close()
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if !isOursAlone(st) {
		f.Close()
		return nil, nil
	}
	return f, nil
}

func isOursAlone(st fs.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && st.Mode().IsRegular() && st.Mode().Perm()&0o077 == 0 && uint64(sys.Nlink) == 1 && int64(sys.Uid) == int64(os.Geteuid())
}
