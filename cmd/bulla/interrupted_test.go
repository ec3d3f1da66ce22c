//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bulla/internal/storage"
)

// A command is a run of the program in a process of its own, in a directory of
// its own, with a key in the default place.
type command struct {
	*exec.Cmd
	t    *testing.T
	errs bytes.Buffer
}

func start(t *testing.T, dir string, stdin io.Reader, args ...string) *command {
	t.Helper()
	c := &command{Cmd: exec.Command("bulla", args...), t: t}
	c.Dir = dir
	c.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
	c.Stdin = stdin
	c.Stderr = &c.errs
	// What is interrupted by a signal is ours, not the whole group of the tests.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	return c
}

// code waits for the end and returns the exit code as a shell would say it.
func (c *command) code() int {
	c.t.Helper()
	defer time.AfterFunc(5*time.Minute, func() {
		c.t.Errorf("%v does not end", c.Args)
		c.Process.Kill()
	}).Stop()
	err := c.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	if ws := c.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return exitSignal + int(ws.Signal())
	}
	return c.ProcessState.ExitCode()
}

// workDir makes a directory with a key in it, and returns it.
func workDir(t *testing.T) string {
	dir := t.TempDir()
	if c := start(t, dir, nil, "keygen", "--default", "-q"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	return dir
}

// names lists what a directory holds beside the keys.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		if e.Name() != ".config" {
			found = append(found, e.Name())
		}
	}
	return strings.Join(found, " ")
}

// waitFor waits until ok.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 12_000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain until %s", what)
}

// feed returns the reading end of a pipe that has some data in it and does not
// end before the test does.
func feed(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	go w.Write(make([]byte, 3<<20)) // fails when the reader has gone, which is all right
	return r
}

// begun waits until a run has begun to write an output.
func begun(t *testing.T, path string) {
	t.Helper()
	waitFor(t, path+" is begun", func() bool {
		st, err := os.Stat(storage.PartialPath(path))
		return err == nil && st.Size() > 0
	})
}

func TestSignalLeavesNothing(t *testing.T) {
	dir := workDir(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		c := start(t, dir, feed(t), "encrypt", "-o", "out")
		begun(t, filepath.Join(dir, "out"))
		c.Process.Signal(sig)
		if got, want := c.code(), exitSignal+int(sig); got != want {
			t.Errorf("%v: exit code %d, want %d", sig, got, want)
		}
		if c.errs.Len() > 0 {
			t.Errorf("%v: it said %q", sig, c.errs.String())
		}
		if got := names(t, dir); got != "" {
			t.Errorf("%v left %s", sig, got)
		}
	}
}

// A set that was interrupted says how it goes on, or that it cannot.
func TestInterruptedSet(t *testing.T) {
	dir := workDir(t)
	f, err := os.Create(filepath.Join(dir, "plain"))
	if err == nil {
		err = errors.Join(f.Truncate(64<<30), f.Close()) // more than is written before the signal comes
	}
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, dir, nil, "encrypt", "-z", "--no-sync", "--volume-size", "3M", "-o", "s.bulla", "plain")
	waitFor(t, "a volume is whole", func() bool { return exists(filepath.Join(dir, "s.bulla.000000")) })
	c.Process.Signal(syscall.SIGINT)
	if code := c.code(); code != exitSignal+int(syscall.SIGINT) || !strings.HasSuffix(c.errs.String(), "bulla: note: the whole volumes are kept: rerun the same command with --resume to continue\n") {
		t.Errorf("exit code %d: %s", code, c.errs.String())
	}
	zeros, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer zeros.Close()
	c = start(t, dir, zeros, "encrypt", "-z", "--no-sync", "--volume-size", "3M", "-o", "n.bulla")
	waitFor(t, "a volume is whole", func() bool { return exists(filepath.Join(dir, "n.bulla.000000")) })
	c.Process.Signal(syscall.SIGINT)
	if c.code(); !strings.Contains(c.errs.String(), "note: n.bulla has no index and does not open") {
		t.Error(c.errs.String())
	}
}

// TestInterruptDies is about loops in a shell, which end only if the command
// that Ctrl-C hit died of it.
func TestInterruptDies(t *testing.T) {
	dir := workDir(t)
	c := start(t, dir, feed(t), "encrypt", "-o", "out")
	begun(t, filepath.Join(dir, "out"))
	c.Process.Signal(syscall.SIGINT)
	c.Wait()
	if ws := c.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v, and did not die of SIGINT", c.ProcessState)
	}
}

// TestInterruptedWhileDecrypting stops a run whose source has given a whole
// chunk and is silent since.
func TestInterruptedWhileDecrypting(t *testing.T) {
	dir := workDir(t)
	if err := os.WriteFile(filepath.Join(dir, "plain"), bytes.Repeat([]byte("bulla"), 3<<20/5), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, nil, "encrypt", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	sealed, err := os.ReadFile(filepath.Join(dir, "plain.bulla"))
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	go w.Write(sealed[:len(sealed)-10])
	c := start(t, dir, r, "decrypt", "-o", "out")
	begun(t, filepath.Join(dir, "out"))
	c.Process.Signal(syscall.SIGTERM)
	if got := c.code(); got != 143 {
		t.Errorf("exit code %d, want 143", got)
	}
	if got := names(t, dir); got != "plain plain.bulla" {
		t.Errorf("the directory holds %s", got)
	}
}

// TestIgnoredHangup is nohup: a signal that was ignored stays so.
func TestIgnoredHangup(t *testing.T) {
	dir := workDir(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.Write(make([]byte, 1000))
	c := &command{Cmd: exec.Command("/bin/sh", "-c", `trap "" HUP; exec bulla encrypt -o out`), t: t}
	c.Dir, c.Stdin, c.Stderr = dir, r, &c.errs
	c.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	begun(t, filepath.Join(dir, "out"))
	c.Process.Signal(syscall.SIGHUP)
	w.Close()
	if got := c.code(); got != 0 {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	if got := names(t, dir); got != "out" {
		t.Errorf("the directory holds %s", got)
	}
}

// TestKilled is about what a killed run leaves, and the next one's way with it.
func TestKilled(t *testing.T) {
	dir := workDir(t)
	out := filepath.Join(dir, "out")
	for range 3 {
		c := start(t, dir, feed(t), "encrypt", "-o", "out")
		begun(t, out)
		c.Process.Kill()
		c.Wait()
		if got := names(t, dir); got != ".out.partial" {
			t.Fatalf("the directory holds %s", got)
		}
	}
	c := start(t, dir, strings.NewReader("whole"), "encrypt", "-o", "out")
	if got := c.code(); got != 0 {
		t.Fatalf("exit code %d: %s", got, c.errs.String())
	}
	if got := names(t, dir); got != "out" {
		t.Errorf("the directory holds %s", got)
	}
	if c := start(t, dir, nil, "verify", "-q", "out"); c.code() != 0 {
		t.Errorf("what was written in place of the remains is not sound: %s", c.errs.String())
	}
}

// TestTwoRuns is about two runs that want to write the same file.
func TestTwoRuns(t *testing.T) {
	dir := workDir(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.Write([]byte("first"))
	one := start(t, dir, r, "encrypt", "-o", "out")
	begun(t, filepath.Join(dir, "out"))
	two := start(t, dir, strings.NewReader("second"), "encrypt", "-o", "out")
	if got := two.code(); got != exitRefused {
		t.Errorf("the second run ended with %d", got)
	}
	if got := two.errs.String(); !strings.Contains(got, "another run is writing out") {
		t.Errorf("it said %q", got)
	}
	w.Close()
	if got := one.code(); got != 0 {
		t.Errorf("the first run ended with %d: %s", got, one.errs.String())
	}
	if got := names(t, dir); got != "out" {
		t.Errorf("the directory holds %s", got)
	}
}

// TestInTheWay is about something of another kind under the name of an
// unfinished output.
func TestInTheWay(t *testing.T) {
	dir := workDir(t)
	partial := filepath.Join(dir, ".out.partial")
	check := func(kind string) {
		t.Helper()
		c := start(t, dir, strings.NewReader("data"), "encrypt", "-o", "out")
		if got := c.code(); got != exitRefused || !strings.Contains(c.errs.String(), "error: .out.partial is in the way: it is not a regular file\n") {
			t.Errorf("%s: exit code %d: %s", kind, got, c.errs.String())
		}
		if got := names(t, dir); !strings.HasPrefix(got, ".out.partial") {
			t.Errorf("%s: the directory holds %s", kind, got)
		}
	}
	if err := os.Mkdir(partial, 0o700); err != nil {
		t.Fatal(err)
	}
	check("a directory")
	os.Remove(partial)
	if err := os.Symlink("target", partial); err != nil {
		t.Fatal(err)
	}
	check("a link")
	os.Remove(partial)
}

// TestClosedPipe is about readers that have seen enough: that is no error worth
// a word.
func TestClosedPipe(t *testing.T) {
	dir := workDir(t)
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, nil, "encrypt", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	for _, args := range [][]string{
		{"encrypt", "-o", "-", "plain"},
		{"decrypt", "-o", "-", "plain.bulla"},
		{"inspect", "plain.bulla"},
		{"verify", "plain.bulla"},
		{"version"},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		c := &command{Cmd: exec.Command("bulla", args...), t: t}
		c.Dir, c.Stdout, c.Stderr = dir, w, &c.errs
		c.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if got := c.code(); got != exitClosedPipe {
			t.Errorf("%v: exit code %d, want %d", args, got, exitClosedPipe)
		}
		if c.errs.Len() > 0 {
			t.Errorf("%v: it said %q", args, c.errs.String())
		}
	}
	// Nor does it do harm that nobody reads the messages.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	c := exec.Command("bulla", "decrypt", "-v", "--progress", "always", "-o", "out", "plain.bulla")
	c.Dir, c.Stderr = dir, w
	c.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
	if err := c.Run(); err != nil {
		t.Error(err)
	}
	w.Close()
	if got := names(t, dir); got != "out plain plain.bulla" {
		t.Errorf("the directory holds %s", got)
	}
}

// TestSecondSignal ends a run that does not notice the first, here one that
// waits for a pipe to be opened, at the latest after the time of grace.
func TestBlockedOpen(t *testing.T) {
	dir := workDir(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Skip(err)
	}
	c := start(t, dir, nil, "encrypt", "-o", "out", "fifo")
	time.Sleep(100 * time.Millisecond)
	c.Process.Signal(syscall.SIGTERM)
	if got := c.code(); got != 143 {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	if got := names(t, dir); got != "fifo" {
		t.Errorf("the directory holds %s", got)
	}
}

// What a server sends without being asked, libraries log: nobody sees it but as bulla's own words.
func TestLibrariesAreQuiet(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for r := bufio.NewReader(c); ; {
					if req, err := http.ReadRequest(r); err != nil {
						return
					} else if req.Method == "HEAD" { // which has no answer with a body
						io.WriteString(c, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 20\r\n\r\nI AM NOT ASKED FOR IT")
					} else {
						io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
					}
				}
			}()
		}
	}()
	for k, v := range map[string]string{"AWS_ENDPOINT_URL": "http://" + server.Addr().String(), "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"} {
		t.Setenv(k, v)
	}
	dir := workDir(t)
	write(t, filepath.Join(dir, "kek"), strings.Repeat("\x80", 32))
	c := start(t, dir, strings.NewReader("text"), "encrypt", "--kek", "kek", "-o", "s3://b/k")
	code := c.code()
	for line := range strings.Lines(c.errs.String()) {
		if !strings.HasPrefix(line, "bulla: ") {
			t.Errorf("exit code %d, and a library says: %s", code, line)
		}
	}
	if code == 0 {
		t.Error("exit code 0")
	}
}
