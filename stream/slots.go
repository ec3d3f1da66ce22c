package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/seal"
	"bulla/slot"
)

// ErrMixedLabels is a recipient whose maker keeps it apart from the others in the
// container, or wants it to be alone (SLOT-4).
var ErrMixedLabels = errors.New("recipients that are to be kept apart do not mix")

// ErrTooManyPassphrases is more passphrases than a copy of the head may have
// (PASS-7).
var ErrTooManyPassphrases = fmt.Errorf("a container has at most %d passphrases", format.MaxPassphraseSlots)

// addSlots returns slots with one more for each recipient. It judges them once
// more, with what is known now, as [Plan] does, and refuses what its maker keeps
// apart.
func addSlots(ctx context.Context, slots []format.Slot, to []Recipient, classical bool, m *entropy.Mixer, p *format.Preamble, cek []byte, keys *seal.Keys) ([]format.Slot, error) {
	all := plannedSlots(slots)
	apart := make(map[string]bool) // the labels that there are, but for being post-quantum
	if len(slots) > 0 {
		apart["[]"] = true // a slot does not keep its labels
	}
	for i, r := range to {
		s, labels, err := wrap(ctx, r, m, p, cek, keys)
		if err != nil {
			return nil, fmt.Errorf("recipient %d: %w", i+1, err)
		}
		class := s.Class()
		others := slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == slot.LabelPostQuantum })
		switch {
		case len(others) < len(labels):
			class = format.PostQuantum
		case s.Type == format.SlotAge: // whatever its stanza is called
			class = format.Classical
		}
		slices.Sort(others)
		apart[fmt.Sprintf("%q", others)] = true
		all = append(all, plannedSlot{s.Type, s.Size(), class, true})
		slots = append(slots, *s)
	}
	if len(apart) > 1 {
		return nil, ErrMixedLabels
	}
	return slots, judge(all, p.Pages, classical)
}

// wrap makes the slot of one recipient.
func wrap(ctx context.Context, r Recipient, m *entropy.Mixer, p *format.Preamble, cek []byte, keys *seal.Keys) (s *format.Slot, labels []string, err error) {
	// A copy: one recipient must not be able to spoil another's slot.
	own := bytes.Clone(cek)
	defer clear(own)
	body, labels, err := slot.WrapWithLabels(ctx, r, m, p, own)
	if err != nil {
		return nil, nil, err
	}
	return &format.Slot{Type: r.Type(), ID: keys.SlotID(r.Canonical()), Body: body}, labels, nil
}
