package stream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"bulla/format"
	"bulla/internal/seal"
	"bulla/slot"
)

// maxInteractive is how many times one container may make a person or a device
// work (AGE-4).
const maxInteractive = 8

// An opened container: its keys and the head that counts.
type opened struct {
	keys   *seal.Keys
	head   *format.Copy   // the copy with the highest generation that is authentic (READ-1)
	all    []*format.Copy // every authentic copy, the highest generation first
	forged []*format.Copy // every copy of the container whose MAC does not verify (HEAD-13)

	slot   *format.Slot // that was opened
	stored *format.Copy // the first of all that stands in the container; nil if none does
	cek    []byte       // kept only for a rewrap, which must wipe it
}

// wipe forgets all secrets.
func (op *opened) wipe() {
	op.keys.Wipe()
	clear(op.cek)
}

// open finds the CEK with ids in one of the copies, which come in the order in
// which they are to be tried, and the copy that counts. The CEK itself is kept
// only if keepCEK is set: to wrap it for someone else.
func open(ctx context.Context, copies []*format.Copy, ids []Identity, keepCEK bool) (*opened, error) {
	o := opener{ctx: ctx, ids: slices.Clone(ids)}
	// Keys first, people and devices after.
	slices.SortStableFunc(o.ids, func(a, b Identity) int {
		switch x, y := slot.IsInteractive(a), slot.IsInteractive(b); {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	})
	// The highest generation first, the copies being of one container (COPY-1).
	copies = slices.Clone(copies)
	slices.SortStableFunc(copies, func(a, b *format.Copy) int { return cmp.Compare(b.Head.Generation, a.Head.Generation) })
	for _, id := range o.ids {
		o.seen = o.seen[:0]
		for _, c := range copies {
			keys, cek, slot, err := o.try(id, c)
			if err != nil {
				return nil, err
			}
			if keys == nil {
				continue
			}
			op, err := authentic(keys, copies)
			if err != nil {
				clear(cek)
				return nil, err
			}
			if op.slot = slot; keepCEK {
				op.cek = cek
			} else {
				clear(cek)
			}
			return op, nil
		}
	}
	return nil, o.noKey(copies)
}

// detachedAt is the offset of a copy that does not stand in the container.
const detachedAt = -1

// usable returns the copies to open a container by: those in it, and a detached
// head if there is one. It fails if they are not all of one container (COPY-1,
// READ-4), or the detached head is no head.
func usable(c *format.Copies, detached []byte) ([]*format.Copy, error) {
	if detached == nil {
		return c.Usable(), c.Conflict(nil)
	}
	h, err := format.ParseHead(detached)
	if err != nil {
		return nil, fmt.Errorf("detached head: %w", err)
	}
	raw := detached[:h.HeadSize()]
	return append(c.Usable(), &format.Copy{Offset: detachedAt, Raw: raw, Head: h}), c.Conflict(raw)
}

// authentic tells those of a container's copies whose MAC verifies from those
// that are forged. They come with the highest generation first.
func authentic(keys *seal.Keys, copies []*format.Copy) (*opened, error) {
	op := &opened{keys: keys}
	for _, c := range copies {
		if keys.VerifyHead(c.Head, c.Raw) { // HEAD-13
			op.all = append(op.all, c)
		} else {
			op.forged = append(op.forged, c)
		}
	}
	if len(op.all) == 0 {
		keys.Wipe()
		return nil, forgery(op.forged[0])
	}
	op.head = op.all[0]
	if i := slices.IndexFunc(op.all, func(c *format.Copy) bool { return c.Offset != detachedAt }); i >= 0 {
		op.stored = op.all[i]
	}
	return op, nil
}

// genuine returns an error if a copy is forged, of those that stand in the
// container, or of them and the detached head. (A copy that is merely damaged is
// none: its checksum does not fit.)
func (op *opened) genuine(detachedOnly bool) error {
	for _, c := range op.forged {
		if !detachedOnly || c.Offset == detachedAt {
			return forgery(c)
		}
	}
	return nil
}

// forgery is the error for a copy that is forged.
func forgery(c *format.Copy) error {
	err := &format.ParseError{Clause: format.HEAD13, Field: "MAC", Kind: format.ErrForged,
		Offset: max(0, c.Offset) + int64(len(format.MACInput(c.Raw))),
		Reason: "this copy of the head was changed by someone who cannot open it"}
	if c.Offset == detachedAt {
		return fmt.Errorf("detached head: %w", err)
	}
	return err
}

// An opener tries identities on slots within the limits.
type opener struct {
	ctx    context.Context
	ids    []Identity
	work   uint64         // KiB * passes of Argon2id spent (PASS-5)
	asked  int            // interactive attempts made (AGE-4)
	seen   []*format.Slot // that the identity was tried on, in this container
	tried  []format.SlotType
	causes []error
}

// try returns the keys, the CEK and the slot if id opens one of c, and nil if
// not. An error ends the whole attempt.
func (o *opener) try(id Identity, c *format.Copy) (*seal.Keys, []byte, *format.Slot, error) {
	for i := range c.Head.Slots {
		s := &c.Head.Slots[i]
		if !id.Accepts(s.Type) || o.again(s) {
			continue
		}
		if err := o.spend(id, s); err != nil {
			return nil, nil, nil, err
		}
		if !slices.Contains(o.tried, s.Type) {
			o.tried = append(o.tried, s.Type)
		}
		cek, err := id.Unwrap(o.ctx, s, &c.Head.Preamble)
		if ctxErr := o.ctx.Err(); ctxErr != nil {
			clear(cek)
			return nil, nil, nil, context.Cause(o.ctx)
		}
		switch {
		case errors.Is(err, slot.ErrIncorrectIdentity):
			continue
		case err != nil:
			o.causes = append(o.causes, fmt.Errorf("slot %d (%v): %w", i+1, s.Type, err))
			continue
		}
		if len(cek) != format.CEKSize {
			clear(cek)
			o.causes = append(o.causes, fmt.Errorf("slot %d (%v): a key of %d bytes", i+1, s.Type, len(cek)))
			continue
		}
		keys, err := seal.NewKeys(cek, &c.Head.Preamble)
		if err != nil {
			return nil, nil, nil, err
		}
		if keys.Commits(&c.Head.Commitment) { // KEY-1
			return keys, cek, s, nil
		}
		keys.Wipe()
		clear(cek)
		o.causes = append(o.causes, &format.ParseError{Clause: format.KEY1, Field: "commitment", Kind: format.ErrForged,
			Offset: max(0, c.Offset) + format.PreambleSize,
			Reason: fmt.Sprintf("slot %d (%v) holds a key that is not this container's", i+1, s.Type)})
	}
	return nil, nil, nil, nil
}

// again reports whether the identity was tried on an equal slot before: one that
// stands in both copies costs its work, or its question, once.
func (o *opener) again(s *format.Slot) bool {
	for _, tried := range o.seen {
		if tried.Type == s.Type && bytes.Equal(tried.Body, s.Body) {
			return true
		}
	}
	o.seen = append(o.seen, s)
	return false
}

// spend charges an attempt to the limits, before it is made.
func (o *opener) spend(id Identity, s *format.Slot) error {
	if s.Type == format.SlotPassphrase {
		body, err := format.ParsePassphraseBody(s.Body)
		if err != nil {
			return err
		}
		if o.work += body.Work(); o.work > format.MaxPassphraseWork {
			return &LimitError{format.PASS5, fmt.Sprintf("its passphrase slots ask for more than %d KiB*passes of Argon2id", format.MaxPassphraseWork)}
		}
	}
	// A passphrase is asked for once, whatever the number of slots.
	if slot.IsInteractive(id) && s.Type != format.SlotPassphrase {
		if o.asked++; o.asked > maxInteractive {
			return &LimitError{format.AGE4, fmt.Sprintf("more than %d attempts that need a person or a device", maxInteractive)}
		}
	}
	return nil
}

// noKey describes why nothing opened.
func (o *opener) noKey(copies []*format.Copy) error {
	e := &NoKeyError{Identities: len(o.ids), Tried: o.tried, Causes: o.causes}
	if len(copies) > 0 {
		for i := range copies[0].Head.Slots {
			e.Slots = append(e.Slots, copies[0].Head.Slots[i].Type)
		}
	}
	return e
}
