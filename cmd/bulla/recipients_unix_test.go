//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"bulla/format"
	"bulla/internal/seal"
	"bulla/keyslot"
	"bulla/stream"
)

// A patient is a container whose recipients are changed, in a directory with the
// symmetric keys kek0, kek1 and so on. It is made for kek0.
type patient struct {
	t    *testing.T
	dir  string
	path string
	keks []*keyslot.KEK
}

func newPatient(t *testing.T, keys, plain int) *patient {
	t.Helper()
	p := &patient{t: t, dir: t.TempDir()}
	p.path = filepath.Join(p.dir, "f")
	for i := range keys {
		key := bytes.Repeat([]byte{byte(0x80 + i)}, keyslot.KEKSize)
		kek, err := keyslot.NewKEK(key)
		if err != nil {
			t.Fatal(err)
		}
		p.keks = append(p.keks, kek)
		if err := os.WriteFile(filepath.Join(p.dir, fmt.Sprint("kek", i)), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c := start(t, p.dir, bytes.NewReader(make([]byte, plain)), "encrypt", "--kek", "kek0", "--reserve", "3", "-o", "f"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	return p
}

func (p *patient) bytes() []byte {
	p.t.Helper()
	b, err := os.ReadFile(p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// look opens the container with kek0 and returns what its heads say, and which
// of the keys are recipients.
func (p *patient) look() (h *stream.HeadEditor, members []bool) {
	p.t.Helper()
	b := p.bytes()
	h, err := stream.EditHead(p.t.Context(), bytes.NewReader(b), int64(len(b)), []stream.Identity{p.keks[0]}, nil)
	if err != nil {
		p.t.Fatalf("it no longer opens: %v", err)
	}
	defer h.Close()
	for _, k := range p.keks {
		members = append(members, len(h.SlotsOf(k)) > 0)
	}
	return h, members
}

// TestRecipientsKilled ends changes of recipients with SIGKILL: some at a random
// moment, some as soon as the first of the two copies is seen to change.
func TestRecipientsKilled(t *testing.T) {
	runs := 20
	if os.Getenv("CI") == "true" && !testing.Short() {
		runs = 200
	}
	p := newPatient(t, 2, 100_000)
	was := p.bytes()
	h, members := p.look()
	size, H := int64(len(was)), int64(len(h.Encoded()))
	begin := time.Now()
	if c := start(t, p.dir, nil, "recipients", "repair", "--kek", "kek0", "f"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	usual := time.Since(begin)

	outcomes := map[string]int{}
	for run := range runs {
		verb := "add"
		if members[1] {
			verb = "remove"
		}
		before := p.bytes()
		c := start(t, p.dir, nil, "recipients", verb, "-q", "--open-kek", "kek0", "--kek", "kek1", "f")
		if run%2 == 0 {
			time.Sleep(time.Duration(rand.Float64() * 1.2 * float64(usual)))
		} else {
			waitForWrite(t, c, p.path, before, size, H)
		}
		c.Process.Signal(syscall.SIGKILL)
		c.Wait()

		now, after := p.look()
		switch changed := after[1] != members[1]; {
		case now.Head().Generation == h.Head().Generation && !changed:
			outcomes["old"]++
		case now.Head().Generation == h.Head().Generation+1 && changed && len(now.Faults()) == 0:
			outcomes["new"]++
		case now.Head().Generation == h.Head().Generation+1 && changed:
			outcomes["one copy new"]++
		default:
			t.Fatalf("generation %d became %d, recipients %v became %v", h.Head().Generation, now.Head().Generation, members, after)
		}
		if b := p.bytes(); int64(len(b)) != size || !bytes.Equal(b[H:size-H], was[H:size-H]) {
			t.Fatal("the payload has changed")
		}
		if len(now.Faults()) > 0 && run%3 == 0 { // otherwise the next change begins with what this one has left
			if c := start(t, p.dir, nil, "verify", "-q", "--kek", "kek0", "f"); c.code() != exitBad {
				t.Errorf("verify does not see that a copy is stale: %s", c.errs.String())
			}
			if c := start(t, p.dir, nil, "recipients", "repair", "--kek", "kek0", "f"); c.code() != 0 {
				t.Fatal(c.errs.String())
			}
			if again, _ := p.look(); len(again.Faults()) > 0 || !bytes.Equal(again.Encoded(), now.Encoded()) {
				t.Fatalf("after repair: %v", again.Faults())
			}
		}
		h, members = now, after
	}
	t.Logf("%d runs: %v", runs, outcomes)
}

// waitForWrite waits until one of the copies changes, or the run ends.
func waitForWrite(t *testing.T, c *command, path string, before []byte, size, H int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, H)
	for range 100_000 {
		for _, at := range []int64{size - H, 0} {
			if _, err := f.ReadAt(b, at); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b, before[at:at+H]) {
				return
			}
		}
		if syscall.Kill(c.Process.Pid, 0) != nil {
			return
		}
		time.Sleep(10 * time.Microsecond)
	}
}

// TestRecipientsLocked has one run wait for another, that is, fail.
func TestRecipientsLocked(t *testing.T) {
	p := newPatient(t, 2, 100)
	f, err := os.OpenFile(p.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	before := p.bytes()
	for _, args := range [][]string{
		{"recipients", "add", "--open-kek", "kek0", "--kek", "kek1", "f"},
		{"recipients", "remove", "--open-kek", "kek0", "--slot", "1", "f"},
		{"recipients", "repair", "--kek", "kek0", "f"},
	} {
		c := start(t, p.dir, nil, args...)
		if got := c.code(); got != exitRefused || c.errs.String() != "bulla: error: another run is changing f\nbulla: hint: wait for it, and try again\n" {
			t.Errorf("%v: exit code %d: %s", args, got, c.errs.String())
		}
	}
	if !bytes.Equal(p.bytes(), before) {
		t.Error("a locked file was changed")
	}
	// Who only reads need not wait.
	for _, args := range [][]string{
		{"recipients", "list", "--kek", "kek0", "f"},
		{"recipients", "add", "-n", "--open-kek", "kek0", "--kek", "kek1", "f"},
		{"recipients", "add", "--open-kek", "kek0", "--kek", "kek1", "-o", "f.head", "f"},
		{"verify", "--kek", "kek0", "f"},
	} {
		if c := start(t, p.dir, nil, args...); c.code() != 0 {
			t.Errorf("%v: %s", args, c.errs.String())
		}
	}
	f.Close()
	if c := start(t, p.dir, nil, "recipients", "add", "--open-kek", "kek0", "--kek", "kek1", "f"); c.code() != 0 {
		t.Error(c.errs.String())
	}
}

// TestRecipientsTogether starts several changes at once: none is lost, whoever
// was told that it is done.
func TestRecipientsTogether(t *testing.T) {
	const n = 8
	p := newPatient(t, n, 100)
	var all []*command
	for i := 1; i < n; i++ {
		all = append(all, start(t, p.dir, nil, "recipients", "add", "--open-kek", "kek0", "--kek", fmt.Sprint("kek", i), "f"))
	}
	want, generation := []bool{true}, uint32(1)
	for _, c := range all {
		code := c.code()
		if code != exitOK && code != exitRefused {
			t.Errorf("exit code %d: %s", code, c.errs.String())
		}
		want = append(want, code == exitOK)
		if code == exitOK {
			generation++
		}
	}
	h, members := p.look()
	if !slices.Equal(members, want) || h.Head().Generation != generation || len(h.Faults()) > 0 {
		t.Errorf("recipients %v, want %v; generation %d, want %d; %v", members, want, h.Head().Generation, generation, h.Faults())
	}
}

// TestRecipientsDiskFails writes to a file that must not become as long as it is.
func TestRecipientsDiskFails(t *testing.T) {
	p := newPatient(t, 2, 300_000)
	before := p.bytes()
	c := &command{Cmd: exec.Command("sh", "-c", "ulimit -f 200 && exec bulla recipients add --open-kek kek0 --kek kek1 f"), t: t}
	c.Dir, c.Stderr = p.dir, &c.errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	want := "bulla: error: cannot write f: file too large\n" +
		"bulla: hint: it opens with its old recipients or its new ones; once writing works again, bulla recipients repair makes both copies of its head equal\n"
	if got := c.code(); got != exitIO || c.errs.String() != want {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	if !bytes.Equal(p.bytes(), before) {
		t.Error("the file has changed")
	}
}

// TestExtractedSlotIsTheKey opens a slot with age, and finds that what comes out
// is the key of the content.
func TestExtractedSlotIsTheKey(t *testing.T) {
	for _, tool := range []string{"age", "age-keygen", "ssh-keygen"} {
		if missing(t, tool) {
			t.Skip("no " + tool)
		}
	}
	dir := workDir(t)
	run := func(name string, args ...string) []byte {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%s %q: %s", name, args, exit.Stderr)
		} else if err != nil {
			t.Fatal(err)
		}
		return out
	}
	run("age-keygen", "-o", "x.key")
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("x.key.pub", run("age-keygen", "-y", "x.key"))
	run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "ed.key")
	run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa.key")
	keys := []string{"x.key", "ed.key", "rsa.key"}
	args := []string{"encrypt", "-o", "f"}
	for _, k := range keys {
		args = append(args, "-R", k+".pub")
	}
	if c := start(t, dir, bytes.NewReader([]byte("text")), args...); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	b, err := os.ReadFile(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := format.ParseHead(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		slot := fmt.Sprintf("slot%d.age", i+1)
		if c := start(t, dir, nil, "inspect", "--extract-slot", fmt.Sprint(i+1), "-o", slot, "f"); c.code() != 0 {
			t.Fatal(c.errs.String())
		}
		keys, err := seal.NewKeys(run("age", "-d", "-i", k, slot), &h.Preamble)
		if err != nil || !keys.Commits(&h.Commitment) {
			t.Errorf("%s: what age gets out of slot %d is not the content's key: %v", k, i+1, err)
		}
	}
}
