package slot_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/slot"
	"bulla/stream"
)

// bare is an identity, and a recipient, without any optional half.
type bare struct{}

func (bare) Type() format.SlotType          { return 0x8001 }
func (bare) Canonical() string              { return "bare" }
func (bare) BodySize() int                  { return 0 }
func (bare) Accepts(t format.SlotType) bool { return t == 0x8001 }
func (bare) Wrap(context.Context, *entropy.Mixer, *format.Preamble, []byte) ([]byte, error) {
	return nil, nil
}
func (bare) Unwrap(context.Context, *format.Slot, *format.Preamble) ([]byte, error) {
	return nil, slot.ErrIncorrectIdentity
}

func TestOptionalHalves(t *testing.T) {
	if slot.ClassOf(bare{}) != format.Neutral || slot.IsInteractive(bare{}) || slot.RecipientOf(bare{}) != nil {
		t.Error("a key without optional halves has some")
	}
	id, err := keyslot.NewHPKEIdentity(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	r := slot.RecipientOf(id)
	if r == nil || slot.ClassOf(r) != format.PostQuantum || !strings.HasPrefix(r.Canonical(), "age1pq1") {
		t.Errorf("the public half of a post-quantum identity is %v", r)
	}
	p := keyslot.NewPassphraseIdentity(func(context.Context) ([]byte, error) { return nil, io.EOF })
	if !slot.IsInteractive(p) || slot.RecipientOf(p) != nil {
		t.Error("a passphrase is not asked for, or has a public half")
	}
}

// What parses goes straight into a container and opens it again.
func TestSeam(t *testing.T) {
	id, err := keyslot.NewHPKEIdentity(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	to, err := keyslot.ParseRecipients(strings.NewReader(id.Recipient().Canonical()))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := keyslot.ParseIdentities(strings.NewReader(id.String()))
	if err != nil {
		t.Fatal(err)
	}
	var container bytes.Buffer
	w, err := stream.NewWriter(t.Context(), &container, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := stream.NewReader(t.Context(), &container, ids, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || len(b) > 0 {
		t.Fatal(b, err)
	}
}
