package main

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// faultyCalls are the system calls by which a file is written, named, changed or
// removed.
var faultyCalls = []string{"openat", "newfstatat", "fstat", "flock", "fcntl", "lseek", "write", "pwrite64", "ftruncate", "fsync",
	"syncfs", "mkdirat", "renameat2", "renameat", "linkat", "unlinkat", "utimensat", "close"}

// A faultyVerb is a verb that writes out.
type faultyVerb struct {
	args  []string
	check []string // a run that finds out sound; nil if it has to be the plaintext
}

// TestEveryCallFails makes every system call that has to do with an output fail,
// one a run, for each verb that writes one. A run that ends with 0 has written
// it whole; any other leaves nothing under its name, or says that what is there is
// complete; nothing is left under the unfinished name; and no message takes a
// failing call for something else.
func TestEveryCallFails(t *testing.T) {
	if missing(t, "strace") {
		t.Skip("no strace")
	}
	if err := exec.Command("strace", "-o", os.DevNull, "true").Run(); err != nil {
		t.Skip("strace does not work here: ", err)
	}
	dir := workDir(t)
	plain := strings.Repeat("plaintext.", 20_000)
	write(t, filepath.Join(dir, "plain"), plain)
	write(t, filepath.Join(dir, "kek"), strings.Repeat("\x80", 32))
	sealFile(t, dir, "t.bulla", func(dst io.Writer) error {
		w := tar.NewWriter(dst)
		if err := w.WriteHeader(&tar.Header{Name: "out", Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(plain))}); err != nil {
			return err
		}
		io.WriteString(w, plain)
		return w.Close()
	})
	prepare := func(args ...string) {
		t.Helper()
		if c := start(t, dir, nil, args...); c.code() != 0 {
			t.Fatal(c.errs.String())
		}
	}
	prepare("encrypt", "-q", "-o", "c.bulla", "plain")
	verify := []string{"verify", "-q", "out"}
	verbs := []faultyVerb{
		{[]string{"encrypt", "-o", "out", "plain"}, verify},
		{[]string{"encrypt", "--force", "--verify", "-o", "out", "plain"}, verify},
		{[]string{"decrypt", "-o", "out", "c.bulla"}, nil},
		{[]string{"decrypt", "--resume", "-o", "out", "c.bulla"}, nil},
		{[]string{"cat", "-o", "out", "c.bulla"}, nil},
		{[]string{"salvage", "-o", "out", "c.bulla"}, nil},
		{[]string{"extract", "t.bulla", "out"}, nil},
		{[]string{"extract", "--force", "t.bulla", "out"}, nil},
		{[]string{"head", "export", "-o", "out", "c.bulla"}, []string{"inspect", "-q", "out"}},
		{[]string{"recipients", "add", "--kek", "kek", "-o", "out", "c.bulla"}, []string{"inspect", "-q", "out"}},
		{[]string{"keygen", "-o", "out"}, []string{"keygen", "-y", "out"}},
	}
	if testing.Short() {
		verbs = verbs[:1]
	}
	for _, v := range verbs {
		for _, call := range faultyCalls {
			for n := 1; failCall(t, dir, v, plain, call, n); n++ {
			}
		}
	}
}

// failCall runs a verb with the nth call of its kind failing that has to do with
// the output, and reports whether there was one.
func failCall(t *testing.T, dir string, v faultyVerb, plain, call string, n int) bool {
	t.Helper()
	out := filepath.Join(dir, "out")
	partials := []string{filepath.Join(dir, ".out.partial"), filepath.Join(dir, ".bulla-out.partial")}
	fresh := func() {
		for _, path := range append(partials, out) {
			os.Remove(path)
		}
	}
	code, said, failed := runFaultyNth(t, fresh, dir, "out", v.args, call, n)
	if !failed {
		if code != 0 {
			t.Errorf("%v: exit code %d without a failing call: %s", v.args, code, said)
		}
		return false
	}
	about := fmt.Sprintf("%s, %s number %d: exit code %d: %s", strings.Join(v.args, " "), call, n, code, said)
	there, left := exists(out), slices.ContainsFunc(partials, exists)
	switch {
	case code == 0 && !there:
		t.Errorf("nothing was written: %s", about)
	case code != 0 && there && !strings.Contains(said, "out is complete") && !strings.Contains(said, "error: the files were written, but may not be safe"):
		t.Errorf("it has its name: %s", about)
	case left && !strings.Contains(said, "out.partial"):
		t.Errorf("something is left: %s", about)
	case strings.Contains(said, "another run"), strings.Contains(said, "goroutine"), strings.Contains(said, "report it"):
		t.Errorf("that is not what happened: %s", about)
	}
	if there && v.check == nil {
		if b, err := os.ReadFile(out); err != nil || string(b) != plain {
			t.Errorf("it is not whole: %s: %d bytes, %v", about, len(b), err)
		}
	} else if there {
		if c := start(t, dir, nil, v.check...); c.code() != 0 {
			t.Errorf("it is not whole: %s: %s", about, c.errs.String())
		}
	}
	return true
}

// runFaulty runs the program in dir with calls failing that have to do with the
// file of that name, its unfinished name or its directory, and reports how many
// did.
func runFaulty(t *testing.T, dir, name string, args []string, inject ...string) (code int, said string, failed int) {
	t.Helper()
	bulla, err := exec.LookPath("bulla")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	line := []string{"-f", "-qq", "-o", log}
	for _, path := range []string{name, "." + name + ".partial", filepath.Join(dir, name), filepath.Join(dir, "."+name+".partial"), ".bulla-" + name + ".partial", filepath.Join(dir, ".bulla-"+name+".partial"), dir} {
		line = append(line, "-P", path)
	}
	for _, i := range inject {
		line = append(line, "-e", "inject="+i)
	}
	line = append(append(line, bulla), args...)
	c := &command{Cmd: exec.Command("strace", line...), t: t}
	c.Dir, c.Stderr = dir, &c.errs
	c.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	code = c.code()
	trace, _ := os.ReadFile(log)
	return code, c.errs.String(), strings.Count(string(trace), "(INJECTED)")
}

// runFaultyNth is runFaulty with the nth of some calls failing, each time after
// fresh. Strace counts the calls of every thread by itself, and the runtime may
// move on to another thread between two of them: that none failed, or more than one
// did, is believed only after some tries.
func runFaultyNth(t *testing.T, fresh func(), dir, name string, args []string, call string, n int) (code int, said string, failed bool) {
	t.Helper()
	for tries, none := 0, 0; tries < 10 && none < 5; tries++ {
		fresh()
		var times int
		code, said, times = runFaulty(t, dir, name, args, fmt.Sprintf("%s:error=EIO:when=%d", call, n))
		if failed = times > 0; times == 1 || !failed && code != 0 {
			break
		}
		if !failed {
			none++
		}
	}
	return code, said, failed
}

// TestFailsTwice is about what cannot be undone either.
func TestFailsTwice(t *testing.T) {
	if missing(t, "strace") {
		t.Skip("no strace")
	}
	dir := workDir(t)
	if err := os.WriteFile(filepath.Join(dir, "plain"), make([]byte, 200_000), 0o600); err != nil {
		t.Fatal(err)
	}
	// A disk that fails, and does not remove what was written either.
	code, said, failed := runFaulty(t, dir, "out", []string{"encrypt", "-o", "out", "plain"}, "fsync:error=EIO", "unlinkat:error=EIO")
	if failed == 0 {
		t.Skip("strace does not work here")
	}
	if code != exitIO || !strings.Contains(said, "could not be removed: .out.partial") || names(t, dir) != ".out.partial plain" {
		t.Errorf("exit code %d: %s", code, said)
	}
	// The next run removes it.
	if c := start(t, dir, nil, "encrypt", "-o", "out", "plain"); c.code() != 0 || names(t, dir) != "out plain" {
		t.Error(c.errs.String())
	}
	// A file system without RENAME_NOREPLACE, on which the unfinished name cannot be
	// removed after the output has been linked to its own.
	os.Remove(filepath.Join(dir, "out"))
	code, said, _ = runFaulty(t, dir, "out", []string{"encrypt", "-o", "out", "plain"}, "renameat2:error=EINVAL", "unlinkat:error=EIO")
	if code != exitIO || !strings.Contains(said, "error: out is complete, but .out.partial could not be removed: input/output error") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if c := start(t, dir, nil, "verify", "-q", "out"); c.code() != 0 {
		t.Error(c.errs.String())
	}
	os.Remove(filepath.Join(dir, ".out.partial"))
	// After --resume: what is complete is not said to be kept for the next run.
	if c := start(t, dir, nil, "encrypt", "-q", "-o", "c.bulla", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	said, err := injected(t, dir, dir, "fsync", "decrypt", "--resume", "-i", filepath.Join(".config", identityFile), "-o", "back", "c.bulla")
	if err == nil || !strings.Contains(said, "error: back is complete, but a power failure now may lose it") || strings.Contains(said, "goes on") {
		t.Errorf("%v: %s", err, said)
	}
}

// TestEveryPatchCallFails makes every call fail by which the head of a file is
// changed: the file opens with its old recipients, or its new ones.
func TestEveryPatchCallFails(t *testing.T) {
	if missing(t, "strace") {
		t.Skip("no strace")
	}
	p := newPatient(t, 2, 100)
	run := func(args ...string) {
		t.Helper()
		if c := start(t, p.dir, nil, args...); c.code() != 0 {
			t.Fatal(c.errs.String())
		}
	}
	before := p.bytes()
	run("recipients", "add", "--open-kek", "kek0", "--kek", "kek1", "-o", "newer", "f")
	run("recipients", "add", "--open-kek", "kek0", "--kek", "kek1", "f")
	both := p.bytes()
	torn := slices.Clone(before)
	clear(torn[len(torn)-10:])

	calls := []string{"openat", "fstat", "flock", "lseek", "pread64", "pwrite64", "fsync", "close"}
	verbs := []struct {
		file   []byte
		args   []string
		opens  string // what it opens with when it was changed
		copies int    // that are written
	}{
		{before, []string{"recipients", "add", "--open-kek", "kek0", "--kek", "kek1", "f"}, "kek1", 2},
		{both, []string{"recipients", "remove", "--open-kek", "kek0", "--kek", "kek1", "f"}, "kek0", 2},
		{torn, []string{"recipients", "repair", "--kek", "kek0", "f"}, "kek0", 1},
		{before, []string{"head", "restore", "--kek", "kek0", "--head", "newer", "f"}, "kek1", 2},
	}
	if testing.Short() {
		calls, verbs = []string{"pwrite64", "fsync"}, verbs[:1]
	}
	for _, v := range verbs {
		for _, call := range calls {
			for n := 1; ; n++ {
				fresh := func() {
					if err := os.WriteFile(p.path, v.file, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				code, said, failed := runFaultyNth(t, fresh, p.dir, "f", v.args, call, n)
				written := n <= v.copies && (call == "pwrite64" || call == "fsync")
				for tries := 0; written && !failed && tries < 10; tries++ { // there is such a call
					code, said, failed = runFaultyNth(t, fresh, p.dir, "f", v.args, call, n)
				}
				about := fmt.Sprintf("%s, %s number %d: exit code %d: %s", strings.Join(v.args[:2], " "), call, n, code, said)
				if !failed {
					if written || code != 0 {
						t.Errorf("without a failing call: %s", about)
					}
					break
				}
				if code == 0 {
					if c := start(t, p.dir, nil, "verify", "-q", "--kek", v.opens, "f"); c.code() != 0 {
						t.Errorf("it ended with 0: %s: %s", about, c.errs.String())
					}
				}
				if c := start(t, p.dir, nil, "cat", "-o", "-", "--kek", "kek0", "f"); c.code() != 0 {
					t.Errorf("it does not open: %s: %s", about, c.errs.String())
				}
				if strings.Contains(said, "another run") || strings.Contains(said, "report it") {
					t.Errorf("that is not what happened: %s", about)
				}
			}
		}
	}
}

// injected runs bulla in dir, where all calls of a kind on the file or folder at fail.
func injected(t *testing.T, dir, at, call string, args ...string) (string, error) {
	t.Helper()
	if missing(t, "strace") {
		t.Skip("no strace")
	}
	if err := exec.Command("strace", "-o", os.DevNull, "true").Run(); err != nil {
		t.Skip("strace does not work here: ", err)
	}
	cmd := exec.Command("strace", append([]string{"-f", "-qq", "-o", os.DevNull, "-P", at, "-e", "inject=" + call + ":error=EIO", "bulla"}, args...)...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// TestParityOfUndurable has the folder not reach the disk: the container is there all the same,
// and so is its parity file.
func TestParityOfUndurable(t *testing.T) {
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), strings.Repeat("plaintext.", 20_000))
	write(t, filepath.Join(dir, "kek"), strings.Repeat("\x80", 32))
	said, err := injected(t, dir, dir, "fsync", "encrypt", "-q", "--kek", "kek", "--parity", "20%", "-o", "out", "plain")
	if err == nil || !strings.Contains(said, "out is complete") {
		t.Fatalf("%v: %s", err, said)
	}
	if c := start(t, dir, nil, "scrub", "-q", "out"); c.code() != 0 {
		t.Error(c.errs.String())
	}
}

// A keeper that is there and may not be durable has no calendar yet, and what makes it is said.
func TestUndurableKeeper(t *testing.T) {
	dir := workDir(t)
	said, err := injected(t, dir, dir, "fsync", "epoch", "create", "9999", "--every", "quarter", "-o", "k")
	if err == nil || !strings.Contains(said, "k is complete") || !strings.Contains(said, "bulla epoch extend k 9999 makes the calendar") {
		t.Fatalf("%v: %s", err, said)
	}
	if c := start(t, dir, nil, "epoch", "extend", "k", "9999"); c.code() != 0 || names(t, dir) != "k k.calendar" {
		t.Errorf("%s: %s", names(t, dir), c.errs.String())
	}
}

// A container that is given to what makes its parity file, too, is a file and a pipe to package
// stream all the same: it goes to the disk early, as its parity file does, and the pipe is widened.
func TestParityIsFile(t *testing.T) {
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), strings.Repeat("plaintext.", 7_000_000))
	write(t, filepath.Join(dir, "kek"), strings.Repeat("\x80", 32))
	traced := func(call, line string) string {
		t.Helper()
		if missing(t, "strace") || exec.Command("strace", "-o", os.DevNull, "true").Run() != nil {
			t.Skip("no strace, or it does not work here")
		}
		cmd := exec.Command("sh", "-c", "strace -f -qq -o trace -e signal=none -e trace="+call+" bulla "+line)
		cmd.Dir = dir
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		trace, err := os.ReadFile(filepath.Join(dir, "trace"))
		if err != nil {
			t.Fatal(err)
		}
		return string(trace)
	}
	if calls := traced("sync_file_range", "encrypt -q --kek kek --parity 5 -o out plain"); strings.Count(calls, "SYNC_FILE_RANGE_WRITE") != 3 {
		t.Errorf("70 MB, and its parity file: %s", calls)
	}
	if calls := traced("fcntl", "encrypt -q --kek kek --parity 5 --parity-file p -o - plain | cat >/dev/null"); !strings.Contains(calls, "F_SETPIPE_SZ, 1048576") {
		t.Errorf("the pipe is not widened: %s", calls)
	}
}

// jobToFinish is a folder with a job j, of which the only part is done, and that makes out.
func jobToFinish(t *testing.T) string {
	t.Helper()
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), strings.Repeat("plaintext.", 20_000))
	write(t, filepath.Join(dir, "kek"), strings.Repeat("\x80", 32))
	for _, args := range []string{"encrypt -q --kek kek -o c plain", "job decrypt -q --kek kek --into j -o out c", "job run -q j --part 0"} {
		if c := start(t, dir, nil, strings.Fields(args)...); c.code() != 0 {
			t.Fatal(c.errs.String())
		}
	}
	return dir
}

// What a job made has its name also if the folder does not reach the disk, and that is said.
func TestUndurableJob(t *testing.T) {
	dir := jobToFinish(t)
	said, err := injected(t, dir, dir, "fsync", "job", "finish", "-q", "j")
	if err == nil || !strings.Contains(said, "out is complete") {
		t.Fatalf("%v: %s", err, said)
	}
	if c := start(t, dir, nil, "job", "finish", "-q", "j"); c.code() != 0 {
		t.Error(c.errs.String())
	}
}

// A job whose plan is there and may not be durable can be done: its key is kept.
func TestUndurablePlan(t *testing.T) {
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), strings.Repeat("plaintext.", 20_000))
	write(t, filepath.Join(dir, "kek"), strings.Repeat("\x80", 32))
	if err := os.Mkdir(filepath.Join(dir, "j"), 0o700); err != nil {
		t.Fatal(err)
	}
	said, err := injected(t, dir, filepath.Join(dir, "j"), "fsync", "job", "encrypt", "-q", "--kek", "kek", "--volume-size", "3M", "-o", "s", "--into", "j", "plain")
	if err == nil || !strings.Contains(said, "plan.json is complete") {
		t.Fatalf("%v: %s", err, said)
	}
	for _, args := range []string{"job run -q j --part 0", "job finish -q j", "verify -q --kek kek s"} {
		if c := start(t, dir, nil, strings.Fields(args)...); c.code() != 0 {
			t.Error(c.errs.String())
		}
	}
}

// A job whose output is there and that cannot be swept says so, and is swept by the next run.
func TestUnendedJob(t *testing.T) {
	dir := jobToFinish(t)
	left := filepath.Join(dir, "j", ".finished.X.held") // which cannot be swept
	if err := os.MkdirAll(filepath.Join(left, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := start(t, dir, nil, "job", "finish", "-q", "j")
	if code := c.code(); code != exitIO || !strings.Contains(c.errs.String(), "out is complete, but the job in j could not be ended: cannot remove") {
		t.Errorf("exit code %d: %s", code, c.errs.String())
	}
	os.Remove(filepath.Join(left, "full"))
	c = start(t, dir, nil, "job", "finish", "-q", "j")
	if code := c.code(); code != exitRefused || !strings.Contains(c.errs.String(), "finished already") || exists(left) {
		t.Errorf("exit code %d, it is left: %v: %s", code, exists(left), c.errs.String())
	}
}
