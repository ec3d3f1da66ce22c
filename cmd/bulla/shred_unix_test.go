//go:build unix

package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bulla/format"
)

// TestShredCut is about a file of which a run that was killed has destroyed a part: all of
// the head, some of it, the head and some of the tail. The next run finishes it, and what
// was in its slots is nowhere in it.
func TestShredCut(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	name := filepath.Join(dir, "c.bulla")
	if err := os.WriteFile(filepath.Join(dir, "plain"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, nil, "encrypt", "-q", "-o", "c.bulla", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, err := format.ParseHead(whole)
	if err != nil {
		t.Fatal(err)
	}
	for what, cut := range map[string]func(b []byte){
		"nothing yet":                   func([]byte) {},
		"the first bytes":               func(b []byte) { copy(b, format.ShreddedMark) },
		"the first sector":              func(b []byte) { clear(b[:512]); copy(b, format.ShreddedMark) },
		"all of the head but its start": func(b []byte) { clear(b[512 : 256<<10]) },
		"the head":                      func(b []byte) { clear(b[:256<<10]); copy(b, format.ShreddedMark) },
		"the head and a part of the tail": func(b []byte) {
			clear(b[:256<<10])
			copy(b, format.ShreddedMark)
			clear(b[len(b)-256<<10 : len(b)-2048])
		},
	} {
		b := bytes.Clone(whole)
		cut(b)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if c := start(t, dir, nil, "shred", "-q", "--yes", "c.bulla"); c.code() != 0 {
			t.Fatalf("%s: %s", what, c.errs.String())
		}
		after, err := os.ReadFile(name)
		if err != nil || len(after) != len(whole) {
			t.Fatal(len(after), err)
		}
		if bytes.Contains(after, head.Slots[0].Body[:32]) || bytes.Contains(after, head.Salt[:]) {
			t.Errorf("%s: its head is still there", what)
		}
		if c := start(t, dir, nil, "decrypt", "-o", "-", "c.bulla"); c.code() != exitUnsupported {
			t.Errorf("%s: %s", what, c.errs.String())
		}
	}
}

// TestShredKilled kills shred wherever it is just then. The file opens, or it is destroyed,
// and the next run destroys it.
func TestShredKilled(t *testing.T) {
	kills := 10
	if os.Getenv("BULLA_LONG") != "" {
		kills = 200
	}
	dir := workDir(t)
	if err := os.WriteFile(filepath.Join(dir, "plain"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, nil, "encrypt", "-q", "-o", "c.bulla", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	whole, err := os.ReadFile(filepath.Join(dir, "c.bulla"))
	if err != nil {
		t.Fatal(err)
	}
	takes := 20 * time.Millisecond
	for i := range kills {
		if err := os.WriteFile(filepath.Join(dir, "c.bulla"), whole, 0o600); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		c := start(t, dir, nil, "shred", "-q", "--yes", "c.bulla")
		if i > 0 {
			time.Sleep(rand.N(takes))
			c.Process.Kill()
		}
		c.Wait()
		if i == 0 {
			takes = time.Since(began)
		}
		if c := start(t, dir, nil, "shred", "-q", "--yes", "c.bulla"); c.code() != 0 {
			t.Fatal(c.errs.String())
		}
		if c := start(t, dir, nil, "decrypt", "-o", "-", "c.bulla"); c.code() != exitUnsupported {
			t.Fatalf("it opens: %s", c.errs.String())
		}
	}
}
