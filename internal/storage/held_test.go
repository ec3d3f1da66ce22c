package storage_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"bulla/internal/storage"
)

// hold makes an output that has no name yet.
func (b *backend) hold(t *testing.T, content string) *storage.Held {
	t.Helper()
	p, err := b.run.Create(b.name("out"), storage.Options{Held: true, Mode: 0o600})
	if err == nil {
		_, err = io.WriteString(p, content)
	}
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.Hold()
	if err != nil {
		t.Fatal(err)
	}
	p.Abort() // too late
	return h
}

// seen is what has a name.
func (b *backend) seen(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, name := range b.list() {
		if content, _ := b.get(name); !strings.HasSuffix(name, ".held") {
			got = append(got, name+":"+content)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
}

func (b *backend) strays(t *testing.T) (names []string, all []*storage.Held) {
	t.Helper()
	names, all, err := b.run.Strays(b.name("ou"))
	if err != nil {
		t.Fatal(err)
	}
	return names, all
}

// Of many that create a small file at once one does, and the others are told, and leave nothing.
func TestContractOnce(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		const writers = 20
		errs := make([]error, writers)
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() { errs[i] = b.run.Once(b.name("out"), fmt.Appendf(nil, "%02d", i)) })
		}
		all.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won < 0:
				won = i
			case err == nil:
				t.Error("two got it")
			case !errors.Is(err, storage.Exists):
				t.Errorf("%d: %v", i, err)
			}
		}
		b.holds(t, fmt.Sprintf("out:%02d", won))
		if err := b.run.Once(b.name("out"), []byte("later")); !errors.Is(err, storage.Exists) {
			t.Errorf("a later one: %v", err)
		}
		b.holds(t, fmt.Sprintf("out:%02d", won))
		b.put("other", "x")
		names, err := b.run.List(strings.TrimRight(b.name(""), "/"))
		if b.name("") == "s3://bucket/" {
			names, err = []string{"other", "out"}, nil // a bucket is no prefix
		}
		if err != nil || !slices.Equal(names, []string{"other", "out"}) {
			t.Errorf("%q, %v", names, err)
		}
		if names, err := b.run.List(b.name("none")); err != nil || len(names) > 0 {
			t.Errorf("%q, %v", names, err)
		}
	})
}

// What is held has no name before it is settled, which can be done twice, and replaces nothing.
func TestContractHold(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		first, second := b.hold(t, "first"), b.hold(t, "second")
		b.seen(t)
		if names, _ := b.strays(t); !slices.Equal(names, []string{b.name("out"), b.name("out")}) {
			t.Errorf("held: %q", names)
		}
		for range 2 {
			if err := b.run.Settle(b.name("out"), first); err != nil {
				t.Fatal(err)
			}
			b.seen(t, "out:first")
		}
		if err := b.run.Settle(b.name("out"), second); !errors.Is(err, storage.Exists) {
			t.Errorf("another: %v", err)
		}
		for range 2 {
			if err := b.run.Discard(b.name("out"), second); err != nil {
				t.Fatal(err)
			}
		}
		b.holds(t, "out:first")
		b.remove("out")
		for _, h := range []*storage.Held{first, second} {
			if err := b.run.Settle(b.name("out"), h); !errors.Is(err, storage.Lost) {
				t.Errorf("what is gone: %v", err)
			}
		}
		b.holds(t)
	})
}

// Of many that create a small file at once none fails because the one that did has swept.
func TestOnceSwept(t *testing.T) {
	run := &storage.Run{}
	for range 200 {
		name := filepath.Join(t.TempDir(), "out")
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := run.Once(name, []byte("x")); err != nil && !errors.Is(err, storage.Exists) {
					t.Error(err)
				}
				names, held, err := run.Strays(name)
				for i := range names {
					err = cmp.Or(err, run.Discard(names[i], held[i]))
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

// Many settle the same at once: all succeed.
func TestContractSettleAtOnce(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		h := b.hold(t, "all of it")
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := b.run.Settle(b.name("out"), h); err != nil && (b.left != "" || !errors.Is(err, storage.Lost)) { // a store may be slow to show it
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := b.run.Settle(b.name("out"), h); err != nil {
			t.Error(err)
		}
		b.holds(t, "out:all of it")
	})
}

// What a killed run leaves is found, and can be removed while another one writes the same.
func TestContractHeldKilled(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		if _, err := b.run.HoldPieces(b.name("out"), 20<<20, 0o600); err != nil {
			t.Fatal(err)
		}
		h := b.hold(t, "whole")
		var left *storage.Held
		_, all := b.strays(t)
		for _, s := range all {
			if s.File != h.File || s.Upload != h.Upload {
				left = s
			}
		}
		if len(all) != 2 || left == nil {
			t.Fatalf("there are %v", all)
		}
		if err := b.run.Discard(b.name("out"), left); err != nil {
			t.Fatal(err)
		}
		if err := b.run.Settle(b.name("out"), h); err != nil {
			t.Fatal(err)
		}
		if _, all := b.strays(t); len(all) > 0 {
			t.Errorf("left: %v", all)
		}
		b.holds(t, "out:whole")
	})
}

// Pieces come in any order, from several runs, some more than once.
func TestContractPieces(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		const size, first = 6<<20 + 5, 5 << 20
		content := bytes.Repeat([]byte("0123456789abcdef."), size/17+1)[:size]
		h, err := b.run.HoldPieces(b.name("out"), size, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		b.seen(t)
		write := func(number int, off, n int64) error {
			p, err := b.run.Pieces(b.name("out"), h)
			if err != nil {
				return err
			}
			defer p.Close()
			return p.Piece(number, off, n, func(w io.Writer) error {
				_, err := w.Write(content[off : off+n])
				return err
			})
		}
		if err := write(2, first, size-first); err != nil {
			t.Fatal(err)
		}
		if h.Upload != "" { // of a file the receipts say what is there
			if err := b.run.Settle(b.name("out"), h); !errors.Is(err, storage.Lost) {
				t.Errorf("a piece is missing: %v", err)
			}
		}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if err := errors.Join(write(1, 0, first), write(2, first, size-first)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		b.seen(t)
		if err := b.run.Settle(b.name("out"), h); err != nil {
			t.Fatal(err)
		}
		if got, _ := b.get("out"); got != string(content) {
			t.Errorf("%d bytes, and others than were written", len(got))
		}
		if err := write(1, 0, first); err == nil {
			t.Error("a piece was written after the end")
		}
		if _, err := b.run.HoldPieces(b.name("out"), size, 0o600); !errors.Is(err, storage.Exists) {
			t.Errorf("a name that there is: %v", err)
		}
	})
}

// Nothing but what is held is settled or removed, whatever a receipt says.
func TestHeldNames(t *testing.T) {
	b := inDir(t)
	b.put("victim", "precious")
	b.put(".victim", "precious")
	for _, file := range []string{"", "victim", ".victim", "../victim", "/etc/passwd", ".x/../victim", ".x/y.held", "x.held"} {
		h := &storage.Held{File: file, Size: 8}
		if err := b.run.Settle(b.name("out"), h); !errors.Is(err, storage.Lost) {
			t.Errorf("%q is settled: %v", file, err)
		}
		if err := b.run.Discard(b.name("out"), h); err == nil {
			t.Errorf("%q is removed", file)
		}
		if _, err := b.run.Pieces(b.name("out"), h); err == nil {
			t.Errorf("%q is opened", file)
		}
	}
	b.holds(t, ".victim:precious", "victim:precious")
	os.Symlink("victim", b.name(".out.A.held"))
	if err := b.run.Settle(b.name("out"), &storage.Held{File: ".out.A.held", Size: 8}); err == nil {
		t.Error("a link is settled")
	}
	if p, err := b.run.Pieces(b.name("out"), &storage.Held{File: ".out.A.held", Size: 8}); err == nil {
		p.Close()
		t.Error("a link is followed")
	}
}
