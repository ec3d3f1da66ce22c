package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bulla/internal/storage/s3/s3test"
)

// needFUSE skips a test where nothing can be mounted. Where tests run for everybody
// something must.
func needFUSE(t *testing.T) {
	t.Helper()
	_, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if missing(t, "fusermount3") || err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no FUSE here: %v", err)
		}
		t.Skip("no FUSE here")
	}
}

// mounted shows a file of dir at dir/m until the test ends, and waits until it does.
func mounted(t *testing.T, dir string, args ...string) *command {
	t.Helper()
	return mountedAt(t, dir, "m", args...)
}

func mountedAt(t *testing.T, dir, at string, args ...string) *command {
	t.Helper()
	m := filepath.Join(dir, at)
	if err := os.MkdirAll(m, 0o755); err != nil {
		t.Fatal(err)
	}
	c := start(t, dir, nil, append([]string{"mount"}, append(args, "--", at)...)...)
	t.Cleanup(func() { exec.Command("fusermount3", "-u", "-z", m).Run() })
	for range 12_000 { // two minutes
		if isMount(m) {
			return c
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.Process.Kill()
	c.Wait()
	t.Fatalf("nothing is shown: %s", c.errs.String())
	return nil
}

func isMount(dir string) bool {
	b, _ := os.ReadFile("/proc/self/mounts")
	return bytes.Contains(b, []byte(" "+dir+" fuse.bulla "))
}

// within fails the test if f takes so long that it can only hang.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Minute):
		t.Fatalf("%s: it hangs", what)
	}
}

// ends sends a signal, and checks that the run ends by it and leaves no mount.
func (c *command) ends(dir string, sig syscall.Signal) {
	c.t.Helper()
	c.Process.Signal(sig)
	within(c.t, fmt.Sprint(sig), func() {
		if code := c.code(); code != exitSignal+int(sig) || isMount(filepath.Join(dir, "m")) {
			c.t.Errorf("after %v: exit code %d, mounted: %v: %s", sig, code, isMount(filepath.Join(dir, "m")), c.errs.String())
		}
	})
}

// goTree is a real tree of 10,000 files.
func goTree(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// sameTree compares all that two trees have, and counts their files.
func sameTree(t *testing.T, got, want string) (files int) {
	t.Helper()
	err := filepath.WalkDir(want, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(want, path)
		st, err := os.Lstat(filepath.Join(got, rel))
		is, err2 := d.Info()
		if err != nil || err2 != nil || st.Mode() != is.Mode() || st.ModTime().Unix() != is.ModTime().Unix() {
			t.Errorf("%s: %v %v, %v %v", rel, st, err, is, err2)
			return nil
		}
		switch {
		case d.Type() == fs.ModeSymlink:
			a, _ := os.Readlink(path)
			if b, err := os.Readlink(filepath.Join(got, rel)); a != b || err != nil {
				t.Errorf("%s leads to %q, not %q", rel, b, a)
			}
		case d.Type().IsRegular():
			files++
			a, _ := os.ReadFile(path)
			if b, err := os.ReadFile(filepath.Join(got, rel)); !bytes.Equal(a, b) || err != nil {
				t.Errorf("%s: %d bytes, %v, not %d", rel, len(b), err, len(a))
			}
		case d.IsDir():
			a, _ := os.ReadDir(path)
			if b, err := os.ReadDir(filepath.Join(got, rel)); len(a) != len(b) || err != nil {
				t.Errorf("%s: %d names, not %d: %v", rel, len(b), len(a), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A real tree of 10,000 files is the same through the mount, file by file.
func TestMountTree(t *testing.T) {
	needFUSE(t)
	if testing.Short() {
		t.Skip("it reads 10,000 files")
	}
	t.Parallel()
	dir := workDir(t)
	tree := goTree(t)
	tarred := exec.Command("tar", "-C", tree, "--sort=name", "-cf", filepath.Join(dir, "go.tar"), ".")
	if out, err := tarred.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if c := start(t, dir, nil, "encrypt", "-q", "-z", "--level", "1", "go.tar"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	c := mounted(t, dir, "go.tar.bulla")
	if n := sameTree(t, filepath.Join(dir, "m"), tree); n < 10_000 {
		t.Errorf("only %d files", n)
	}
	c.ends(dir, syscall.SIGTERM)
}

// Four processes read at random, of the plaintext as one file.
func TestMountAtRandom(t *testing.T) {
	needFUSE(t)
	t.Parallel()
	dir := workDir(t)
	plain := make([]byte, 20<<20+123)
	rand.NewChaCha8([32]byte{1}).Read(plain)
	write(t, filepath.Join(dir, "plain"), string(plain))
	if c := start(t, dir, nil, "encrypt", "-q", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	c := mounted(t, dir, "plain.bulla")
	var all sync.WaitGroup
	for g := range uint64(4) {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(7, g))
			for range 40 {
				at, n := rng.IntN(len(plain)), rng.IntN([]int{10, 5000, 2 << 20}[rng.IntN(3)])
				cmp := exec.Command("cmp", "-i", strconv.Itoa(at), "-n", strconv.Itoa(n), "m/plain", "plain")
				cmp.Dir = dir
				if out, err := cmp.CombinedOutput(); err != nil {
					t.Errorf("%d bytes at %d: %v: %s", n, at, err, out)
				}
			}
		})
	}
	all.Wait()
	c.ends(dir, syscall.SIGINT)
	if strings.Contains(c.errs.String(), "DATA RACE") {
		t.Error(c.errs.String())
	}
}

// What is damaged cannot be read, is told once, and is all that cannot be read.
func TestMountDamage(t *testing.T) {
	needFUSE(t)
	t.Parallel()
	dir := workDir(t)
	large := strings.Repeat("large", 100_000)
	sealFile(t, dir, "x.bulla", tarOfFiles("a", "before", "large", large, "z/b", "after", "hard", large))
	b, err := os.ReadFile(filepath.Join(dir, "x.bulla"))
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/4] ^= 1
	write(t, filepath.Join(dir, "x.bulla"), string(b))
	c := mounted(t, dir, "x.bulla")
	for range 3 {
		got, err := os.ReadFile(filepath.Join(dir, "m/large"))
		if !errors.Is(err, syscall.EIO) || !strings.HasPrefix(large, string(got)) {
			t.Errorf("damaged: %d bytes, %v", len(got), err)
		}
	}
	for name, want := range map[string]string{"a": "before", "z/b": "after", "hard": large} {
		if got, err := os.ReadFile(filepath.Join(dir, "m", name)); string(got) != want || err != nil {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	f, err := os.Open(filepath.Join(dir, "m/large"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	last := make([]byte, 5000)
	if _, err := f.ReadAt(last, int64(len(large)-len(last))); err != nil || string(last) != large[len(large)-len(last):] {
		t.Errorf("the end of what is damaged before: %v", err)
	}
	for what, err := range map[string]error{
		"write":  os.WriteFile(filepath.Join(dir, "m/a"), nil, 0o600),
		"create": os.WriteFile(filepath.Join(dir, "m/new"), nil, 0o600),
		"remove": os.Remove(filepath.Join(dir, "m/a")),
		"chmod":  os.Chmod(filepath.Join(dir, "m/a"), 0o777),
	} {
		if err == nil {
			t.Errorf("%s is possible", what)
		}
	}
	// A file that is open keeps nobody from unmounting.
	c.ends(dir, syscall.SIGTERM)
	if n := strings.Count(c.errs.String(), "bulla: warning: large: "); n != 1 {
		t.Errorf("it was told %d times: %s", n, c.errs.String())
	}
}

// A directory with a name like an option is unmounted as any other, also while it is in use.
func TestMountDash(t *testing.T) {
	needFUSE(t)
	t.Parallel()
	dir := workDir(t)
	sealFile(t, dir, "x.bulla", tarOfFiles("a", "content"))
	c := mountedAt(t, dir, "-x", "x.bulla")
	f, err := os.Open(filepath.Join(dir, "-x/a"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c.Process.Signal(syscall.SIGTERM)
	within(t, "SIGTERM", func() {
		if code := c.code(); code != exitSignal+int(syscall.SIGTERM) || isMount(filepath.Join(dir, "-x")) {
			t.Errorf("exit code %d: %s", code, c.errs.String())
		}
	})
}

// tarOfFiles makes a tar of files: a name and what it holds, in turn.
func tarOfFiles(all ...string) func(io.Writer) error {
	return func(dst io.Writer) error {
		w := tar.NewWriter(dst)
		for i := 0; i < len(all); i += 2 {
			if err := w.WriteHeader(&tar.Header{Name: all[i], Mode: 0o644, Size: int64(len(all[i+1]))}); err != nil {
				return err
			}
			io.WriteString(w, all[i+1])
		}
		return w.Close()
	}
}

// A zip's members are compressed, and yet read at any place, by several at once; names
// that no program could open are left out.
func TestMountZip(t *testing.T) {
	needFUSE(t)
	t.Parallel()
	dir := workDir(t)
	var text bytes.Buffer
	for i := range 400_000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	sealFile(t, dir, "x.bulla", func(dst io.Writer) error {
		w := zip.NewWriter(dst)
		for _, name := range []string{"dir/deflated", strings.Repeat("n", 300), "nul\x00"} {
			f, err := w.Create(name)
			if err != nil {
				return err
			}
			f.Write(text.Bytes())
		}
		return w.Close()
	})
	c := mounted(t, dir, "x.bulla")
	if got := names(t, filepath.Join(dir, "m")); got != "dir" {
		t.Errorf("it shows %q", got)
	}
	var all sync.WaitGroup
	for g := range uint64(3) {
		all.Go(func() {
			f, err := os.Open(filepath.Join(dir, "m/dir/deflated"))
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			rng := rand.New(rand.NewPCG(8, g))
			for range 20 {
				got := make([]byte, rng.IntN(300_000))
				at := rng.IntN(text.Len())
				n, err := f.ReadAt(got, int64(at))
				if want := text.Bytes()[at:min(text.Len(), at+len(got))]; !bytes.Equal(got[:n], want) || n < len(got) && err != io.EOF {
					t.Errorf("%d bytes at %d: %d, %v", len(got), at, n, err)
				}
			}
		})
	}
	all.Wait()
	c.ends(dir, syscall.SIGHUP)
}

// A mount asks nothing of itself: killed while it waits for its own answer, it would stay for ever, and
// so would whoever waits for it.
func TestMountAsksNothingOfItself(t *testing.T) {
	needFUSE(t)
	if missing(t, "strace") || exec.Command("strace", "-o", os.DevNull, "true").Run() != nil {
		t.Skip("no strace, or it does not work here")
	}
	dir := workDir(t)
	sealFile(t, dir, "x.bulla", tarOfFiles("a", "content"))
	m := filepath.Join(dir, "m")
	if err := os.Mkdir(m, 0o755); err != nil {
		t.Fatal(err)
	}
	c := &command{Cmd: exec.Command("strace", "-f", "-qq", "-o", "trace", "-e", "signal=none", "-e", "trace=%file,mount", "bulla", "mount", "x.bulla", "m"), t: t}
	c.Dir, c.Stderr, c.Env = dir, &c.errs, append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it is mounted", func() bool { return isMount(m) })
	if b, err := os.ReadFile(filepath.Join(m, "a")); string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
	if out, err := exec.Command("fusermount3", "-u", m).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if code := c.code(); code != 0 {
		t.Errorf("exit code %d: %s", code, c.errs.String())
	}
	trace, err := os.ReadFile(filepath.Join(dir, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(trace), " mount(")
	if !ok {
		t.Fatalf("nothing is mounted: %s", trace)
	}
	for call := range strings.Lines(after) {
		inside := strings.Contains(call, "\"m\"") || strings.Contains(call, "\"m/") || strings.Contains(call, m+"/") || strings.Contains(call, m+"\"")
		if inside && !strings.HasPrefix(call, "\"bulla:") && !strings.Contains(call, "AT_STATX_DONT_SYNC") && !strings.Contains(call, "fusermount") {
			t.Errorf("it asks itself: %s", call)
		}
	}
}

// After kill -9 nothing hangs, and the next run says what to do.
func TestMountKilled(t *testing.T) {
	needFUSE(t)
	t.Parallel()
	dir := workDir(t)
	sealFile(t, dir, "x.bulla", tarOfFiles("a", strings.Repeat("a", 5<<20)))
	c := mounted(t, dir, "x.bulla")
	m := filepath.Join(dir, "m")
	reading := exec.Command("sh", "-c", "while cat m/a >/dev/null; do :; done")
	reading.Dir = dir
	if err := reading.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	c.Process.Kill()
	c.Wait()
	within(t, "reading", func() { reading.Wait() })
	within(t, "listing", func() {
		if _, err := os.ReadDir(m); !errors.Is(err, syscall.ENOTCONN) {
			t.Errorf("listing: %v", err)
		}
	})
	again := start(t, dir, nil, "mount", "x.bulla", "m")
	within(t, "mounting again", func() {
		if code := again.code(); code != exitRefused || !strings.Contains(again.errs.String(), "hint: fusermount3 -u m takes it away") {
			t.Errorf("again: %d, %s", code, again.errs.String())
		}
	})
	if out, err := exec.Command("fusermount3", "-u", m).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mounted(t, dir, "x.bulla").ends(dir, syscall.SIGTERM)
}

// A container that changes, shrinks or vanishes underneath gives what it held, or an
// error, and nothing else.
func TestMountChanges(t *testing.T) {
	needFUSE(t)
	t.Parallel()
	for what, change := range map[string]func(path string) error{
		"changed":  func(path string) error { return os.WriteFile(path, make([]byte, 6<<20), 0o600) },
		"cut":      func(path string) error { return os.Truncate(path, 1<<20) },
		"emptied":  func(path string) error { return os.Truncate(path, 0) },
		"vanished": os.Remove,
		"replaced": func(path string) error {
			os.Remove(path)
			return os.WriteFile(path, []byte("another"), 0o600)
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := workDir(t)
			plain := strings.Repeat("0123456789abcdef", 5<<16)
			sealFile(t, dir, "x.bulla", tarOfFiles("a", plain, "b", plain))
			c := mounted(t, dir, "x.bulla")
			if _, err := os.Stat(filepath.Join(dir, "m/a")); err != nil {
				t.Fatal(err)
			}
			if err := change(filepath.Join(dir, "x.bulla")); err != nil {
				t.Fatal(err)
			}
			within(t, what, func() {
				for _, name := range []string{"m/a", "m/b", "m/none", "m"} {
					got, err := os.ReadFile(filepath.Join(dir, name))
					if !strings.HasPrefix(plain, string(got)) || err == nil && len(got) < len(plain) {
						t.Errorf("%s: %d bytes, %v", name, len(got), err)
					}
					if whole := what == "vanished" || what == "replaced"; name < "m/c" && name > "m" && (err == nil) != whole {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
			c.ends(dir, syscall.SIGTERM)
		})
	}
}

// In the background it returns when the directory is there, and prints its number.
func TestMountBackground(t *testing.T) {
	needFUSE(t)
	t.Parallel()
	dir := workDir(t)
	m := filepath.Join(dir, "m")
	if err := os.Mkdir(m, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "pass"), "correct horse")
	t.Cleanup(func() { exec.Command("fusermount3", "-u", "-z", m).Run() })
	run := func(line string) (string, int) {
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
		defer stop()
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
		out, _ := cmd.CombinedOutput() // which waits until nobody has its output
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := run("printf text | bulla encrypt --passphrase-file pass -o x.bulla"); code != 0 {
		t.Fatal(out)
	}
	for _, line := range []string{
		"bulla mount --background --json --passphrase-fd 3 x.bulla m 3<pass",
		"BULLA_PASSPHRASE='correct horse' bulla mount --background --json x.bulla m",
	} {
		out, code := run(line)
		var said shown
		if err := json.Unmarshal([]byte(out), &said); err != nil || code != 0 || said.Directory != "m" || said.PID == 0 {
			t.Fatalf("%s: %d, %s", line, code, out)
		}
		if b, err := os.ReadFile(filepath.Join(m, "x")); string(b) != "text" || err != nil {
			t.Errorf("it shows %q, %v", b, err)
		}
		if out, code := run(fmt.Sprintf("kill %d; while kill -0 %[1]d 2>/dev/null; do sleep 0.1; done", said.PID)); code != 0 || isMount(m) {
			t.Errorf("after kill: %d, %s", code, out)
		}
	}
	if out, code := run("bulla mount --background --passphrase-fd 3 x.bulla m 3</dev/null"); code != exitNoKey || !strings.Contains(out, "bulla: error: ") || strings.Count(out, "error") != 1 {
		t.Errorf("without a key: %d, %s", code, out)
	}
	if out, code := run("bulla mount --passphrase-fd 3 x.bulla none 3<pass"); code != exitIO || !strings.Contains(out, "hint: name an empty directory") {
		t.Errorf("without a directory: %d, %s", code, out)
	}
	if out, code := run("PATH=$(dirname $(command -v bulla)) bulla mount --background --passphrase-fd 3 x.bulla m 3<pass"); os.Geteuid() == 0 && code != 0 {
		t.Errorf("without fusermount3: %d, %s", code, out)
	}
}

// Sets and objects in a store are looked into as any file is.
func TestLookElsewhere(t *testing.T) {
	needFUSE(t)
	for _, v := range s3test.Env(s3test.Start(t).URL) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	dir := workDir(t)
	tree := filepath.Join(dir, "tree")
	manyFiles(t, tree, 100)
	large := make([]byte, 7<<20)
	rand.NewChaCha8([32]byte{3}).Read(large)
	write(t, filepath.Join(tree, "large"), string(large))
	for name, args := range map[string][]string{"set.bulla": {"--volume-size", "3M"}, "s3://bucket/object.bulla": nil, "s3://bucket/set.bulla": {"--volume-size", "3M"}} {
		c := exec.Command("sh", "-c", `tar -C tree -c . | bulla encrypt -q -o "$@"`, "sh", name)
		c.Args = append(c.Args, args...)
		c.Dir, c.Env = dir, append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
			continue
		}
		if lines, sum := diff(t, 0, dir, "--content", name, "tree"); sum.Compared != 106 {
			t.Errorf("%s: %s, %+v", name, said(lines), sum)
		}
		m := mounted(t, dir, name)
		if n := sameTree(t, filepath.Join(dir, "m"), tree); n != 101 {
			t.Errorf("%s: %d files", name, n)
		}
		m.ends(dir, syscall.SIGTERM)
		address, _ := serving(t, dir, name)
		if _, got := get(t, address+"data/large"); got != string(large) {
			t.Errorf("%s: the page gives %d bytes", name, len(got))
		}
		if _, got := get(t, address+"about"); !strings.Contains(got, "Who may open it") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
