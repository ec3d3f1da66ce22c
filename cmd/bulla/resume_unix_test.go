//go:build unix

package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bulla/internal/storage"
)

// bullaIn is a run of the program in a directory that has a key.
func bullaIn(dir string, args ...string) *exec.Cmd {
	c := exec.Command("bulla", args...)
	c.Dir = dir
	c.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
	return c
}

// A run that is killed, or interrupted, is gone on with, again and again, and
// what comes of it in the end is the plaintext.
func TestResumeAfterKill(t *testing.T) {
	dir := workDir(t)
	plain := make([]byte, 64<<20)
	rand.Read(plain)
	if err := os.WriteFile(filepath.Join(dir, "plain"), plain, 0o600); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, nil, "encrypt", "-o", "c.bulla", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	out := filepath.Join(dir, "out")
	stopped, size := 0, int64(0)
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGKILL} {
		c := start(t, dir, nil, "decrypt", "--resume", "--no-sync", "-j", "1", "-o", "out", "c.bulla")
		waitFor(t, "something is written", func() bool {
			st, err := os.Stat(storage.PartialPath(out))
			return err == nil && st.Size() > size || exists(out)
		})
		c.Process.Signal(sig)
		if c.code() == 0 || exists(out) {
			break // it was quicker
		}
		stopped++
		if st, err := os.Stat(storage.PartialPath(out)); err == nil {
			size = st.Size()
		}
		if said := c.errs.String(); sig != syscall.SIGKILL && said != "bulla: warning: out is not complete: the part written so far is kept as .out.partial\nbulla: hint: rerun the same command to continue\n" {
			t.Errorf("%v: it said %q", sig, said)
		}
		if got := names(t, dir); got != ".out.partial c.bulla plain" {
			t.Fatalf("%v: the directory holds %s", sig, got)
		}
	}
	if stopped == 0 {
		t.Log("no run could be stopped in time")
	}
	if !exists(out) {
		if c := start(t, dir, nil, "decrypt", "--resume", "-o", "out", "c.bulla"); c.code() != 0 {
			t.Fatal(c.errs.String())
		}
	}
	if b, err := os.ReadFile(out); err != nil || !bytes.Equal(b, plain) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if got := names(t, dir); got != "c.bulla out plain" {
		t.Errorf("the directory holds %s", got)
	}
}

// Whatever there is of the output: any length of it, any byte of it changed.
func TestResumeFromAnything(t *testing.T) {
	dir := workDir(t)
	plain := make([]byte, 300_000)
	rand.Read(plain)
	if err := os.WriteFile(filepath.Join(dir, "plain"), plain, 0o600); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, nil, "encrypt", "-o", "c.bulla", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	partial, out := filepath.Join(dir, ".out.partial"), filepath.Join(dir, "out")
	for _, n := range []int{0, 1, 65535, 65536, 65537, 262143, 262144, 262145, 299_999, 300_000, 300_001, 400_000} {
		for _, bad := range []int{-1, 0, n / 2, n - 1} {
			b := append(bytes.Clone(plain), make([]byte, 100_000)...)[:n]
			if bad >= 0 && bad < n {
				b[bad] ^= 1
			}
			if err := os.WriteFile(partial, b, 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, stderr := runIn(t, dir, "decrypt", "--resume", "--no-sync", "-o", out, filepath.Join(dir, "c.bulla"))
			got, err := os.ReadFile(out)
			if code != 0 || err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("from %d bytes, %d of them changed: exit code %d, %d bytes: %s", n, bad, code, len(got), stderr)
			}
			os.Remove(out)
		}
	}
}

// runIn runs a command line in this process, with the key of a directory.
func runIn(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv(envConfigDir, filepath.Join(dir, ".config"))
	var std stdio
	for i, f := range []**os.File{&std.out, &std.err} {
		var err error
		if *f, err = os.Create(filepath.Join(t.TempDir(), "std"+string(rune('0'+i)))); err != nil {
			t.Fatal(err)
		}
		defer (*f).Close()
	}
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	std.in = in
	code = newApp(std).run(args)
	read := func(f *os.File) string {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return code, read(std.out), read(std.err)
}

// Two runs do not go on with the same output.
func TestResumeTwice(t *testing.T) {
	dir := workDir(t)
	partial, err := os.OpenFile(filepath.Join(dir, ".out.partial"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer partial.Close()
	if err := syscall.Flock(int(partial.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Skip(err)
	}
	if c := start(t, dir, strings.NewReader("x"), "encrypt", "-o", "c.bulla"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	c := start(t, dir, nil, "decrypt", "--resume", "-o", "out", "c.bulla")
	if got := c.code(); got != exitRefused || !strings.Contains(c.errs.String(), "another run is writing out") {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
}
