package tpmdev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// CommandTimeout bounds one command where the context has no deadline. The
// longest command in use here, creating an ECC primary key, takes well below a
// second on slow TPMs.
const CommandTimeout = 10 * time.Second

// A command that the TPM asks to be sent again is sent after firstPause, then
// after twice that, and so on up to longestPause.
const (
	firstPause   = time.Millisecond
	longestPause = 64 * time.Millisecond
)

// EnvDevice names the environment variable that says where the TPM is: the
// path of a device, or of an emulator's Unix socket.
const EnvDevice = "BULLA_TPM"

// conn carries one command to the TPM and its response back. Both calls may
// block for as long as the TPM likes; Close may be called meanwhile.
type conn interface {
	exchange(cmd []byte) (rsp []byte, err error)
	Close() error

	// managed says that a resource manager stands before the TPM.
	managed() bool
}

// TPM is a connection to a TPM. It is safe for concurrent use: one command is
// under way at a time.
type TPM struct {
	device  string
	conn    conn
	turn    chan struct{} // holds one token; whoever has it may use conn and dead
	dead    error         // why the connection was given up
	gone    atomic.Bool   // that it was: whoever gives it up closes it
	info    Info
	retries atomic.Uint64
}

// Open finds the TPM, connects to it and asks what it is. Errors are *Error;
// where there is no TPM they wrap ErrAbsent.
func Open(ctx context.Context) (*TPM, error) {
	if path := os.Getenv(EnvDevice); path != "" {
		return OpenPath(ctx, path)
	}
	device, c, err := openSystem()
	if err != nil {
		return nil, wrapError(device, err)
	}
	return open(ctx, device, c)
}

// OpenPath is Open for the TPM at path, a device or an emulator's Unix socket.
func OpenPath(ctx context.Context, path string) (*TPM, error) {
	c, err := openPath(path)
	if err != nil {
		return nil, wrapError(path, err)
	}
	return open(ctx, path, c)
}

// open makes a TPM of a connection, which it closes if it fails.
func open(ctx context.Context, device string, c conn) (*TPM, error) {
	t := &TPM{device: device, conn: c, turn: make(chan struct{}, 1)}
	t.turn <- struct{}{}
	info, err := t.readInfo(ctx)
	if err != nil {
		t.Close()
		return nil, err
	}
	t.info = info
	return t, nil
}

// openPath opens the device or the socket at path.
func openPath(path string) (conn, error) {
	fi, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case fi.Mode()&os.ModeSocket != 0:
		return openSocket(path)
	case fi.Mode()&os.ModeDevice != 0:
		return openDevice(path)
	}
	return nil, fmt.Errorf("%w: neither a device nor a socket", errAddress)
}

// Device says where the TPM is: the path of its device or socket, or "TBS".
func (t *TPM) Device() string { return t.device }

// Managed says that a resource manager keeps this connection's keys and
// sessions apart from other programs' and flushes them when the program ends.
// Without one they take up room in the TPM, which has very little, until they
// are flushed or the machine restarts, and what the program does not flush
// because it is killed stays there.
func (t *TPM) Managed() bool { return t.conn.managed() }

// Retries counts the commands that the TPM asked to be sent again.
func (t *TPM) Retries() uint64 { return t.retries.Load() }

// Close ends the connection. What was loaded into the TPM stays there unless
// the system has a resource manager: flush it first.
func (t *TPM) Close() error {
	if t.gone.Load() {
		return nil
	}
	return wrapError(t.device, t.conn.Close())
}

// With gives the TPM as go-tpm wants it, every command bounded by ctx.
func (t *TPM) With(ctx context.Context) transport.TPM { return bound{t, ctx} }

type bound struct {
	tpm *TPM
	ctx context.Context
}

// Send implements transport.TPM.
func (b bound) Send(cmd []byte) ([]byte, error) { return b.tpm.send(b.ctx, cmd) }

// Flush removes a key from the TPM's memory or ends a session.
func (t *TPM) Flush(ctx context.Context, handle tpm2.TPMHandle) error {
	_, err := tpm2.FlushContext{FlushHandle: handle}.Execute(t.With(ctx))
	return t.Err(err)
}

// Err gives an error of go-tpm's its kind: an *Error, or nil for nil.
func (t *TPM) Err(err error) error { return wrapError(t.device, err) }

// send sends cmd, as often as the TPM asks for it, and returns the response.
// Once a command was given up, so is the connection: the response that may
// still come would be taken for the next command's.
func (t *TPM) send(ctx context.Context, cmd []byte) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, CommandTimeout)
		defer cancel()
	}
	select {
	case <-t.turn:
	case <-ctx.Done():
		return nil, &Error{Device: t.device, Kind: ErrBusy, Err: ctx.Err()}
	}
	defer func() { t.turn <- struct{}{} }()

	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		rsp, err := t.exchange(ctx, cmd)
		if err != nil {
			return nil, wrapError(t.device, err)
		}
		rc, err := checkResponse(rsp)
		switch {
		case err != nil:
			return nil, wrapError(t.device, err)
		case rc == tpm2.TPMRCFailure:
			return nil, wrapError(t.device, rc)
		case !again(rc):
			return rsp, nil
		}
		t.retries.Add(1)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, &Error{Device: t.device, Kind: ErrBusy, Err: errors.Join(rc, ctx.Err())}
		}
	}
}

// exchange runs one exchange under ctx. The caller has the turn.
func (t *TPM) exchange(ctx context.Context, cmd []byte) ([]byte, error) {
	if t.dead != nil {
		return nil, t.dead
	}
	if err := ctx.Err(); err != nil {
		return nil, &Error{Device: t.device, Kind: ErrBusy, Err: err}
	}
	type result struct {
		rsp []byte
		err error
	}
	done := make(chan result, 1) // the goroutine ends even when nobody waits for it
	cmd = bytes.Clone(cmd)       // and must not see the caller's buffer change
	go func() {
		rsp, err := t.conn.exchange(cmd)
		done <- result{rsp, err}
	}()
	select {
	case r := <-done:
		return r.rsp, r.err
	case <-ctx.Done():
		t.dead = wrapError(t.device, ctx.Err())
		t.gone.Store(true)
		go t.conn.Close() // it too may block
		return nil, t.dead
	}
}
