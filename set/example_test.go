package set_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"bulla/entropy"
	"bulla/keyslot"
	"bulla/set"
	"bulla/stream"
)

// A file is a part in a directory.
type file struct {
	*os.File
	size int64
}

func (f file) Size() int64 { return f.size }

// A pending part gets its name when it is complete.
type pending struct {
	*os.File
	name string
}

func (p *pending) Writer() io.Writer { return p.File }

func (p *pending) Commit() error {
	if err := p.Sync(); err != nil {
		return err
	}
	return os.Rename(p.File.Name(), p.name)
}

func (p *pending) Abort() {
	p.Close()
	os.Remove(p.File.Name())
}

// A set is written to a directory, and a range of it is read.
func Example() {
	dir, err := os.MkdirTemp("", "set")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	root := filepath.Join(dir, "backup.bulla")
	key, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		panic(err)
	}
	ctx := context.Background()

	create := func(_ context.Context, suffix string) (set.Pending, error) {
		f, err := os.CreateTemp(dir, "unfinished")
		return &pending{f, root + suffix}, err
	}
	w, err := set.NewWriter(ctx, create, []stream.Recipient{key.Recipient()}, &set.WriterOptions{VolumeSize: set.VolumeUnit})
	if err != nil {
		panic(err)
	}
	if _, err := w.ReadFrom(strings.NewReader(strings.Repeat("0123456789", 500_000))); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}

	open := func(_ context.Context, suffix string) (set.File, error) {
		f, err := os.Open(root + suffix)
		if err != nil {
			return nil, err
		}
		st, err := f.Stat()
		return file{f, st.Size()}, err
	}
	f, err := open(ctx, "")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	r, err := set.NewReaderAt(ctx, f, f.Size(), open, []stream.Identity{key}, nil)
	if err != nil {
		panic(err)
	}
	defer r.Close()
	size, _ := r.Size()
	b := make([]byte, 12)
	if _, err := r.ReadAt(b, 3*set.VolumeUnit/2-6); err != nil {
		panic(err)
	}
	parts, _ := filepath.Glob(root + "*")
	fmt.Println(size, "bytes in", len(parts), "files:", string(b))
	// Output: 5000000 bytes in 5 files: 234567890123
}
