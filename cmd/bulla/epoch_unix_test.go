//go:build unix

package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bulla/keyslot/epoch"
)

// TestAdvanceKilled kills epoch advance again and again, wherever it is just then: the
// keeper has the old state or the new one, and the next run erases what is left.
func TestAdvanceKilled(t *testing.T) {
	kills := 20
	if os.Getenv("BULLA_LONG") != "" {
		kills = 200
	}
	t.Setenv("TEST_NOW", "2027-01-01T00:00:00Z")
	dir := t.TempDir()
	run := func(args ...string) *command {
		return start(t, dir, nil, append([]string{"epoch"}, args...)...)
	}
	if c := run("create", "2027..2030", "--every", "day", "-q", "-o", "k"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	name := filepath.Join(dir, "k")
	read := func() (*epoch.Keeper, []byte) {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		k, err := epoch.Parse(file)
		if err != nil {
			t.Fatal(err)
		}
		return k, file
	}
	first, _ := read()
	if err := first.Unlock(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	all, err := first.Calendar()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if c := run("advance", "k", "--yes", "-q", "--to", "2027-01-02"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	takes, cut := time.Since(began), 0
	for range kills {
		before, _ := read()
		to := before.Reach().First() + 1
		c := run("advance", "k", "--yes", "-q", "--to", to.String())
		time.Sleep(rand.N(takes))
		c.Process.Kill()
		c.Wait()
		k, file := read()
		switch k.Reach().From {
		case before.Reach().From, before.Reach().From + 1:
		default:
			t.Fatalf("from %v it went to %v", before.Reach(), k.Reach())
		}
		if err := k.Unlock(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		cal, err := k.Calendar()
		if err != nil {
			t.Fatal(err)
		}
		if at, bad := cal.Conflict(all); bad {
			t.Fatalf("another key for %v", at)
		}
		if !bytes.HasSuffix(file, make([]byte, 4096)) && !bytes.Equal(file[4096:8192], make([]byte, 4096)) {
			cut++ // both states are there
			if c := run("advance", "k", "--yes", "-q", "--to", k.Reach().First().String()); c.code() != 0 {
				t.Fatal(c.errs.String())
			}
			if _, file := read(); !bytes.HasSuffix(file, make([]byte, 4096)) && !bytes.Equal(file[4096:8192], make([]byte, 4096)) {
				t.Fatal("the next run leaves the old state")
			}
		}
	}
	t.Logf("%d of %d kills left both states", cut, kills)
}
