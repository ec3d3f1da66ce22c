package keyslot

import (
	"bytes"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bulla/entropy"
	"bulla/format"
)

// osMixer draws on crypto/rand alone.
func osMixer(t testing.TB) *entropy.Mixer {
	t.Helper()
	return mixer(t, &entropy.Options{Sources: []string{}})
}

func mixer(t testing.TB, o *entropy.Options) *entropy.Mixer {
	t.Helper()
	m, err := entropy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func testPreamble() *format.Preamble {
	return &format.Preamble{Suite: format.AES256GCM, Pages: 1, Salt: [32]byte{1, 2, 3}}
}

func testCEK() []byte { return []byte("a content-encryption key, 32 B. ") }

// wrap makes a slot for r of testCEK and testPreamble.
func wrap(t testing.TB, r Recipient) *format.Slot {
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

// quotes reports whether err repeats a piece of secret that could not be there
// by chance.
func quotes(err error, secret string) bool {
	const piece = 7
	for i := 0; i+piece <= len(secret); i++ {
		if strings.Contains(err.Error(), secret[i:i+piece]) {
			return true
		}
	}
	return false
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
