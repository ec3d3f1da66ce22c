package keyslot

import (
	"fmt"
	"testing"

	"bulla/format"
)

func TestClassOf(t *testing.T) {
	age := func(stanzas string) *format.Slot {
		return &format.Slot{Type: format.SlotAge, Body: []byte("age-encryption.org/v1\n" + stanzas + "--- MAC\npayload")}
	}
	for _, tt := range []struct {
		name string
		slot *format.Slot
		want Class
	}{
		{"hpke", &format.Slot{Type: format.SlotHPKE}, PostQuantum},
		{"passphrase", &format.Slot{Type: format.SlotPassphrase}, Neutral},
		{"kek", &format.Slot{Type: format.SlotKEK}, Neutral},
		{"unknown", &format.Slot{Type: 77, Body: []byte("-> mlkem768x25519 a\n")}, Neutral},
		{"x25519", age("-> X25519 abc\nbody\n"), Classical},
		{"ssh", age("-> ssh-ed25519 abc def\nbody\n"), Classical},
		{"tag", age("-> p256tag abc def\nbody\n"), Classical},
		{"plugin", age("-> piv-p256 abc def\nbody\n"), Classical},
		{"hybrid", age("-> mlkem768x25519 abc\nbody\n"), PostQuantum},
		{"hybrid tag", age("-> mlkem768p256tag abc def\nbody\n"), PostQuantum},
		{"without arguments", age("-> mlkem768x25519\nbody\n"), PostQuantum},
		{"grease", age("-> mlkem768x25519 abc\nbody\n-> x-grease a\n\n"), PostQuantum},
		{"grease alone", age("-> x-grease a\n\n"), Classical},
		{"both", age("-> mlkem768x25519 abc\nbody\n-> X25519 abc\nbody\n"), Classical},
		{"both, the other way", age("-> X25519 abc\nbody\n-> mlkem768x25519 abc\nbody\n"), Classical},
		{"a longer name", age("-> mlkem768x25519x abc\nbody\n"), Classical},
		{"a name in a body", age("-> X25519 abc\nmlkem768x25519\n"), Classical},
		{"behind the header", age("-> X25519 abc\nbody\n--- MAC\n-> mlkem768x25519\n"), Classical},
		{"only behind the header", age("--- MAC\n-> mlkem768x25519 abc\n"), Classical},
		{"empty", &format.Slot{Type: format.SlotAge}, Classical},
	} {
		if got := ClassOf(tt.slot); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A recipient says of itself what its slots will say of it.
func TestClassOfRecipient(t *testing.T) {
	for _, r := range []Recipient{newIdentity(t).Recipient(), newPassphrase(t, "x"), newKEK(t)} {
		if got, want := ClassOfRecipient(r), ClassOf(wrap(t, r)); got != want {
			t.Errorf("%v: the recipient is %v, its slot %v", r.Type(), got, want)
		}
	}
	if got := ClassOfRecipient(fakeKey{}); got != Classical {
		t.Errorf("an age recipient that does not say: %v", got)
	}
}

func TestMixed(t *testing.T) {
	for _, tt := range []struct {
		classes []Class
		want    bool
	}{
		{nil, false},
		{[]Class{Neutral}, false},
		{[]Class{PostQuantum, PostQuantum, Neutral}, false},
		{[]Class{Classical, Neutral, Classical}, false},
		{[]Class{PostQuantum, Neutral, Classical}, true},
		{[]Class{Classical, PostQuantum}, true},
	} {
		if got := Mixed(tt.classes...); got != tt.want {
			t.Errorf("%v: %v", tt.classes, got)
		}
	}
	if got := fmt.Sprint(Neutral, PostQuantum, Classical); got != "neutral post-quantum classical" {
		t.Error(got)
	}
}
