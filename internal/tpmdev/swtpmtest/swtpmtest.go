//go:build !windows

// Package swtpmtest runs the software TPM swtpm for tests.
//
//	apt-get install swtpm
//
// A test that needs it is skipped where it is missing, and fails where the
// environment says CI=true.
package swtpmtest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"bulla/internal/tpmdev"
)

// An Emulator is a software TPM: the state of one, and the process that serves
// it.
type Emulator struct {
	Socket string // the path of its Unix socket

	// TCTI is where tpm2-tools find it: tpm2_getrandom -T TCTI 8.
	TCTI string

	t     *testing.T
	dir   string
	child *exec.Cmd // nil while none runs
}

// Start starts an emulator with fresh state, a TPM as it leaves the factory. It
// ends with the test.
func Start(t *testing.T) *Emulator {
	t.Helper()
	Need(t, "swtpm")
	// Not t.TempDir: with a long test name its path is too long for a socket.
	dir, err := os.MkdirTemp("", "swtpm")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "tpm.sock")
	e := &Emulator{Socket: socket, TCTI: "swtpm:path=" + socket, t: t, dir: dir}
	t.Cleanup(func() {
		e.Kill()
		os.RemoveAll(dir)
	})
	e.Restart()
	return e
}

// Use makes the emulator the TPM that tpmdev.Open finds, for this test.
func (e *Emulator) Use() { e.t.Setenv(tpmdev.EnvDevice, e.Socket) }

// state is where the emulator keeps its state. The path is absolute: with a
// relative one, swtpm in the background ends up in failure mode.
func (e *Emulator) state() string { return filepath.Join(e.dir, "state") }

// Restart starts the emulator on the state it left, as switching a machine on
// does.
func (e *Emulator) Restart() {
	e.t.Helper()
	if e.child != nil {
		e.t.Fatal("swtpmtest: the emulator still runs")
	}
	os.Remove(e.Socket)
	if err := os.MkdirAll(e.state(), 0o700); err != nil {
		e.t.Fatal(err)
	}
	child := exec.Command("swtpm", "socket", "--tpm2",
		"--tpmstate", "dir="+e.state(),
		"--server", "type=unixio,path="+e.Socket+",mode=0600",
		"--ctrl", "type=unixio,path="+e.Socket+".ctrl,mode=0600", // tpm2-tools want it
		"--flags", "not-need-init,startup-clear",
		"--log", "file="+filepath.Join(e.dir, "log")+",level=1")
	if err := child.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.child = child
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("unix", e.Socket)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(e.dir, "log"))
			e.t.Fatalf("swtpm does not come up: %v\n%s", err, log)
		}
	}
}

// Kill ends the emulator as a power cut ends a TPM: without TPM2_Shutdown.
func (e *Emulator) Kill() {
	if e.child == nil {
		return
	}
	e.child.Process.Kill()
	var exit *exec.ExitError
	if err := e.child.Wait(); err != nil && !errors.As(err, &exit) {
		e.t.Error(err)
	}
	e.child = nil
}

// Shutdown ends the emulator as an orderly system ends a TPM.
func (e *Emulator) Shutdown() {
	e.t.Helper()
	if err := e.sendShutdown(); err != nil {
		e.t.Fatal(err)
	}
	e.Kill()
}

func (e *Emulator) sendShutdown() error {
	tpm, err := tpmdev.OpenPath(context.Background(), e.Socket)
	if err != nil {
		return err
	}
	defer tpm.Close()
	_, err = tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}.Execute(tpm.With(context.Background()))
	return err
}

// Replace kills the emulator and starts one with fresh state on the same
// socket: another TPM, or this one after TPM2_Clear.
func (e *Emulator) Replace() {
	e.t.Helper()
	e.Kill()
	if err := os.RemoveAll(e.state()); err != nil {
		e.t.Fatal(err)
	}
	e.Restart()
}

// Break puts the emulator into failure mode, by taking away the place where it
// keeps its state and having it write there.
func (e *Emulator) Break() {
	e.t.Helper()
	if err := os.RemoveAll(e.state()); err != nil {
		e.t.Fatal(err)
	}
	if err := e.sendShutdown(); err == nil {
		e.t.Fatal("swtpmtest: the emulator wrote its state to nowhere")
	}
}

// Pause stops the emulator: it still takes commands, and does not answer.
func (e *Emulator) Pause() { e.signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (e *Emulator) Resume() { e.signal(syscall.SIGCONT) }

func (e *Emulator) signal(s os.Signal) {
	e.t.Helper()
	if err := e.child.Process.Signal(s); err != nil {
		e.t.Fatal(err)
	}
}

// Need skips the test if the program is missing, or fails it in CI.
func Need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("%s is not installed", program)
}
