//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// inFile reads a file, "" if there is none.
func inFile(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// newOutput begins an output in a directory of its own.
func newOutput(t *testing.T, flags outputFlags) (o *output, path string, left *leftovers) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "out")
	flags.name = path
	o, err := (&app{}).planOutput(outputPlan{outputFlags: flags, mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	left = &leftovers{}
	if err := o.create(left); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Discard)
	if _, err := o.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	return o, path, left
}

func TestOutputCommit(t *testing.T) {
	for _, flags := range []outputFlags{{}, {noSync: true}, {force: true}} {
		o, path, left := newOutput(t, flags)
		if inFile(path) != "" {
			t.Error("it has its final name before it is complete")
		}
		if err := o.Commit(); err != nil {
			t.Fatal(err)
		}
		o.Discard()
		left.clean()
		if inFile(path) != "new" || exists(partialPath(path)) {
			t.Errorf("%+v: it holds %q", flags, inFile(path))
		}
	}
}

func TestOutputDiscard(t *testing.T) {
	o, path, left := newOutput(t, outputFlags{})
	left.clean() // as an interruption does
	if exists(partialPath(path)) {
		t.Error("it was left behind")
	}
	if err := o.Commit(); err == nil {
		t.Error("what was discarded was committed")
	}
	if exists(path) {
		t.Error("what was discarded has its final name")
	}
	o.Discard()
}

func TestOutputAppears(t *testing.T) {
	o, path, _ := newOutput(t, outputFlags{})
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("theirs")
	if err := o.Commit(); explain(err).exit != exitRefused {
		t.Errorf("got %v", err)
	}
	if inFile(path) != "theirs" || exists(partialPath(path)) {
		t.Errorf("it holds %q", inFile(path))
	}
	o, path, _ = newOutput(t, outputFlags{force: true})
	write("theirs")
	if err := o.Commit(); err != nil || inFile(path) != "new" {
		t.Errorf("forced: %v, %q", err, inFile(path))
	}
}

// TestRename holds both ways of renaming to the same: the one of this system and
// the one of systems and file systems that cannot do better.
func TestRename(t *testing.T) {
	for name, rename := range map[string]func(from, to string) error{"renameNew": renameNew, "linkOver": linkOver} {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		for path, text := range map[string]string{from: "new", to: "old"} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := rename(from, to); !errors.Is(err, fs.ErrExist) || inFile(from) != "new" || inFile(to) != "old" {
			t.Errorf("%s over a file: %v, %q, %q", name, err, inFile(from), inFile(to))
		}
		os.Remove(to)
		if err := rename(from, to); err != nil || exists(from) || inFile(to) != "new" {
			t.Errorf("%s: %v, %q", name, err, inFile(to))
		}
		if err := rename(from, to+"2"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
}

func TestRemoveStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stale")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock(f); err != nil {
		t.Skip("no locks here: ", err)
	}
	if err := removeStale(path); !errors.Is(err, errInUse) || !exists(path) {
		t.Errorf("locked: %v", err)
	}
	f.Close()
	if err := removeStale(path); err != nil || exists(path) {
		t.Errorf("not locked: %v", err)
	}
	if err := removeStale(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("not there: %v", err)
	}
	for kind, make := range map[string]func() error{
		"a link":             func() error { return os.Symlink("elsewhere", path) },
		"an empty directory": func() error { return os.Mkdir(path, 0o700) },
		"a pipe":             func() error { return syscall.Mkfifo(path, 0o600) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if err := removeStale(path); err != errNoFile {
			t.Errorf("%s: %v", kind, err)
		}
		if err := os.Remove(path); err != nil {
			t.Errorf("%s was removed: %v", kind, err)
		}
	}
}

// TestOverlap is about a run that is stopped between creating its output and
// locking it, while another, which takes that for something left behind, begins
// to write the same output.
func TestOverlap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	plan := func() *output {
		o, err := (&app{}).planOutput(outputPlan{outputFlags: outputFlags{name: path}, mode: 0o600})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	first, second := plan(), plan()
	var left leftovers
	if err := first.begin(); err != nil {
		t.Fatal(err)
	}
	if err := second.create(new(leftovers)); err != nil {
		t.Fatal(err)
	}
	second.WriteString("half")
	if p := explain(first.claim(&left)); p.exit != exitRefused || !strings.Contains(p.what, "another run is writing") {
		t.Errorf("the first run, which has lost its output: %+v", p)
	}
	first.Discard()
	left.clean()
	if got := inFile(partialPath(path)); got != "half" || exists(path) {
		t.Fatalf("what the second run writes holds %q", got)
	}
	second.WriteString(" and half")
	if err := second.Commit(); err != nil || inFile(path) != "half and half" {
		t.Errorf("the second run: %v, %q", err, inFile(path))
	}
}

// TestTakenOver is about file systems without locks, where a run takes what
// another writes for something left behind.
func TestTakenOver(t *testing.T) {
	for _, there := range []bool{true, false} {
		o, path, _ := newOutput(t, outputFlags{})
		os.Remove(partialPath(path))
		if there {
			os.WriteFile(partialPath(path), []byte("half"), 0o600)
		}
		if p := explain(o.Commit()); p.exit != exitRefused || !strings.Contains(p.what, "not made") {
			t.Errorf("%+v", p)
		}
		if exists(path) || exists(partialPath(path)) != there {
			t.Error("what another run writes was renamed, or removed")
		}
	}
}

// TestLockFails is about a lock that fails because there are none.
func TestLockFails(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close() // EBADF
	if err := lock(f); err != nil {
		t.Errorf("an output: %v", err)
	}
	if err := lockForChange(f); err == nil || errors.Is(err, errInUse) {
		t.Errorf("a change: %v", err)
	}
}
