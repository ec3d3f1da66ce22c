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

// addSlots returns slots with one more for each recipient. It refuses slots that
// may not stand beside each other, unless classical is set: then post-quantum and
// classical ones may.
func addSlots(ctx context.Context, slots []format.Slot, to []Recipient, classical bool, m *entropy.Mixer, p *format.Preamble, cek []byte, keys *seal.Keys) ([]format.Slot, error) {
	var classes []format.Class
	passphrases, public := 0, false
	apart := make(map[string]bool) // the labels that there are, but for being post-quantum
	for i := range slots {
		classes = append(classes, slots[i].Class())
		apart["[]"] = true // a slot does not keep its labels
		if slots[i].Type == format.SlotPassphrase {
			passphrases++
		}
	}
	for i, r := range to {
		if r.Type() == format.SlotPassphrase {
			if passphrases++; passphrases > format.MaxPassphraseSlots {
				return nil, ErrTooManyPassphrases
			}
		}
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
		classes = append(classes, class)
		public = public || class != format.Neutral
		slots = append(slots, *s)
	}
	if len(apart) > 1 {
		return nil, ErrMixedLabels
	}
	// Whoever adds no public key keeps an existing mixture.
	if public && !classical && format.Mixed(classes) {
		return nil, format.ErrMixedClasses
	}
	return slots, nil
}

// wrap makes the slot of one recipient. Type 3 is refused when m requires a
// source that age would not draw on.
func wrap(ctx context.Context, r Recipient, m *entropy.Mixer, p *format.Preamble, cek []byte, keys *seal.Keys) (s *format.Slot, labels []string, err error) {
	if names := m.Requires(); r.Type() == format.SlotAge && len(names) > 0 {
		return nil, nil, &entropy.RequireError{Source: names[0],
			Reason: "age takes its randomness from the operating system alone",
			Hint:   "use recipients that begin with age1pq1, a passphrase or a key file"}
	}
	// A copy: one recipient must not be able to spoil another's slot.
	own := bytes.Clone(cek)
	defer clear(own)
	body, labels, err := slot.WrapWithLabels(ctx, r, m, p, own)
	if err != nil {
		return nil, nil, err
	}
	return &format.Slot{Type: r.Type(), ID: keys.SlotID(r.Canonical()), Body: body}, labels, nil
}
