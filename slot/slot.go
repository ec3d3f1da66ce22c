// Package slot is the seam between keys and containers: what a container asks
// of a key, whatever kind of key it is.
//
// A container's content-encryption key (CEK) lies in its head, wrapped once for
// each recipient; each wrapping is a slot (spec section 5). A [Recipient] makes
// the body of a slot, an [Identity] gets the CEK back out of it. Package stream
// writes and reads containers with these and knows no kind of key; packages
// keyslot, agekey and tpmkey implement them and know nothing of streams. So
// what keyslot.ParseRecipients returns goes straight into stream.NewWriter, and
// a program can add a kind of key of its own, such as one in a key service.
//
// What only some keys can say is an interface of its own, which a key implements
// or not:
//
//	[Classed]      a Recipient that knows what a quantum computer would do to it
//	[Interactive]  an Identity that may wait for a person or a device
//	[Public]       an Identity that knows its Recipient
//
// [ClassOf], [IsInteractive] and [RecipientOf] answer for those which do not.
package slot

import (
	"context"
	"errors"

	"bulla/entropy"
	"bulla/format"
)

// ErrIncorrectIdentity is what Unwrap returns, possibly wrapped, for a slot that
// was made for another key.
var ErrIncorrectIdentity = errors.New("slot is for another key")

// Named says whose a slot is.
type Named interface {
	// Type is the type of the recipient's slots.
	Type() format.SlotType

	// Canonical is the recipient's canonical string (spec section 5), from
	// which the ids of its slots are computed: always the same for the same
	// recipient. Of a public key it is the key in text; it may be empty.
	Canonical() string
}

// A Recipient makes slots that one key opens.
type Recipient interface {
	Named

	// BodySize is the most bytes that a body from Wrap has. It is exact
	// wherever the recipient can know, and it never changes.
	BodySize() int

	// Wrap makes the body of a new slot, with fresh randomness from m, for
	// the container whose preamble is p. cek, format.CEKSize bytes, belongs
	// to the caller: Wrap reads it and does not keep it. The body is the
	// caller's.
	//
	// Wrap may ask a person or a device and then returns when ctx is done.
	Wrap(ctx context.Context, m *entropy.Mixer, p *format.Preamble, cek []byte) (body []byte, err error)
}

// An Identity opens slots that were made for its Recipient.
type Identity interface {
	// Accepts reports whether Unwrap is worth calling for a slot of type t.
	// It is cheap and asks nobody.
	Accepts(t format.SlotType) bool

	// Unwrap opens the slot s of the container whose preamble is p. The CEK,
	// format.CEKSize bytes, is the caller's, who checks it against the
	// container's commitment (KEY-1).
	//
	// The error wraps [ErrIncorrectIdentity] when s was made for another
	// key, and may wrap a [*format.ParseError] when s is malformed. Any
	// other means that the identity could not be used: a prompt failed, a
	// device is missing, ctx is done.
	Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) (cek []byte, err error)
}

// A Classed Recipient knows the class of its slots before it makes one (SLOT-4).
type Classed interface {
	Class() format.Class
}

// ClassOf returns the class of r, [format.Neutral] if r does not know it.
func ClassOf(r Recipient) format.Class {
	if c, ok := r.(Classed); ok {
		return c.Class()
	}
	return format.Neutral
}

// An Interactive Identity reports whether its next Unwrap may wait for a person
// or a device, whatever the slot. A reader tries such identities last, and only
// so many times (AGE-4).
type Interactive interface {
	Interactive() bool
}

// IsInteractive reports whether id may wait for a person or a device.
func IsInteractive(id Identity) bool {
	i, ok := id.(Interactive)
	return ok && i.Interactive()
}

// A Public Identity knows its public half, the recipient whose slots it opens.
type Public interface {
	Recipient() Recipient
}

// RecipientOf returns the public half of id, nil if id does not know it.
func RecipientOf(id Identity) Recipient {
	if p, ok := id.(Public); ok {
		return p.Recipient()
	}
	return nil
}
