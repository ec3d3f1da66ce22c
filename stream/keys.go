package stream

import (
	"context"

	"bulla/entropy"
	"bulla/format"
)

// A Recipient wraps content-encryption keys for one who may open containers.
// Package keyslot has those of the specification.
type Recipient interface {
	Named

	// BodySize is an upper bound in bytes of what Wrap returns.
	BodySize() int

	// Wrap returns the body of a slot from which the recipient, and nobody
	// else, gets cek, for the container with preamble p. What it needs of
	// randomness it draws from m. It must neither change nor keep cek.
	Wrap(ctx context.Context, m *entropy.Mixer, p *format.Preamble, cek []byte) (body []byte, err error)
}

// Named is the part of a [Recipient] that says whose a slot is.
type Named interface {
	// Type is the type of the recipient's slots.
	Type() format.SlotType

	// Canonical is the string that the slots' ids are computed from (spec
	// section 5): the same for the same recipient, always.
	Canonical() string
}

// An Identity opens slots that were made for its Recipient.
type Identity interface {
	// Accepts reports, without any work, whether Unwrap may be called for
	// slots of type t.
	Accepts(t format.SlotType) bool

	// Unwrap returns the CEK that slot s of the container with preamble p
	// holds; the result is the caller's. It returns an error that wraps
	// format.ErrNotMine if s is for someone else. The caller checks the CEK
	// against the container's commitment.
	Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) (cek []byte, err error)
}

// An interactive Identity may wait for a person or a device in Unwrap. Such
// calls come last and are counted (AGE-4).
type interactive interface {
	Interactive() bool
}

func isInteractive(id Identity) bool {
	i, ok := id.(interactive)
	return ok && i.Interactive()
}
