package keyslot

import (
	"errors"
	"testing"

	"bulla/entropy"
	"bulla/format"
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
}
