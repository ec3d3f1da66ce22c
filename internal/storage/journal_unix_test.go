//go:build unix

package storage_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"bulla/internal/storage"
)

// A journal that no run can have written is damaged, and is not kept in memory.
func TestJournalTooLong(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	run := new(storage.Run)
	j, _, err := run.Journal(name)
	if err == nil {
		err = j.Append(make([]byte, 128<<20))
	}
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	j, lines, err := run.Journal(name)
	if !errors.Is(err, storage.Damaged) || lines != nil || j == nil {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	defer j.Close()
	if err := j.Reset(); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(name); err != nil || st.Size() != 0 {
		t.Errorf("%v, %v", st, err)
	}
}
