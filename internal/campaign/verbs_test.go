//go:build unix

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryVerb holds the table complete: each verb that help knows is in it, or says why not.
func TestEveryVerb(t *testing.T) {
	pages, err := filepath.Glob("../../cmd/bulla/testdata/help/*.txt")
	if err != nil || len(pages) < 40 {
		t.Fatalf("%d pages of help, %v", len(pages), err)
	}
	known := make(map[string]bool)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\nExit status:\n") { // it is about several verbs, or none
			continue
		}
		name := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(page), ".txt"), "-", " ")
		known[name] = true
		tried := slices.ContainsFunc(verbs, func(v verb) bool { return v.args == name || strings.HasPrefix(v.args, name+" ") })
		if reason := untried[name]; tried == (reason != "") {
			t.Errorf("bulla %s is tried: %v, and the reason why not is %q", name, tried, reason)
		}
	}
	for name := range untried {
		if !known[name] {
			t.Errorf("there is no verb %s", name)
		}
	}
	for _, v := range verbs {
		if v.out == "" && v.changes == "" && v.says == "" {
			t.Errorf("nothing tells whether bulla %s has done its work", v.args)
		}
	}
}
