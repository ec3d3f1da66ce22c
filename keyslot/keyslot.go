package keyslot

import (
	"context"
	"encoding/binary"
	"fmt"

	"bulla/format"
	"bulla/slot"
)

// What this package makes and opens slots with: see package slot.
type (
	Recipient = slot.Recipient
	Identity  = slot.Identity
)

const infoPrefix = "bulla/v2 slot"

// slotInfo is the string that binds a wrapping to the slot's type and to the
// container (spec section 5).
func slotInfo(t format.SlotType, p *format.Preamble) []byte {
	b := make([]byte, 0, len(infoPrefix)+2+format.PreambleSize)
	b = append(b, infoPrefix...)
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	return p.Append(b)
}

// must is for what fails only for lengths and keys that there are none of here.
func must[T any](v T, err error) T {
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return v
}

// checkWrap is how every Wrap begins.
func checkWrap(ctx context.Context, cek []byte) error {
	if len(cek) != format.CEKSize {
		return fmt.Errorf("internal error: a CEK of %d bytes, not %d", len(cek), format.CEKSize)
	}
	return ctx.Err()
}

// checkUnwrap is how every Unwrap of an identity for one type begins.
func checkUnwrap(ctx context.Context, i Identity, s *format.Slot) error {
	if !i.Accepts(s.Type) {
		return fmt.Errorf("%v slot: %w", s.Type, slot.ErrIncorrectIdentity)
	}
	return ctx.Err()
}
