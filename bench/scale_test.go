//go:build unix

package main

import (
	"bytes"
	"os"
	"regexp"
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
	count := 0
	if err := simulate(*tmpfs, 25, regexp.MustCompile(""), func(Amount) { count++ }); err != nil || count == 0 {
		t.Fatalf("%d amounts, %v", count, err)
	}
}
