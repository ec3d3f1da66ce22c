//go:build !((linux && !386 && !arm && !mips && !mipsle) || darwin || freebsd)

package mount

import (
	"context"
	"errors"

	"bulla/internal/archive"
)

// Show fails: this system has no FUSE.
func Show(context.Context, string, string, *archive.FS, func(string, error) string, func()) error {
	return errors.ErrUnsupported
}

// LeaveTerminal does nothing.
func LeaveTerminal() {}
