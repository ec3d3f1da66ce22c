package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"bulla/internal/storage"
)

// traced are the system calls by which keygen --default can fail.
var traced = []string{"openat", "mkdirat", "newfstatat", "fstat", "flock", "fcntl", "write", "fsync", "renameat2", "unlinkat", "close"}

// TestKeygenDefaultFaults makes every system call about the two halves of the
// default key fail once, and kills the run at every one. Whatever comes of it, no
// public half is there without its secret; a run that fails leaves both or neither;
// and the next run has both.
func TestKeygenDefaultFaults(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, call := range traced {
		if testing.Short() && call != "fsync" && call != "renameat2" {
			continue
		}
		for _, fault := range []string{"error=EIO", "signal=KILL"} {
			t.Run(call+" "+fault, func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					home := t.TempDir()
					dir := filepath.Join(home, "config", "bulla")
					secret, public := filepath.Join(dir, identityFile), filepath.Join(dir, recipientsFile)
					log := filepath.Join(home, "log")
					args := []string{"-f", "-qq", "-o", log, "-e", "trace=" + call, "-e", "inject=" + call + ":" + fault + ":when=" + strconv.Itoa(n)}
					for _, path := range []string{home, filepath.Dir(dir), dir, secret, public, storage.PartialPath(secret), storage.PartialPath(public)} {
						args = append(args, "-P", path)
					}
					c := &command{Cmd: exec.Command(strace, append(args, "bulla", "keygen", "--default", "-q")...), t: t}
					c.Env = append(os.Environ(), envConfigDir+"="+dir)
					c.Stderr = &c.errs
					c.begin()
					code := c.code()
					trace, err := os.ReadFile(log)
					if err != nil {
						t.Skip("cannot trace: ", c.errs.String())
					}
					if !strings.Contains(string(trace), "(INJECTED)") && code != exitSignal+int(syscall.SIGKILL) {
						if n == 1 && code != 0 {
							t.Fatalf("without a fault: exit code %d: %s", code, c.errs.String())
						}
						return // that many calls there are not
					}
					has := func(path string) bool { _, err := os.Lstat(path); return err == nil }
					both, neither := has(secret) && has(public), !has(secret) && !has(public)
					switch {
					case has(public) && !has(secret):
						t.Errorf("call %d: a public half without its secret", n)
					case code == 0 && !both:
						t.Errorf("call %d: exit code 0 without both", n)
					case fault != "signal=KILL" && !both && !neither:
						t.Errorf("call %d: exit code %d, and the secret half is alone: %s", n, code, c.errs.String())
					case !both:
						again := &command{Cmd: exec.Command("bulla", "keygen", "--default", "-q"), t: t}
						again.Env, again.Stderr = c.Env, &again.errs
						again.begin()
						if code := again.code(); code != 0 {
							t.Errorf("call %d: the next run ends with %d: %s", n, code, again.errs.String())
						}
					}
					if has(public) {
						checkPair(t, secret, public)
					}
				}
			})
		}
	}
}

// checkPair sees to it that what is encrypted to the public half opens.
func checkPair(t *testing.T, secret, public string) {
	t.Helper()
	dir := filepath.Dir(public)
	out := filepath.Join(t.TempDir(), "out.bulla")
	for _, args := range [][]string{{"encrypt", "-q", "-R", public, "-o", out, public}, {"verify", "-q", "-i", secret, out}} {
		if c := start(t, dir, nil, args...); c.code() != 0 {
			t.Errorf("the halves do not fit: %s", c.errs.String())
		}
	}
}
