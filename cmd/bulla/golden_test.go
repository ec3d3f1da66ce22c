package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestHelp compares every page of help with what it was when it was last looked
// at. After a change: go test ./cmd/bulla -run TestHelp -update, and read the
// difference.
func TestHelp(t *testing.T) {
	dir := filepath.Join("testdata", "help")
	var pages []string
	everyPage(func(cmd *cobra.Command, name string) {
		page := strings.ReplaceAll(name, " ", "-") + ".txt"
		pages = append(pages, page)
		got := helpText(cmd, helpWidth)
		if *update {
			if err := os.WriteFile(filepath.Join(dir, page), []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
			return
		}
		want, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil || got != string(want) {
			t.Errorf("help %s is not what is in %s (%v); run with -update if it is meant to be:\n%s", name, page, err, got)
		}
	})
	there, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if !slices.Contains(pages, f.Name()) {
			t.Errorf("%s is the help on nothing", f.Name())
		}
	}
}
