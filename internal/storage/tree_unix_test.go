//go:build unix

package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Directories, files and links of a tree are made below it, and links with force take
// the place of what is there, and of what a run that was killed has left.
func TestTree(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	tree := testRun(t).Below(root)
	defer tree.Close()
	put := func(path, text string) {
		t.Helper()
		if err := tree.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		p, err := tree.Create(path, Options{Mode: 0o600})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(p, text)
		if err := p.Commit(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.file.Stat(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s stays open: %v", path, err)
		}
	}
	put("a/b/one", "1")
	put("a/two", "2")
	put("three", "3")
	for _, force := range []bool{false, true} {
		for path, first := range map[string]string{"a/b/link": "a/b/one", "link": "a/two", "a/link": "a/two"} {
			if err := tree.Link(first, path, force); err != nil {
				t.Error(path, err)
			}
			x, _ := root.Stat(first)
			if y, err := root.Stat(path); err != nil || !os.SameFile(x, y) {
				t.Errorf("%s is no other name of %s", path, first)
			}
			if force { // another file, and what a killed run has left
				continue
			}
			if err := tree.Link(first, path, false); !errors.Is(err, Exists) {
				t.Error(err)
			}
			root.Remove(path)
			root.WriteFile(path, []byte("other"), 0o600)
			root.WriteFile(partialPath(path, memberPrefix), nil, 0o600)
		}
	}
	for _, force := range []bool{false, true} {
		if err := tree.Symlink("/anywhere", "a/b/sym", force); err != nil {
			t.Error(err)
		}
		if !force {
			root.Symlink("left", partialPath("a/b/sym", memberPrefix))
		}
	}
	if to, err := root.Readlink("a/b/sym"); to != "/anywhere" {
		t.Error(to, err)
	}
	for _, path := range []string{"a/.bulla-x.partial", ".bulla-.partial"} {
		if err := tree.Link("three", path, true); !errors.Is(err, Reserved) {
			t.Error(err)
		}
	}
	if err := tree.Link("three", "a/b", true); !errors.Is(err, NotRegular) {
		t.Error(err)
	}
	if err := tree.Sync(); err != nil {
		t.Error(err)
	}
	n := 0
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if IsReserved(path) {
			t.Errorf("%s is left", path)
		}
		n++
		return err
	})
	if n != 10 {
		t.Errorf("%d names", n)
	}
}
