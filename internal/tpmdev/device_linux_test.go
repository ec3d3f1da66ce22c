package tpmdev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/google/go-tpm/tpm2"
)

// terminal stands in for the kernel's TPM device, of which there is none in a
// test: a pseudo-terminal in raw mode is a character device too. The test plays
// the TPM at the other end.
func terminal(t *testing.T) (tpm *os.File, path string) {
	t.Helper()
	tpm, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { tpm.Close() })
	fd := int(tpm.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	raw := unix.Termios{Cflag: unix.CS8 | unix.CREAD}
	raw.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		t.Fatal(err)
	}
	return tpm, fmt.Sprintf("/dev/pts/%d", n)
}

func TestDevice(t *testing.T) {
	tpm, path := terminal(t)
	c, err := openPath(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.managed() {
		t.Errorf("%s passes for a resource manager", path)
	}
	go func() {
		cmd := make([]byte, len("command"))
		io.ReadFull(tpm, cmd)
		if string(cmd) == "command" {
			tpm.Write(response(noSessions, tpm2.TPMRCSuccess))
		}
	}()
	dev := tpmOf(c)
	if _, err := dev.With(t.Context()).Send([]byte("command")); err != nil {
		t.Fatal(err)
	}
	// Now it does not answer. The goroutine that waits in the kernel stays.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := dev.With(ctx).Send([]byte("command")); !errors.Is(err, ErrHang) {
		t.Errorf("%v, want ErrHang", err)
	}
	if err := dev.Close(); err != nil {
		t.Errorf("closing a TPM that was given up: %v", err)
	}
}

// The resource manager is known by its name.
func TestManaged(t *testing.T) {
	for name, want := range map[string]bool{"tpmrm0": true, "tpmrm1": true, "tpm0": false} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := openDevice(path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if c.managed() != want {
			t.Errorf("%s: managed %v", name, c.managed())
		}
	}
}

func TestOpenFirst(t *testing.T) {
	_, path := terminal(t)
	missing := t.TempDir() + "/missing"
	for _, test := range []struct {
		devices []string
		path    string
		ok      bool
	}{
		{[]string{missing, path}, path, true},
		{[]string{path, missing}, path, true},
		{[]string{missing, missing + "2"}, missing, false},
		{nil, "linux", false},
	} {
		got, c, err := openFirst(test.devices)
		if got != test.path || test.ok != (err == nil) {
			t.Errorf("%v: %s, %v", test.devices, got, err)
		}
		if err != nil && !errors.Is(wrapError(got, err), ErrAbsent) {
			t.Errorf("%v: %v, want ErrAbsent", test.devices, err)
		}
		if c != nil {
			c.Close()
		}
	}
	// What exists and cannot be opened is not passed over.
	if got, _, err := openFirst([]string{t.TempDir(), path}); err == nil || got == path {
		t.Errorf("opened %s behind a device that cannot be", got)
	}
}
