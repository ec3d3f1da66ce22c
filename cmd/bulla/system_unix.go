//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// shell is a command that the user's shell carries out.
func shell(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "/bin/sh", "-c", command)
}

// exposedTo is who else than its owner may read or change a file: "" for nobody.
// Its group counts only if the file is this user's, as with ssh: that of a file
// which somebody else provides is a choice.
func exposedTo(st os.FileInfo) string {
	sys, ok := st.Sys().(*syscall.Stat_t)
	switch mode := st.Mode().Perm(); {
	case mode&0o007 != 0:
		return "others"
	case mode&0o070 != 0 && ok && int(sys.Uid) == os.Geteuid():
		return "its group"
	}
	return ""
}

// modesCount says that a file's mode tells who may use it.
const modesCount = true

// isNoSpace reports whether err means that a file cannot grow.
func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// isBrokenPipe reports whether err comes of a pipe that nobody reads.
func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// flush makes a write that failed behind the program's back show: on a network
// file system only a close does, and f is still needed.
func flush(f *os.File) error {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	if err := unix.Close(fd); err != nil {
		return &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	return nil
}

// syncDir makes the names in a directory durable, where the file system has a
// way to.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// linkOver gives the file at from the name to, unless there is one of that name.
// Where the file system has no hard links it looks first and renames then,
// which another program can come between.
func linkOver(from, to string) error {
	switch err := os.Link(from, to); {
	case err == nil:
		return os.Remove(from)
	case errors.Is(err, os.ErrExist):
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: os.ErrExist}
	}
	return os.Rename(from, to)
}

// closeToRename says that an open file cannot be renamed.
const closeToRename = false
