//go:build unix

package storage

import (
	"bytes"
	"math/rand"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// allocated is how many bytes of a file the file system holds.
func allocated(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Sys().(*syscall.Stat_t).Blocks * 512
}

// Whatever lies where, and however it is cut when it is written: a sparse output holds
// what was written to it, and takes room for no more than what is not zero.
func TestSparse(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	dir := t.TempDir()
	for i := range 200 {
		var want []byte
		data := 0
		for range random.Intn(8) {
			piece := make([]byte, []int{1, hole - 1, hole, hole + 1, 3 * hole, random.Intn(4 * hole)}[random.Intn(6)])
			if random.Intn(2) == 0 {
				random.Read(piece)
				data += len(piece)
			}
			want = append(want, piece...)
		}
		path := filepath.Join(dir, "out")
		p, err := testRun(t).Create(path, Options{Mode: 0o600, Force: true, NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		w := p.Sparse()
		step := []int{1000, hole, hole + 1, 8 * hole, len(want) + 1}[i%5]
		for rest := want; len(rest) > 0; {
			k := min(step, len(rest))
			if n, err := w.Write(rest[:k]); n != k || err != nil {
				t.Fatalf("Write: %d of %d, %v", n, k, err)
			}
			rest = rest[k:]
		}
		if err := p.Commit(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("trial %d, in steps of %d: the file differs (%d bytes of %d, %v)", i, step, len(got), len(want), err)
		}
	}

	path := filepath.Join(dir, "holes")
	p, err := testRun(t).Create(path, Options{Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64<<20)
	b[0], b[20<<20] = 1, 1 // a hole within, and one at the end
	p.Sparse().Write(b)
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := allocated(t, path); n > 1<<20 {
		t.Errorf("64 MiB of zeros take %d bytes", n)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, b) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
