package stream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"bulla/format"
	"bulla/internal/locked"
	"bulla/internal/seal"
	"bulla/slot"
)

// maxRuns is how many times a container may make one identity ask a person or a
// device (AGE-4).
const maxRuns = 8

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
	locked.Free(op.cek)
}

// open finds the CEK with ids in one of the copies, the newest first, and the copy
// that counts. The CEK itself is kept
// only if keepCEK is set: to wrap it for someone else.
func open(ctx context.Context, copies []*format.Copy, ids []Identity, keepCEK bool) (*opened, error) {
	copies = newestFirst(copies)
	o := opener{ctx: ctx, copies: copies}
	for _, id := range slot.KeysFirst(ids) {
		keys, cek, slot, err := o.try(id)
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
			op.cek = locked.Bytes(len(cek))
			copy(op.cek, cek)
		}
		clear(cek)
		return op, nil
	}
	return nil, o.noKey(len(ids))
}

// openHead opens a head by itself, with which encoded begins.
func openHead(ctx context.Context, encoded []byte, ids []Identity, keepCEK bool) (*opened, error) {
	h, err := format.ParseDetachedHead(encoded)
	if err != nil {
		return nil, err
	}
	c := &format.Copy{Raw: bytes.Clone(encoded[:h.CopySize()]), Head: h}
	return open(ctx, []*format.Copy{c}, ids, keepCEK)
}

// newestFirst sorts copies of one container (COPY-1) by their generations (READ-1).
func newestFirst(copies []*format.Copy) []*format.Copy {
	return slices.SortedStableFunc(slices.Values(copies), func(a, b *format.Copy) int { return cmp.Compare(b.Head.Generation, a.Head.Generation) })
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
	d, err := parseDetached(detached)
	if err != nil {
		return nil, err
	}
	return append(c.Usable(), d), c.Conflict(d.Raw)
}

// parseDetached returns a detached head as a copy, which keeps b.
func parseDetached(b []byte) (*format.Copy, error) {
	h, err := format.ParseDetachedHead(b)
	if err != nil {
		return nil, fmt.Errorf("detached head: %w", err)
	}
	return &format.Copy{Offset: detachedAt, Raw: b[:h.CopySize()], Head: h}, nil
}

// mayGive enforces ROLE-2 on a container with some copies of its head, before any
// key is tried: its content is data for those alone who want one of its role.
func (o *opening) mayGive(copies []*format.Copy) error {
	if o.anyRole || len(copies) == 0 || copies[0].Head.Role == o.role {
		return nil
	}
	return &RoleError{copies[0].Head.Part, o.role}
}

// authentic tells those of a container's copies whose MAC verifies from those
// that are forged. They come newest first.
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

// An opener tries identities on slots within the limits: what is beyond one is
// passed over, so that it hides nothing that opens.
type opener struct {
	ctx    context.Context
	copies []*format.Copy // of one container, the highest generation first
	tried  []format.SlotType
	causes []error
	limit  error // why something was passed over
}

// A candidate is a slot that is to be tried, in the first copy that has it.
type candidate struct {
	*format.Slot
	copy   *format.Copy
	number int // from 1
}

// try returns the keys, the CEK and the slot if id opens one, and nil if not. An
// error ends the whole attempt.
func (o *opener) try(id Identity) (*seal.Keys, []byte, *format.Slot, error) {
	todo := o.candidates(id)
	for runs := 0; len(todo) > 0; {
		batch := todo[:1]
		if slot.IsInteractive(id) {
			if runs++; runs > maxRuns { // AGE-4
				o.limit = &LimitError{format.AGE4, fmt.Sprintf("a key that needs a person or a device is for more than %d of its slots, and none of these opens it", maxRuns)}
				break
			}
			if _, ok := id.(slot.ManyUnwrapper); ok {
				batch = todo
			}
		}
		slots := make([]*format.Slot, len(batch))
		for i, c := range batch {
			slots[i] = c.Slot
		}
		which, cek, err := slot.UnwrapAny(o.ctx, id, slots, &batch[0].copy.Head.Preamble)
		if o.ctx.Err() != nil {
			clear(cek)
			return nil, nil, nil, context.Cause(o.ctx)
		}
		var keys *seal.Keys
		if err == nil {
			if keys, err = batch[which].keys(cek); err == nil {
				return keys, cek, batch[which].Slot, nil
			}
			clear(cek)
		}
		if len(batch) == 1 {
			which = 0
		}
		if which < 0 { // the error is about all of them
			todo = todo[len(batch):]
		} else {
			err = fmt.Errorf("slot %d (%v): %w", todo[which].number, todo[which].Type, err)
			todo = slices.Delete(todo, which, which+1)
		}
		if !errors.Is(err, slot.ErrIncorrectIdentity) {
			o.causes = append(o.causes, err)
		}
	}
	return nil, nil, nil, nil
}

// candidates lists the slots to try id on. One that stands in several copies
// costs its work, or its question, once.
func (o *opener) candidates(id Identity) (all []candidate) {
	for _, c := range o.copies {
		for i := range c.Head.Slots {
			s := &c.Head.Slots[i]
			again := func(other candidate) bool { return other.Type == s.Type && bytes.Equal(other.Body, s.Body) }
			if !id.Accepts(s.Type) || slices.ContainsFunc(all, again) {
				continue
			}
			if s.Type == format.SlotPassphrase && costly(s.Body) { // PASS-5
				o.limit = &LimitError{format.PASS5, fmt.Sprintf("slot %d asks for more than %d KiB*passes of Argon2id", i+1, format.MaxPassphraseWork)}
				continue
			}
			if !slices.Contains(o.tried, s.Type) {
				o.tried = append(o.tried, s.Type)
			}
			all = append(all, candidate{s, c, i + 1})
		}
	}
	return all
}

// costly reports whether a passphrase slot takes more work than a reader spends.
func costly(body []byte) bool {
	b, err := format.ParsePassphraseBody(body)
	return err != nil || b.Work() > format.MaxPassphraseWork
}

// keys derives the container's keys from what the slot held, if that is the
// container's CEK.
func (c *candidate) keys(cek []byte) (*seal.Keys, error) {
	if len(cek) != format.CEKSize {
		return nil, fmt.Errorf("a key of %d bytes", len(cek))
	}
	keys, err := seal.NewKeys(cek, &c.copy.Head.Preamble)
	if err != nil {
		return nil, err
	}
	if !keys.Commits(&c.copy.Head.Commitment) { // KEY-1
		keys.Wipe()
		return nil, &format.ParseError{Clause: format.KEY1, Field: "commitment", Kind: format.ErrForged,
			Offset: max(0, c.copy.Offset) + format.PreambleSize, Reason: "the key in the slot is not this container's"}
	}
	return keys, nil
}

// noKey describes why none of so many identities opened anything.
func (o *opener) noKey(identities int) error {
	if o.limit != nil {
		return o.limit
	}
	e := &NoKeyError{Identities: identities, Tried: o.tried, Causes: o.causes}
	if len(o.copies) > 0 {
		for i := range o.copies[0].Head.Slots {
			e.Slots = append(e.Slots, o.copies[0].Head.Slots[i].Type)
		}
	}
	return e
}

// A ChunkOpener tells which chunks are authentic, wherever they were found: it does for
// package parity what only a key can. It is safe for concurrent use but for Close.
type ChunkOpener struct{ op *opened }

// NewChunkOpener opens a container by a copy of its head, with which encoded begins. Its
// errors are those of [EditDetachedHead].
func NewChunkOpener(ctx context.Context, encoded []byte, identities []Identity) (*ChunkOpener, error) {
	op, err := openHead(ctx, encoded, identities, false)
	if err != nil {
		return nil, err
	}
	return &ChunkOpener{op}, nil
}

// Opens reports whether sealed is chunk i of the container, which is its last one or not
// (CHUNK-1). It keeps nothing of sealed.
func (o *ChunkOpener) Opens(i int64, sealed []byte, last bool) bool {
	key, err := o.op.keys.Key(i, last, nil)
	if err != nil {
		return false
	}
	var nonce seal.Nonce
	_, err = key.Open(nil, sealed, i, &nonce)
	return err == nil
}

// Close forgets the keys.
func (o *ChunkOpener) Close() { o.op.wipe() }
