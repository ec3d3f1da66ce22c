//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sealTree makes a container of that name in dir, with a tar of a directory in it.
func sealTree(t *testing.T, dir, name, tree string, args ...string) {
	t.Helper()
	sealFile(t, dir, name, func(w io.Writer) error {
		tar := exec.Command("tar", append(args, "-C", tree, "-c", ".")...)
		tar.Dir, tar.Stdout = dir, w
		return tar.Run()
	})
}

// diff runs bulla diff --json, and gives its lines, the last apart.
func diff(t *testing.T, code int, dir string, args ...string) (lines []differs, sum compared) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("bulla", append([]string{"diff", "--json"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
	cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("diff %q: exit code %d, not %d: %s", args, got, code, errs.String())
	}
	for line := range bytes.Lines(out.Bytes()) {
		if bytes.HasPrefix(line, []byte(`{"input"`)) {
			if err := json.Unmarshal(line, &sum); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var d differs
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, d)
	}
	return lines, sum
}

// said is what lines say, short.
func said(lines []differs) string {
	var all []string
	for _, d := range lines {
		text := string(d.Status) + " " + string(d.Path)
		for _, c := range d.Changes {
			what, _, _ := strings.Cut(string(c), " ")
			text += " " + what
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// manyFiles makes a tree of n files in directories of 30.
func manyFiles(t *testing.T, dir string, n int) {
	t.Helper()
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("d%02d/f%04d", i/30, i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, fmt.Sprint(i))
	}
}

// Of 1,170 files 216 are not in the archive, in whole directories and one by one.
func TestDiffDropped(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	manyFiles(t, filepath.Join(dir, "tree"), 1170)
	dropped := map[string]bool{}
	var args []string
	for i := range 1170 {
		if i >= 90 && i < 210 || i%10 == 3 && len(dropped) < 216 { // four whole directories, and others here and there
			path := fmt.Sprintf("d%02d/f%04d", i/30, i)
			dropped[path] = true
			args = append(args, "--exclude=./"+path)
		}
	}
	if len(dropped) != 216 {
		t.Fatalf("%d files dropped", len(dropped))
	}
	sealTree(t, dir, "x.bulla", "tree", args...)
	lines, sum := diff(t, exitDiffers, dir, "x.bulla", "tree")
	for _, d := range lines {
		if d.Status != "missing" || !dropped[string(d.Path)] {
			t.Errorf("%s", said([]differs{d}))
		}
		delete(dropped, string(d.Path))
	}
	if len(dropped) > 0 || sum.Missing != 216 || sum.Added+sum.Changed+sum.Unreadable > 0 {
		t.Errorf("not found: %v; %+v", dropped, sum)
	}
}

// Each kind of difference is found, and nothing else is said of it.
func TestDiffFinds(t *testing.T) {
	t.Parallel()
	when := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, c := range []struct {
		name   string
		change func(tree string) error
		args   []string
		want   string // without its args
		with   string // with them
	}{
		{"nothing", func(string) error { return nil }, []string{"--content"}, "", ""},
		{"one byte, same size and time", func(tree string) error {
			return rewrite(filepath.Join(tree, "a/file"), when, func(b []byte) { b[len(b)-1] ^= 1 })
		}, []string{"--content"}, "", "changed a/file content"},
		{"the same, before a hole", func(tree string) error {
			return rewrite(filepath.Join(tree, "holes"), when, func(b []byte) { b[1<<19] = 1 })
		}, []string{"--content"}, "", "changed holes content"},
		{"size", func(tree string) error {
			return rewriteAs(filepath.Join(tree, "a/file"), when, []byte("shorter"))
		}, []string{"--content"}, "changed a/file size", "changed a/file size"},
		{"mode", func(tree string) error { return os.Chmod(filepath.Join(tree, "a/file"), 0o604) }, []string{"--ignore=mode"}, "changed a/file mode", ""},
		{"a sticky directory", func(tree string) error { return os.Chmod(filepath.Join(tree, "a"), 0o755|os.ModeSticky) }, nil, "changed a mode", "changed a mode"},
		{"time", func(tree string) error { return os.Chtimes(filepath.Join(tree, "a/file"), when, when.Add(time.Second)) }, []string{"--ignore=time"}, "changed a/file time", ""},
		{"a link that leads elsewhere", func(tree string) error {
			return replace(filepath.Join(tree, "link"), func(p string) error { return os.Symlink("a/other", p) })
		}, nil, "changed link link", "changed link link"},
		{"a file that is a folder", func(tree string) error {
			return replace(filepath.Join(tree, "a/file"), func(p string) error { return os.MkdirAll(filepath.Join(p, "inner"), 0o755) })
		}, []string{"--ignore=time"}, "changed a time, changed a/file type, missing a/file/inner", "changed a/file type, missing a/file/inner"},
		{"a folder that is a file", func(tree string) error {
			return replace(filepath.Join(tree, "a/sub"), func(p string) error { return rewriteAs(p, when, nil) })
		}, []string{"--ignore=time"}, "changed a time, changed a/sub type, added a/sub/deep", "changed a/sub type, added a/sub/deep"},
		{"a folder that is a link to the like", func(tree string) error {
			os.Rename(filepath.Join(tree, "a/sub"), filepath.Join(tree, "moved"))
			return os.Symlink("../moved", filepath.Join(tree, "a/sub"))
		}, []string{"--ignore=time", "--ignore", "moved"}, "changed a time, changed a/sub type, added a/sub/deep, missing moved, missing moved/deep", "changed a/sub type, added a/sub/deep"},
		{"a file that is a pipe", func(tree string) error {
			return replace(filepath.Join(tree, "a/file"), func(p string) error { return syscall.Mkfifo(p, 0o640) })
		}, []string{"--content", "--ignore=time"}, "changed a time, changed a/file type", "changed a/file type"},
		{"a file that is gone", func(tree string) error { return os.Remove(filepath.Join(tree, "a/file")) }, []string{"--ignore=time"}, "changed a time, added a/file", "added a/file"},
		{"a file that is new", func(tree string) error { return os.WriteFile(filepath.Join(tree, "a/new\x1b\xff"), nil, 0o600) }, []string{"--ignore=time", "--ignore", "new*"},
			"changed a time, missing a/new\x1b\ufffd", ""},
		{"sockets", func(tree string) error {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err == nil {
				defer syscall.Close(fd)
				err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Join(tree, "s")})
			}
			return err
		}, nil, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := workDir(t)
			tree := filepath.Join(dir, "t")
			os.MkdirAll(filepath.Join(tree, "a/sub"), 0o755)
			write(t, filepath.Join(tree, "a/file"), strings.Repeat("what it holds", 30_000))
			write(t, filepath.Join(tree, "a/sub/deep"), "deep")
			write(t, filepath.Join(tree, "holes"), "start")
			os.Truncate(filepath.Join(tree, "holes"), 1<<20)
			os.Symlink("a/file", filepath.Join(tree, "link"))
			syscall.Mkfifo(filepath.Join(tree, "pipe"), 0o600)
			for _, p := range []string{"a/file", "a/sub/deep", "holes", "a/sub", "a", "."} {
				if err := os.Chtimes(filepath.Join(tree, p), when, when); err != nil {
					t.Fatal(err)
				}
			}
			sealTree(t, dir, "x.bulla", "t", "--sparse")
			if err := c.change(tree); err != nil {
				t.Fatal(err)
			}
			os.Chtimes(tree, when, when) // whether something is new in it
			for _, run := range []struct {
				args []string
				want string
			}{{nil, c.want}, {c.args, c.with}} {
				code := 0
				if run.want != "" {
					code = exitDiffers
				}
				if lines, _ := diff(t, code, dir, append(run.args, "x.bulla", "t")...); said(lines) != run.want {
					t.Errorf("%q says %q, not %q", run.args, said(lines), run.want)
				}
			}
		})
	}
}

func replace(path string, make func(string) error) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return make(path)
}

func rewrite(path string, when time.Time, change func([]byte)) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	change(b)
	return rewriteAs(path, when, b)
}

func rewriteAs(path string, when time.Time, b []byte) error {
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return err
	}
	return os.Chtimes(path, when, when)
}

// An empty archive holds nothing of a tree, and says so; its members are missing also
// where what is missing is damaged.
func TestDiffEmptyAndDamaged(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	manyFiles(t, filepath.Join(dir, "tree"), 40)
	sealFile(t, dir, "empty.bulla", tarWith())
	if lines, sum := diff(t, exitDiffers, dir, "empty.bulla", "tree"); len(lines) != 42 || sum.Compared != 0 || sum.Missing != 42 {
		t.Errorf("%+v", sum)
	}
	sealFile(t, dir, "nothing.bulla", func(io.Writer) error { return nil })
	diff(t, exitUnsupported, dir, "nothing.bulla", "tree")

	// A tar that breaks off, and a container with a chunk that is not authentic.
	write(t, filepath.Join(dir, "tree/large"), strings.Repeat("large", 100_000))
	sealTree(t, dir, "whole.bulla", "tree")
	plain := filepath.Join(dir, "plain.tar")
	if c := start(t, dir, nil, "decrypt", "-o", plain, "whole.bulla"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	b, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	sealFile(t, dir, "cut.bulla", func(w io.Writer) error { _, err := w.Write(b[:len(b)/2]); return err })
	diff(t, exitBad, dir, "cut.bulla", "tree")
	at := bytes.Index(b, bytes.Repeat([]byte("large"), 1000)) + 300_000
	sealed, err := os.ReadFile(filepath.Join(dir, "whole.bulla"))
	if err != nil {
		t.Fatal(err)
	}
	sealed[len(sealed)*at/len(b)] ^= 1
	write(t, filepath.Join(dir, "bad.bulla"), string(sealed))
	diff(t, exitBad, dir, "--content", "bad.bulla", "tree")
	if lines, _ := diff(t, 0, dir, "bad.bulla", "tree"); len(lines) > 0 {
		t.Errorf("without --content: %q", said(lines))
	}
}

// The tree of a running system comes and goes, and has what nobody can read: it is
// compared all the same.
func TestDiffRunningSystem(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	tree := filepath.Join(dir, "tree")
	manyFiles(t, tree, 600)
	sealTree(t, dir, "x.bulla", "tree")
	write(t, filepath.Join(tree, "new"), "") // a difference that does not go away
	stop := make(chan struct{})
	var all sync.WaitGroup
	for g := range 3 {
		all.Go(func() {
			for i := g; ; i += 7 {
				path := filepath.Join(tree, fmt.Sprintf("d%02d/f%04d", i%600/30, i%600))
				select {
				case <-stop:
					return
				default:
				}
				switch i % 6 {
				case 0:
					os.Remove(path)
				case 1:
					os.WriteFile(path, bytes.Repeat([]byte("grows"), i%5000), 0o600)
				case 2:
					os.Rename(path, path+".moved")
				case 3:
					os.RemoveAll(filepath.Dir(path))
				case 4:
					os.MkdirAll(filepath.Dir(path), 0o755)
					os.Symlink("/etc/passwd", path)
				case 5:
					os.MkdirAll(filepath.Dir(path), 0o755)
					syscall.Mkfifo(path, 0o600)
				}
			}
		})
	}
	for range 10 {
		if _, sum := diff(t, exitDiffers, dir, "--content", "x.bulla", "tree"); sum.Compared < 600 {
			t.Errorf("%+v", sum)
		}
	}
	close(stop)
	all.Wait()

	// What the system itself shows as files.
	if _, err := os.Stat("/proc/self/fd"); err == nil {
		if _, sum := diff(t, exitDiffers, dir, "--content", "--ignore", "task", "x.bulla", "/proc/self"); sum.Missing < 10 {
			t.Errorf("of /proc/self: %+v", sum)
		}
	}
}

// encrypt counts the members of a tar, and warns of what holds nothing.
func TestEncryptCounts(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	manyFiles(t, filepath.Join(dir, "tree"), 25)
	for _, c := range []struct {
		name, script, members, warning string
	}{
		{"a tar", "tar -C tree -c .", `"members":27,"member_bytes":40`, ""},
		{"an empty tar", "tar -c -T /dev/null", `"members":0,"member_bytes":0`, "is empty: a tar without members"},
		{"a tar that ends early", "tar -C tree -c . | head -c 7000", `"members":`, "is a tar that ends early, after "},
		{"nothing", "true", "", "had no data at all"},
		{"text", "echo text", "", ""},
	} {
		for _, z := range []string{"", "-z"} {
			cmd := exec.Command("sh", "-c", "("+c.script+") | bulla encrypt --json --force -o x.bulla "+z)
			var out, errs bytes.Buffer
			cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
			cmd.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
			if err := cmd.Run(); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if got := out.String(); !strings.Contains(got, c.members) || c.members == "" && strings.Contains(got, "members") {
				t.Errorf("%s%s: %s", c.name, z, got)
			}
			if got := errs.String(); !strings.Contains(got, c.warning) || c.warning == "" && got != "" {
				t.Errorf("%s%s: it says %q", c.name, z, got)
			}
		}
	}
	cmd := start(t, dir, nil, "encrypt", "-v", "--force", "-o", "x.bulla", "--from-command", "--", "tar", "-C", "tree", "-c", ".")
	if cmd.code() != 0 || !strings.Contains(cmd.errs.String(), "a tar of 27 members with 40 bytes of data") {
		t.Errorf("-v says %q", cmd.errs.String())
	}
}
