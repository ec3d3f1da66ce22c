package bulla_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bulla/entropy"
	"bulla/keyslot"
	"bulla/keyslot/keyfile"
	"bulla/stream"
)

// What inspect, verify and recipients list show takes nothing of the command: a
// program in another module, of some 40 lines, shows it, too.
func TestOutsideProgram(t *testing.T) {
	dir := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(file(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"testdata/outside/main.go": "main.go", "go.sum": "go.sum"} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(to, b)
	}
	write("go.mod", []byte("module outside\n\ngo 1.26.0\n\nrequire bulla v0.0.0\n\nreplace bulla => "+here+"\n"))

	id, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyfile.Encode(id, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write("key.txt", key)
	kek, err := keyslot.GenerateKEK(entropy.Default())
	if err != nil {
		t.Fatal(err)
	}
	var container bytes.Buffer
	w, err := stream.NewWriter(t.Context(), &container, []stream.Recipient{kek, id.Recipient()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReadFrom(strings.NewReader(strings.Repeat("plain", 30000))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write("x.bulla", container.Bytes())

	build := exec.Command("go", "build", "-mod=mod", "-o", file("outside"), ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-trimpath", "GOWORK=off", "GONOSUMDB=*")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(file("outside"), file("x.bulla"), file("key.txt")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"as is, generation 1, 3 chunks, room for ",
		"valid: true [] {FILE-1 passed}\n",
		"1 kek symmetric key mine: false opened: false\n",
		"2 hpke post-quantum public key mine: true opened: true\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
}
