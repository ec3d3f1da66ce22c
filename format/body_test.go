package format

import (
	"bytes"
	"fmt"
	"testing"
)

// The bodies as the tables of spec section 5 draw them.
func TestBodies(t *testing.T) {
	hpke, kek := pattern(1168), pattern(112)
	pass := append([]byte{0x00, 0x04, 0x00, 0x00, 3}, kek...)

	h, err := ParseHPKEBody(hpke)
	if err != nil || !bytes.Equal(h.Enc[:], hpke[:1120]) || !bytes.Equal(h.CT[:], hpke[1120:]) || !bytes.Equal(h.Append(nil), hpke) {
		t.Errorf("hpke: %v", err)
	}
	k, err := ParseKEKBody(kek)
	if err != nil || !bytes.Equal(k.Salt[:], kek[:32]) || !bytes.Equal(k.Commit[:], kek[32:64]) ||
		!bytes.Equal(k.CT[:], kek[64:]) || !bytes.Equal(k.Append(nil), kek) {
		t.Errorf("kek: %v", err)
	}
	p, err := ParsePassphraseBody(pass)
	if err != nil || p.KiB != 262144 || p.Passes != 3 || p.KEKBody != *k || !bytes.Equal(p.Append(nil), pass) {
		t.Errorf("passphrase: %v", err)
	}
	if p.Work() != 786432 {
		t.Errorf("work is %d KiB*passes", p.Work())
	}
	// The costliest slot there may be is one that a reader passes over (PASS-5).
	costly := PassphraseBody{KiB: MaxPassphraseKiB, Passes: MaxPassphrasePasses}
	if costly.Work() != 1<<24 || costly.Work() <= MaxPassphraseWork {
		t.Errorf("the highest work is %d", costly.Work())
	}
}

func TestClasses(t *testing.T) {
	hpke := Slot{Type: SlotHPKE, Body: pattern(HPKEBodySize)}
	pass := Slot{Type: SlotPassphrase, Body: passphraseBody(32, 1)}
	kek := Slot{Type: SlotKEK, Body: pattern(KEKBodySize)}
	unknown := Slot{Type: unregistered, Body: ageBody("X25519 abc")}
	age := func(stanzas ...string) Slot { return Slot{Type: SlotAge, Body: ageBody(stanzas...)} }

	for _, c := range []struct {
		name string
		slot Slot
		want Class
	}{
		{"hpke", hpke, PostQuantum},
		{"passphrase", pass, Neutral},
		{"kek", kek, Neutral},
		{"unknown", unknown, Neutral},
		{"age X25519", age("X25519 abc"), Classical},
		{"age ssh", age("ssh-ed25519 abc def"), Classical},
		{"age plugin", age("piv-p256 abc"), Classical},
		{"age hybrid", age("mlkem768x25519 abc"), PostQuantum},
		{"age hybrid tag", age("mlkem768p256tag abc def"), PostQuantum},
		{"a type that begins like a hybrid", age("mlkem768x25519x abc"), Classical},
		{"no stanza", Slot{Type: SlotAge, Body: []byte(ageIntro)}, Classical},
	} {
		if got := c.slot.Class(); got != c.want {
			t.Errorf("%s: class %d, want %d", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		slots []Slot
		mixed bool
	}{
		{nil, false},
		{[]Slot{pass, kek, unknown}, false},
		{[]Slot{hpke, pass, hpke, age("mlkem768x25519 a")}, false},
		{[]Slot{age("X25519 a"), kek, age("ssh-rsa a")}, false},
		{[]Slot{hpke, kek, age("X25519 a")}, true},
		{[]Slot{age("X25519 a"), age("mlkem768x25519 a")}, true},
	} {
		var classes []Class
		for i := range c.slots {
			classes = append(classes, c.slots[i].Class())
		}
		if got := Mixed(classes); got != c.mixed {
			t.Errorf("%d slots: %v, want %v", len(c.slots), got, c.mixed)
		}
	}
}

// The names that messages and reports use.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		v    fmt.Stringer
		want string
	}{
		{AES256GCM, "AES-256-GCM"}, {ChaCha20Poly1305, "ChaCha20-Poly1305"}, {Suite(9), "suite 9"},
		{Plain, "as is"}, {Zstd, "Zstandard seekable"}, {Coding(9), "coding 9"},
		{SlotHPKE, "hpke"}, {SlotPassphrase, "passphrase"}, {SlotAge, "age"}, {SlotKEK, "kek"}, {SlotType(513), "type 513"},
	} {
		if got := c.v.String(); got != c.want {
			t.Errorf("%#v is %q, want %q", c.v, got, c.want)
		}
	}
	for s := range 256 {
		if Suite(s).Known() != (s == 1 || s == 2) || Coding(s).Known() != (s < 2) {
			t.Errorf("number %d: suite known %v, coding known %v", s, Suite(s).Known(), Coding(s).Known())
		}
	}
}
