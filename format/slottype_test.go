package format

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The table of slot types is the registry's, and each has clauses on its body.
func TestSlotTypes(t *testing.T) {
	registry, err := os.ReadFile("../spec/registry.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../spec/bulla.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, ok := strings.Cut(string(registry), "\n## Slot types\n")
	if !ok {
		t.Fatal("the registry has no slot types")
	}
	found := regexp.MustCompile(`(?m)^\| (\d+) \| (\w+) \|`).FindAllStringSubmatch(rows, -1)
	if len(found) != len(slotTypes) {
		t.Errorf("%d slot types in the registry, %d in the table", len(found), len(slotTypes))
	}
	for _, row := range found {
		var n SlotType
		fmt.Sscan(row[1], &n)
		if !n.Known() || n.String() != row[2] {
			t.Errorf("slot type %d is %v (known: %v) here and %s in the registry", uint16(n), n, n.Known(), row[2])
		}
		first := Clause(slotTypes[n].family + "-1")
		if got, ok := SlotTypeOf(first); !ok || got != n || !strings.Contains(string(text), "**["+string(first)+"]**") {
			t.Errorf("%s is about %v, %v", first, got, ok)
		}
	}
	if n := SlotType(99); n.Known() || n.String() != "type 99" {
		t.Errorf("slot type 99 is %v (known: %v)", n, n.Known())
	}
	for _, c := range []Clause{HEAD1, SLOT1, CHUNK1, ""} {
		if got, ok := SlotTypeOf(c); ok {
			t.Errorf("%q is about the body of %v", c, got)
		}
	}
}

func TestDescribe(t *testing.T) {
	age := func(stanza string) []byte {
		return []byte(ageIntro + ageArrow + stanza + "\n" + strings.Repeat("A", 64) + "\n--- ")
	}
	pass := func(kib uint32, passes uint8) []byte {
		return (&PassphraseBody{KiB: kib, Passes: passes}).Append(nil)
	}
	for _, tt := range []struct {
		typ         SlotType
		body        []byte
		class, text string
	}{
		{SlotHPKE, make([]byte, HPKEBodySize), "post-quantum", "post-quantum public key"},
		{SlotKEK, make([]byte, KEKBodySize), "neutral", "symmetric key"},
		{SlotPassphrase, pass(32, 1), "neutral", "Argon2id, 32.0 KiB, 1 pass"},
		{SlotPassphrase, pass(256<<10, 3), "neutral", "Argon2id, 256.0 MiB, 3 passes"},
		{SlotPassphrase, pass(1<<20, 16), "neutral", "Argon2id, 1.0 GiB, 16 passes"},
		{SlotAge, age("X25519 abc"), "classical", "X25519, classical"},
		{SlotAge, age("mlkem768p256tag abc"), "post-quantum", "mlkem768p256tag, post-quantum"},
		{SlotAge, age("a\x1b[2Jb"), "classical", "a?[2Jb, classical"},
		{99, nil, "neutral", "a type that this version does not know"},
	} {
		s := Slot{Type: tt.typ, Body: tt.body}
		d := s.Describe()
		if d.Text != tt.text || d.Class != tt.class || d.Type != tt.typ.String() || d.Number != uint16(tt.typ) || d.Length != len(tt.body) {
			t.Errorf("a slot of type %v: %+v, want %q", tt.typ, d, tt.text)
		}
	}
}
