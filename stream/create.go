package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/locked"
	"bulla/internal/seal"
	"bulla/slot"
)

// sparePublicSlots is for how many further slots of type 1 a new head has room
// (HEAD-15).
const sparePublicSlots = 2

// create makes the keys and the encoded head of a new container.
func create(ctx context.Context, to []Recipient, o *WriterOptions) (keys *seal.Keys, head []byte, err error) {
	if err := o.plan(to); err != nil {
		return nil, nil, err
	}
	h := &format.Head{Generation: 1}
	h.Suite = o.Suite
	if h.Suite == 0 {
		h.Suite = seal.FastSuite()
	}
	if o.Level != 0 {
		h.Coding = format.Zstd
	}
	h.Part = o.Part
	h.Pages = pagesFor(to, o.Reserve)
	if err := o.Entropy.Fill("salt", h.Salt[:]); err != nil { // HEAD-14
		return nil, nil, err
	}
	cek := locked.Bytes(format.CEKSize)
	defer locked.Free(cek)
	if err := o.Entropy.Fill("cek", cek); err != nil { // KEY-2
		return nil, nil, err
	}
	if keys, err = seal.NewKeys(cek, &h.Preamble); err != nil {
		return nil, nil, err
	}
	defer func(keys *seal.Keys) {
		if err != nil {
			keys.Wipe()
		}
	}(keys)
	h.Commitment = keys.Commitment()
	if h.Slots, err = addSlots(ctx, nil, to, o.AllowClassical, o.Entropy, &h.Preamble, h.Pages, cek, keys); err != nil {
		return nil, nil, err
	}
	c, err := encodeHead(h, keys)
	if err != nil {
		return nil, nil, err
	}
	return keys, c.Raw, nil
}

// encodeHead returns h as a copy with its MAC and checksum, parsed once more before
// anyone relies on it.
func encodeHead(h *format.Head, keys *seal.Keys) (*format.Copy, error) {
	b, err := h.Append(make([]byte, 0, h.CopySize()))
	if err != nil {
		return nil, err
	}
	h.MAC = keys.HeadMAC(format.MACInput(b)) // HEAD-13
	if b, err = h.Append(b[:0]); err != nil {
		return nil, err
	}
	back, err := format.ParseDetachedHead(b)
	if err != nil {
		return nil, fmt.Errorf("internal error: the head does not parse: %w", err)
	}
	if !keys.Commits(&back.Commitment) || !keys.VerifyHead(back, b) {
		return nil, errors.New("internal error: the head does not verify")
	}
	return &format.Copy{Raw: b, Head: back}, nil
}

// pagesFor is how many pages the head for these recipients needs, with room for
// more.
func pagesFor(to []Recipient, reserve int) int {
	n := 0
	for _, r := range to {
		n += format.SlotHeaderSize + r.BodySize()
	}
	return roomyPages(n, reserve)
}

// roomyPages is how many pages n bytes of slots need, with room for more (HEAD-15).
func roomyPages(n, reserve int) int {
	n += (sparePublicSlots + reserve) * (format.SlotHeaderSize + format.HPKEBodySize)
	// What is only spare may be cut: a head that is full of recipients is none the worse.
	return min(format.PagesFor(n), format.MaxPages)
}

// addSlots returns slots with one more for each recipient. It judges them once
// more, with what is known now, as [Plan] does, and refuses what its maker keeps
// apart.
func addSlots(ctx context.Context, slots []format.Slot, to []Recipient, classical bool, m *entropy.Mixer, p *format.Preamble, pages int, cek []byte, keys *seal.Keys) ([]format.Slot, error) {
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
	return slots, judge(all, pages, classical)
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
