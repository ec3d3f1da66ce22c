//go:build !windows

package entropy

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bulla/internal/tpmdev"
	"bulla/internal/tpmdev/swtpmtest"
)

// tpmTap guards the TPM of the emulator. With keep, it holds its session from
// draw to draw, as it does where there is a resource manager.
func tpmTap(e *swtpmtest.Emulator, keep bool) *tap {
	return newTap(kind{id: idTPM, name: "tpm", size: drawSize, proof: proofTPM, sample: sampleTPM, probe: func() (Source, error) {
		s := &tpmSource{
			open:    func(ctx context.Context) (*tpmdev.TPM, error) { return tpmdev.OpenPath(ctx, e.Socket) },
			timeout: tpmTimeout,
		}
		err := s.probe()
		s.keep = keep
		return s, err
	}})
}

func TestTPM(t *testing.T) {
	for _, keep := range []bool{false, true} {
		e := swtpmtest.Start(t)
		m := mixerOf(t, &Options{Require: []string{"tpm"}}, tpmTap(e, keep))
		for range 10 { // more than there is room for sessions in the TPM
			fill(t, m)
		}
		s := m.Status()[1]
		if s.State != Active || !s.Required || s.Startup != "passed" || s.Draws != 10 || s.Latency == 0 || s.Detail == "" {
			t.Errorf("keep %v: %+v", keep, s)
		}
		if s.TPM == nil || s.TPM.Manufacturer != "IBM" || s.TPM.Firmware == "" || s.TPM.Device != e.Socket ||
			!strings.Contains(s.TPM.Session, "salted") || len(s.TPM.SRKName) != 2*34 {
			t.Errorf("keep %v: %+v", keep, s.TPM)
		}
	}
}

// The machine's own tap finds the emulator through the environment.
func TestTPMFromEnvironment(t *testing.T) {
	e := swtpmtest.Start(t)
	e.Use()
	src, err := probeTPM()
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Fill(make([]byte, drawSize)); err != nil {
		t.Error(err)
	}
}

func TestTPMAbsent(t *testing.T) {
	t.Setenv(tpmdev.EnvDevice, filepath.Join(t.TempDir(), "none"))
	_, err := probeTPM()
	if o, ok := errors.AsType[*off](err); !ok || o.state != Absent || o.hint == "" || !strings.Contains(o.reason, "none") {
		t.Errorf("%#v, want absent", err)
	}
}

func TestTPMNotPermitted(t *testing.T) {
	err := tpmOff(&tpmdev.Error{Device: "/dev/tpmrm0", Kind: tpmdev.ErrPermission, Err: os.ErrPermission})
	if o, ok := errors.AsType[*off](err); !ok || o.state != Excluded || !strings.Contains(o.hint, "tss") {
		t.Errorf("%#v, want excluded", err)
	}
}

// A TPM that forgets its session, because the machine slept or the emulator was
// restarted, gets a new one; one that is another TPM does not.
func TestTPMRestart(t *testing.T) {
	for _, keep := range []bool{false, true} {
		e := swtpmtest.Start(t)
		m := mixerOf(t, &Options{Require: []string{"tpm"}}, tpmTap(e, keep))
		fill(t, m)
		e.Kill()
		e.Restart()
		fill(t, m)
		if s := m.Status()[1]; keep && s.Retries != 1 {
			t.Errorf("keep %v: %d retries", keep, s.Retries)
		}
		e.Replace()
		var missing *RequireError
		err := m.Fill("test", make([]byte, 32))
		if !errors.As(err, &missing) || !strings.Contains(missing.Reason, errOtherTPM.Error()) {
			t.Errorf("keep %v: another TPM: %v", keep, err)
		}
	}
}

// A hanging TPM is waited for once.
func TestTPMHang(t *testing.T) {
	e := swtpmtest.Start(t)
	tap := tpmTap(e, true)
	m := mixerOf(t, nil, tap)
	fill(t, m)
	tap.src.(*tpmSource).timeout = time.Second
	e.Pause()
	defer e.Resume()
	fill(t, m)
	s := m.Status()[1]
	if s.State != Failed || !strings.Contains(s.Reason, tpmdev.ErrHang.Error()) || s.Hint == "" || s.Failures != 1 {
		t.Errorf("%+v", s)
	}
	e.Resume()
	if err := tap.draw(make([]byte, drawSize)); err == nil {
		t.Error("the TPM is back")
	}
}

func TestTPMFailureMode(t *testing.T) {
	e := swtpmtest.Start(t)
	m := mixerOf(t, nil, tpmTap(e, true))
	fill(t, m)
	e.Break()
	fill(t, m)
	if s := m.Status()[1]; s.State != Failed || !strings.Contains(s.Reason, tpmdev.ErrFailureMode.Error()) {
		t.Errorf("%+v", s)
	}
}

func TestTPMPinFile(t *testing.T) {
	e := swtpmtest.Start(t)
	path := filepath.Join(t.TempDir(), "config", "tpm-pin")
	run := func() error { // as a process of its own
		_, err := newMixer([]*tap{tpmTap(e, false)}, &Options{Require: []string{"tpm"}, TPMPinFile: path})
		return err
	}
	if err := run(); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", fi, err)
	}
	first, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(first, []byte("#")) {
		t.Errorf("%q, %v", first, err)
	}
	if err := run(); err != nil {
		t.Errorf("second run: %v", err)
	}
	e.Replace()
	var missing *RequireError
	if err := run(); !errors.As(err, &missing) || !strings.Contains(missing.Reason, path) {
		t.Errorf("another TPM: %v, want the pin file to be named", err)
	}
	if second, _ := os.ReadFile(path); !bytes.Equal(first, second) {
		t.Error("the pin was changed")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := run(); err != nil {
		t.Errorf("after removing the file: %v", err)
	}

	// Files that are no pin are never taken for one, nor overwritten.
	for _, text := range []string{"", "# only a comment\n", "000b12\n", "not hexadecimal\n", strings.Repeat("0", 5000)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(); !errors.As(err, &missing) {
			t.Errorf("%.20q: %v", text, err)
		}
		if now, _ := os.ReadFile(path); string(now) != text {
			t.Errorf("%.20q was overwritten", text)
		}
	}
	path = filepath.Join(path, "below a file")
	if err := run(); !errors.As(err, &missing) || missing.Hint == "" {
		t.Errorf("a path that cannot be: %v", err)
	}
}

// A mixer made later can bring a pin for a TPM that is in use already.
func TestTPMPinnedLater(t *testing.T) {
	e := swtpmtest.Start(t)
	path := filepath.Join(t.TempDir(), "tpm-pin")
	taps := []*tap{tpmTap(e, true)}
	fill(t, mixerOf(t, &Options{Require: []string{"tpm"}}, taps...))
	other := append([]byte{0, 0x0b}, make([]byte, 32)...)
	if err := writePin(path, other); err != nil {
		t.Fatal(err)
	}
	_, err := newMixer(taps, &Options{Require: []string{"tpm"}, TPMPinFile: path})
	var missing *RequireError
	if !errors.As(err, &missing) {
		t.Errorf("%v, want a RequireError", err)
	}
	if got, err := readPin(path); err != nil || !bytes.Equal(got, other) {
		t.Errorf("the pin is %s, %v", hex.EncodeToString(got), err)
	}
}
