package agekey

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"go/build"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
)

// The test binary is also the plugin it tests with: under the name
// age-plugin-bullatest it speaks age's plugin protocol.
const pluginName = "bullatest"

func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "age-plugin-"+pluginName) {
		os.Exit(pluginMain())
	}
	os.Exit(m.Run())
}

// pluginMain runs a plugin that keeps the file key in the clear and does, on the
// way, what its recipient or identity says in words.
func pluginMain() int {
	flag.CommandLine = flag.NewFlagSet("plugin", flag.ExitOnError)
	p, err := plugin.New(pluginName)
	if err != nil {
		panic(err)
	}
	p.HandleRecipient(func(data []byte) (age.Recipient, error) { return &pluginKey{p, string(data)}, nil })
	p.HandleIdentity(func(data []byte) (age.Identity, error) { return &pluginKey{p, string(data)}, nil })
	return p.Main()
}

type pluginKey struct {
	p    *plugin.Plugin
	what string
}

const pluginStanza = "bulla-test-clear"

func (k *pluginKey) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	s := []*age.Stanza{{Type: pluginStanza, Args: []string{"a"}, Body: fileKey}}
	switch k.what {
	case "scrypt":
		s[0].Type = "scrypt"
	case "huge":
		s[0].Body = append(bytes.Clone(fileKey), make([]byte, PluginBodySize)...)
	case "picky":
		s[0].Args = []string{k.what}
	case "several":
		s = append(s, &age.Stanza{Type: "x-grease", Body: []byte("b")}, &age.Stanza{Type: pluginStanza, Body: fileKey})
	}
	return s, k.act()
}

func (k *pluginKey) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	s, err := k.Wrap(fileKey)
	if _, label, ok := strings.Cut(k.what, "label "); ok {
		return s, []string{label}, err
	}
	return s, nil, err
}

func (k *pluginKey) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if k.what == "picky" {
		k.p.DisplayMessage("run")
	}
	for _, s := range stanzas {
		if s.Type == pluginStanza && (k.what != "picky" || s.Args[0] == k.what) {
			return s.Body, k.act()
		}
	}
	return nil, age.ErrIncorrectIdentity
}

func (k *pluginKey) act() error {
	switch k.what {
	case "fail":
		return errors.New("the \x1b[31mdevice\x1b[0m\nis \u202egone")
	case "message":
		return k.p.DisplayMessage("touch \x07the device")
	case "value":
		pin, err := k.p.RequestValue("PIN\x1b[2J", true)
		if err == nil && pin != "1234" {
			err = errors.New("wrong PIN")
		}
		return err
	case "confirm":
		yes, err := k.p.Confirm("sure?\x00", "y\x01es", "n\x02o")
		if err == nil && !yes {
			err = errors.New("then not")
		}
		return err
	case "hang":
		io.Copy(io.Discard, os.Stdin) // until the client is gone
	case "die":
		os.Exit(1)
	}
	return nil
}

// withPlugin puts the plugin on the path, and nothing else.
func withPlugin(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := "age-plugin-" + pluginName
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
	t.Setenv("PATH", dir)
}

// A script is a UI with its answers ready.
type script struct {
	passphrase string
	value      string
	choice     bool
	err        error

	mu    sync.Mutex
	calls []string
}

func (s *script) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, fmt.Sprintf(format, args...))
}

func (s *script) Passphrase(_ context.Context, what string) ([]byte, error) {
	s.note("passphrase of %s", what)
	return []byte(s.passphrase), s.err
}

func (s *script) Message(plugin, message string) error {
	s.note("%s says %s", plugin, message)
	return s.err
}

func (s *script) Value(_ context.Context, plugin, prompt string, secret bool) (string, error) {
	s.note("%s asks %s %t", plugin, prompt, secret)
	return s.value, s.err
}

func (s *script) Confirm(_ context.Context, plugin, prompt, yes, no string) (bool, error) {
	s.note("%s asks %s %s %s", plugin, prompt, yes, no)
	return s.choice, s.err
}

func (s *script) Waiting(string) {}

// asked checks what the UI was asked.
func (s *script) asked(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if fmt.Sprint(s.calls) != fmt.Sprint(want) {
		t.Errorf("the UI was asked %q, want %q", s.calls, want)
	}
}

func osMixer(t testing.TB) *entropy.Mixer {
	t.Helper()
	m, err := entropy.New(&entropy.Options{Sources: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testPreamble() *format.Preamble { return &format.Preamble{Suite: 1, Pages: 1} }

func testCEK() []byte { return []byte("a content-encryption key, 32 B. ") }

func parseRecipient(t testing.TB, s string, ui UI) *Recipient {
	t.Helper()
	r, err := ParseRecipient(strings.TrimSpace(s), ui)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func parseIdentity(t testing.TB, name string, file []byte, ui UI) keyslot.Identity {
	t.Helper()
	ids, err := ParseIdentityFile(name, bytes.NewReader(file), ui, nil)
	if err != nil || len(ids) != 1 {
		t.Fatalf("%d identities, %v", len(ids), err)
	}
	return ids[0]
}

// slot makes a slot for r of testCEK.
func slotOf(t testing.TB, r keyslot.Recipient) *format.Slot {
	t.Helper()
	cek := testCEK()
	body, err := r.Wrap(t.Context(), osMixer(t), testPreamble(), cek)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(cek, testCEK()) {
		t.Error("Wrap changed the caller's CEK")
	}
	return &format.Slot{Type: r.Type(), Body: body}
}

// opens checks that i opens s.
func opens(t testing.TB, i keyslot.Identity, s *format.Slot) {
	t.Helper()
	if cek, err := i.Unwrap(t.Context(), s, testPreamble()); err != nil || !bytes.Equal(cek, testCEK()) {
		t.Errorf("%q, %v", cek, err)
	}
}

// refuses checks that i does not open s, with the error want.
func refuses(t testing.TB, i keyslot.Identity, s *format.Slot, want error) {
	t.Helper()
	if cek, err := i.Unwrap(t.Context(), s, testPreamble()); !errors.Is(err, want) {
		t.Errorf("%q, %v, want %v", cek, err, want)
	}
}

// sealed is an age file of plaintext for to, as a slot of type 3.
func sealed(t testing.TB, plaintext []byte, to ...age.Recipient) *format.Slot {
	t.Helper()
	var body bytes.Buffer
	w, err := age.Encrypt(&body, to...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plaintext); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &format.Slot{Type: format.SlotAge, Body: body.Bytes()}
}

// tool finds one of the programs that these tests work with, on the path or
// where go install puts them. Without it the test is skipped, or fails where
// all must be there.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath(filepath.Join(build.Default.GOPATH, "bin", name))
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// run runs a program with the given standard input and returns its output.
func run(t testing.TB, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, errs.String())
	}
	return out.Bytes()
}

// write puts data into a new file and returns its name.
func write(t testing.TB, data []byte) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "key")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// sshKey makes an ssh key pair and returns the private key's file.
func sshKey(t testing.TB, args ...string) string {
	t.Helper()
	keygen := tool(t, "ssh-keygen")
	name := filepath.Join(t.TempDir(), "id")
	run(t, nil, keygen, append([]string{"-q", "-f", name, "-C", "a comment"}, args...)...)
	return name
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
