//go:build unix

package job

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"bulla/internal/storage"
)

// A named pipe in the place of a volume, a grant, the source or the plan is not waited for.
func TestPipes(t *testing.T) {
	p := folder(t)
	p.seal("pipes", noise(22<<20), 10<<20, 0)
	pipes, own := p.planned(Verify, "pipes", "pipesjob", 1, 0)
	for _, name := range []string{"pipes.000000", "pipesjob/" + pipes.grantName(0), "pipes", "pipesjob/" + planName} {
		if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(filepath.Join(p.dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := Open(p.run(), pipes.Name)
		if err == nil {
			err = again.Run(t.Context(), 0, runOptions(own))
		}
		if !errors.Is(err, storage.NotRegular) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
