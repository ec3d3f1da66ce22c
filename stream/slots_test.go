package stream_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/slot"
	"bulla/stream"
)

// A labeled recipient makes age slots with the labels it is told.
type labeled struct {
	stanza string
	labels []string
}

func (labeled) Type() format.SlotType { return format.SlotAge }
func (l labeled) Canonical() string   { return l.stanza }
func (labeled) BodySize() int         { return 200 }
func (l labeled) Wrap(ctx context.Context, m *entropy.Mixer, p *format.Preamble, cek []byte) ([]byte, error) {
	body, _, err := l.WrapWithLabels(ctx, m, p, cek)
	return body, err
}
func (l labeled) WrapWithLabels(context.Context, *entropy.Mixer, *format.Preamble, []byte) ([]byte, []string, error) {
	return []byte("age-encryption.org/v1\n-> " + l.stanza + " 0123456789012345678901234567890123456789\n---"), l.labels, nil
}

// SLOT-4: age's rule of labels, and the rule of classes for what has none.
func TestLabels(t *testing.T) {
	id, err := keyslot.GenerateIdentity(osMixer())
	if err != nil {
		t.Fatal(err)
	}
	kek, err := keyslot.GenerateKEK(osMixer())
	if err != nil {
		t.Fatal(err)
	}
	pq := id.Recipient()
	x25519 := labeled{"X25519", nil}
	hybrid := labeled{"mlkem768p256tag", []string{"postquantum"}}
	plugin := labeled{"some-plugin", nil}
	pqPlugin := labeled{"some-plugin", []string{"postquantum"}}
	feigned := labeled{"mlkem768x25519", nil} // only its stanza says so
	alone := labeled{"lonely", []string{"4f3c9a"}}
	team, ordered := labeled{"team", []string{"b", "a"}}, labeled{"team", []string{"a", "b"}}
	pqTeam := labeled{"team", []string{"a", "postquantum", "b"}}
	for _, tt := range []struct {
		name      string
		to        []stream.Recipient
		classical bool // AllowClassical
		want      error
	}{
		{"post-quantum", []stream.Recipient{pq, hybrid, pqPlugin, kek}, false, nil},
		{"classical", []stream.Recipient{x25519, plugin, kek, feigned}, false, nil},
		{"a post-quantum plugin beside a classical key", []stream.Recipient{x25519, pqPlugin}, false, format.ErrMixedClasses},
		{"a plugin without labels beside a post-quantum key", []stream.Recipient{plugin, pq}, false, format.ErrMixedClasses},
		{"a stanza that looks post-quantum", []stream.Recipient{feigned, pq}, false, format.ErrMixedClasses},
		{"a mixture that was asked for", []stream.Recipient{x25519, pq, pqPlugin, plugin}, true, nil},
		{"alone", []stream.Recipient{alone}, false, nil},
		{"alone beside a classical key", []stream.Recipient{alone, x25519}, false, stream.ErrMixedLabels},
		{"alone after a classical key", []stream.Recipient{x25519, alone}, false, stream.ErrMixedLabels},
		{"alone beside a post-quantum key", []stream.Recipient{pq, alone}, true, stream.ErrMixedLabels},
		{"alone beside a symmetric key", []stream.Recipient{kek, alone}, true, stream.ErrMixedLabels},
		{"the same labels in any order", []stream.Recipient{team, ordered, team}, false, nil},
		{"labels and one of being post-quantum", []stream.Recipient{team, pqTeam}, false, format.ErrMixedClasses},
		{"the same, asked for", []stream.Recipient{team, pqTeam}, true, nil},
		{"other labels", []stream.Recipient{team, labeled{"team", []string{"a"}}}, true, stream.ErrMixedLabels},
	} {
		_, err := stream.NewWriter(t.Context(), io.Discard, tt.to, &stream.WriterOptions{Entropy: osMixer(), AllowClassical: tt.classical})
		if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}

	// Slots that are there already do not have their labels any more.
	for _, tt := range []struct {
		name string
		add  stream.Recipient
		want error
	}{
		{"a classical key", x25519, nil},
		{"a post-quantum plugin", pqPlugin, format.ErrMixedClasses},
		{"one with labels", team, stream.ErrMixedLabels},
	} {
		v := new(vault)
		head := headFor(t, stream.WriterOptions{}, v, plugin)
		h, err := stream.EditDetachedHead(t.Context(), head, with(v))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Apply(t.Context(), adding(tt.add)); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("adding %s: %v, want %v", tt.name, err, tt.want)
		}
		h.Close()
	}
	var _ slot.Labeled = x25519
}

// PASS-7: no writer makes more passphrase slots than a copy may have, and as many
// as that open.
func TestMostPassphrases(t *testing.T) {
	cheap := &keyslot.PassphraseOptions{KiB: format.MinPassphraseKiB, Passes: 1}
	var to []stream.Recipient
	for i := range format.MaxPassphraseSlots + 1 {
		r, err := keyslot.NewPassphraseRecipient([]byte{'a' + byte(i)}, cheap)
		if err != nil {
			t.Fatal(err)
		}
		to = append(to, r)
	}
	_, err := stream.NewWriter(t.Context(), io.Discard, to, &stream.WriterOptions{Entropy: osMixer()})
	if !errors.Is(err, stream.ErrTooManyPassphrases) {
		t.Errorf("a passphrase too many: %v", err)
	}
	most, last := to[:format.MaxPassphraseSlots], passphraseIdentity(string('a'+byte(format.MaxPassphraseSlots-1)))
	if err := openers["NewReader"](t.Context(), manySlots(t, most...), with(last)); err != nil {
		t.Errorf("the last of them: %v", err)
	}
	h, err := stream.EditDetachedHead(t.Context(), headFor(t, stream.WriterOptions{}, most...), with(last))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Apply(t.Context(), adding(to[len(to)-1])); !errors.Is(err, stream.ErrTooManyPassphrases) {
		t.Errorf("another one added: %v", err)
	}
	if err := h.Apply(t.Context(), &stream.Edit{Add: to[len(to)-1:], RemoveSlots: []int{0}, Entropy: osMixer()}); err != nil {
		t.Errorf("one for another: %v", err)
	}
}
