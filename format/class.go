package format

import (
	"bytes"
	"errors"
)

// A Class says what kind of computer a slot keeps its CEK from.
type Class int

const (
	Neutral     Class = iota // symmetric: types 2 and 4, and types this reader does not know
	Classical                // a public key that a quantum computer breaks
	PostQuantum              // a public key that it does not
)

// ErrMixedClasses is post-quantum and classical public-key slots in one
// container, where the former protect nothing that the latter do not (SLOT-4).
var ErrMixedClasses = errors.New("post-quantum and classical recipients do not mix")

// postQuantumStanzas are the types of age stanza that are post-quantum.
var postQuantumStanzas = []string{"mlkem768x25519 ", "mlkem768p256tag "}

// Class returns the class of s, which must parse.
func (s *Slot) Class() Class {
	switch s.Type {
	case SlotHPKE:
		return PostQuantum
	case SlotAge:
		stanza, _ := bytes.CutPrefix(s.Body, []byte(ageIntro+ageStanza))
		for _, pq := range postQuantumStanzas {
			if bytes.HasPrefix(stanza, []byte(pq)) {
				return PostQuantum
			}
		}
		return Classical
	}
	return Neutral
}

// CheckClasses enforces SLOT-4: it returns ErrMixedClasses if slots has both
// post-quantum and classical ones.
func CheckClasses(slots []Slot) error {
	var seen [PostQuantum + 1]bool
	for i := range slots {
		seen[slots[i].Class()] = true
	}
	if seen[PostQuantum] && seen[Classical] {
		return ErrMixedClasses
	}
	return nil
}
