//go:build unix

package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// inFile reads a file, "" if there is none.
func inFile(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func newPending(t *testing.T, opts Options) (p *Pending, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "out")
	opts.Mode = 0o600
	p, err := testRun(t).Create(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Abort)
	io.WriteString(p, "new")
	return p, path
}

// TestRename holds both ways of renaming to the same: the one of this system and
// the one of systems and file systems that cannot do better.
func TestRename(t *testing.T) {
	for name, rename := range map[string]func(at place, from, to string) error{"renameNew": renameNew, "renameOver": renameOver} {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		write(t, from, "new")
		write(t, to, "old")
		if err := rename(anywhere{}, from, to); !errors.Is(err, fs.ErrExist) || inFile(from) != "new" || inFile(to) != "old" {
			t.Errorf("%s over a file: %v, %q, %q", name, err, inFile(from), inFile(to))
		}
		os.Remove(to)
		if err := rename(anywhere{}, from, to); err != nil || exists(from) || inFile(to) != "new" {
			t.Errorf("%s: %v, %q", name, err, inFile(to))
		}
		if err := rename(anywhere{}, from, to+"2"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
}

// A failing place is one where some acts fail.
type failing struct {
	anywhere
	remove, link, lstat error
}

func (f failing) Remove(name string) error {
	if f.remove != nil {
		return f.remove
	}
	return f.anywhere.Remove(name)
}

func (f failing) Link(from, to string) error {
	if f.link != nil {
		return f.link
	}
	return f.anywhere.Link(from, to)
}

func (f failing) Lstat(name string) (fs.FileInfo, error) {
	if f.lstat != nil {
		return nil, f.lstat
	}
	return f.anywhere.Lstat(name)
}

// Without a rename that replaces nothing the output is linked, and then there: an
// unfinished name that cannot be removed does not make that untrue.
func TestLeftover(t *testing.T) {
	p, path := newPending(t, Options{})
	p.at = failing{remove: &fs.PathError{Op: "remove", Path: p.Partial(), Err: syscall.EIO}}
	err := p.Commit()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != Leftover || e.Name != path || e.Partial != p.Partial() || !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	if inFile(path) != "new" {
		t.Errorf("it holds %q", inFile(path))
	}
	// Neither links nor renames that replace nothing.
	p, path = newPending(t, Options{})
	p.at = failing{link: syscall.EPERM}
	if err := p.Commit(); err != nil || inFile(path) != "new" || exists(p.Partial()) {
		t.Errorf("no links: %v, %q", err, inFile(path))
	}
}

// A look that fails is not another run.
func TestStatFails(t *testing.T) {
	p, path := newPending(t, Options{})
	p.at = failing{lstat: syscall.EIO}
	if err := p.Commit(); !errors.Is(err, syscall.EIO) || errors.Is(err, Lost) {
		t.Errorf("got %v", err)
	}
	p.at = anywhere{}
	if exists(path) {
		t.Error("it has its name")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := claim(failing{lstat: syscall.EIO}, f, f.Name()); !errors.Is(err, syscall.EIO) || errors.Is(err, errInUse) {
		t.Errorf("claim: %v", err)
	}
}

// A look that fails is no reason to begin anew.
func TestReopenFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	write(t, PartialPath(path), "half")
	p, err := testRun(t).Plan(path, Options{Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	p.at = failing{lstat: syscall.EIO}
	if _, err := p.Reopen(); !errors.Is(err, syscall.EIO) || inFile(PartialPath(path)) != "half" {
		t.Errorf("%v, %q", err, inFile(PartialPath(path)))
	}
}

func TestRemoveStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stale")
	r := testRun(t)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock(f); err != nil {
		t.Skip("no locks here: ", err)
	}
	if err := r.removeStale(anywhere{}, path); !errors.Is(err, errInUse) || !exists(path) {
		t.Errorf("locked: %v", err)
	}
	f.Close()
	if err := r.removeStale(anywhere{}, path); err != nil || exists(path) {
		t.Errorf("not locked: %v", err)
	}
	if err := r.removeStale(anywhere{}, path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("not there: %v", err)
	}
	for kind, make := range map[string]func() error{
		"a link":             func() error { return os.Symlink("elsewhere", path) },
		"an empty directory": func() error { return os.Mkdir(path, 0o700) },
		"a pipe":             func() error { return syscall.Mkfifo(path, 0o600) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if err := r.removeStale(anywhere{}, path); err != errOther {
			t.Errorf("%s: %v", kind, err)
		}
		if err := os.Remove(path); err != nil {
			t.Errorf("%s was removed: %v", kind, err)
		}
	}
}

// TestOverlap is about a run that is stopped between creating its output and
// locking it, while another, which takes that for something left behind, begins
// to write the same output.
func TestOverlap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	plan := func() *Pending {
		p, err := testRun(t).Plan(path, Options{Mode: 0o600})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first, second := plan(), plan()
	if err := first.make(); err != nil {
		t.Fatal(err)
	}
	if err := second.Begin(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(second, "half")
	if err := first.claim(); !errors.Is(err, InUse) {
		t.Errorf("the first run, which has lost its output: %v", err)
	}
	first.Abort()
	if got := inFile(PartialPath(path)); got != "half" || exists(path) {
		t.Fatalf("what the second run writes holds %q", got)
	}
	io.WriteString(second, " and half")
	if err := second.Commit(); err != nil || inFile(path) != "half and half" {
		t.Errorf("the second run: %v, %q", err, inFile(path))
	}
}

// TestTakenOver is about file systems without locks, where a run takes what
// another writes for something left behind.
func TestTakenOver(t *testing.T) {
	for _, there := range []bool{true, false} {
		p, path := newPending(t, Options{})
		os.Remove(p.Partial())
		if there {
			write(t, p.Partial(), "half")
		}
		if err := p.Commit(); !errors.Is(err, Lost) {
			t.Errorf("got %v", err)
		}
		if exists(path) || exists(p.Partial()) != there {
			t.Error("what another run writes was renamed, or removed")
		}
	}
}

// TestReadBackWaits reads back what cannot be synchronized, here a pipe: that is
// an error, whatever NoSync says.
func TestReadBackWaits(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, noSync := range []bool{false, true} {
		p := &Pending{file: w, opts: Options{NoSync: noSync}}
		if _, _, err := p.ReadBack(); err == nil {
			t.Errorf("without synchronization: %v: nothing was waited for", noSync)
		}
	}
}

// A symbolic link is written through, and stays.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	r := testRun(t)
	os.Mkdir(at("sub"), 0o700)
	write(t, at("sub/file"), "old")
	for name, to := range map[string]string{"link": "sub/file", "chain": "link", "dangling": "nothing", "dir": "sub"} {
		if err := os.Symlink(to, at(name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Plan(at("link"), Options{}); !errors.Is(err, Exists) {
		t.Errorf("a link: %v", err)
	}
	for _, name := range []string{"link", "chain"} {
		p, err := r.Create(at(name), Options{Force: true, Mode: 0o600})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(p, "through "+name)
		if err := p.Commit(); err != nil || inFile(at("sub/file")) != "through "+name {
			t.Errorf("%s: %v, %q", name, err, inFile(at("sub/file")))
		}
		if to, err := os.Readlink(at(name)); err != nil || to == "" {
			t.Errorf("%s is no link any more: %v", name, err)
		}
	}
	for name, want := range map[string]Kind{"dangling": Dangling, "dir": IsDirectory, "dir/": NoBase, "sub/": NoBase, "sub": IsDirectory} {
		if _, err := r.Plan(dir+"/"+name, Options{Force: true}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	p, err := r.Create(dir+"/sub/", Options{Base: "base", Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(); err != nil || !exists(at("sub/base")) || p.Name() != dir+"/sub/base" {
		t.Errorf("a directory: %v, %s", err, p.Name())
	}
}

// What is not a regular file when it is to be replaced stays, whatever it was when
// the output was planned.
func TestForceReplacesRegularFiles(t *testing.T) {
	for kind, make := range map[string]func(path string) error{
		"a link": func(path string) error { return os.Symlink("/etc/passwd", path) },
		"a pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		p, path := newPending(t, Options{Force: true})
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.Lstat(path)
		if err := p.Commit(); !errors.Is(err, NotRegular) {
			t.Errorf("%s: %v", kind, err)
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) || exists(p.Partial()) {
			t.Errorf("%s was replaced, or something was left: %v", kind, err)
		}
	}
}

// A pipe that is planned, and a link to somebody's file when it is opened.
func TestDirectIsWhatWasPlanned(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "out"), filepath.Join(dir, "victim")
	write(t, victim, "theirs")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := testRun(t).Plan(path, Options{Force: true})
	if err != nil || p.Whole() {
		t.Fatal(err)
	}
	os.Remove(path)
	if err := os.Symlink(victim, path); err != nil {
		t.Fatal(err)
	}
	if err := p.Begin(); !errors.Is(err, Swapped) || inFile(victim) != "theirs" {
		t.Errorf("%v, and the file holds %q", err, inFile(victim))
	}
}

// Devices are written to with AllowDevice alone; /dev/null, which keeps nothing,
// and terminals as they are.
func TestDevices(t *testing.T) {
	r := testRun(t)
	dir := t.TempDir()
	link := filepath.Join(dir, "disk")
	if err := os.Symlink("/dev/full", link); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"/dev/null": true, "/dev/full": false, "/dev/zero": false, link: false, "/dev/tty": true} {
		if !exists(name) {
			continue
		}
		if _, err := r.Plan(name, Options{Force: true}); (err == nil) != want || err != nil && !errors.Is(err, NotAllowed) {
			t.Errorf("%s: %v", name, err)
		}
		if p, err := r.Plan(name, Options{Device: true}); err != nil || p.Whole() {
			t.Errorf("%s, allowed: %v", name, err)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	block := filepath.Join(dir, "block")
	if err := syscall.Mknod(block, syscall.S_IFBLK|0o600, 0); err != nil {
		t.Skip(err)
	}
	if _, err := r.Plan(block, Options{Force: true}); !errors.Is(err, NotAllowed) {
		t.Errorf("a block device: %v", err)
	}
}

// A directory may be for writing and not for reading.
func TestUnreadableDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads every directory")
	}
	p, path := newPending(t, Options{})
	dir := filepath.Dir(path)
	if err := os.Chmod(dir, 0o300); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if err := p.Commit(); err != nil || inFile(path) != "new" {
		t.Errorf("%v, %q", err, inFile(path))
	}
}

// What the directory cannot be synchronized for is there, and said to be.
func TestUndurable(t *testing.T) {
	p, path := newPending(t, Options{})
	p.at = noDirs{}
	err := p.Commit()
	if !errors.Is(err, Undurable) || !errors.Is(err, syscall.EIO) || inFile(path) != "new" {
		t.Errorf("%v, %q", err, inFile(path))
	}
}

type noDirs struct{ anywhere }

func (noDirs) OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EIO}
}

func TestPartialPath(t *testing.T) {
	for _, base := range []string{"x", strings.Repeat("n", 246), strings.Repeat("n", 247), strings.Repeat("n", 255)} {
		got := PartialPath(filepath.Join("dir", base))
		dir, name := filepath.Split(got)
		if filepath.Clean(dir) != "dir" || len(name) > maxBaseName || !strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".partial") {
			t.Errorf("%d bytes: %s", len(base), got)
		}
		if len(base) < 200 && FinalPath(got) != filepath.Join("dir", base) {
			t.Errorf("%s is said to be of %s", got, FinalPath(got))
		}
	}
	if PartialPath(strings.Repeat("n", 250)+"a") == PartialPath(strings.Repeat("n", 250)+"b") {
		t.Error("two long names have the same unfinished output")
	}
}

// Names: only what is a URL is one.
func TestNames(t *testing.T) {
	r := testRun(t)
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"s3://bucket/key", "https://host/x"} {
		if _, err := r.Open(name); !errors.Is(err, NoScheme) {
			t.Errorf("reading %s: %v", name, err)
		}
		if _, err := r.Plan(name, Options{}); !errors.Is(err, NoScheme) {
			t.Errorf("writing %s: %v", name, err)
		}
		if _, err := r.Patch(name, PatchOptions{}); !errors.Is(err, NoScheme) {
			t.Errorf("patching %s: %v", name, err)
		}
	}
	os.MkdirAll("s3:", 0o700)
	for _, name := range []string{"./s3://x", "S3:x", "s3:x", "http:x", "./https:"} {
		p, err := r.Create(name, Options{Mode: 0o600})
		if err == nil {
			err = p.Commit()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.Open("/dev/fd/x"); !errors.Is(err, NoDescriptor) {
		t.Error(err)
	}
	for _, name := range []string{"-", "/dev/stdout", "/dev/fd/1"} {
		if p, err := r.Plan(name, Options{}); err != nil || !p.IsStandardOutput() {
			t.Errorf("%s is not standard output: %v", name, err)
		}
	}
}

// Standard output is not written over what is read.
func TestStandardOutputIsInput(t *testing.T) {
	r := testRun(t)
	in, err := r.Open(r.Out.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := r.Plan("-", Options{}); !errors.Is(err, IsInput) {
		t.Error(err)
	}
}
