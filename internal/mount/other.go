//go:build !linux && !darwin && !freebsd

package mount

import (
	"errors"

	"bulla/internal/archive"
)

// A Mounted tree does not exist here.
type Mounted struct{}

// Mount fails: there is no FUSE for this system.
func Mount(string, string, *archive.FS, func(string, error) string) (*Mounted, error) {
	return nil, errors.ErrUnsupported
}

// Wait returns at once.
func (*Mounted) Wait() {}

// Unmount does nothing.
func (*Mounted) Unmount() error { return nil }

// LeaveTerminal does nothing.
func LeaveTerminal() {}
