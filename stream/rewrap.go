package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"bulla/entropy"
	"bulla/format"
)

// An Edit is a change of a container's recipients. Slots that it does not
// mention stay as they are, those of unknown types too.
type Edit struct {
	Add         []Recipient
	Remove      []Named // each must have a slot
	RemoveSlots []int   // by position in the head, from 0

	// AllowClassical permits classical recipients beside post-quantum ones (SLOT-4).
	AllowClassical bool

	// Entropy is where the new slots' randomness comes from; nil means
	// entropy.Default().
	Entropy *entropy.Mixer
}

// ErrLastSlot is a change that would leave no slot this program can open (WRAP-3).
var ErrLastSlot = errors.New("the change would leave no recipient")

// A HeadFullError is a change whose slots do not fit the head, whose length is
// fixed when the container is created.
type HeadFullError struct {
	Need, Room int // bytes of slots
	Slots      int // there would be
}

func (e *HeadFullError) Error() string {
	return fmt.Sprintf("the head is full: %d slots need %d bytes, it has room for %d and for %d slots", e.Slots, e.Need, e.Room, format.MaxSlots)
}

// A NotThereError is a recipient to be removed that has no slot.
type NotThereError struct{ Recipient Named }

func (e *NotThereError) Error() string {
	if e.Recipient.Canonical() == "" {
		return fmt.Sprintf("there is no %v slot", e.Recipient.Type())
	}
	return "there is no slot of " + e.Recipient.Canonical()
}

// RewrapHead returns the head that results from an edit: encoded, of the same
// length and with the next generation (WRAP-1). It opens the encoded head with
// one of the identities, and is pure: where the head comes from and where the
// result goes, a container, a file of its own or an object store, is the
// caller's affair. To change a container in place, use [Rewrap].
//
// It fails as NewReaderAt does when the head does not open, with ErrLastSlot, a
// *HeadFullError, a *NotThereError, or format.ErrMixedClasses.
//
// Removing a recipient is not revocation: whoever could open the container
// once may have kept its key.
func RewrapHead(ctx context.Context, head []byte, identities []Identity, edit *Edit) ([]byte, error) {
	h, err := OpenHead(ctx, head, identities)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if err := h.Apply(ctx, edit); err != nil {
		return nil, err
	}
	return h.Encoded, nil
}

// rewrap applies edit to the head that counts.
func (op *opened) rewrap(ctx context.Context, edit *Edit) ([]byte, error) {
	h := *op.head.Head
	h.Generation = 0
	for _, c := range op.all {
		h.Generation = max(h.Generation, c.Head.Generation)
	}
	if h.Generation == math.MaxUint32 {
		return nil, &LimitError{format.WRAP1, "the head has been changed 2^32 times"}
	}
	h.Generation++ // WRAP-1
	var err error
	if h.Slots, err = op.remaining(edit); err != nil {
		return nil, err
	}
	m := edit.Entropy
	if m == nil {
		m = entropy.Default()
	}
	public := false // a public key is added
	for i, r := range edit.Add {
		s, err := wrap(ctx, r, m, &h.Preamble, op.cek, op.keys)
		if err != nil {
			return nil, fmt.Errorf("recipient %d: %w", i+1, err)
		}
		h.Slots = append(h.Slots, *s)
		public = public || s.Class() != format.Neutral
	}
	known := func(s format.Slot) bool { return s.Type.Known() }
	if len(edit.Add) == 0 && !slices.ContainsFunc(h.Slots, known) {
		return nil, ErrLastSlot // WRAP-3
	}
	// Who adds no public key leaves a mixture as it was allowed before.
	if public && !edit.AllowClassical {
		if err := format.CheckClasses(h.Slots); err != nil { // SLOT-4
			return nil, err
		}
	}
	if room := format.Room(h.Pages); h.SlotsSize() > room || len(h.Slots) > format.MaxSlots {
		return nil, &HeadFullError{h.SlotsSize(), room, len(h.Slots)}
	}
	return encodeHead(&h, op.keys)
}

// remaining returns the slots that edit leaves.
func (op *opened) remaining(edit *Edit) ([]format.Slot, error) {
	slots := op.head.Head.Slots
	remove := make([]bool, len(slots))
	for _, i := range edit.RemoveSlots {
		if i < 0 || i >= len(slots) {
			return nil, fmt.Errorf("there is no slot %d: the head has %d", i+1, len(slots))
		}
		remove[i] = true
	}
	for _, n := range edit.Remove {
		mine := op.slotsOf(n)
		if len(mine) == 0 {
			return nil, &NotThereError{n}
		}
		for _, i := range mine {
			remove[i] = true
		}
	}
	var kept []format.Slot
	for i, s := range slots {
		if !remove[i] {
			kept = append(kept, s)
		}
	}
	return kept, nil
}

// slotsOf returns the positions of the slots of n.
func (op *opened) slotsOf(n Named) []int {
	id := op.keys.SlotID(n.Canonical())
	var mine []int
	for i, s := range op.head.Head.Slots {
		if s.Type == n.Type() && bytes.Equal(s.ID[:], id[:]) {
			mine = append(mine, i)
		}
	}
	return mine
}
