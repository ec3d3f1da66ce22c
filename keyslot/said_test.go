package keyslot

import (
	"bytes"
	"errors"
	"testing"

	"bulla/entropy"
	"bulla/format"
	"bulla/slot"
)

func TestErrorTexts(t *testing.T) {
	if got := (&MemoryError{Need: 256 << 20, Limit: 64 << 20}).Error(); got != "a passphrase takes 256 MiB of memory here, and the limit is 64 MiB" {
		t.Error(got)
	}
	if got := (&PassOverError{Err: errors.New("it is a certificate")}).Error(); got != "it is a certificate" {
		t.Error(got)
	}
}

// TestStandIns is about what stands for a key: AnyPassphrase makes no slots, and a KEK is
// both halves of itself.
func TestStandIns(t *testing.T) {
	var any AnyPassphrase
	if body, err := any.Wrap(t.Context(), entropy.Default(), &format.Preamble{}, make([]byte, format.CEKSize)); body != nil || err == nil {
		t.Error("AnyPassphrase makes a slot")
	}
	if any.Canonical() != "" || any.BodySize() != format.PassphraseBodySize || any.Type() != format.SlotPassphrase {
		t.Error("AnyPassphrase is not like a passphrase")
	}
	k, err := GenerateKEK(entropy.Default())
	if err != nil {
		t.Fatal(err)
	}
	if k.Recipient() != Recipient(k) {
		t.Error("a KEK's recipient is another")
	}
	if pass := newPassphrase(t, "x"); slot.ClassOf(pass) != format.Neutral || slot.ClassOf(k) != format.Neutral {
		t.Error("what no quantum computer breaks is classical")
	}
}

// TestNilMixer is about keys that are drawn from no mixer in particular: from the process's.
func TestNilMixer(t *testing.T) {
	a, err := GenerateIdentity(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := GenerateIdentity(nil)
	if err != nil || a.String() == b.String() {
		t.Errorf("the same key twice, %v", err)
	}
	k, err := GenerateKEK(nil)
	if err != nil || k.key == [KEKSize]byte{} {
		t.Errorf("%x, %v", k.key, err)
	}
	if pass, err := GeneratePassphrase(nil); err != nil || len(pass) == 0 {
		t.Errorf("%q, %v", pass, err)
	}
	for _, id := range []Identity{a, k} {
		r := slot.RecipientOf(id)
		body, err := r.Wrap(t.Context(), nil, testPreamble(), testCEK())
		if err != nil {
			t.Fatal(err)
		}
		if cek, err := id.Unwrap(t.Context(), &format.Slot{Type: r.Type(), Body: body}, testPreamble()); err != nil || !bytes.Equal(cek, testCEK()) {
			t.Errorf("%v: %q, %v", r.Type(), cek, err)
		}
	}
}
