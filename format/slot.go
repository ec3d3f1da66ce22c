package format

import (
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
