//go:build unix

package entropy

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A named pipe in the place of the pin file is not waited for.
func TestPinIsPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tpm-pin")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	if name, err := PinnedTPM(path); err == nil {
		t.Errorf("pinned to %x by a pipe", name)
	}
}
