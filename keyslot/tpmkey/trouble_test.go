//go:build !windows

package tpmkey

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

// What can become of a TPM, and of a key: with an emulator.

func TestLockout(t *testing.T) {
	start(t)
	k := seal(t, &Options{PIN: []byte("1234")})
	free := seal(t, &Options{NoPIN: true})
	most := lockout(t).MaxFailures
	a := &asked{pins: slices.Repeat([]string{"1111"}, int(most)+5)}
	i := k.Identity(a.ask)
	_, err := i.Unwrap(t.Context(), slotOf(t, k), testPreamble)
	locked := wantKind(t, "too many", err, ErrLockout)
	if !errors.Is(err, tpm2.TPMRCAuthFail) || locked.Failures != most || locked.Interval == 0 || !strings.Contains(locked.Hint(), locked.Interval.String()) {
		t.Errorf("%#v: %q", locked, locked.Hint())
	}
	if got := len(a.wrong); got != int(most) {
		t.Errorf("asked %d times, for %d tries", got, most)
	}
	// Nobody is asked while the TPM is locked, and the error stays.
	a = &asked{pins: []string{"1234"}}
	i2 := k.Identity(a.ask)
	for range 2 {
		_, err = i2.Unwrap(t.Context(), slotOf(t, k), testPreamble)
		if e := wantKind(t, "locked", err, ErrLockout); e.Failures != most || e.Interval == 0 {
			t.Errorf("%#v", e)
		}
	}
	if len(a.wrong) != 0 || i2.Interactive() {
		t.Error("a person was asked for nothing")
	}
	if err := open(t, free); err != nil {
		t.Errorf("a key without a PIN, with the TPM locked: %v", err)
	}
	resetLockout(t)
	if err := open(t, k, "1234"); err != nil {
		t.Errorf("unlocked: %v", err)
	}
}

// Losing power after a key with a PIN was used counts as a wrong PIN; the key
// opens all the same.
func TestUncleanShutdown(t *testing.T) {
	e := start(t)
	k := seal(t, &Options{PIN: []byte("1234")})
	if err := open(t, k, "1234"); err != nil {
		t.Fatal(err)
	}
	e.Kill()
	e.Restart()
	if got := lockout(t).Failures; got != 1 {
		t.Errorf("%d failures after a power cut, want 1: this test shows nothing", got)
	}
	if err := open(t, k, "1234"); err != nil {
		t.Error(err)
	}
	free := seal(t, &Options{NoPIN: true})
	resetLockout(t)
	e.Shutdown()
	e.Restart()
	if err := open(t, free); err != nil {
		t.Fatal(err)
	}
	e.Kill()
	e.Restart()
	if got := lockout(t).Failures; got != 0 {
		t.Errorf("a key without a PIN: %d failures after a power cut", got)
	}
}

func TestPCRMismatch(t *testing.T) {
	start(t)
	for _, o := range []Options{
		{PIN: []byte("1234"), PCRs: []int{7, 16}},
		{NoPIN: true, PCRs: []int{16}},
	} {
		k := seal(t, &o)
		extend(t, 23)
		if err := open(t, k, "1234"); err != nil {
			t.Fatalf("another PCR: %v", err)
		}
		extend(t, 16)
		// More often than there is room for sessions and keys in the TPM.
		for range 5 {
			e := wantKind(t, "PCR 16 extended", open(t, k, "1234"), ErrPCR)
			if !slices.Equal(e.PCRs, o.PCRs) || !strings.Contains(e.Error(), "16") {
				t.Errorf("%v", e)
			}
		}
		if got := lockout(t).Failures; got != 0 {
			t.Errorf("%d failures count against the PIN", got)
		}
	}
}

// The policy is the TPM's to enforce: the right PIN without it is not enough.
func TestPolicyIsEnforced(t *testing.T) {
	start(t)
	k := seal(t, &Options{PIN: []byte("1234"), PCRs: []int{16}})
	extend(t, 16)
	d, err := connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.close(t.Context())
	public := k.public()
	loaded, err := tpm2.Load{
		ParentHandle: d.parent(), InPrivate: tpm2.TPM2BPrivate{Buffer: k.private}, InPublic: tpm2.New2B(public),
	}.Execute(d.With(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer d.flush(t.Context(), loaded.ObjectHandle)
	_, err = tpm2.Unseal{ItemHandle: tpm2.AuthHandle{
		Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: tpm2.PasswordAuth([]byte("1234")),
	}}.Execute(d.With(t.Context()))
	if !errors.Is(err, tpm2.TPMRCAuthUnavailable) {
		t.Errorf("without a policy session: %v", err)
	}
	changed := *k
	changed.pcrs = &pcrPolicy{mask: maskOf([]int{8})}
	if err := open(t, &changed, "1234"); err == nil {
		t.Error("a key with another policy in its file opened")
	}
}

// Another TPM, this one cleared, and what cannot be told apart.
func TestWhichTPM(t *testing.T) {
	e := start(t)
	k := seal(t, &Options{PIN: []byte("1234")})
	blind := *k
	blind.ek = nil
	if k.ek == nil {
		t.Fatal("the emulator has no endorsement key")
	}
	a := &asked{pins: []string{"1234"}}
	unwrap := func(k *Key) error {
		_, err := k.Identity(a.ask).Unwrap(t.Context(), slotOf(t, k), testPreamble)
		return err
	}
	clearTPM(t)
	wantKind(t, "cleared", unwrap(k), ErrCleared)
	wantKind(t, "cleared, without an endorsement key", unwrap(&blind), ErrSRKChanged)
	e.Replace()
	wantKind(t, "another TPM", unwrap(k), ErrOtherTPM)
	wantKind(t, "another TPM, without an endorsement key", unwrap(&blind), ErrSRKChanged)
	if len(a.wrong) != 0 {
		t.Error("the PIN was asked for: another TPM would have got it")
	}
	// A file that claims the storage root key of this TPM: the TPM knows better.
	forged := *k
	forged.srk = seal(t, &Options{NoPIN: true}).srk
	wantKind(t, "forged", open(t, &forged, "1234"), ErrDamaged)
}

func clearTPM(t *testing.T) {
	t.Helper()
	command(t, uint32(tpm2.TPMCCClear), tpm2.TPMRHLockout, nil)
}

// A changed bit anywhere in what the TPM gets is noticed by the TPM.
func TestDamaged(t *testing.T) {
	start(t)
	k := seal(t, &Options{NoPIN: true})
	for n := 0; n < len(k.private); n += 7 {
		changed := *k
		changed.private = bytes.Clone(k.private)
		changed.private[n] ^= 0x10
		wantKind(t, "private half", open(t, &changed), ErrDamaged)
	}
	changed := *k
	changed.unique[3] ^= 1
	wantKind(t, "public half", open(t, &changed), ErrDamaged)
	changed = *k
	changed.pin = true
	if err := open(t, &changed, "1234"); err == nil {
		t.Error("a key that lies about its PIN opened")
	}
	changed = *k
	other, err := Parse(bytes.NewReader(fakeFile(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	changed.recipient = other.recipient
	wantKind(t, "another recipient", open(t, &changed), ErrMismatch)
}

// Other data than a seed under the right TPM is not taken for one.
func TestNotASeed(t *testing.T) {
	start(t)
	k := seal(t, &Options{NoPIN: true})
	d, err := connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = d.create(t.Context(), &k.sealed, []byte("too short"), nil)
	d.close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, "nine bytes", open(t, k), ErrMismatch)
}

// Where the SHA-256 bank is off, there are no values to bind a key to.
func TestNoPCRBank(t *testing.T) {
	e := start(t)
	banks := tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{
		{Hash: tpm2.TPMAlgSHA256, PCRSelect: make([]byte, pcrMaskSize)},
		{Hash: tpm2.TPMAlgSHA384, PCRSelect: bytes.Repeat([]byte{0xff}, pcrMaskSize)},
	}}
	command(t, 0x12b, tpm2.TPMRHPlatform, tpm2.Marshal(banks)) // TPM2_PCR_Allocate
	e.Shutdown()
	e.Restart()
	if _, err := Seal(t.Context(), testSeed, &Options{NoPIN: true, PCRs: []int{7}}); !errors.Is(err, errNoBank) {
		t.Errorf("%v, want errNoBank", err)
	}
}
