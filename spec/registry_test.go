package spec_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every label that the code derives something under is registered, and each that is
// registered is in the code or in a text.
func TestLabels(t *testing.T) {
	registry, err := os.ReadFile("registry.md")
	if err != nil {
		t.Fatal(err)
	}
	label := regexp.MustCompile("[\"`](bulla/v[0-9]+ [a-z ]+)[\"`]")
	used := make(map[string]bool)
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "registry.md" {
			return err
		}
		switch filepath.Ext(path) {
		case ".go", ".md":
		default:
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range label.FindAllSubmatch(text, -1) {
			used[string(m[1])] = true
			if !bytes.Contains(registry, append(append([]byte("| `"), m[1]...), '`')) {
				t.Errorf("%s: the label %q is not registered", path, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	registered := label.FindAllSubmatch(registry, -1)
	for _, m := range registered {
		if name := string(m[1]); !used[name] && !strings.Contains(name, " set ") {
			t.Errorf("nothing uses the label %q", name)
		}
	}
	if len(registered) < 10 {
		t.Errorf("%d labels", len(registered))
	}
}
