package storage

import (
	"os"
	"path/filepath"
	"testing"
)

// CloseFile makes all that an output's file is asked for fail.
func CloseFile(p *Pending) { p.file.Close() }

// testRun is a run whose standard streams are empty files.
func testRun(t *testing.T) *Run {
	t.Helper()
	std := func(name string) *os.File {
		f, err := os.OpenFile(filepath.Join(t.TempDir(), name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	return &Run{In: std("in"), Out: std("out"), Err: std("err")}
}

// TestingRun is testRun for the tests of the contract.
func TestingRun(t *testing.T) *Run { return testRun(t) }
