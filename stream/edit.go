package stream

import (
	"bytes"
	"errors"
	"fmt"
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

	// Detached makes a head for a file of its own, which may have more room than
	// the container's own copies: such a head cannot be saved into the container.
	Detached bool

	// Entropy is where the new slots' randomness comes from; nil means
	// entropy.Default().
	Entropy *entropy.Mixer
}

func (e *Edit) mixer() *entropy.Mixer {
	if e.Entropy == nil {
		return entropy.Default()
	}
	return e.Entropy
}

// pages is how many the new head may have: those of a container have as many as it
// was made with.
func (e *Edit) pages(h *format.Head) int {
	if e.Detached {
		return format.MaxPages
	}
	return h.Pages
}

// ErrLastSlot is a change that would leave no slot this program can open (WRAP-3).
var ErrLastSlot = errors.New("the change would leave no recipient")

// A HeadFullError says that slots do not fit a head. The length of the copies in a
// container is fixed when it is created; a detached head grows up to
// format.MaxHeadSize bytes.
type HeadFullError struct {
	Need, Room int // bytes of slots
	Slots      int // there would be
}

// FitsDetached reports whether the slots fit a detached head: see [Edit].
func (e *HeadFullError) FitsDetached() bool {
	return e.Need <= format.Room(format.MaxPages) && e.Slots <= format.MaxSlots
}

func (e *HeadFullError) Error() string {
	return fmt.Sprintf("the head is full: %d slots need %d bytes, it has room for %d and for %d slots", e.Slots, e.Need, e.Room, format.MaxSlots)
}

// A RecipientNotFoundError is a recipient to be removed that has no slot.
type RecipientNotFoundError struct{ Recipient Named }

func (e *RecipientNotFoundError) Error() string {
	if e.Recipient.Canonical() == "" {
		return fmt.Sprintf("there is no %v slot", e.Recipient.Type())
	}
	return "there is no slot of " + e.Recipient.Canonical()
}

// remaining returns the slots that edit leaves.
func (op *opened) remaining(edit *Edit) ([]format.Slot, error) {
	slots := op.head.Head.Slots
	for _, i := range edit.RemoveSlots {
		if i < 0 || i >= len(slots) {
			return nil, fmt.Errorf("there is no slot %d: the head has %d", i+1, len(slots))
		}
	}
	remove := slices.Clone(edit.RemoveSlots)
	for _, n := range edit.Remove {
		mine := op.slotsOf(n)
		if len(mine) == 0 {
			return nil, &RecipientNotFoundError{n}
		}
		remove = append(remove, mine...)
	}
	var kept []format.Slot
	for i, s := range slots {
		if !slices.Contains(remove, i) {
			kept = append(kept, s)
		}
	}
	return kept, nil
}

// slotsOf returns the positions of the slots of n.
func (op *opened) slotsOf(n Named) (mine []int) {
	for i := range op.head.Head.Slots {
		if op.owns(n, &op.head.Head.Slots[i]) {
			mine = append(mine, i)
		}
	}
	return mine
}

func (op *opened) owns(n Named, s *format.Slot) bool {
	return s.Type == n.Type() && s.ID == op.keys.SlotID(n.Canonical())
}

// openedSlot returns the position in the head that counts of the slot that was
// opened; -1 if it is not there: it stood in an older copy, or was removed.
func (op *opened) openedSlot() int {
	return slices.IndexFunc(op.head.Head.Slots, func(s format.Slot) bool {
		return op.slot != nil && s.Type == op.slot.Type && bytes.Equal(s.Body, op.slot.Body)
	})
}
