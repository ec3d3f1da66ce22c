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
//	[Classed]        a Recipient that knows what a quantum computer would do to it
//	[Estimated]      a Recipient that knows the size of its slots only afterwards
//	[Labeled]        a Recipient that learns while it wraps beside whom it may stand
//	[Interactive]    an Identity that may wait for a person or a device
//	[ManyUnwrapper]  an Identity that asks for many slots as it asks for one
//	[Public]         an Identity that knows its Recipient
//
// [ClassOf], [LeastBodySize], [WrapWithLabels], [IsInteractive], [UnwrapAny] and
// [RecipientOf] answer for those which do not.
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

// An Estimated Recipient knows the exact size of its slots only when it has made
// one, as a plugin's does. Its BodySize is then a bound far above.
type Estimated interface {
	LeastBodySize() int // in bytes
}

// LeastBodySize returns the fewest bytes that a body of r can have: BodySize
// unless r is Estimated.
func LeastBodySize(r Recipient) int {
	if e, ok := r.(Estimated); ok {
		return e.LeastBodySize()
	}
	return r.BodySize()
}

// LabelPostQuantum is the label of recipients that withstand a quantum computer.
// It is age's.
const LabelPostQuantum = "postquantum"

// A Labeled Recipient says with each body that it makes which labels that has: a
// slot stands beside slots of the same labels alone (SLOT-4). The rule is age's,
// whose recipients say it so: see age.RecipientWithLabels. A recipient that must
// be alone makes a random label.
type Labeled interface {
	WrapWithLabels(ctx context.Context, m *entropy.Mixer, p *format.Preamble, cek []byte) (body []byte, labels []string, err error)
}

// WrapWithLabels is r's Wrap, with the labels of the body. Those of a recipient
// that is not [Labeled] follow from its class.
func WrapWithLabels(ctx context.Context, r Recipient, m *entropy.Mixer, p *format.Preamble, cek []byte) (body []byte, labels []string, err error) {
	if l, ok := r.(Labeled); ok {
		return l.WrapWithLabels(ctx, m, p, cek)
	}
	if ClassOf(r) == format.PostQuantum {
		labels = []string{LabelPostQuantum}
	}
	body, err = r.Wrap(ctx, m, p, cek)
	return body, labels, err
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

// KeysFirst returns ids in their order, those that may wait for a person or a
// device after the others.
func KeysFirst(ids []Identity) []Identity {
	var keys, people []Identity
	for _, id := range ids {
		if IsInteractive(id) {
			people = append(people, id)
		} else {
			keys = append(keys, id)
		}
	}
	return append(keys, people...)
}

// A ManyUnwrapper is an Identity that opens one of many slots with the questions
// that it asks for one: a plugin runs once. A reader gives it all the slots there
// are, and does so again, without the one that was opened, only if that held
// another container's CEK.
type ManyUnwrapper interface {
	// UnwrapAny is Unwrap of any of slots; which is the one that it opened,
	// or that an error is about, and -1 if the error is about none of them.
	// It passes over slots that it does not accept.
	UnwrapAny(ctx context.Context, slots []*format.Slot, p *format.Preamble) (which int, cek []byte, err error)
}

// UnwrapAny opens one of slots with id: at once if it is a [ManyUnwrapper], else
// one after the other until one opens. The error is that of the first slot whose
// own error is not [ErrIncorrectIdentity].
func UnwrapAny(ctx context.Context, id Identity, slots []*format.Slot, p *format.Preamble) (which int, cek []byte, err error) {
	if m, ok := id.(ManyUnwrapper); ok {
		return m.UnwrapAny(ctx, slots, p)
	}
	which, err = -1, ErrIncorrectIdentity
	for i, s := range slots {
		if !id.Accepts(s.Type) {
			continue
		}
		cek, e := id.Unwrap(ctx, s, p)
		if e == nil {
			return i, cek, nil
		}
		if which < 0 && !errors.Is(e, ErrIncorrectIdentity) {
			which, err = i, e
		}
	}
	return which, nil, err
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
