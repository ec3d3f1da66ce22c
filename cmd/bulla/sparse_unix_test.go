//go:build unix

package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A disk's image that is mostly zeros takes no more room once it is decrypted than it
// did before, whichever verb writes it, and continued or not.
func TestZerosBecomeHoles(t *testing.T) {
	dir := workDir(t)
	image := make([]byte, 32<<20)
	rand.Read(image[10<<20 : 11<<20])
	if err := os.WriteFile(filepath.Join(dir, "image"), image, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		if c := start(t, dir, nil, args...); c.code() != 0 {
			t.Fatalf("%q: %s", args, c.errs.String())
		}
	}
	run("encrypt", "-o", "c.bulla", "image")
	run("encrypt", "-z", "-o", "z.bulla", "image")
	for name, args := range map[string][]string{
		"decrypt":    {"decrypt", "c.bulla"},
		"compressed": {"decrypt", "z.bulla"},
		"resume":     {"decrypt", "--resume", "c.bulla"},
		"cat":        {"cat", "c.bulla"},
		"salvage":    {"salvage", "c.bulla"},
	} {
		out := filepath.Join(dir, name)
		run(append(args, "-o", name)...)
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, image) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		st, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		if n := st.Sys().(*syscall.Stat_t).Blocks * 512; n > 3<<20 {
			t.Errorf("%s: 1 MiB between zeros takes %d bytes", name, n)
		}
	}
}
