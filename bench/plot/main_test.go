package main

import (
	"bytes"
	"os"
	"testing"
)

// The plots in docs/ are those of docs/performance.json.
func TestPlots(t *testing.T) {
	plots, err := all("../../docs/performance.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range plots {
		if got, err := os.ReadFile("../../docs/" + name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/%s is another plot: run go run ./bench docs (%v)", name, err)
		}
		for _, needed := range []string{"currentColor", "prefers-color-scheme"} {
			if !bytes.Contains(want, []byte(needed)) {
				t.Errorf("%s has no %s: its texts do not show on a dark page", name, needed)
			}
		}
	}
}
