//go:build unix

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// docs/scale.md has the tables that paper prints, and nothing else in them.
func TestPaper(t *testing.T) {
	page, err := os.ReadFile("../docs/scale.md")
	if err != nil {
		t.Fatal(err)
	}
	var tables bytes.Buffer
	paper(&tables)
	for table := range strings.SplitSeq(strings.TrimSpace(tables.String()), "\n\n") {
		if !strings.Contains(string(page), "\n\n"+table+"\n\n") {
			t.Errorf("docs/scale.md does not have this table:\n%s", table)
		}
	}
}

// A small job is planned and finished as the large one is.
func TestSimulate(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command")
	}
	if _, err := os.Stat(*tmpfs); err != nil {
		t.Skip("there is no folder in memory, for files of any length")
	}
	dir, err := os.MkdirTemp(*tmpfs, "bulla-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := simulate(dir, 25); err != nil {
		t.Fatal(err)
	}
}
