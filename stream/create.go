package stream

import (
	"context"
	"errors"
	"fmt"

	"bulla/format"
	"bulla/internal/seal"
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
	h.Pages = pagesFor(to, o.Reserve)
	if err := o.Entropy.Fill("salt", h.Salt[:]); err != nil { // HEAD-14
		return nil, nil, err
	}
	cek := make([]byte, format.CEKSize)
	defer clear(cek)
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
	if h.Slots, err = addSlots(ctx, nil, to, o.AllowClassical, o.Entropy, &h.Preamble, cek, keys); err != nil {
		return nil, nil, err
	}
	head, err = encodeHead(h, keys)
	return keys, head, err
}

// encodeHead returns the bytes of h with its MAC and checksum, parsed once more
// before anyone relies on them.
func encodeHead(h *format.Head, keys *seal.Keys) ([]byte, error) {
	b, err := h.Append(make([]byte, 0, h.HeadSize()))
	if err != nil {
		return nil, err
	}
	h.MAC = keys.HeadMAC(format.MACInput(b)) // HEAD-13
	if b, err = h.Append(b[:0]); err != nil {
		return nil, err
	}
	back, err := format.ParseHead(b)
	if err != nil {
		return nil, fmt.Errorf("internal error: the head does not parse: %w", err)
	}
	if !keys.Commits(&back.Commitment) || !keys.VerifyHead(back, b) {
		return nil, errors.New("internal error: the head does not verify")
	}
	return b, nil
}

// pagesFor is how many pages the head for these recipients needs, with room for
// more (HEAD-15).
func pagesFor(to []Recipient, reserve int) int {
	n := (sparePublicSlots + reserve) * (format.SlotHeaderSize + format.HPKEBodySize)
	for _, r := range to {
		n += format.SlotHeaderSize + r.BodySize()
	}
	// What is only spare may be cut: a head that is full of recipients is none the worse.
	return min(format.PagesFor(n), format.MaxPages)
}
