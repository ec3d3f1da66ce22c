package entropy

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Processes that pin the same TPM at once all succeed, and leave one whole file.
func TestWritePinTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "down", "tpm-pin")
	name := append([]byte{0, 0x0b}, make([]byte, 32)...)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if err := writePin(path, name); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, err := readPin(path); err != nil || !bytes.Equal(got, name) {
		t.Errorf("%x, %v", got, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read it: %v, %v", st, err)
	}
}
