package main

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A screen is a pseudo-terminal as the person in front of it sees it.
type screen struct {
	t    *testing.T
	keys *os.File // the master: what is written to it is typed
	tty  *os.File

	mu    sync.Mutex
	shown strings.Builder
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	number, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, keys: keys, tty: tty}
	t.Cleanup(func() { tty.Close(); keys.Close() })
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := keys.Read(b)
			s.mu.Lock()
			s.shown.Write(b[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

func (s *screen) echoes() bool {
	t, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return t.Lflag&unix.ECHO != 0
}

// run starts the program with the screen as its controlling terminal.
func (s *screen) run(dir string, args ...string) *command {
	s.t.Helper()
	c := &command{Cmd: exec.Command("bulla", args...), t: s.t}
	c.Dir = dir
	c.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
	c.Stderr = &c.errs
	c.ExtraFiles = []*os.File{s.tty}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	return c
}

// detached starts the program in a session without a terminal.
func detached(t *testing.T, dir string, args ...string) *command {
	t.Helper()
	c := &command{Cmd: exec.Command("bulla", args...), t: t}
	c.Dir = dir
	c.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
	c.Stderr = &c.errs
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.begin()
	return c
}

func (c *command) begin() {
	c.t.Helper()
	if err := c.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { c.Process.Kill() })
}

// answer waits for a prompt and types a line.
func (s *screen) answer(prompt, line string) {
	s.t.Helper()
	s.sees(prompt)
	if _, err := s.keys.WriteString(line + "\n"); err != nil {
		s.t.Fatal(err)
	}
}

// sees waits until the screen shows a text.
func (s *screen) sees(text string) {
	s.t.Helper()
	waitFor(s.t, "the screen shows "+text, func() bool { return strings.Contains(s.text(), text) })
}

// zipWith makes a zip of files that are compressed: a name and its content, and so
// on.
func zipWith(files ...string) func(io.Writer) error {
	return func(dst io.Writer) error {
		w := zip.NewWriter(dst)
		for i := 0; i < len(files); i += 2 {
			f, err := w.Create(files[i])
			if err != nil {
				return err
			}
			io.WriteString(f, files[i+1])
		}
		return w.Close()
	}
}

// TestTerminalOutput sends text and other things to a terminal, unasked and
// forced.
func TestTerminalOutput(t *testing.T) {
	dir := workDir(t)
	write(t, filepath.Join(dir, "text"), "Dear reader\n")
	write(t, filepath.Join(dir, "binary"), "be\x01ep\n")
	write(t, filepath.Join(dir, "c1"), "\u009b2J\n")
	write(t, filepath.Join(dir, "raw"), "\x9b2J\n")
	for _, name := range []string{"text", "binary", "c1", "raw"} {
		if c := start(t, dir, nil, "encrypt", name); c.code() != 0 {
			t.Fatal(c.errs.String())
		}
	}
	sealFile(t, dir, "zip.bulla", zipWith("text", "Dear reader\n", "binary", "be\x01ep\n"))
	for _, c := range []struct {
		stdin string
		args  []string
		exit  int
		shows string
		says  string
	}{
		{"text", []string{"cat", "zip.bulla::text"}, exitOK, "Dear reader\r\n", ""},
		{"text", []string{"cat", "zip.bulla::binary"}, exitRefused, "", "the output is not text and would go to the terminal"},
		{"text", []string{"encrypt"}, exitRefused, "", "the output is binary and would go to the terminal"},
		{"text", []string{"encrypt", "-o", "-"}, exitOK, "bulla", ""},
		{"text.bulla", []string{"decrypt"}, exitOK, "Dear reader\r\n", ""},
		{"binary.bulla", []string{"decrypt"}, exitRefused, "", "the output is not text and would go to the terminal"},
		{"c1.bulla", []string{"decrypt"}, exitRefused, "", "the output is not text and would go to the terminal"},
		{"raw.bulla", []string{"decrypt"}, exitRefused, "", "the output is not text and would go to the terminal"},
		{"text", []string{"cat", "--range", "0+1", "--range", "1+4", "c1.bulla"}, exitRefused, "\xc2", "the output is not text and would go to the terminal"},
		{"binary.bulla", []string{"decrypt", "-o", "-"}, exitOK, "be\x01ep\r\n", ""},
	} {
		s := newScreen(t)
		in, err := os.Open(filepath.Join(dir, c.stdin))
		if err != nil {
			t.Fatal(err)
		}
		run := s.run(dir, c.args...)
		run.Stdin, run.Stdout = in, s.tty
		run.begin()
		if got := run.code(); got != c.exit || !strings.Contains(run.errs.String(), c.says) {
			t.Errorf("%v: exit code %d: %s", c.args, got, run.errs.String())
		}
		s.sees(c.shows)
		if c.shows == "" && s.text() != "" {
			t.Errorf("%v: the screen shows %q", c.args, s.text())
		}
		in.Close()
	}
}

// TestGeneratedPassphrase leaves the prompt empty.
func TestGeneratedPassphrase(t *testing.T) {
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), "text")
	s := newScreen(t)
	c := s.run(dir, "encrypt", "-p", "plain")
	c.begin()
	s.answer("have one made): ", "")
	s.sees("Write it down now")
	if got := c.code(); got != 0 || c.errs.Len() > 0 {
		t.Fatalf("exit code %d: %s", got, c.errs.String())
	}
	shown := regexp.MustCompile(`[a-z]+(-[a-z]+){9}`)
	waitFor(t, "it is shown", func() bool { return shown.MatchString(s.text()) })
	write(t, filepath.Join(dir, "pass"), shown.FindString(s.text()))
	if c := start(t, dir, nil, "decrypt", "--passphrase-file", "pass", "-o", "out", "plain.bulla"); c.code() != 0 {
		t.Errorf("what was shown does not open it: %s", c.errs.String())
	}
}

func TestPassphraseDoesNotShow(t *testing.T) {
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), "text")
	s := newScreen(t)
	c := s.run(dir, "encrypt", "-p", "plain")
	c.begin()
	s.answer("have one made): ", "correct horse")
	s.answer("once more: ", "correct horse")
	if got := c.code(); got != 0 {
		t.Fatalf("exit code %d: %s", got, c.errs.String())
	}
	if strings.Contains(s.text(), "horse") {
		t.Errorf("the passphrase is on the screen: %q", s.text())
	}
	if !s.echoes() {
		t.Error("the terminal was left without echo")
	}
}

// TestKeyUnderPassphrase makes the default key under a passphrase, and uses it; then
// makes its public half anew, and gets the passphrase wrong.
func TestKeyUnderPassphrase(t *testing.T) {
	if testing.Short() {
		t.Skip("scrypt at its real cost, which the race detector multiplies")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "plain"), "text")
	public := filepath.Join(dir, ".config", recipientsFile)
	var was []byte
	for _, step := range []struct {
		args    string
		answers []string // a prompt, what is typed, and so on
		exit    int
		says    string
	}{
		{"keygen --default -p", []string{"have one made): ", "correct horse", "once more: ", "horse"}, exitRefused, "the two passphrases differ"},
		{"keygen --default -p", []string{"have one made): ", "correct horse", "once more: ", "correct horse"}, exitOK, "the secret key is in"},
		{"encrypt plain", nil, exitOK, ""},
		{"decrypt -o out plain.bulla", []string{"identity.txt", "correct horse"}, exitOK, ""},
		{"keygen --default", []string{"identity.txt", "wrong"}, exitNoKey, "passphrase of the key, not of the file"},
		{"keygen --default", []string{"identity.txt", "correct horse"}, exitOK, "the public key is in"},
	} {
		if strings.HasSuffix(step.args, "--default") && was == nil {
			was, _ = os.ReadFile(public)
			os.Remove(public)
		}
		s := newScreen(t)
		c := s.run(dir, strings.Fields(step.args)...)
		c.begin()
		for i := 0; i < len(step.answers); i += 2 {
			s.answer(step.answers[i], step.answers[i+1])
		}
		if got := c.code(); got != step.exit || !strings.Contains(c.errs.String(), step.says) {
			t.Fatalf("%s: exit code %d: %s", step.args, got, c.errs.String())
		}
		if strings.Contains(s.text()+c.errs.String(), "horse") {
			t.Errorf("%s: the passphrase shows", step.args)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "out")); string(b) != "text" {
		t.Errorf("decrypted to %q, %v", b, err)
	}
	if b, err := os.ReadFile(public); string(b) != string(was) || len(b) == 0 {
		t.Errorf("the public half is now %q, %v", b, err)
	}
}

// TestInterruptAtPrompt presses Ctrl-C where a passphrase is asked for.
func TestInterruptAtPrompt(t *testing.T) {
	dir := workDir(t)
	s := newScreen(t)
	c := s.run(dir, "encrypt", "-p", "-o", "out", ".config/identity.txt")
	c.begin()
	waitFor(t, "it asks", func() bool { return strings.Contains(s.text(), "have one made): ") && !s.echoes() })
	s.keys.Write([]byte{3})
	if got := c.code(); got != exitInterrupted {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	if !s.echoes() {
		t.Error("the terminal was left without echo")
	}
	if got := names(t, dir); got != "" {
		t.Errorf("the directory holds %s", got)
	}
}

// TestProgressOnTerminal watches a run that takes its time, on terminals of every
// width.
func TestProgressOnTerminal(t *testing.T) {
	for columns, want := range map[int]struct{ running, last string }{
		80: {"standard input  97.7 KiB  ", "standard input  195.3 KiB  "},
		40: {"standard input  97.7 KiB  ", "standard input  195.3 KiB"},
		20: {"stan…nput  97.7 KiB", "stan…put  195.3 KiB"},
	} {
		t.Run(strconv.Itoa(columns), func(t *testing.T) {
			t.Parallel()
			dir := workDir(t)
			s := newScreen(t)
			if err := unix.IoctlSetWinsize(int(s.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}); err != nil {
				t.Fatal(err)
			}
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			c := s.run(dir, "encrypt", "-o", "out")
			c.Stdin, c.Stderr = r, s.tty
			c.begin()
			w.Write(make([]byte, 100_000))
			waitFor(t, "progress shows", func() bool { return strings.Contains(s.text(), want.running) })
			w.Write(make([]byte, 100_000))
			w.Close()
			if got := c.code(); got != 0 {
				t.Fatalf("exit code %d: %s", got, s.text())
			}
			waitFor(t, "the last line is complete", func() bool { return strings.HasSuffix(s.text(), "\r\n") })
			lines := strings.Split(strings.TrimRight(strings.ReplaceAll(s.text(), "\r\n", ""), " "), "\r")
			last := lines[len(lines)-1]
			if !strings.HasPrefix(last, want.last) || columns == 80 && !strings.Contains(last, " in ") {
				t.Errorf("the last line is %q", last)
			}
			for _, line := range lines {
				if len([]rune(line)) > columns-1 {
					t.Errorf("a line of %d columns would wrap: %q", len(line), line)
				}
			}
		})
	}
}

// TestProducerGetsCtrlCOnce counts what reaches a command: the terminal tells it
// of Ctrl-C, and this program does not do so again.
func TestProducerGetsCtrlCOnce(t *testing.T) {
	dir := workDir(t)
	s := newScreen(t)
	c := s.run(dir, "encrypt", "-o", "out", "--from-command", "--",
		"sh", "-c", `trap "echo >> told" INT; (until test -s told; do sleep 0.1; done; sleep 1) > /dev/null & head -c 3000000 /dev/zero; echo > ready; wait; wait; wait`)
	c.begin()
	waitFor(t, "the command runs", func() bool { return exists(filepath.Join(dir, "ready")) })
	s.keys.WriteString("\x03")
	if got := c.code(); got != exitInterrupted {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	if b, err := os.ReadFile(filepath.Join(dir, "told")); string(b) != "\n" {
		t.Errorf("it was told %d times, %v", len(b), err)
	}
	if got := names(t, dir); got != "ready told" {
		t.Errorf("the directory holds %s", got)
	}
}
