//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
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
	switch {
	case os.Getenv("BULLA_LONG") != "":
		kills = 200
	case testing.Short():
		kills = 2
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

// TestHundredEpochFiles encrypts a hundred files over a year, and advances the keeper month
// by month: exactly the files of the months that are reached open, also when every file
// that a run has made is put back, but for the keeper. The local zone makes no difference.
func TestHundredEpochFiles(t *testing.T) {
	t.Setenv("TZ", "Pacific/Kiritimati") // UTC+14
	files := 100
	if testing.Short() {
		files = 25
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "plain"), "hello")
	run := func(now time.Time, args ...string) {
		t.Helper()
		t.Setenv("TEST_NOW", now.Format(time.RFC3339))
		if code, _, errs := saidBy(dir, nil, args...); code != 0 {
			t.Fatalf("%q: %s", args, errs)
		}
	}
	january := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	run(january, "epoch", "create", "2027", "--every", "month", "-q", "-o", "k")
	made := map[string][]byte{} // by name, as it was at first
	verify, months := []string{"verify", "--json", "-i", "k"}, map[string]time.Month{}
	for i := range files {
		at := january.Add(time.Duration(i) * 365 * 24 * time.Hour / time.Duration(files))
		name := fmt.Sprintf("%03d.bulla", i)
		run(at, "encrypt", "-q", "-R", "k.calendar", "-o", name, "plain")
		verify, months[name] = append(verify, name), at.Month()
	}
	for month := time.January; month <= time.December+1; month++ {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if b, err := os.ReadFile(filepath.Join(dir, e.Name())); err == nil && made[e.Name()] == nil {
				made[e.Name()] = b
			}
		}
		first := time.Date(2027, month, 1, 0, 0, 0, 0, time.UTC)
		run(january.AddDate(1, 0, 0), "epoch", "advance", "k", "-q", "--yes", "--to", first.Format(time.DateOnly))
		for name, b := range made {
			if name != "k" {
				write(t, filepath.Join(dir, name), string(b))
			}
		}
		_, out, _ := saidBy(dir, nil, verify...)
		seen := 0
		for line := range bytes.Lines([]byte(out)) {
			var r struct {
				File  string
				Valid bool
			}
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatal(err)
			}
			if seen++; r.Valid != (months[r.File] >= month) {
				t.Errorf("the keeper at %v: %s of %v opens: %v", month, r.File, months[r.File], r.Valid)
			}
		}
		if seen != files {
			t.Fatalf("%d files were looked at", seen)
		}
	}
}
