package storage

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLockFails is about a lock that fails because there are none: an output does
// without, and a change says so.
func TestLockFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "")
	f, err := os.OpenFile(path, unix.O_PATH, 0) // EBADF
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := lock(f); err == nil || errors.Is(err, errInUse) {
		t.Errorf("a change: %v", err)
	}
	if err := claim(anywhere{}, f, path); err != nil {
		t.Errorf("an output: %v", err)
	}
}
