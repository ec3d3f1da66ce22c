//go:build unix && !linux

package storage

import (
	"errors"
	"os"
)

// What other systems of the kind have no call for, or none that says if it failed.

const syncsAll = false

func renameOnce(from, to string) error { return errors.ErrUnsupported }

func syncIn(root *os.Root, dir string, _ map[uint64]bool) error { return syncDir(root, dir) }

func dropCache(*os.File) {}

func absent(*os.File) bool { return false } // not to be told
