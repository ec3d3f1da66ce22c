package tpmdev

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-tpm/tpm2"
)

// A fake answers commands out of a function.
type fake struct {
	answer func(cmd []byte) ([]byte, error)
	closed chan struct{}
}

func newFake(answer func(cmd []byte) ([]byte, error)) *fake {
	return &fake{answer, make(chan struct{})}
}

func (f *fake) exchange(cmd []byte) ([]byte, error) { return f.answer(cmd) }

func (f *fake) Close() error {
	close(f.closed)
	return nil
}

func (f *fake) managed() bool { return true }

// tpmOf connects to a fake without asking it what it is.
func tpmOf(c conn) *TPM {
	t := &TPM{device: "fake", conn: c, turn: make(chan struct{}, 1)}
	t.turn <- struct{}{}
	return t
}

// response is a response without parameters.
func response(tag uint16, rc tpm2.TPMRC) []byte {
	p := binary.BigEndian.AppendUint16(nil, tag)
	p = binary.BigEndian.AppendUint32(p, headerSize)
	return binary.BigEndian.AppendUint32(p, uint32(rc))
}

const noSessions = uint16(tpm2.TPMSTNoSessions)

func TestRetryCodes(t *testing.T) {
	for _, rc := range []tpm2.TPMRC{tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			tpm := tpmOf(newFake(func(cmd []byte) ([]byte, error) {
				if string(cmd) != "command" {
					t.Errorf("sent %q", cmd)
				}
				if calls++; calls <= 20 {
					return response(noSessions, rc), nil
				}
				return response(noSessions, tpm2.TPMRCSuccess), nil
			}))
			if _, err := tpm.With(t.Context()).Send([]byte("command")); err != nil || calls != 21 || tpm.Retries() != 20 {
				t.Errorf("%v: %v after %d calls, %d retries", rc, err, calls, tpm.Retries())
			}
		})
	}
}

// A TPM that keeps asking to be asked again is busy; it is not given up.
func TestRetryForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rc := tpm2.TPMRCRetry
		tpm := tpmOf(newFake(func([]byte) ([]byte, error) { return response(noSessions, rc), nil }))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := tpm.With(ctx).Send(nil)
		if !errors.Is(err, ErrBusy) || !errors.Is(err, tpm2.TPMRCRetry) || errors.Is(err, ErrHang) {
			t.Errorf("%v, want ErrBusy", err)
		}
		if n := tpm.Retries(); n < 30 || n > 50 {
			t.Errorf("%d retries in two seconds", n)
		}
		rc = tpm2.TPMRCSuccess
		if _, err := tpm.With(t.Context()).Send(nil); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := newFake(func([]byte) ([]byte, error) {
			<-release
			return response(noSessions, tpm2.TPMRCSuccess), nil
		})
		tpm := tpmOf(f)
		begin := time.Now()
		waiting := make(chan error)
		go func() { // whoever waits for the turn has a deadline too
			time.Sleep(time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := tpm.With(ctx).Send(nil)
			waiting <- err
		}()
		go func() {
			if err := <-waiting; !errors.Is(err, ErrBusy) {
				t.Errorf("second command: %v, want ErrBusy", err)
			}
		}()
		_, err := tpm.With(t.Context()).Send(nil) // no deadline of its own
		if !errors.Is(err, ErrHang) || time.Since(begin) != CommandTimeout {
			t.Errorf("after %v: %v, want ErrHang", time.Since(begin), err)
		}
		<-f.closed
		close(release) // the answer comes late, and goes to nobody
		if _, err := tpm.With(t.Context()).Send(nil); !errors.Is(err, ErrHang) {
			t.Errorf("next command: %v, want ErrHang", err)
		}
	})
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tpm := tpmOf(newFake(func([]byte) ([]byte, error) {
		cancel()
		select {}
	}))
	_, err := tpm.With(ctx).Send(nil)
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrHang) {
		t.Errorf("%v, want a cancellation", err)
	}
}

func TestBadResponses(t *testing.T) {
	good := response(noSessions, tpm2.TPMRCSuccess)
	for name, test := range map[string]struct {
		rsp  []byte
		err  error
		want error
	}{
		"empty":        {rsp: []byte{}, want: errMalformed},
		"short":        {rsp: good[:9], want: errMalformed},
		"long":         {rsp: append(bytes.Clone(good), 0), want: errMalformed},
		"TPM 1.2":      {rsp: response(tagTPM12, 30), want: ErrAbsent},
		"failure mode": {rsp: response(noSessions, tpm2.TPMRCFailure), want: ErrFailureMode},
		"I/O error":    {err: io.ErrUnexpectedEOF, want: io.ErrUnexpectedEOF},
		"gone":         {err: syscall.ENODEV, want: ErrAbsent},
	} {
		tpm := tpmOf(newFake(func([]byte) ([]byte, error) { return test.rsp, test.err }))
		_, err := tpm.With(t.Context()).Send(nil)
		var typed *Error
		if !errors.Is(err, test.want) || !errors.As(err, &typed) || typed.Device != "fake" {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestErrorKinds(t *testing.T) {
	for _, test := range []struct{ cause, kind error }{
		{&fs.PathError{Op: "open", Path: "/dev/tpmrm0", Err: syscall.EACCES}, ErrPermission},
		{&fs.PathError{Op: "open", Path: "/dev/tpmrm0", Err: syscall.EPERM}, ErrPermission},
		{&fs.PathError{Op: "open", Path: "/dev/tpmrm0", Err: syscall.ENOENT}, ErrAbsent},
		{syscall.EBUSY, ErrBusy},
		{tpm2.TPMRCLockout, ErrLockout},
		{tpm2.TPMRCObjectMemory, ErrBusy},
		{tpm2.TPMRCAuthFail, nil},
		{io.EOF, nil},
	} {
		err := wrapError("x", test.cause)
		typed, ok := errors.AsType[*Error](err)
		if !ok || typed.Kind != test.kind || !errors.Is(err, test.cause) {
			t.Errorf("%v: %#v, want kind %v", test.cause, err, test.kind)
		}
		if (typed.Hint() == "") != (test.kind == nil) {
			t.Errorf("%v: hint %q", test.cause, typed.Hint())
		}
		if wrapError("y", err) != err {
			t.Errorf("%v: wrapped twice", test.cause)
		}
	}
	if wrapError("x", nil) != nil {
		t.Error("nil became an error")
	}
}

func TestOpenPath(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir + "/missing", dir, file} {
		if _, err := OpenPath(t.Context(), path); !errors.Is(err, ErrAbsent) {
			t.Errorf("%s: %v, want ErrAbsent", path, err)
		}
		t.Setenv(EnvDevice, path)
		if _, err := Open(t.Context()); !errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), path) {
			t.Errorf("$%s=%s: %v, want ErrAbsent and the path", EnvDevice, path, err)
		}
	}
	long := "/" + strings.Repeat("s", maxSocketPath)
	if _, err := openSocket(long); !errors.Is(err, errAddress) {
		t.Errorf("a socket's path of %d bytes: %v, want errAddress", len(long), err)
	}
	if _, err := openSocket(long[:maxSocketPath]); err != nil {
		t.Errorf("a socket's path of %d bytes: %v", maxSocketPath, err)
	}
}

func TestGather(t *testing.T) {
	for _, give := range []int{1, 3, 32, 64} {
		p := make([]byte, 100)
		next, draws := byte(0), 0
		var last []byte
		err := gather(p, func(n uint16) ([]byte, error) {
			draws++
			got := make([]byte, min(int(n), give))
			for i := range got {
				next++
				got[i] = next
			}
			last = got
			return got, nil
		})
		if err != nil || draws != (100+give-1)/give || p[0] != 1 || p[99] != 100 {
			t.Errorf("%d at a time: %v, %d draws, %v", give, err, draws, p)
		}
		if !bytes.Equal(last, make([]byte, len(last))) {
			t.Errorf("%d at a time: the TPM's buffer was not wiped", give)
		}
	}
	for _, give := range []int{0, 33} {
		err := gather(make([]byte, 32), func(uint16) ([]byte, error) { return make([]byte, give), nil })
		if !errors.Is(err, errMalformed) {
			t.Errorf("%d bytes for 32: %v, want errMalformed", give, err)
		}
	}
}

func TestReadResponse(t *testing.T) {
	rsp := response(noSessions, tpm2.TPMRCSuccess)
	rsp = append(rsp, "parameters"...)
	binary.BigEndian.PutUint32(rsp[2:], uint32(len(rsp)))
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(rsp), "in bytes": iotest.OneByteReader(bytes.NewReader(rsp)),
		"in halves": iotest.HalfReader(bytes.NewReader(rsp)), "with EOF": iotest.DataErrReader(bytes.NewReader(rsp)),
	} {
		if got, err := readResponse(r); err != nil || !bytes.Equal(got, rsp) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	for n := range rsp {
		if _, err := readResponse(bytes.NewReader(rsp[:n])); err == nil {
			t.Errorf("%d of %d bytes were enough", n, len(rsp))
		}
	}
	for _, size := range []uint32{0, headerSize - 1, uint32(len(rsp)) - 1, maxResponse + 1, 1<<32 - 1} {
		binary.BigEndian.PutUint32(rsp[2:], size)
		if _, err := readResponse(bytes.NewReader(rsp)); !errors.Is(err, errMalformed) {
			t.Errorf("size %d: %v, want errMalformed", size, err)
		}
	}
}

// FuzzResponses is a TPM that answers at random, from the start or from the
// first command after a good storage root key: whatever comes must end in an
// error or a value, not in a panic or an endless loop.
func FuzzResponses(f *testing.F) {
	public := srkTemplate
	public.Unique = p256G
	srk := srkResponse(f, public)
	f.Add(srk[headerSize:], uint16(tpm2.TPMSTSessions), uint32(0), false)
	f.Add([]byte{0, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 1, 5, 'I', 'B', 'M', 0}, noSessions, uint32(0), false)
	f.Add(append([]byte{2, 0, 0, 0, 0, 16}, make([]byte, 16)...), noSessions, uint32(0), true)
	f.Add(bytes.Repeat([]byte{0x80}, 400), noSessions, uint32(0x9a2), true)
	f.Fuzz(func(t *testing.T, parameters []byte, tag uint16, rc uint32, key bool) {
		if again(tpm2.TPMRC(rc)) || len(parameters) > maxResponse-headerSize {
			t.Skip()
		}
		tpm := tpmOf(newFake(func(cmd []byte) ([]byte, error) {
			if key && tpm2.TPMCC(binary.BigEndian.Uint32(cmd[6:])) == tpm2.TPMCCCreatePrimary {
				return bytes.Clone(srk), nil
			}
			rsp := append(response(tag, tpm2.TPMRC(rc)), parameters...)
			binary.BigEndian.PutUint32(rsp[2:], uint32(len(rsp)))
			return rsp, nil
		}))
		tpm.readInfo(t.Context())
		tpm.Lockout(t.Context())
		k, err := tpm.SRK(t.Context())
		if err != nil {
			if key {
				t.Fatalf("a good key: %v", err)
			}
			return
		}
		if s, err := k.Session(t.Context(), Out); err == nil {
			s.Random(t.Context(), make([]byte, 32))
		}
	})
}

// srkResponse is a response to CreatePrimary, on the wire.
func srkResponse(t testing.TB, public tpm2.TPMTPublic) []byte {
	t.Helper()
	made := made(t, public)
	made.CreationTicket = tpm2.TPMTTKCreation{Tag: tpm2.TPMSTCreation, Hierarchy: tpm2.TPMRHOwner}
	parameters, err := tpm2.MarshalResponse(tpm2.CreatePrimary{}, made)
	if err != nil {
		t.Fatal(err)
	}
	parameters = parameters[8:] // less response and command code
	rsp := response(uint16(tpm2.TPMSTSessions), tpm2.TPMRCSuccess)
	rsp = binary.BigEndian.AppendUint32(rsp, uint32(made.ObjectHandle))
	rsp = binary.BigEndian.AppendUint32(rsp, uint32(len(parameters)))
	rsp = append(rsp, parameters...)
	rsp = append(rsp, 0, 0, 1, 0, 0) // a password session's: no nonce, "continue", no HMAC
	binary.BigEndian.PutUint32(rsp[2:], uint32(len(rsp)))
	return rsp
}
