//go:build !windows

package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Whoever opens a file to change it has the one of that name, also while others remove it and put
// another in its place.
func TestPatchIsNamed(t *testing.T) {
	r := new(Run)
	name := filepath.Join(t.TempDir(), "f")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				os.WriteFile(name, []byte("x"), 0o600)
				p, err := r.Patch(name, PatchOptions{})
				if errors.Is(err, Locked) || errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if !isNamed(p.file, name) {
					t.Error("it is another file")
				}
				if err := p.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
