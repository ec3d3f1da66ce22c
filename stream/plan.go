package stream

import (
	"errors"
	"fmt"
	"slices"

	"bulla/entropy"
	"bulla/format"
	"bulla/slot"
)

// ErrMixedLabels is a recipient whose maker keeps it apart from the others in the
// container, or wants it to be alone (SLOT-4).
var ErrMixedLabels = errors.New("recipients that are to be kept apart do not mix")

// ErrTooManyPassphrases is more passphrases than a copy of the head may have
// (PASS-7).
var ErrTooManyPassphrases = fmt.Errorf("a container has at most %d passphrases", format.MaxPassphraseSlots)

// Plan judges the recipients of a new container before any of them is asked for
// anything. It fails with
//
//   - a [*HeadFullError] if they are too many, or their slots too large for a head,
//   - [ErrTooManyPassphrases] (PASS-7),
//   - [format.ErrMixedClasses] if post-quantum and classical ones are mixed and
//     opts does not allow it (SLOT-4),
//   - an [*entropy.RequireError] if a source that opts.Entropy requires would not
//     reach one of them.
//
// [NewWriter] judges the same, and once more with what Wrap returned.
//
// keyslot.AnyPassphrase stands for a passphrase that has not been asked for yet.
func Plan(recipients []Recipient, opts *WriterOptions) error {
	o := opts.orDefault()
	return o.plan(recipients)
}

func (o *WriterOptions) plan(to []Recipient) error {
	if len(to) == 0 {
		return errors.New("no recipients")
	}
	if o.Reserve < 0 || o.Reserve > format.MaxSlots {
		return fmt.Errorf("reserve of %d slots, not 0 to %d", o.Reserve, format.MaxSlots)
	}
	return planHead(nil, to, format.MaxPages, o.Entropy, o.AllowClassical)
}

// Plan judges an edit before anyone is asked for anything, as [Plan] does for a
// new container. It fails, too, with [ErrLastSlot] or a [*RecipientNotFoundError].
// Apply judges the same.
func (h *HeadEditor) Plan(edit *Edit) error {
	_, err := h.op.plan(edit)
	return err
}

// plan returns the slots that edit leaves, if it can be carried out.
func (op *opened) plan(edit *Edit) ([]format.Slot, error) {
	kept, err := op.remaining(edit)
	if err != nil {
		return nil, err
	}
	known := func(s format.Slot) bool { return s.Type.Known() }
	if len(edit.Add) == 0 && !slices.ContainsFunc(kept, known) {
		return nil, ErrLastSlot // WRAP-3
	}
	return kept, planHead(kept, edit.Add, edit.pages(op.head.Head), edit.mixer(), edit.AllowClassical)
}

// planHead judges a head with slots that are kept and recipients that are added.
func planHead(kept []format.Slot, add []Recipient, pages int, m *entropy.Mixer, allowClassical bool) error {
	all := plannedSlots(kept)
	for _, r := range add {
		if err := checkHedge(r, m); err != nil {
			return err
		}
		all = append(all, plannedSlot{r.Type(), format.SlotHeaderSize + slot.LeastBodySize(r), slot.ClassOf(r), true})
	}
	return judge(all, pages, allowClassical)
}

// A plannedSlot is what decides whether a slot may be in a head.
type plannedSlot struct {
	typ   format.SlotType
	size  int // in bytes; the least that it may come to
	class format.Class
	added bool
}

func plannedSlots(slots []format.Slot) (all []plannedSlot) {
	for i := range slots {
		all = append(all, plannedSlot{slots[i].Type, slots[i].Size(), slots[i].Class(), false})
	}
	return all
}

// judge says whether slots may be in one head: their number, their room, and
// their classes. What adds no public key keeps a mixture that there is.
func judge(all []plannedSlot, pages int, allowClassical bool) error {
	need, passphrases, public := 0, 0, false
	var classes []format.Class
	for _, s := range all {
		need += s.size
		if s.typ == format.SlotPassphrase {
			passphrases++
		}
		classes = append(classes, s.class)
		public = public || s.added && s.class != format.Neutral
	}
	if room := format.Room(pages); need > room || len(all) > format.MaxSlots {
		return &HeadFullError{need, room, len(all)}
	}
	if passphrases > format.MaxPassphraseSlots { // PASS-7
		return ErrTooManyPassphrases
	}
	if public && !allowClassical && format.Mixed(classes) { // SLOT-4
		return format.ErrMixedClasses
	}
	return nil
}

// checkHedge refuses a slot of type 3 if m requires a source that age would not
// draw on.
func checkHedge(r Recipient, m *entropy.Mixer) error {
	if names := m.Requires(); r.Type() == format.SlotAge && len(names) > 0 {
		return &entropy.RequireError{Source: names[0],
			Reason: "age takes its randomness from the operating system alone",
			Hint:   "use recipients that begin with age1pq1, a passphrase or a key file"}
	}
	return nil
}
