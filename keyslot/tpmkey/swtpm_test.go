//go:build !windows

package tpmkey

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/tpmdev"
	"bulla/internal/tpmdev/swtpmtest"
	"bulla/slot"
)

// start starts an emulator and makes it the TPM there is.
func start(t *testing.T) *swtpmtest.Emulator {
	t.Helper()
	e := swtpmtest.Start(t)
	e.Use()
	return e
}

var testSeed = []byte("the seed of an identity, 32 B. .")

// seal seals testSeed, and has the result go through a file.
func seal(t *testing.T, o *Options) *Key {
	t.Helper()
	seed, pin := bytes.Clone(testSeed), bytes.Clone(o.PIN)
	k, err := Seal(t.Context(), seed, o)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(seed, testSeed) || !bytes.Equal(pin, o.PIN) {
		t.Error("Seal changed the seed or the PIN")
	}
	file := encode(t, k)
	back, err := Parse(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	if !bytes.Equal(encode(t, back), file) || back.NeedsPIN() == o.NoPIN || !slices.Equal(back.PCRs(), o.PCRs) {
		t.Errorf("the key became another one in its file:\n%s", file)
	}
	return back
}

func encode(t *testing.T, k *Key) []byte {
	t.Helper()
	file, err := k.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// asked answers with the PINs, one after the other, and then with the error
// that the last one gave.
type asked struct {
	pins  []string
	wrong []error // what it was told each time
}

func (a *asked) ask(_ context.Context, wrong error) ([]byte, error) {
	a.wrong = append(a.wrong, wrong)
	if len(a.pins) == 0 {
		return nil, wrong
	}
	pin := []byte(a.pins[0])
	a.pins = a.pins[1:]
	return pin, nil
}

var (
	testPreamble = &format.Preamble{Suite: format.AES256GCM, Pages: 1}
	testCEK      = []byte("a content-encryption key, 32 B. ")
)

// slotOf makes a slot for k.
func slotOf(t testing.TB, k *Key) *format.Slot {
	t.Helper()
	m, err := entropy.New(&entropy.Options{Sources: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := k.Recipient().Wrap(t.Context(), m, testPreamble, testCEK)
	if err != nil {
		t.Fatal(err)
	}
	return &format.Slot{Type: format.SlotHPKE, Body: body}
}

// open opens a slot for k with these PINs.
func open(t *testing.T, k *Key, pins ...string) error {
	t.Helper()
	cek, err := k.Identity((&asked{pins: pins}).ask).Unwrap(t.Context(), slotOf(t, k), testPreamble)
	if err == nil && !bytes.Equal(cek, testCEK) {
		t.Errorf("the CEK is %q", cek)
	}
	return err
}

// wantKind checks what kind of error err is, and that it says something useful.
func wantKind(t *testing.T, what string, err, kind error) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != kind || !errors.Is(err, kind) {
		t.Fatalf("%s: %v, want %v", what, err, kind)
	}
	if e.Error() == "" || e.Hint() == "" || strings.Contains(e.Error(), "\n") {
		t.Errorf("%s: message %q, hint %q", what, e.Error(), e.Hint())
	}
	return e
}

func extend(t *testing.T, pcr int) {
	t.Helper()
	tpm, err := tpmdev.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tpm.Close()
	_, err = tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(pcr), Auth: tpm2.PasswordAuth(nil)},
		Digests: tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{
			{HashAlg: tpm2.TPMAlgSHA256, Digest: bytes.Repeat([]byte{7}, 32)},
		}},
	}.Execute(tpm.With(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
}

// Every way in which a key can be sealed opens with what it takes, after the
// machine was switched off and on, and does not with less.
func TestSealAndOpen(t *testing.T) {
	e := start(t)
	full := strings.Repeat("p", MaxPIN)
	for _, test := range []struct {
		name  string
		o     Options
		right []string
		wrong string // a PIN that is refused; empty if none is asked for
	}{
		{"PIN", Options{PIN: []byte("1234")}, []string{"1234"}, "1235"},
		{"long PIN", Options{PIN: []byte(full)}, []string{full}, full[1:]},
		{"PIN in UTF-8", Options{PIN: []byte("pässwörd")}, []string{"pässwörd"}, "password"},
		{"no PIN", Options{NoPIN: true}, nil, ""},
		{"PIN and PCRs", Options{PIN: []byte("1234"), PCRs: []int{0, 7, 23}}, []string{"1234"}, "4321"},
		{"PCRs", Options{NoPIN: true, PCRs: []int{7}}, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := seal(t, &test.o)
			if err := open(t, k, test.right...); err != nil {
				t.Fatal(err)
			}
			e.Shutdown()
			e.Restart()
			if err := open(t, k, test.right...); err != nil {
				t.Fatalf("after a restart: %v", err)
			}
			if test.wrong != "" {
				wrong := wantKind(t, "wrong PIN", open(t, k, test.wrong), ErrWrongPIN)
				if !errors.Is(wrong, tpm2.TPMRCAuthFail) || wrong.Failures == 0 || wrong.MaxFailures == 0 {
					t.Errorf("%#v", wrong)
				}
				resetLockout(t)
			}
		})
	}
}

// resetLockout makes the TPM forget wrong PINs.
func resetLockout(t *testing.T) {
	t.Helper()
	command(t, 0x139, tpm2.TPMRHLockout, nil) // TPM2_DictionaryAttackLockReset
}

// command sends a command that go-tpm does not know, with one handle and its
// empty authorization.
func command(t *testing.T, code uint32, handle tpm2.TPMHandle, parameters []byte) {
	t.Helper()
	tpm, err := tpmdev.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tpm.Close()
	password := []byte{0x40, 0, 0, 9, 0, 0, 0, 0, 0} // TPM_RS_PW, no nonce, no attributes, no HMAC
	cmd := binary.BigEndian.AppendUint16(nil, uint16(tpm2.TPMSTSessions))
	cmd = binary.BigEndian.AppendUint32(cmd, uint32(10+4+4+len(password)+len(parameters)))
	cmd = binary.BigEndian.AppendUint32(cmd, code)
	cmd = binary.BigEndian.AppendUint32(cmd, uint32(handle))
	cmd = binary.BigEndian.AppendUint32(cmd, uint32(len(password)))
	rsp, err := tpm.With(t.Context()).Send(append(append(cmd, password...), parameters...))
	if err != nil || !bytes.Equal(rsp[6:10], make([]byte, 4)) {
		t.Fatalf("command %#x: %x, %v", code, rsp, err)
	}
}

// An identity asks once, and only for a slot that it may open.
func TestAsksOnce(t *testing.T) {
	start(t)
	k := seal(t, &Options{PIN: []byte("1234")})
	a := &asked{pins: []string{"1234"}}
	var given []byte
	i := k.Identity(func(ctx context.Context, wrong error) (pin []byte, err error) {
		given, err = a.ask(ctx, wrong)
		return given, err
	})
	if !i.Interactive() || i.Recipient() != k.Recipient() {
		t.Error("a new identity needs no asking")
	}
	for _, typ := range []format.SlotType{0, format.SlotPassphrase, format.SlotAge, format.SlotKEK} {
		if _, err := i.Unwrap(t.Context(), &format.Slot{Type: typ}, testPreamble); i.Accepts(typ) || !errors.Is(err, slot.ErrIncorrectIdentity) {
			t.Errorf("%v: %v", typ, err)
		}
	}
	var pe *format.ParseError
	if _, err := i.Unwrap(t.Context(), &format.Slot{Type: format.SlotHPKE, Body: make([]byte, 5)}, testPreamble); !errors.As(err, &pe) {
		t.Errorf("malformed: %v", err)
	}
	if len(a.wrong) != 0 || !i.Interactive() {
		t.Error("somebody was asked already")
	}
	for range 3 {
		if cek, err := i.Unwrap(t.Context(), slotOf(t, k), testPreamble); err != nil || !bytes.Equal(cek, testCEK) {
			t.Errorf("%q, %v", cek, err)
		}
	}
	other, err := Parse(bytes.NewReader(fakeFile(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Unwrap(t.Context(), slotOf(t, other), testPreamble); !errors.Is(err, slot.ErrIncorrectIdentity) {
		t.Errorf("a slot for another key: %v", err)
	}
	if len(a.wrong) != 1 || i.Interactive() {
		t.Errorf("asked %d times", len(a.wrong))
	}
	if !bytes.Equal(given, make([]byte, 4)) {
		t.Error("the PIN was not wiped")
	}
}

func TestWrongTwiceThenRight(t *testing.T) {
	start(t)
	k := seal(t, &Options{PIN: []byte("1234")})
	a := &asked{pins: []string{"1111", "2222", "1234"}}
	i := k.Identity(a.ask)
	if _, err := i.Unwrap(t.Context(), slotOf(t, k), testPreamble); err != nil {
		t.Fatal(err)
	}
	if len(a.wrong) != 3 || a.wrong[0] != nil {
		t.Fatalf("asked with %v", a.wrong)
	}
	// The emulator locks itself at the third.
	for n, left := range []string{1: "after 2 more", 2: "after 1 more"} {
		if n > 0 && !strings.Contains(wantKind(t, "asked again", a.wrong[n], ErrWrongPIN).Error(), left) {
			t.Errorf("question %d: %v", n+1, a.wrong[n])
		}
	}
}

// What is no PIN costs none of the TPM's tries.
func TestImpossiblePIN(t *testing.T) {
	start(t)
	k := seal(t, &Options{PIN: []byte("1234")})
	if err := open(t, k, "", "12\x0034", strings.Repeat("1", MaxPIN+1), "1234"); err != nil {
		t.Error(err)
	}
	if got := lockout(t); got.Failures != 0 {
		t.Errorf("%d of them counted", got.Failures)
	}
}

func lockout(t *testing.T) tpmdev.Lockout {
	t.Helper()
	tpm, err := tpmdev.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tpm.Close()
	l, err := tpm.Lockout(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCancelled(t *testing.T) {
	e := start(t)
	k := seal(t, &Options{PIN: []byte("1234")})
	ctx, cancel := context.WithCancel(t.Context())
	i := k.Identity(func(context.Context, error) ([]byte, error) {
		cancel()
		return []byte("1234"), nil
	})
	if _, err := i.Unwrap(ctx, slotOf(t, k), testPreamble); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled at the prompt: %v", err)
	}
	if !i.Interactive() {
		t.Error("a cancelled attempt counts")
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	e.Pause()
	defer e.Resume()
	if _, err := i.Unwrap(ctx, slotOf(t, k), testPreamble); !errors.Is(err, tpmdev.ErrHang) {
		t.Errorf("a TPM that hangs: %v", err)
	}
	e.Resume()
	i = k.Identity((&asked{pins: []string{"1234"}}).ask)
	if _, err := i.Unwrap(t.Context(), slotOf(t, k), testPreamble); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestNobodyToAsk(t *testing.T) {
	start(t)
	k := seal(t, &Options{PIN: []byte("1234")})
	if _, err := k.Identity(nil).Unwrap(t.Context(), slotOf(t, k), testPreamble); !errors.Is(err, ErrNoPINFunc) {
		t.Error(err)
	}
	gone := errors.New("the person has left")
	i := k.Identity(func(context.Context, error) ([]byte, error) { return nil, gone })
	for range 2 {
		if _, err := i.Unwrap(t.Context(), slotOf(t, k), testPreamble); !errors.Is(err, gone) {
			t.Error(err)
		}
	}
}

// A seed that Generate makes is nobody's but the TPM's, and another each time.
func TestGenerate(t *testing.T) {
	start(t)
	m, err := entropy.New(&entropy.Options{Sources: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	var recipients []string
	for range 2 {
		k, err := Generate(t.Context(), m, &Options{NoPIN: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := open(t, k); err != nil {
			t.Error(err)
		}
		recipients = append(recipients, k.Recipient().Canonical())
	}
	if recipients[0] == recipients[1] {
		t.Error("the same key twice")
	}
	if err := Available(t.Context(), &Options{}); err != nil {
		t.Error(err)
	}
}

// TestPinned seals to no TPM but the one that is named.
func TestPinned(t *testing.T) {
	e := swtpmtest.Start(t)
	e.Use()
	m := entropy.Default()
	first, err := Generate(t.Context(), m, &Options{NoPIN: true})
	if err != nil {
		t.Fatal(err)
	}
	pinned := &Options{NoPIN: true, TPM: first.srk}
	if _, err := Generate(t.Context(), m, pinned); err != nil {
		t.Error(err)
	}
	e.Replace()
	if err := Available(t.Context(), pinned); !errors.Is(err, ErrNotPinned) {
		t.Errorf("another TPM is available: %v", err)
	}
	if _, err := Generate(t.Context(), m, pinned); !errors.Is(err, ErrNotPinned) {
		t.Errorf("a key is sealed to another TPM: %v", err)
	}
}
