package keyslot

import (
	"context"
	"encoding/binary"
	"fmt"

	"bulla/entropy"
	"bulla/format"
)

// A Recipient makes slots that one key opens.
type Recipient interface {
	// Type is the type of the slots that Wrap makes.
	Type() format.SlotType

	// Canonical is the recipient's canonical string (spec section 5), from
	// which the id of its slots is computed; it may be empty.
	Canonical() string

	// BodySize is the most bytes that a body from Wrap has. It is exact
	// wherever the recipient can know, and it never changes.
	BodySize() int

	// Wrap makes the body of a new slot, with fresh randomness from m, for
	// the container whose preamble is p. cek, format.CEKSize bytes, belongs
	// to the caller: it is read only and not kept. The body is the caller's.
	//
	// Wrap may ask a person or a device and then returns when ctx is done.
	Wrap(ctx context.Context, m *entropy.Mixer, p *format.Preamble, cek []byte) (body []byte, err error)
}

// An Identity opens slots.
//
// An Identity may also have a method Interactive() bool, which reports whether
// the next Unwrap may wait for a person or a device whatever the slot. A reader
// tries such identities last and counts their attempts (AGE-4).
type Identity interface {
	// Accepts reports whether Unwrap is worth calling for a slot of type t.
	// It is cheap and asks nobody.
	Accepts(t format.SlotType) bool

	// Unwrap opens the slot s of the container whose preamble is p. The CEK,
	// format.CEKSize bytes, is the caller's, and is not yet known to be the
	// container's: that is for the commitment to say (KEY-1).
	//
	// The error wraps [format.ErrNotMine] when s was made for another key,
	// and may wrap a [*format.ParseError] when s is malformed. Any other
	// means that the identity could not be used: a prompt failed, a device
	// is missing, ctx is done.
	Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) (cek []byte, err error)
}

const infoPrefix = "bulla/v1 slot"

// slotInfo is the string that binds a wrapping to the slot's type and to the
// container (spec section 5).
func slotInfo(t format.SlotType, p *format.Preamble) []byte {
	b := make([]byte, 0, len(infoPrefix)+2+format.PreambleSize)
	b = append(b, infoPrefix...)
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	return p.Append(b)
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
		return fmt.Errorf("%v slot: %w", s.Type, format.ErrNotMine)
	}
	return ctx.Err()
}
