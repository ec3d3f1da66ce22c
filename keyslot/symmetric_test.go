package keyslot

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"bulla/format"
	"bulla/slot"
)

// cheap is the least that Argon2id may cost.
var cheap = &PassphraseOptions{KiB: 32, Passes: 1}

func newKEK(t testing.TB) *KEK {
	t.Helper()
	k, err := GenerateKEK(osMixer(t))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newPassphrase(t testing.TB, s string) *PassphraseRecipient {
	t.Helper()
	r, err := NewPassphraseRecipient([]byte(s), cheap)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// known is an identity that has its passphrase at hand.
func known(s string) *PassphraseIdentity {
	return NewPassphraseIdentity(func(context.Context) ([]byte, error) { return []byte(s), nil })
}

// openBySpec opens what a slot of type 2 or 4 has from salt on, written down
// from spec section 5 a second time.
func openBySpec(t *testing.T, typ byte, ikm, b []byte) []byte {
	t.Helper()
	salt, commit, ct := b[:32], b[32:64], b[64:]
	info := "bulla/v2 slot\x00" + string(typ) + string(testPreamble().Bytes())
	okm, err := hkdf.Key(sha512.New, ikm, salt, info, 64)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(commit, okm[:32]) {
		t.Error("commit is not OKM[0:32]")
	}
	aead, err := chacha20poly1305.New(okm[32:])
	if err != nil {
		t.Fatal(err)
	}
	cek, err := aead.Open(nil, make([]byte, 12), ct, nil)
	if err != nil {
		t.Error(err)
	}
	return cek
}

func TestSymmetricSlotsBySpec(t *testing.T) {
	k := newKEK(t)
	s := wrap(t, k)
	if len(s.Body) != 112 || s.Type != format.SlotKEK {
		t.Errorf("type 4: %v, %d bytes", s.Type, len(s.Body))
	}
	if got := openBySpec(t, 4, k.key[:], s.Body); !bytes.Equal(got, testCEK()) {
		t.Errorf("type 4: %q", got)
	}

	r, err := NewPassphraseRecipient([]byte("correct horse"), &PassphraseOptions{KiB: 64, Passes: 2})
	if err != nil {
		t.Fatal(err)
	}
	s = wrap(t, r)
	if len(s.Body) != 117 || s.Type != format.SlotPassphrase || !bytes.HasPrefix(s.Body, []byte{0, 0, 0, 64, 2}) {
		t.Errorf("type 2: %v, %d bytes, %x", s.Type, len(s.Body), s.Body[:5])
	}
	ikm := argon2.IDKey([]byte("correct horse"), s.Body[5:37], 2, 64, 4, 32)
	if got := openBySpec(t, 2, ikm, s.Body[5:]); !bytes.Equal(got, testCEK()) {
		t.Errorf("type 2: %q", got)
	}
}

func TestSymmetricSlots(t *testing.T) {
	k := newKEK(t)
	for _, tt := range []struct {
		name        string
		to          Recipient
		mine, other Identity
		fixed       int // bytes before the salt
	}{
		{"kek", k, k, newKEK(t), 0},
		{"passphrase", newPassphrase(t, "x"), known("x"), known("x "), 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := wrap(t, tt.to)
			if len(s.Body) != tt.to.BodySize() {
				t.Errorf("%d bytes, not %d", len(s.Body), tt.to.BodySize())
			}
			if cek, err := tt.mine.Unwrap(t.Context(), s, testPreamble()); err != nil || !bytes.Equal(cek, testCEK()) {
				t.Errorf("%q, %v", cek, err)
			}
			if _, err := tt.other.Unwrap(t.Context(), s, testPreamble()); !errors.Is(err, slot.ErrIncorrectIdentity) {
				t.Errorf("another key: %v", err)
			}
			p := testPreamble()
			p.Salt[0]++
			if _, err := tt.mine.Unwrap(t.Context(), s, p); !errors.Is(err, slot.ErrIncorrectIdentity) {
				t.Errorf("another container: %v", err)
			}
			if !tt.mine.Accepts(s.Type) || tt.mine.Accepts(s.Type+1) || tt.mine.Accepts(0) {
				t.Error("it accepts the wrong types")
			}
			relabelled := &format.Slot{Type: format.SlotHPKE, Body: s.Body}
			if _, err := tt.mine.Unwrap(t.Context(), relabelled, testPreamble()); !errors.Is(err, slot.ErrIncorrectIdentity) {
				t.Errorf("as another type: %v", err)
			}
			if again := wrap(t, tt.to); bytes.Equal(again.Body[tt.fixed:tt.fixed+32], s.Body[tt.fixed:tt.fixed+32]) {
				t.Error("two slots have the same salt")
			}

			// Salt and commit decide whether the key fits; after that a wrapped
			// key that does not open is a forgery.
			for i := tt.fixed; i < len(s.Body); i++ {
				bad := &format.Slot{Type: s.Type, Body: bytes.Clone(s.Body)}
				bad.Body[i] ^= 1
				want := slot.ErrIncorrectIdentity
				if i >= tt.fixed+64 {
					want = format.ErrForged
				}
				if _, err := tt.mine.Unwrap(t.Context(), bad, testPreamble()); !errors.Is(err, want) {
					t.Fatalf("with byte %d changed: %v", i, err)
				}
			}

			var pe *format.ParseError
			for _, b := range [][]byte{nil, s.Body[:len(s.Body)-1], append(bytes.Clone(s.Body), 0)} {
				if _, err := tt.mine.Unwrap(t.Context(), &format.Slot{Type: s.Type, Body: b}, testPreamble()); !errors.As(err, &pe) {
					t.Errorf("a body of %d bytes: %v", len(b), err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := tt.mine.Unwrap(ctx, s, testPreamble()); !errors.Is(err, context.Canceled) {
				t.Errorf("Unwrap: %v", err)
			}
			if _, err := tt.to.Wrap(ctx, osMixer(t), testPreamble(), testCEK()); !errors.Is(err, context.Canceled) {
				t.Errorf("Wrap: %v", err)
			}
		})
	}
}

// A hostile slot must not make the reader pay, nor ask for a passphrase.
func TestPassphraseCostBounds(t *testing.T) {
	s := wrap(t, newPassphrase(t, "x"))
	asked := false
	i := NewPassphraseIdentity(func(context.Context) ([]byte, error) { asked = true; return []byte("x"), nil })
	for _, cost := range []string{"\x00\x00\x00\x1f\x01", "\x00\x10\x00\x01\x01", "\xff\xff\xff\xff\x01", "\x00\x00\x00\x20\x00", "\x00\x00\x00\x20\x11", "\x00\x00\x00\x20\xff"} {
		bad := &format.Slot{Type: s.Type, Body: append([]byte(cost), s.Body[5:]...)}
		if _, err := i.Unwrap(t.Context(), bad, testPreamble()); !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("cost %x: %v", cost, err)
		}
	}
	if asked {
		t.Error("it asked for a passphrase that no slot deserved")
	}
}

func TestPassphraseOptions(t *testing.T) {
	r, err := NewPassphraseRecipient([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.kib != 262144 || r.passes != 3 || r.Canonical() != "" {
		t.Errorf("%d KiB, %d passes, canonical %q", r.kib, r.passes, r.Canonical())
	}
	for _, o := range []PassphraseOptions{{KiB: 32}, {Passes: 4}, {KiB: 1 << 20, Passes: 1}, {KiB: 1 << 18, Passes: 4}, {KiB: 1 << 16, Passes: 16}} {
		if _, err := NewPassphraseRecipient([]byte("x"), &o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []PassphraseOptions{{KiB: 31}, {KiB: 1<<20 + 1}, {KiB: 32, Passes: 17}, {KiB: 1 << 20, Passes: 2}, {KiB: 1<<18 + 1, Passes: 4}, {Passes: 5}} {
		if _, err := NewPassphraseRecipient([]byte("x"), &o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	for _, empty := range [][]byte{nil, {}} {
		if _, err := NewPassphraseRecipient(empty, cheap); !errors.Is(err, ErrEmptyPassphrase) {
			t.Errorf("an empty passphrase: %v", err)
		}
	}
	secret := []byte("mine")
	r, err = NewPassphraseRecipient(secret, cheap)
	if err != nil {
		t.Fatal(err)
	}
	clear(secret)
	if _, err := known("mine").Unwrap(t.Context(), wrap(t, r), testPreamble()); err != nil {
		t.Errorf("the recipient did not copy its passphrase: %v", err)
	}
}

func TestPassphraseIsAskedOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer string
		err    error
		want   error
	}{
		{"right", "x", nil, nil},
		{"wrong", "y", nil, slot.ErrIncorrectIdentity},
		{"empty", "", nil, ErrEmptyPassphrase},
		{"failed", "", context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			i := NewPassphraseIdentity(func(context.Context) ([]byte, error) {
				calls++
				return []byte(tt.answer), tt.err
			})
			if _, err := i.Unwrap(t.Context(), wrap(t, newKEK(t)), testPreamble()); !errors.Is(err, slot.ErrIncorrectIdentity) || calls != 0 || !i.Interactive() {
				t.Errorf("a slot of another type: %d calls, %v", calls, err)
			}
			for range 3 {
				if _, err := i.Unwrap(t.Context(), wrap(t, newPassphrase(t, "x")), testPreamble()); !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
			}
			if calls != 1 || i.Interactive() {
				t.Errorf("asked %d times", calls)
			}
		})
	}
}

func TestKEKFile(t *testing.T) {
	key := []byte("\x00\xff\x10opaque binary stuff is here.\x80")
	k, err := NewKEK(key)
	if err != nil {
		t.Fatal(err)
	}
	hexKey, b64 := hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key)
	for _, file := range []string{
		string(key), hexKey, strings.ToUpper(hexKey), hexKey + "\n", hexKey + "\r\n", b64, b64 + "\n", b64 + "\r\n",
		string(k.Encode()),
	} {
		got, err := ParseKEK([]byte(file))
		if err != nil {
			t.Errorf("%q: %v", file, err)
		} else if got.key != k.key {
			t.Errorf("%q is another key", file)
		}
	}

	// A raw key whose last byte is a line feed is whole.
	raw := []byte("\x00\xff\x10opaque binary stuff is here.\n")
	if got, err := ParseKEK(raw); err != nil || !bytes.Equal(got.key[:], raw) {
		t.Errorf("a raw key ending in a line feed: %v", err)
	}

	for _, file := range []string{
		"", "\n", "short", string(key[:31]), string(key) + "\n", string(key) + "\r\n", string(key) + "x",
		hexKey[:63], hexKey + "0", hexKey + "\n\n", hexKey + "\r", hexKey + " ", " " + hexKey, "g" + hexKey[1:], hexKey[:63] + "\n\n",
		b64[:43], b64 + "=", b64 + "\n\n", b64[:43] + "A", "-" + b64[1:], b64[:10] + "\n" + b64[11:], b64[:40] + "\n\n\n\n",
		b64[:42] + "B=",                    // bits behind the last byte
		hexKey[:32],                        // a 128-bit key in hexadecimal digits
		"thirty-one letters for a pass.\n", // 31 bytes
		"thirty-two letters for a pass...",
		"a passphrase, 31 letters long..\n",
		hexKey + hexKey, b64 + b64,
	} {
		k, err := ParseKEK([]byte(file))
		if err == nil {
			t.Errorf("%q was taken for %x", file, k.key)
		} else if len(file) > 8 && quotes(err, file) {
			t.Errorf("%q is quoted in: %v", file, err)
		}
	}
	if len(hexKey)+2 != MaxKEKFile {
		t.Errorf("MaxKEKFile is %d", MaxKEKFile)
	}
}

// Whatever holds a secret can be printed without giving it away.
func TestSecretsAreNotPrinted(t *testing.T) {
	secret := strings.Repeat("K", 32)
	k, err := NewKEK([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	id, err := NewHPKEIdentity([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	asked := known(secret)
	if _, err := asked.passphrase(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, holder := range []any{k, id, newPassphrase(t, secret), asked, []Identity{k, id, asked}} {
		for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%d"} {
			s := fmt.Sprintf(verb, holder)
			for _, trace := range []string{"KKK", "4b4b", "75 75", "0x4b", id.String()[20:40]} {
				if strings.Contains(s, trace) {
					t.Errorf("%s prints of a %T: %s", verb, holder, s)
				}
			}
		}
	}
}

func TestNewKEK(t *testing.T) {
	k, err := NewKEK(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	// sha256sum of 32 zero bytes
	if got := k.Canonical(); got != "kek:66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925" {
		t.Errorf("the canonical string is %s", got)
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := NewKEK(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was taken", n)
		}
	}
}

func FuzzParseKEK(f *testing.F) {
	k := newKEK(f)
	f.Add(k.key[:])
	f.Add(k.Encode())
	f.Add([]byte(hex.EncodeToString(k.key[:]) + "\r\n"))
	f.Add([]byte("a passphrase, 31 letters long..\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		k, err := ParseKEK(file)
		if err != nil {
			return
		}
		if len(file) > MaxKEKFile {
			t.Errorf("%d bytes were taken", len(file))
		}
		again, err := ParseKEK(k.Encode())
		if err != nil || again.key != k.key {
			t.Errorf("%x does not come back from %q: %v", k.key, k.Encode(), err)
		}
	})
}
