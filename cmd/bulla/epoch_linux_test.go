package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bulla/format"
	"bulla/keyslot/epoch"
)

// cutCalls have each system call by which a file is changed in place fail, and the program
// killed at it, the first of its kind, the second, and so on. f runs the program once and
// reports whether there was such a call.
func cutCalls(t *testing.T, f func(inject string) bool) {
	t.Helper()
	if missing(t, "strace") {
		t.Skip("no strace")
	}
	calls := []string{"openat", "flock", "fstat", "lseek", "read", "pread64", "pwrite64", "fsync", "close"}
	if testing.Short() {
		calls = []string{"pwrite64", "fsync"}
	}
	cut := 0
	for _, call := range calls {
		for _, what := range []string{"error=EIO", "signal=KILL"} {
			// Strace counts the calls of every thread by itself: see runFaultyNth.
			nth := func(n int) (failed bool) {
				for try := 0; try < 3 && !failed; try++ {
					failed = f(fmt.Sprintf("%s:%s:when=%d", call, what, n))
				}
				return failed
			}
			for n := 1; nth(n); n++ {
				cut++
			}
		}
	}
	if cut < 4 {
		t.Errorf("only %d calls were cut", cut)
	}
}

// TestAdvanceCut has every system call of epoch advance fail, and the program killed at it:
// the keeper has the old state or the new one, and the next run leaves nothing of the old.
func TestAdvanceCut(t *testing.T) {
	t.Setenv("TEST_NOW", "2027-01-01T00:00:00Z")
	dir := t.TempDir()
	if c := start(t, dir, nil, "epoch", "create", "2027", "--every", "week", "-q", "-o", "k"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	name := filepath.Join(dir, "k")
	fresh, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first, err := epoch.Parse(fresh)
	if err != nil {
		t.Fatal(err)
	}
	from := first.Reach().From
	args := []string{"epoch", "advance", "k", "-q", "--yes", "--to", epoch.Week.First(from + 2).String()}
	cutCalls(t, func(inject string) bool {
		write(t, name, string(fresh))
		code, said, _ := runFaulty(t, dir, "k", args, inject)
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		k, err := epoch.Parse(file)
		if err != nil {
			t.Fatalf("%s: %v", inject, err)
		}
		if got := k.Reach().From; got != from+2 && (got != from || code == 0) {
			t.Errorf("%s: exit code %d, and it opens %v: %s", inject, code, k.Reach(), said)
		}
		if c := start(t, dir, nil, args...); c.code() != 0 {
			t.Errorf("%s: the next run: %s", inject, c.errs.String())
		}
		file, _ = os.ReadFile(name)
		zero := make([]byte, 4096)
		if k, err := epoch.Parse(file); err != nil || k.Reach().From != from+2 || !bytes.Equal(file[4096:8192], zero) && !bytes.Equal(file[8192:], zero) {
			t.Errorf("%s: the next run leaves the old state (%v)", inject, err)
		}
		return code != 0
	})
}

// TestShredCalls does the same to shred.
func TestShredCalls(t *testing.T) {
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), strings.Repeat("hello", 200_000))
	if c := start(t, dir, nil, "encrypt", "-q", "-o", "c.bulla", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	name := filepath.Join(dir, "c.bulla")
	fresh, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	shred := []string{"shred", "-q", "--yes", "c.bulla"}
	cutCalls(t, func(inject string) bool {
		write(t, name, string(fresh))
		code, said, _ := runFaulty(t, dir, "c.bulla", shred, inject)
		if after, _ := os.ReadFile(name); code == 0 && bytes.Contains(after, fresh[format.PreambleSize:][:32]) {
			t.Errorf("%s: it is there: %s", inject, said)
		}
		if c := start(t, dir, nil, shred...); c.code() != 0 {
			t.Errorf("%s: the next run: %s", inject, c.errs.String())
		}
		if c := start(t, dir, nil, "verify", "-q", "c.bulla"); c.code() != exitUnsupported {
			t.Errorf("%s: %s", inject, c.errs.String())
		}
		return code != 0
	})
}
