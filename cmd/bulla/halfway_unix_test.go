//go:build unix

package main

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bulla/internal/storage"
)

// TestShrunkInput truncates, and changes, an input while it is read. The run is
// held by a pipe that nobody reads.
func TestShrunkInput(t *testing.T) {
	dir := workDir(t)
	plain := filepath.Join(dir, "plain")
	for _, c := range []struct {
		args []string
		to   int64 // what the input's size becomes
		exit int
		says string
	}{
		{[]string{"encrypt", "-o", "fifo", "plain"}, 20 << 20, exitIO, "error: plain became shorter while it was read\n"},
		{[]string{"encrypt", "-o", "fifo"}, 20 << 20, exitIO, "became shorter while it was read\n"},
		{[]string{"encrypt", "-o", "fifo", "plain"}, 65 << 20, exitOK, "warning: plain changed while it was read\n"},
	} {
		fifo := filepath.Join(dir, "fifo")
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Skip(err)
		}
		if err := os.WriteFile(plain, make([]byte, 64<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		stdin, err := os.Open(plain)
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		r := start(t, dir, stdin, append(c.args, "-j", "1")...) // more workers would read it to the end
		held, err := os.Open(fifo)
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 1<<20)
		if _, err := held.Read(first); err != nil { // it has begun
			t.Fatal(err)
		}
		if err := os.Truncate(plain, c.to); err != nil {
			t.Fatal(err)
		}
		rest := new(bytes.Buffer)
		rest.ReadFrom(held)
		held.Close()
		if got := r.code(); got != c.exit || !strings.Contains(r.errs.String(), c.says) {
			t.Errorf("%v to %d: exit code %d: %s", c.args, c.to, got, r.errs.String())
		}
		os.Remove(fifo)
	}
	if got := names(t, dir); got != "plain" {
		t.Errorf("the directory holds %s", got)
	}
}

// TestResumeAtOnce runs the same command twenty times at once: one makes the
// output, and the others leave nothing, above all no plaintext beside it.
func TestResumeAtOnce(t *testing.T) {
	dir := workDir(t)
	plain := make([]byte, 5<<20)
	rand.Read(plain)
	if err := os.WriteFile(filepath.Join(dir, "plain"), plain, 0o600); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, nil, "encrypt", "-q", "-o", "c.bulla", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	var all sync.WaitGroup
	var runs [20]*command
	for i := range runs {
		runs[i] = start(t, dir, nil, "decrypt", "--resume", "--no-sync", "-j", "1", "-o", "out", "c.bulla")
	}
	codes := make([]int, len(runs))
	for i, c := range runs {
		all.Go(func() { codes[i] = c.code() })
	}
	all.Wait()
	won := 0
	for i, code := range codes {
		switch {
		case code == 0:
			won++
		case code != exitRefused:
			t.Errorf("exit code %d: %s", code, runs[i].errs.String())
		}
	}
	if won != 1 {
		t.Errorf("%d of them made it", won)
	}
	if got := names(t, dir); got != "c.bulla out plain" {
		t.Errorf("the directory holds %s", got)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "out")); err != nil || !bytes.Equal(b, plain) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestExtractAfterKill is about what a killed extract leaves: the next one finds
// and removes it.
func TestExtractAfterKill(t *testing.T) {
	dir := workDir(t)
	sealFile(t, dir, "x.bulla", tarWith(tar.Header{Name: "deep/f"}))
	if err := os.MkdirAll(filepath.Join(dir, "out", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "out", "deep", ".bulla-f.partial")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, nil, "extract", "-C", "out", "x.bulla", "deep/f"); c.code() != 0 {
		t.Error(c.errs.String())
	}
	if got := names(t, filepath.Join(dir, "out", "deep")); got != "f" {
		t.Errorf("the directory holds %s", got)
	}
}

// TestRecipientsChangedMeanwhile is about two runs that change the recipients of a
// file where no lock holds them apart, as on two machines. The second is told;
// the copies of the head never diverge.
func TestRecipientsChangedMeanwhile(t *testing.T) {
	p := newPatient(t, 2, 100)
	a := newApp(stdio{os.Stdin, os.Stdout, os.Stderr})
	patch, err := a.files.Patch(p.path, storage.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer patch.Close()
	b := p.bytes()
	b[len(b)-1] ^= 1 // what the other has written
	if err := os.WriteFile(p.path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	err = patch.Apply(storage.Change{Offset: 0, Old: b[:4096], New: make([]byte, 4096)})
	if f := explain(err); f.exit != exitChanged || !strings.Contains(f.what, "changed meanwhile") {
		t.Errorf("%+v", f)
	}
	if !bytes.Equal(p.bytes(), b) {
		t.Error("it was written to")
	}
}

// The public half of an ssh key is read although no flag names it: it is no output.
func TestReadsPublicHalf(t *testing.T) {
	if missing(t, "ssh-keygen") {
		t.Skip("no ssh-keygen")
	}
	dir := workDir(t)
	key := filepath.Join(dir, "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "12345", "-f", key).CombinedOutput(); err != nil {
		t.Skipf("no key of the old form: %v: %s", err, out)
	}
	if b, err := os.ReadFile(key); err != nil || !bytes.Contains(b, []byte("BEGIN RSA PRIVATE KEY")) {
		t.Skip("no key of the old form")
	}
	before, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, strings.NewReader("x"), "encrypt", "-o", "x.bulla"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	c := start(t, dir, nil, "decrypt", "-i", "key", "-i", filepath.Join(".config", identityFile), "--force", "-o", "key.pub", "x.bulla")
	if code := c.code(); code != exitRefused || !strings.Contains(c.errs.String(), "key.pub is both the input and the output") {
		t.Errorf("exit code %d: %s", code, c.errs.String())
	}
	if after, err := os.ReadFile(key + ".pub"); err != nil || !bytes.Equal(before, after) {
		t.Errorf("it was replaced, %v", err)
	}
}

// Every kind of error that storage has is worded, with a hint, and has the exit
// code that help gives for it.
func TestExplainStorage(t *testing.T) {
	exits := map[storage.Kind]int{
		storage.IsDirectory: exitUsage, storage.NoBase: exitUsage, storage.NoDescriptor: exitUsage, storage.NotPatchable: exitUsage,
		storage.Undurable: exitIO, storage.Leftover: exitIO, storage.Shrunk: exitIO, storage.HalfPatched: exitIO, storage.Closed: exitIO,
		storage.Changed: exitChanged, storage.NoScheme: exitUnsupported,
	}
	for k := storage.Exists; k <= storage.Closed; k++ {
		e := &storage.Error{Kind: k, Name: "dir/x\x1b", Partial: "dir/.x.partial", Err: &fs.PathError{Op: "write", Path: "dir/x", Err: syscall.EIO}}
		f := explain(fmt.Errorf("wrapped: %w", e))
		want, special := exits[k]
		if !special {
			want = exitRefused
		}
		if f.exit != want || f.what == "" || f.hint == "" || !errors.Is(f, k) || strings.Contains(f.what+f.hint, "\x1b") {
			t.Errorf("%v: %+v", k, f)
		}
	}
}

// What an error says of what is left is so.
func TestFailsSaysWhatIsLeft(t *testing.T) {
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	a := newApp(stdio{out, out, out})
	full := &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for name, want := range map[string]string{
		filepath.Join(dir, "x"): "; no output was left behind",
		"-":                     "; standard output got an incomplete output",
	} {
		o, err := a.planOutput(outputPlan{outputFlags: outputFlags{name: name}, mode: 0o600})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Begin(); err != nil {
			t.Fatal(err)
		}
		if f := explain(o.fails(full)); !strings.HasPrefix(f.hint, "make room") || !strings.HasSuffix(f.hint, want) {
			t.Errorf("%s: %s", name, f.hint)
		}
	}
	if got := names(t, dir); got != "stdout" {
		t.Errorf("the directory holds %s", got)
	}
}

// What changes while it is hashed is not signed: that was a mixture, perhaps.
func TestSignChanged(t *testing.T) {
	dir := workDir(t)
	name := filepath.Join(dir, "c")
	if code, _, errs := runIn(t, dir, "encrypt", "-o", name, os.Args[0]); code != 0 {
		t.Fatal(errs)
	}
	a := newApp(stdio{os.Stdin, os.Stdout, os.Stderr})
	in, err := a.openInput(name)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := a.hash(t.Context(), in, 1, new(atomic.Int64)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.hash(t.Context(), in, 1, new(atomic.Int64)); err == nil || explain(err).exit != exitChanged {
		t.Errorf("%v", err)
	}
}

// Of a file that changed while it was read no parity file is made; and from there until that has
// its name nothing changes the file: its head might be one that was to be destroyed.
func TestParityChanged(t *testing.T) {
	dir := workDir(t)
	name := filepath.Join(dir, "c")
	if code, _, errs := runIn(t, dir, "encrypt", "-o", name, os.Args[0]); code != 0 {
		t.Fatal(errs)
	}
	a := newApp(stdio{os.Stdin, os.Stdout, os.Stderr})
	copied := func(change func() error) (*input, error) {
		in, err := a.openInput(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if err = a.copyTo(t.Context(), io.Discard, in, new(atomic.Int64)); err != nil {
			in.Close()
		}
		return in, err
	}
	_, err := copied(func() error { return os.Chtimes(name, time.Time{}, time.Now().Add(time.Hour)) })
	if err == nil || explain(err).exit != exitChanged {
		t.Errorf("%v", err)
	}
	p, err := a.files.Patch(name, storage.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = copied(func() error { return nil })
	p.Close()
	if !errors.Is(err, storage.Locked) {
		t.Errorf("while another changes it: %v", err)
	}
	in, err := copied(func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.files.Patch(name, storage.PatchOptions{}); !errors.Is(err, storage.Locked) {
		t.Errorf("before the parity file has its name: %v", err)
	}
	in.Close()
	if p, err = a.files.Patch(name, storage.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	p.Close()
}
