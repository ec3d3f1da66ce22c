package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// modes is how the terminal is set.
func (s *screen) modes() unix.Termios {
	s.t.Helper()
	m, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *m
}

func (s *screen) types(keys string) {
	s.t.Helper()
	if _, err := s.keys.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// asks waits for the n-th prompt with that text, and for the terminal to be quiet.
func (s *screen) asks(prompt string, n int) {
	s.t.Helper()
	waitFor(s.t, "it asks "+prompt, func() bool { return strings.Count(s.text(), prompt) >= n && !s.echoes() })
}

// shell starts an interactive shell on the screen, with job control as a person's.
func (s *screen) shell(dir string) *command {
	s.t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		s.t.Skip("no shell: ", err)
	}
	c := s.run(dir)
	c.Path, c.Args = sh, []string{"sh", "-i"}
	c.Env = append(c.Env, "PS1=sh> ", "ENV=", "HISTFILE=")
	c.Stdin, c.Stdout, c.Stderr = s.tty, s.tty, s.tty
	c.begin()
	s.sees("sh> ")
	return c
}

const newPassphrase = "have one made): "

// TestSignalsAtPrompt ends a run that waits for a passphrase with every signal
// that ends runs, from the keyboard and from elsewhere, and looks at the terminal.
func TestSignalsAtPrompt(t *testing.T) {
	for _, c := range []struct {
		name string
		keys string
		sig  syscall.Signal
	}{
		{"Ctrl-C", "\x03", syscall.SIGINT},
		{`Ctrl-\`, "\x1c", syscall.SIGQUIT},
		{"half a passphrase and Ctrl-C", "corr\x03", syscall.SIGINT},
		{"INT", "", syscall.SIGINT},
		{"TERM", "", syscall.SIGTERM},
		{"HUP", "", syscall.SIGHUP},
		{"QUIT", "", syscall.SIGQUIT},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := workDir(t)
			s := newScreen(t)
			before := s.modes()
			run := s.run(dir, "encrypt", "-p", "-o", "out", ".config/identity.txt")
			run.begin()
			s.asks(newPassphrase, 1)
			if c.keys != "" {
				s.types(c.keys)
			} else if err := run.Process.Signal(c.sig); err != nil {
				t.Fatal(err)
			}
			if got := run.code(); got != exitSignal+int(c.sig) {
				t.Errorf("exit code %d: %s", got, run.errs.String())
			}
			if s.modes() != before {
				t.Error("the terminal is not as it was")
			}
			if run.errs.Len() > 0 {
				t.Errorf("it says %s", run.errs.String())
			}
			if got := names(t, dir); got != "" {
				t.Errorf("the directory holds %s", got)
			}
		})
	}
}

// TestSuspendAtPrompt presses Ctrl-Z at a prompt, looks at what the shell gets, and
// goes on: once, twice, and by way of the background.
func TestSuspendAtPrompt(t *testing.T) {
	for _, steps := range [][]string{{"fg"}, {"fg", "fg"}, {"bg", "fg"}, {"kill -CONT %1", "fg"}} {
		t.Run(strings.Join(steps, ", "), func(t *testing.T) {
			t.Parallel()
			dir := workDir(t)
			write(t, filepath.Join(dir, "plain"), "text")
			s := newScreen(t)
			s.shell(dir)
			before := s.modes()
			s.types("bulla encrypt -p plain\n")
			s.asks(newPassphrase, 1)
			for i, step := range steps {
				if i == 0 || steps[i-1] == "fg" {
					s.types("half a secr\x1a")
				}
				prompts := 2 + i // the first of them before anything was run
				waitFor(t, "the shell is back", func() bool { return strings.Count(s.text(), "sh> ") >= prompts && s.modes() == before })
				s.types(step + "\n") // in the background it stops again by itself
				if step == "fg" {
					s.asks(newPassphrase, 1+strings.Count(strings.Join(steps[:i+1], " "), "fg"))
				}
			}
			s.types("correct horse\n")
			s.asks("once more: ", 1)
			s.types("correct horse\n")
			waitFor(t, "it ends", func() bool { return s.modes() == before })
			s.types("echo ended $?\n")
			s.sees("ended 0")
			if strings.Contains(s.text(), "secr") || strings.Contains(s.text(), "horse") {
				t.Errorf("the passphrase is on the screen: %q", s.text())
			}
			write(t, filepath.Join(dir, "pass"), "correct horse")
			if c := start(t, dir, nil, "decrypt", "--passphrase-file", "pass", "-o", "again", "plain.bulla"); c.code() != 0 {
				t.Error(c.errs.String())
			}
		})
	}
}

// TestNoAnswerAtPrompt presses Ctrl-D.
func TestNoAnswerAtPrompt(t *testing.T) {
	dir := workDir(t)
	s := newScreen(t)
	before := s.modes()
	c := s.run(dir, "encrypt", "-p", "-o", "out", ".config/identity.txt")
	c.begin()
	s.asks(newPassphrase, 1)
	s.types("\x04")
	if got := c.code(); got != exitNoKey || !strings.Contains(c.errs.String(), "no passphrase was given") {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	if s.modes() != before {
		t.Error("the terminal is not as it was")
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("there is an output")
	}
}

// TestMemoryLimit has passphrases stretched where the memory for it is not to be
// had: in a mount namespace whose control group allows 8 MiB.
func TestMemoryLimit(t *testing.T) {
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), "text")
	write(t, filepath.Join(dir, "pass"), "correct horse")
	os.Chmod(filepath.Join(dir, "pass"), 0o600)
	for _, args := range []string{"encrypt --passphrase-file pass -o p.bulla plain", "keygen --passphrase-file pass -o key"} {
		if c := start(t, dir, nil, strings.Fields(args)...); c.code() != 0 {
			t.Fatal(c.errs.String())
		}
	}
	for _, args := range []string{
		"encrypt --passphrase-file pass -o out plain",
		"decrypt --passphrase-file pass -o out p.bulla",
		"decrypt -p -o out p.bulla", // which would ask
		"keygen --passphrase-file pass -o out",
		"keygen -y key",
	} {
		c := &command{Cmd: exec.Command("unshare", "-rm", "sh", "-c",
			"cd /sys/fs && mount -t tmpfs none cgroup && echo 8388608 > cgroup/memory.max && echo 0 > cgroup/memory.swap.max || exit 99; cd \"$1\" && shift && exec setsid -w bulla \"$@\"", "sh", dir), t: t}
		c.Args = append(c.Args, strings.Fields(args)...)
		c.Stderr = &c.errs
		if err := c.Start(); err != nil {
			t.Skip("no namespaces here: ", err)
		}
		code := c.code()
		if code == 99 {
			t.Skip("no namespaces here: ", c.errs.String())
		}
		if code != exitUnsupported || !strings.Contains(c.errs.String(), "of memory here, and the limit is 8 MiB") {
			t.Errorf("%s: exit code %d: %s", args, code, c.errs.String())
		}
		if exists(filepath.Join(dir, "out")) {
			t.Errorf("%s: there is an output", args)
		}
	}
}
