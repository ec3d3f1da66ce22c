//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
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

// endingSignals ask a program to end. Left to the Go runtime, SIGQUIT (Ctrl-\) would
// print every goroutine and leave behind what was begun.
var endingSignals = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

const pipeSignal = syscall.SIGPIPE

// dieOfInterrupt ends the program as SIGINT does when nobody catches it. A shell
// ends a loop on Ctrl-C only if the command in it died that way; one that exits
// with 130 would have it start on the next file.
func dieOfInterrupt() {
	signal.Reset(syscall.SIGINT)
	if syscall.Kill(syscall.Getpid(), syscall.SIGINT) == nil {
		time.Sleep(time.Second)
	}
}
