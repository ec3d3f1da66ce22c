//go:build !windows

package tpmdev_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"bulla/internal/tpmdev"
	"bulla/internal/tpmdev/swtpmtest"
)

// open starts an emulator and opens it.
func open(t *testing.T) (*swtpmtest.Emulator, *tpmdev.TPM) {
	t.Helper()
	e := swtpmtest.Start(t)
	e.Use()
	return e, connect(t)
}

func connect(t *testing.T) *tpmdev.TPM {
	t.Helper()
	tpm, err := tpmdev.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tpm.Close() })
	return tpm
}

func srk(t *testing.T, tpm *tpmdev.TPM) *tpmdev.SRK {
	t.Helper()
	k, err := tpm.SRK(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func session(t *testing.T, tpm *tpmdev.TPM) *tpmdev.Session {
	t.Helper()
	k := srk(t, tpm)
	s, err := k.Session(t.Context(), tpmdev.Out)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestInfo(t *testing.T) {
	e, tpm := open(t)
	if info := tpm.Info(); info.Manufacturer != "IBM" || info.Vendor == "" || strings.Count(info.Firmware, ".") != 3 {
		t.Errorf("Info() = %+v", info)
	}
	if tpm.Device() != e.Socket {
		t.Errorf("Device() = %q", tpm.Device())
	}
}

func TestRandom(t *testing.T) {
	_, tpm := open(t)
	s := session(t, tpm)
	// Asked for more than 64 bytes at once, this emulator gives 64.
	for _, n := range []int{1, 8, 31, 32, 33, 64, 65, 100, 1000} {
		p := make([]byte, n)
		if err := s.Random(t.Context(), p); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if n >= 32 && bytes.Contains(p, make([]byte, 8)) {
			t.Errorf("%d bytes: not all filled: %x", n, p)
		}
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Random(t.Context(), make([]byte, 8)); err == nil {
		t.Error("Random worked over a flushed session")
	}
}

// A TPM without a resource manager has room for three keys and three sessions:
// whatever is not flushed shows as an error here.
func TestNothingStaysLoaded(t *testing.T) {
	_, tpm := open(t)
	for range 8 {
		if err := session(t, tpm).Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		srk(t, tpm)
	}
	if _, err := tpm.SRK(t.Context()); !errors.Is(err, tpmdev.ErrBusy) {
		t.Errorf("a full TPM: %v, want ErrBusy", err)
	}
}

// The storage root key is the owner seed's: the same after a restart, even an
// unclean one, and another in another TPM.
func TestSRKName(t *testing.T) {
	e, tpm := open(t)
	first := srk(t, tpm)
	if len(first.Name) != 2+32 || !bytes.HasPrefix(first.Name, []byte{0x00, 0x0b}) {
		t.Errorf("Name = %x, want 000b and 32 bytes", first.Name)
	}
	e.Kill()
	if err := first.Flush(t.Context()); !errors.Is(err, tpmdev.ErrAbsent) {
		t.Errorf("a dead emulator: %v, want ErrAbsent", err)
	}
	e.Restart()
	if again := srk(t, connect(t)); !bytes.Equal(again.Name, first.Name) {
		t.Errorf("after a restart the name is %x, it was %x", again.Name, first.Name)
	}
	e.Replace()
	if other := srk(t, connect(t)); bytes.Equal(other.Name, first.Name) {
		t.Error("another TPM has the same name")
	}
}

// Where the owner has set a password there is no storage root key to be had
// without it.
func TestOwnerPassword(t *testing.T) {
	_, tpm := open(t)
	_, err := tpm2.HierarchyChangeAuth{
		AuthHandle: tpm2.TPMRHOwner, NewAuth: tpm2.TPM2BAuth{Buffer: []byte("password")},
	}.Execute(tpm.With(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tpm.SRK(t.Context()); !errors.Is(err, tpmdev.ErrPermission) || !strings.Contains(err.Error(), "owner") {
		t.Errorf("%v, want ErrPermission", err)
	}
}

// Other programs make the same key from template H-2.
func TestSRKIsTheOneOfTPM2Tools(t *testing.T) {
	swtpmtest.Need(t, "tpm2_createprimary")
	e, tpm := open(t)
	k := srk(t, tpm)
	if err := k.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, append([]string{"-T", e.TCTI}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	context, name := filepath.Join(dir, "context"), filepath.Join(dir, "name")
	run("tpm2_createprimary", "-C", "o", "-g", "sha256", "-G", "ecc256:null:aes128cfb", "-c", context, "-a",
		"restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda")
	run("tpm2_readpublic", "-c", context, "-n", name)
	theirs, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(theirs, k.Name) {
		t.Errorf("tpm2-tools' key is %s, ours %s", hex.EncodeToString(theirs), hex.EncodeToString(k.Name))
	}
}

// A TPM that does not answer is given up at the deadline, and for good.
func TestHang(t *testing.T) {
	e, tpm := open(t)
	s := session(t, tpm)
	e.Pause()
	defer e.Resume()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := s.Random(ctx, make([]byte, 32))
	if !errors.Is(err, tpmdev.ErrHang) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a paused emulator: %v, want ErrHang", err)
	}
	e.Resume()
	if err := s.Random(t.Context(), make([]byte, 32)); !errors.Is(err, tpmdev.ErrHang) {
		t.Errorf("afterwards: %v, want ErrHang again", err)
	}
	if _, err := tpmdev.Open(t.Context()); err != nil {
		t.Errorf("a new connection: %v", err)
	}
}

func TestFailureMode(t *testing.T) {
	e, tpm := open(t)
	e.Break()
	if _, err := tpm.SRK(t.Context()); !errors.Is(err, tpmdev.ErrFailureMode) || !errors.Is(err, tpm2.TPMRCFailure) {
		t.Errorf("a broken emulator: %v, want ErrFailureMode", err)
	}
}

// Two things count against the dictionary attack protection: a wrong
// authorization, and losing power after a protected object was used.
func TestLockoutAndUncleanShutdown(t *testing.T) {
	e, tpm := open(t)
	unseal := func(tpm *tpmdev.TPM, pin string) error {
		k := srk(t, tpm)
		defer k.Flush(t.Context())
		created, err := tpm2.Create{
			ParentHandle: tpm2.NamedHandle{Handle: k.Handle, Name: tpm2.TPM2BName{Buffer: k.Name}},
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				UserAuth: tpm2.TPM2BAuth{Buffer: []byte("1234")},
				Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: []byte("secret")}),
			}},
			InPublic: tpm2.New2B(tpm2.TPMTPublic{
				Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
				ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true},
			}),
		}.Execute(tpm.With(t.Context()), tpm2.HMAC(tpm2.TPMAlgSHA256, tpmdev.SessionNonce, k.Auth(tpmdev.InOut)...))
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := tpm2.Load{
			ParentHandle: tpm2.NamedHandle{Handle: k.Handle, Name: tpm2.TPM2BName{Buffer: k.Name}},
			InPrivate:    created.OutPrivate, InPublic: created.OutPublic,
		}.Execute(tpm.With(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		defer tpm2.FlushContext{FlushHandle: loaded.ObjectHandle}.Execute(tpm.With(t.Context()))
		opened, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{
			Handle: loaded.ObjectHandle, Name: loaded.Name,
			Auth: tpm2.HMAC(tpm2.TPMAlgSHA256, tpmdev.SessionNonce,
				append(k.Auth(tpmdev.Out), tpm2.Auth([]byte(pin)))...),
		}}.Execute(tpm.With(t.Context()))
		if err == nil && string(opened.OutData.Buffer) != "secret" {
			t.Errorf("unsealed %q", opened.OutData.Buffer)
		}
		return tpm.Err(err)
	}
	failures := func(tpm *tpmdev.TPM) tpmdev.Lockout {
		t.Helper()
		l, err := tpm.Lockout(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return l
	}

	if err := unseal(tpm, "1234"); err != nil {
		t.Fatal(err)
	}
	if l := failures(tpm); l.Failures != 0 || l.MaxFailures == 0 || l.Interval == 0 {
		t.Errorf("a fresh TPM: %+v", l)
	}
	e.Shutdown()
	e.Restart()
	tpm = connect(t)
	if l := failures(tpm); l.Failures != 0 {
		t.Errorf("after an orderly shutdown: %+v", l)
	}
	if err := unseal(tpm, "1234"); err != nil {
		t.Fatal(err)
	}
	e.Kill()
	e.Restart()
	tpm = connect(t)
	if l := failures(tpm); l.Failures != 1 {
		t.Errorf("after a power cut: %+v, want one failure", l)
	}

	for range failures(tpm).MaxFailures - 1 {
		if err := unseal(tpm, "4321"); !errors.Is(err, tpm2.TPMRCAuthFail) || errors.Is(err, tpmdev.ErrLockout) {
			t.Fatalf("wrong PIN: %v", err)
		}
	}
	err := unseal(tpm, "1234")
	if !errors.Is(err, tpmdev.ErrLockout) {
		t.Errorf("right PIN, locked out: %v, want ErrLockout", err)
	}
	// Random bytes are outside the protection.
	if err := session(t, tpm).Random(t.Context(), make([]byte, 32)); err != nil {
		t.Errorf("locked out: %v", err)
	}
}
