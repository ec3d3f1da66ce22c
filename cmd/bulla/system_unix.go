//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
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
