package entropy

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestErrorTexts(t *testing.T) {
	_, err := New(&Options{Sources: []string{"dice"}})
	if err == nil || !strings.HasPrefix(err.Error(), `unknown entropy source "dice" (known: os, `) {
		t.Error(err)
	}
	if got := (&NotRandomError{Name: "unique"}).Error(); !strings.HasPrefix(got, "unique is not random") {
		t.Error(got)
	}
	for want, s := range map[string]interface{ Name() string }{"tpm": &tpmSource{}, "unique": &uniqueSource{}, "rdrand": &cpuSource{name: "rdrand"}} {
		if s.Name() != want {
			t.Errorf("%q, want %q", s.Name(), want)
		}
	}
}

// PinnedTPM is nil before there is a pin, the name that was pinned, or an error.
func TestPinnedTPM(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tpm-pin")
	if name, err := PinnedTPM(path); name != nil || err != nil {
		t.Errorf("%x, %v", name, err)
	}
	want := append([]byte{0, 0x0b}, make([]byte, 32)...)
	if err := writePin(path, want); err != nil {
		t.Fatal(err)
	}
	if name, err := PinnedTPM(path); !bytes.Equal(name, want) || err != nil {
		t.Errorf("%x, %v", name, err)
	}
	if err := os.WriteFile(path, []byte("no name\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := PinnedTPM(path); err == nil {
		t.Error("what is no name is taken")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writePin(filepath.Join(file, "below", "pin"), want); err == nil {
		t.Error("a directory is made below a file")
	}
}
