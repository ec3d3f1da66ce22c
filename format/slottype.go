package format

import (
	"fmt"
	"slices"
	"strings"
)

// A SlotType says how a slot wraps the CEK; see spec/registry.md.
type SlotType uint16

const (
	SlotHPKE       SlotType = 1
	SlotPassphrase SlotType = 2
	SlotAge        SlotType = 3
	SlotKEK        SlotType = 4
)

// slotTypes is what the registry and section 5 of the specification say of each
// type. Everything that can be told of a slot without a key is told from here.
var slotTypes = map[SlotType]struct {
	name     string
	family   string                                // of the clauses on its body
	check    func(body []byte) error               // enforces those that need no key
	class    func(body []byte) Class               // of a body that parses
	describe func(body []byte, d *SlotDescription) // fills in Text, and what else there is
}{
	SlotHPKE: {"hpke", "HPKE", checkBy(ParseHPKEBody), always(PostQuantum),
		func(_ []byte, d *SlotDescription) { d.Text = "post-quantum public key" }},
	SlotPassphrase: {"passphrase", "PASS", checkBy(ParsePassphraseBody), always(Neutral), describePassphrase},
	SlotAge:        {"age", "AGE", checkAgeBody, classOfAge, describeAge},
	SlotKEK: {"kek", "KEK", checkBy(ParseKEKBody), always(Neutral),
		func(_ []byte, d *SlotDescription) { d.Text = "symmetric key" }},
}

func checkBy[T any](parse func([]byte) (T, error)) func([]byte) error {
	return func(body []byte) error {
		_, err := parse(body)
		return err
	}
}

func always(c Class) func([]byte) Class { return func([]byte) Class { return c } }

func (t SlotType) String() string {
	if k, ok := slotTypes[t]; ok {
		return k.name
	}
	return fmt.Sprintf("type %d", uint16(t))
}

// CountTypes is how many slots there are of each type, for people: "2 hpke, 1 kek".
func CountTypes(types []SlotType) string {
	var parts []string
	for i, t := range types {
		if slices.Contains(types[:i], t) {
			continue
		}
		n := 0
		for _, u := range types[i:] {
			if u == t {
				n++
			}
		}
		parts = append(parts, fmt.Sprintf("%d %v", n, t))
	}
	return strings.Join(parts, ", ")
}

// Known reports whether t is registered.
func (t SlotType) Known() bool { return slotTypes[t].name != "" }

// SlotTypeOf returns the type whose bodies clause c is about, such as SlotKEK for
// KEK-1; ok is false if c is about no one type.
func SlotTypeOf(c Clause) (t SlotType, ok bool) {
	family, _, _ := strings.Cut(string(c), "-")
	for t, k := range slotTypes {
		if k.family == family {
			return t, true
		}
	}
	return 0, false
}

// check enforces the clauses on the body of s that need no key. What is not
// registered has none (SLOT-1).
func (s *Slot) check() error {
	if k, ok := slotTypes[s.Type]; ok {
		return k.check(s.Body)
	}
	return nil
}

// Class returns the class of s, which must parse. It takes no key to tell.
func (s *Slot) Class() Class {
	if k, ok := slotTypes[s.Type]; ok {
		return k.class(s.Body)
	}
	return Neutral
}

// A SlotDescription is what can be told of a slot without a key.
type SlotDescription struct {
	Type   string `json:"type"`
	Number uint16 `json:"type_number"`
	Length int    `json:"body_bytes"`
	Class  string `json:"class"`
	KiB    uint32 `json:"argon2id_kib,omitempty"`
	Passes uint8  `json:"argon2id_passes,omitempty"`
	Stanza string `json:"age_stanza,omitempty"` // the type of the first one, in printable ASCII

	Text string `json:"-"` // what the slot is, in a few words
}

// Describe describes s, which must parse.
func (s *Slot) Describe() SlotDescription {
	d := SlotDescription{Type: s.Type.String(), Number: uint16(s.Type), Length: len(s.Body), Class: s.Class().String(),
		Text: "a type that this version does not know"}
	if k, ok := slotTypes[s.Type]; ok {
		k.describe(s.Body, &d)
	}
	return d
}

func describePassphrase(body []byte, d *SlotDescription) {
	b, err := ParsePassphraseBody(body)
	if err != nil {
		return
	}
	d.KiB, d.Passes = b.KiB, b.Passes
	size, unit := float64(b.KiB), "KiB"
	for _, larger := range []string{"MiB", "GiB"} {
		if size >= 1<<10 {
			size, unit = size/(1<<10), larger
		}
	}
	passes := "passes"
	if b.Passes == 1 {
		passes = "pass"
	}
	d.Text = fmt.Sprintf("Argon2id, %.1f %s, %d %s", size, unit, b.Passes, passes)
}
