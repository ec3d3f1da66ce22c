package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A slot is one wrapping of the CEK.
//
//	 0   2  type
//	 2   2  length of the body
//	 4  16  id
//	20      body
const (
	SlotIDSize     = 16
	SlotHeaderSize = 2 + 2 + SlotIDSize

	MaxSlots    = 128 // HEAD-10
	MaxSlotBody = 1<<16 - 1

	CEKSize = 32 // the key that every slot wraps
)

// A SlotType says how a slot wraps the CEK; see spec/registry.md.
type SlotType uint16

const (
	SlotHPKE       SlotType = 1
	SlotPassphrase SlotType = 2
	SlotAge        SlotType = 3
	SlotKEK        SlotType = 4
)

func (t SlotType) String() string {
	switch t {
	case SlotHPKE:
		return "hpke"
	case SlotPassphrase:
		return "passphrase"
	case SlotAge:
		return "age"
	case SlotKEK:
		return "kek"
	}
	return fmt.Sprintf("type %d", uint16(t))
}

// Known reports whether t is registered.
func (t SlotType) Known() bool { return t >= SlotHPKE && t <= SlotKEK }

// A Slot is one wrapping of the CEK for one recipient. Types that are not
// registered are carried as they are (SLOT-1).
type Slot struct {
	Type SlotType
	ID   [SlotIDSize]byte
	Body []byte // at most MaxSlotBody bytes
}

// Size is the length in bytes of the encoded slot.
func (s *Slot) Size() int { return SlotHeaderSize + len(s.Body) }

func (s *Slot) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(s.Type))
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.Body)))
	b = append(b, s.ID[:]...)
	return append(b, s.Body...)
}

// parseSlot reads the slot at the start of b, all that is left for slots, and
// returns what follows it. The slot's body aliases b.
func parseSlot(b []byte) (s Slot, rest []byte, err error) {
	if len(b) < SlotHeaderSize {
		return s, nil, &ParseError{HEAD11, "slot", 0, ErrMalformed, "the slot's header reaches into the MAC"}
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n > len(b)-SlotHeaderSize {
		return s, nil, &ParseError{HEAD11, "slot length", 2, ErrMalformed,
			fmt.Sprintf("a body of %d bytes reaches into the MAC", n)}
	}
	s.Type = SlotType(binary.BigEndian.Uint16(b))
	s.ID = [SlotIDSize]byte(b[4:SlotHeaderSize])
	s.Body = b[SlotHeaderSize : SlotHeaderSize+n : SlotHeaderSize+n]
	if err := s.check(); err != nil {
		return s, nil, within(err, SlotHeaderSize, "")
	}
	return s, b[SlotHeaderSize+n:], nil
}

// check enforces the clauses on the body of s that need no key.
func (s *Slot) check() error {
	var err error
	switch s.Type {
	case SlotHPKE:
		_, err = ParseHPKEBody(s.Body)
	case SlotPassphrase:
		_, err = ParsePassphraseBody(s.Body)
	case SlotAge:
		err = checkAgeBody(s.Body)
	case SlotKEK:
		_, err = ParseKEKBody(s.Body)
	}
	return err
}

// An age file, the body of a slot of type 3: what is read of it without a key.
const (
	ageIntro  = "age-encryption.org/v1\n"
	ageArrow  = "-> "
	ageFooter = "---"
	ageScrypt = "scrypt"

	MinAgeBody = 64 // AGE-1
	MaxAgeBody = 16 << 10
)

// checkAgeBody enforces AGE-1 and AGE-2 on the body of a slot of type 3. The
// rest of an age file's grammar is left to age itself.
func checkAgeBody(b []byte) error {
	if len(b) < MinAgeBody || len(b) > MaxAgeBody {
		return &ParseError{AGE1, "age body", 0, ErrMalformed, fmt.Sprintf("%d bytes, not %d to %d", len(b), MinAgeBody, MaxAgeBody)}
	}
	if !bytes.HasPrefix(b, []byte(ageIntro)) {
		return &ParseError{AGE1, "age body", 0, ErrMalformed, "not an age v1 file"}
	}
	for kind, off := range ageStanzas(b) {
		if kind == ageScrypt {
			return &ParseError{AGE2, "age body", int64(off), ErrMalformed, "a scrypt stanza"}
		}
	}
	return nil
}
