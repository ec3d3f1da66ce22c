package archive_test

import (
	"archive/tar"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"bulla/internal/archive"
)

// A context that ends while the directory is gone through: not all of it was looked at.
func TestCompareEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := open(t, tarOf(t, tar.FormatPAX, file{name: "c"})).Select()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	ignore := func(p string) bool {
		if p == "a" {
			cancel(cause)
		}
		return p != "b"
	}
	for _, err = range s.Compare(ctx, &archive.Comparison{Dir: dir, Ignore: ignore}) {
	}
	if err != cause {
		t.Errorf("compared: %v; want %v", err, cause)
	}
}
