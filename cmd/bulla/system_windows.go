package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// shell is a command that the system's shell carries out.
func shell(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "cmd", "/C", command)
}

// exposedTo is not to be told from a mode here.
func exposedTo(os.FileInfo) string { return "" }

// modesCount says that a file's mode tells who may use it.
const modesCount = false

// isNoSpace reports whether err means that a file cannot grow.
func isNoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// isBrokenPipe reports whether err comes of a pipe that nobody reads.
func isBrokenPipe(err error) bool {
	return errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, windows.ERROR_NO_DATA)
}

var endingSignals = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}

const pipeSignal = syscall.SIGPIPE

// dieOfInterrupt has no other way to end than an exit code.
func dieOfInterrupt() {}
