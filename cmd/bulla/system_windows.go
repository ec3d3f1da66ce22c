package main

import (
	"context"
	"errors"
	"os"
	"os/exec"

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

// flush has nothing to do: writes fail where they are made.
func flush(*os.File) error { return nil }

// syncDir has nothing to do: NTFS logs names.
func syncDir(string) error { return nil }

// renameNew renames a file unless there is one of the new name.
func renameNew(from, to string) error {
	f, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	t, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	if err := windows.MoveFileEx(f, t, windows.MOVEFILE_WRITE_THROUGH); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// closeToRename says that an open file cannot be renamed.
const closeToRename = true
