//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A signal reaches the command, which can tidy up, and nothing is left.
func TestProducerGetsSignals(t *testing.T) {
	dir := workDir(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		name := strings.TrimPrefix(map[syscall.Signal]string{syscall.SIGTERM: "SIGTERM", syscall.SIGINT: "SIGINT", syscall.SIGHUP: "SIGHUP"}[sig], "SIG")
		told, ready := filepath.Join(dir, "told"), filepath.Join(dir, "ready")
		c := start(t, dir, nil, "encrypt", "-o", "out", "--from-command", "--",
			"sh", "-c", `trap "echo `+name+` > told; exit 0" `+name+`; echo > ready; head -c 3000000 /dev/zero; while :; do sleep 0.05; done`)
		begun(t, filepath.Join(dir, "out"))
		waitFor(t, "the command runs", func() bool { return exists(ready) })
		c.Process.Signal(sig)
		if got, want := c.code(), exitSignal+int(sig); got != want {
			t.Errorf("%v: exit code %d, not %d: %s", sig, got, want, c.errs.String())
		}
		waitFor(t, "the command is told", func() bool {
			b, _ := os.ReadFile(told)
			return string(b) == name+"\n"
		})
		os.Remove(told)
		os.Remove(ready)
		if got := names(t, dir); got != "" {
			t.Errorf("%v: the directory holds %s", sig, got)
		}
	}
}

// A command whose output nobody can take any more is told to end, though it
// writes nothing that would show it.
func TestProducerIsTold(t *testing.T) {
	dir := workDir(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &command{Cmd: bullaIn(dir, "encrypt", "--from-command", "--",
		"sh", "-c", `trap "touch told; exit 0" TERM; head -c 3000000 /dev/zero; while :; do sleep 0.05; done`), t: t}
	c.Stdout, c.Stderr = w, &c.errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	w.Close()
	r.Read(make([]byte, 10))
	r.Close()
	if got := c.code(); got != exitClosedPipe {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	if got := names(t, dir); got != "told" {
		t.Errorf("the directory holds %s", got)
	}
}

// A signal to both, as Ctrl-C is, may end the command before this program has
// seen it. That is no failure of the command.
func TestProducerDiesFirst(t *testing.T) {
	dir := workDir(t)
	for i := range 12 {
		sig := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[i%2]
		script := []string{"exec sleep 60", "trap 'exit 1' INT TERM; while :; do sleep 0.01; done"}[i/2%2]
		c := start(t, dir, nil, "encrypt", "-o", "out", "--from-command", "--", "sh", "-c", "head -c 3000000 /dev/zero; echo > ready; "+script)
		waitFor(t, "the command runs", func() bool { return exists(filepath.Join(dir, "ready")) })
		syscall.Kill(-c.Process.Pid, sig)
		if got := c.code(); got != exitSignal+int(sig) || strings.Contains(c.errs.String(), "bulla:") {
			t.Errorf("%v: exit code %d: %s", sig, got, c.errs.String())
		}
		os.Remove(filepath.Join(dir, "ready"))
		if got := names(t, dir); got != "" {
			t.Errorf("%v: the directory holds %s", sig, got)
		}
	}
}

// One that does not end when it is told to is not waited for for ever, nor left
// behind.
func TestProducerThatDoesNotEnd(t *testing.T) {
	dir := workDir(t)
	c := start(t, dir, nil, "encrypt", "-o", "out", "--from-command", "--",
		"sh", "-c", `trap "" TERM; echo $$ > pid; head -c 3000000 /dev/zero; exec sleep 3600 2>/dev/null`)
	t.Cleanup(func() {
		b, _ := os.ReadFile(filepath.Join(dir, "pid"))
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	begun(t, filepath.Join(dir, "out"))
	waitFor(t, "the command runs", func() bool { return exists(filepath.Join(dir, "pid")) })
	c.Process.Signal(syscall.SIGTERM)
	if got := c.code(); got != 143 {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	b, _ := os.ReadFile(filepath.Join(dir, "pid"))
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err != nil || syscall.Kill(pid, 0) != syscall.ESRCH {
		t.Errorf("the command, %s, is still there", b)
	}
	if got := names(t, dir); got != "pid" {
		t.Errorf("the directory holds %s", got)
	}
}
