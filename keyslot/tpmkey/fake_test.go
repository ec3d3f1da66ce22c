//go:build !windows

package tpmkey

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"bulla/internal/tpmdev"
)

// serve makes answer the TPM there is: a Unix socket, for one command a
// connection. An answer of nil is none.
func serve(t *testing.T, answer func(cmd []byte) []byte) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "tpm") // t.TempDir's path can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
		os.RemoveAll(dir)
	})
	t.Setenv(tpmdev.EnvDevice, socket)
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p := make([]byte, 4096)
			n, _ := c.Read(p)
			if rsp := answer(p[:n]); rsp != nil {
				c.Write(rsp)
				c.Close()
			} else {
				t.Cleanup(func() { c.Close() })
			}
		}
	}()
	return socket
}

// A fakeTPM answers as far as a TPM does without being one: it knows what it is,
// has a storage root key and starts sessions. It cannot finish a command in a
// session, but fail.
type fakeTPM struct {
	codes   map[tpm2.TPMCC]tpm2.TPMRC // the commands that fail
	hang    map[tpm2.TPMCC]bool       // and those that get no answer
	counter uint32                    // wrong authorizations, of 32
	srk     []byte
}

func newFakeTPM(t *testing.T) *fakeTPM {
	public := tpm2.ECCSRKTemplate
	public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{ // P-256's generator
		X: tpm2.TPM2BECCParameter{Buffer: unhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")},
		Y: tpm2.TPM2BECCParameter{Buffer: unhex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")},
	})
	name, err := tpm2.ObjectName(&public)
	if err != nil {
		t.Fatal(err)
	}
	made := &tpm2.CreatePrimaryResponse{OutPublic: tpm2.New2B(public), Name: *name,
		CreationTicket: tpm2.TPMTTKCreation{Tag: tpm2.TPMSTCreation, Hierarchy: tpm2.TPMRHOwner}}
	parameters, err := tpm2.MarshalResponse(tpm2.CreatePrimary{}, made)
	if err != nil {
		t.Fatal(err)
	}
	parameters = parameters[8:] // less response and command code
	f := &fakeTPM{codes: map[tpm2.TPMCC]tpm2.TPMRC{}, hang: map[tpm2.TPMCC]bool{}}
	f.srk = binary.BigEndian.AppendUint32([]byte{0x80, 0, 0, 0}, uint32(len(parameters)))
	f.srk = append(append(f.srk, parameters...), 0, 0, 1, 0, 0) // and a password session's end
	serve(t, f.answer)
	return f
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func (f *fakeTPM) answer(cmd []byte) []byte {
	code := tpm2.TPMCC(binary.BigEndian.Uint32(cmd[6:]))
	if f.hang[code] {
		return nil
	}
	if rc := f.codes[code]; rc != tpm2.TPMRCSuccess {
		return response(tpm2.TPMSTNoSessions, rc, nil)
	}
	switch code {
	case tpm2.TPMCCGetCapability:
		list := []byte{0, 0, 0, 0, 6, 0, 0, 0, 4} // no more; TPM_CAP_TPM_PROPERTIES, four of them
		for property, value := range map[tpm2.TPMPT]uint32{
			tpm2.TPMPTManufacturer: 0x46414b45, tpm2.TPMPTLockoutCounter: f.counter,
			tpm2.TPMPTMaxAuthFail: 32, tpm2.TPMPTLockoutInterval: 600,
		} {
			list = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(list, uint32(property)), value)
		}
		return response(tpm2.TPMSTNoSessions, tpm2.TPMRCSuccess, list)
	case tpm2.TPMCCCreatePrimary:
		return response(tpm2.TPMSTSessions, tpm2.TPMRCSuccess, f.srk)
	case tpm2.TPMCCStartAuthSession:
		return response(tpm2.TPMSTNoSessions, tpm2.TPMRCSuccess, append([]byte{2, 0, 0, 0, 0, 16}, make([]byte, 16)...))
	case tpm2.TPMCCFlushContext:
		return response(tpm2.TPMSTNoSessions, tpm2.TPMRCSuccess, nil)
	}
	return response(tpm2.TPMSTNoSessions, tpm2.TPMRCCommandCode, nil)
}

// response is a response on the wire.
func response(tag tpm2.TPMST, rc tpm2.TPMRC, parameters []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(tag))
	b = binary.BigEndian.AppendUint32(b, uint32(10+len(parameters)))
	b = binary.BigEndian.AppendUint32(b, uint32(rc))
	return append(b, parameters...)
}

// ofFake is a key that seems to be sealed to the fake.
func ofFake(t *testing.T) *Key {
	t.Helper()
	d, err := connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.close(t.Context())
	return fakeKey(t, func(k *Key) { k.srk, k.ek = d.srk.Name, d.endorsement(t.Context()) })
}

// Failures of the TPM come as they are, with a hint, before the PIN is asked
// for.
func TestDeviceErrors(t *testing.T) {
	for name, test := range map[string]struct {
		code tpm2.TPMCC
		rc   tpm2.TPMRC
		want error
	}{
		"failure mode":   {tpm2.TPMCCGetCapability, tpm2.TPMRCFailure, tpmdev.ErrFailureMode},
		"no room":        {tpm2.TPMCCCreatePrimary, tpm2.TPMRCObjectMemory, tpmdev.ErrBusy},
		"owner password": {tpm2.TPMCCCreatePrimary, tpm2.TPMRCBadAuth, tpmdev.ErrPermission},
		"owner disabled": {tpm2.TPMCCCreatePrimary, tpm2.TPMRCHierarchy, tpmdev.ErrPermission},
		"TPM 1.2":        {tpm2.TPMCCCreatePrimary, tpm2.TPMRCCommandCode, tpm2.TPMRCCommandCode},
	} {
		f := newFakeTPM(t)
		k := ofFake(t)
		f.codes[test.code] = test.rc
		a := &asked{pins: []string{"1234"}}
		_, err := k.Identity(a.ask).Unwrap(t.Context(), slotOf(t, k), testPreamble)
		e, ok := errors.AsType[*tpmdev.Error](err)
		if !ok || !errors.Is(err, test.want) || e.Kind != nil && e.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
		if len(a.wrong) != 0 {
			t.Errorf("%s: the PIN was asked for", name)
		}
		if err := Available(t.Context(), &Options{}); !errors.Is(err, test.want) {
			t.Errorf("%s: Available() = %v", name, err)
		}
	}
}

func TestAbsent(t *testing.T) {
	t.Setenv(tpmdev.EnvDevice, filepath.Join(t.TempDir(), "none"))
	k := fakeKey(t, nil)
	if err := open(t, k, "1234"); !errors.Is(err, tpmdev.ErrAbsent) || !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := Available(t.Context(), &Options{}); !errors.Is(err, tpmdev.ErrAbsent) {
		t.Error(err)
	}
}

func TestHang(t *testing.T) {
	f := newFakeTPM(t)
	k := ofFake(t)
	f.hang[tpm2.TPMCCCreatePrimary] = true
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := k.Identity((&asked{}).ask).Unwrap(ctx, slotOf(t, k), testPreamble); !errors.Is(err, tpmdev.ErrHang) {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	f := newFakeTPM(t)
	k := ofFake(t)
	k.pcrs = &pcrPolicy{mask: maskOf([]int{7})}
	f.counter = 30
	d, err := connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.close(t.Context())
	for _, test := range []struct {
		rc   tpm2.TPMRC
		want error
	}{
		{tpm2.TPMRCAuthFail, ErrWrongPIN},
		{tpm2.TPMRCBadAuth, ErrWrongPIN},
		{tpm2.TPMRCLockout, ErrLockout},
		{tpm2.TPMRCPolicyFail, ErrPCR},
		{tpm2.TPMRCPCRChanged, ErrPCR},
	} {
		err := d.refused(t.Context(), k, test.rc)
		e := wantKind(t, test.rc.Error(), err, test.want)
		if !errors.Is(err, test.rc) || e.Kind != ErrPCR && (e.Failures != 30 || e.MaxFailures != 32 || e.Interval != 600*time.Second) {
			t.Errorf("%v: %#v", test.rc, e)
		}
	}
	// What cannot be the PIN's fault, or the PCRs', is not said to be.
	k.pin, k.pcrs = false, nil
	for _, rc := range []tpm2.TPMRC{tpm2.TPMRCAuthFail, tpm2.TPMRCPolicyFail, tpm2.TPMRCHandle} {
		err := d.refused(t.Context(), k, rc)
		if _, ok := errors.AsType[*Error](err); ok || !errors.Is(err, rc) {
			t.Errorf("%v: %v", rc, err)
		}
	}
	// The counters may not be had.
	k.pin = true
	f.codes[tpm2.TPMCCGetCapability] = tpm2.TPMRCFailure
	for rc, want := range map[tpm2.TPMRC]error{tpm2.TPMRCAuthFail: ErrWrongPIN, tpm2.TPMRCLockout: ErrLockout} {
		if e := wantKind(t, rc.Error(), d.refused(t.Context(), k, rc), want); e.MaxFailures != 0 {
			t.Errorf("%#v", e)
		}
	}
}

// What the TPM says to TPM2_Load.
func TestLoadRefused(t *testing.T) {
	f := newFakeTPM(t)
	k := ofFake(t)
	k.pin = false
	const firstParameter = 0x140
	f.codes[tpm2.TPMCCLoad] = tpm2.TPMRCIntegrity | firstParameter
	wantKind(t, "integrity", open(t, k), ErrDamaged)
	f.codes[tpm2.TPMCCLoad] = tpm2.TPMRCObjectMemory
	if err := open(t, k); !errors.Is(err, tpmdev.ErrBusy) {
		t.Errorf("no room: %v", err)
	}
}

// Without a PIN ever leaving the program: another storage root key, and a TPM
// that is locked.
func TestNotAsked(t *testing.T) {
	f := newFakeTPM(t)
	k := ofFake(t)
	a := &asked{pins: []string{"1234"}}
	f.counter = 32
	_, err := k.Identity(a.ask).Unwrap(t.Context(), slotOf(t, k), testPreamble)
	wantKind(t, "locked", err, ErrLockout)
	f.counter = 0
	k.srk = bytes.Clone(k.srk)
	k.srk[9] ^= 1
	_, err = k.Identity(a.ask).Unwrap(t.Context(), slotOf(t, k), testPreamble)
	wantKind(t, "same endorsement key", err, ErrCleared)
	f.codes[tpm2.TPMCCGetCapability] = tpm2.TPMRCFailure
	if len(a.wrong) != 0 {
		t.Error("the PIN was asked for")
	}
}

func TestListText(t *testing.T) {
	for want, list := range map[string][]int{"": nil, "7": {7}, "0 and 7": {0, 7}, "0, 2 and 7": {0, 2, 7}} {
		if got := listText(list); got != want {
			t.Errorf("%v: %q, want %q", list, got, want)
		}
	}
}
