package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/seal"
	"bulla/slot"
	"bulla/stream"
)

// A counter is an identity that opens nothing, and counts how often it was asked.
type counter struct {
	accepts format.SlotType
	asks    bool
	calls   int
	returns func() ([]byte, error)
}

func (c *counter) Accepts(t format.SlotType) bool { return t == c.accepts }
func (c *counter) Interactive() bool              { return c.asks }
func (c *counter) Unwrap(context.Context, *format.Slot, *format.Preamble) ([]byte, error) {
	c.calls++
	if c.returns != nil {
		return c.returns()
	}
	return nil, slot.ErrIncorrectIdentity
}

// bodyOf is a recipient whose slots are of any type, with any body.
type bodyOf struct {
	typ  format.SlotType
	body []byte
}

func (b bodyOf) Type() format.SlotType { return b.typ }
func (b bodyOf) Canonical() string     { return "" }
func (b bodyOf) BodySize() int         { return len(b.body) }
func (b bodyOf) Wrap(context.Context, *entropy.Mixer, *format.Preamble, []byte) ([]byte, error) {
	return b.body, nil
}

// passphraseSlot is one that costs that much to try; its salt makes it unlike others.
func passphraseSlot(kib uint32, passes, salt byte) stream.Recipient {
	b := format.PassphraseBody{KiB: kib, Passes: passes, KEKBody: format.KEKBody{Salt: [32]byte{salt}}}
	return bodyOf{format.SlotPassphrase, b.Append(nil)}
}

// manySlots makes a container with a slot for each recipient.
func manySlots(t testing.TB, recipients ...stream.Recipient) []byte {
	t.Helper()
	var dst bytes.Buffer
	w, err := stream.NewWriter(t.Context(), &dst, recipients, &stream.WriterOptions{Entropy: osMixer()})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dst.Bytes()
}

// openers are the calls that try identities on slots.
var openers = map[string]func(context.Context, []byte, []stream.Identity) error{
	"NewReader": func(ctx context.Context, b []byte, ids []stream.Identity) error {
		_, err := stream.NewReader(ctx, bytes.NewReader(b), ids, nil)
		return err
	},
	"NewReaderAt": func(ctx context.Context, b []byte, ids []stream.Identity) error {
		_, err := stream.NewReaderAt(ctx, bytes.NewReader(b), int64(len(b)), ids, nil)
		return err
	},
	"Verify": func(ctx context.Context, b []byte, ids []stream.Identity) error {
		_, err := stream.Verify(ctx, bytes.NewReader(b), int64(len(b)), ids, nil)
		return err
	},
}

// PASS-5: what a slot may cost is bounded before it is spent, and what costs too
// much hides nothing.
func TestArgonBudget(t *testing.T) {
	const most = format.MaxPassphraseWork / format.MaxPassphraseKiB // passes over the most memory
	for _, c := range []struct {
		name  string
		slots []stream.Recipient
		calls int
		limit bool
	}{
		{"one slot of all there is", []stream.Recipient{passphraseSlot(format.MaxPassphraseKiB, most, 1)}, 1, false},
		{"one that exceeds it alone", []stream.Recipient{passphraseSlot(format.MaxPassphraseKiB, most+1, 1)}, 0, true},
		{"one that exceeds it by as little as can be", []stream.Recipient{passphraseSlot(1<<19+1, 2, 1)}, 0, true},
		{"a second that exceeds it", []stream.Recipient{passphraseSlot(32, 1, 1), passphraseSlot(format.MaxPassphraseKiB, most+1, 2)}, 1, true},
		{"a first that exceeds it", []stream.Recipient{passphraseSlot(format.MaxPassphraseKiB, most+1, 1), passphraseSlot(32, 1, 2)}, 1, true},
		{"as many of all there is as there may be", []stream.Recipient{passphraseSlot(format.MaxPassphraseKiB, most, 1), passphraseSlot(format.MaxPassphraseKiB, most, 2),
			passphraseSlot(format.MaxPassphraseKiB, most, 3), passphraseSlot(format.MaxPassphraseKiB, most, 4), passphraseSlot(format.MaxPassphraseKiB, most, 5),
			passphraseSlot(format.MaxPassphraseKiB, most, 6), passphraseSlot(format.MaxPassphraseKiB, most, 7), passphraseSlot(format.MaxPassphraseKiB, most, 8)}, 8, false},
		{"the same slot twice", []stream.Recipient{passphraseSlot(format.MaxPassphraseKiB, most, 1), passphraseSlot(format.MaxPassphraseKiB, most, 1)}, 1, false},
	} {
		b := manySlots(t, c.slots...)
		for name, open := range openers {
			id := &counter{accepts: format.SlotPassphrase}
			err := open(t.Context(), b, with(id))
			want := format.SLOT3
			if c.limit {
				want = format.PASS5
			}
			if clauseOf(err) != want || id.calls != c.calls {
				t.Errorf("%s, %s: %d calls, %v", c.name, name, id.calls, err)
			}
			if c.limit && !errors.Is(err, format.ErrUnsupported) {
				t.Errorf("%s: %v is not under ErrUnsupported", name, err)
			}
		}
	}
}

// A slot that stands in both copies costs once, and one that stands in either is
// tried.
func TestArgonBudgetAcrossCopies(t *testing.T) {
	v := new(vault)
	slot := passphraseSlot(format.MaxPassphraseKiB, 1, 1)
	container := manySlots(t, v, slot)
	whole := split(t, container)
	whole.tail = rewrappedHead(t, v.keys(t, container), whole.head, func(h *format.Head) {
		h.Generation = 2
		h.Slots[1].Body = passphraseSlot(format.MaxPassphraseKiB, 1, 2).(bodyOf).body
	})
	for _, c := range []struct {
		b     []byte
		calls int
		want  format.Clause
	}{
		{container, 1, format.SLOT3},
		{whole.join(), 2, format.SLOT3},
	} {
		id := &counter{accepts: format.SlotPassphrase}
		if err := openers["NewReaderAt"](t.Context(), c.b, with(id)); clauseOf(err) != c.want || id.calls != c.calls {
			t.Errorf("%d calls, not %d: %v", id.calls, c.calls, err)
		}
	}
}

// AGE-4: a container makes a person or a device work only so often.
func TestInteractiveAttempts(t *testing.T) {
	distinct := func(n int) (slots []stream.Recipient) {
		for i := range n {
			slots = append(slots, bodyOf{slotVault, []byte{byte(i)}})
		}
		return slots
	}
	for _, c := range []struct {
		slots, calls int
		want         format.Clause
	}{
		{stream.MaxInteractive, stream.MaxInteractive, format.SLOT3},
		{stream.MaxInteractive + 1, stream.MaxInteractive, format.AGE4},
		{format.MaxSlots, stream.MaxInteractive, format.AGE4},
	} {
		b := manySlots(t, distinct(c.slots)...)
		for name, open := range openers {
			id := &counter{accepts: slotVault, asks: true}
			if err := open(t.Context(), b, with(id)); clauseOf(err) != c.want || id.calls != c.calls {
				t.Errorf("%d slots, %s: %d calls, %v", c.slots, name, id.calls, err)
			}
			// One that needs nobody may try them all.
			id = &counter{accepts: slotVault}
			if err := open(t.Context(), b, with(id)); clauseOf(err) != format.SLOT3 || id.calls != c.slots {
				t.Errorf("%d slots, %s: %d calls, %v", c.slots, name, id.calls, err)
			}
		}
	}
	// A passphrase is asked for once, whatever the slots: what it costs is bounded otherwise.
	var cheap []stream.Recipient
	for i := range format.MaxPassphraseSlots {
		cheap = append(cheap, passphraseSlot(32, 1, byte(i)))
	}
	id := &counter{accepts: format.SlotPassphrase, asks: true}
	if err := openers["NewReader"](t.Context(), manySlots(t, cheap...), with(id)); clauseOf(err) != format.SLOT3 || id.calls != format.MaxPassphraseSlots {
		t.Errorf("passphrase: %d calls, %v", id.calls, err)
	}
}

// Wherever in the head it stands, a slot that opens does so beside those that a
// limit passes over: the passphrase among costly ones, a key among as many slots
// for others as there is room for.
func TestLimitsHideNothing(t *testing.T) {
	v := new(vault)
	others := []stream.Recipient{passphraseSlot(format.MaxPassphraseKiB, 16, 1), passphraseSlot(1<<19+1, 2, 2), bodyOf{slotVault, []byte("a colleague's slot")}}
	for at := range len(others) + 1 {
		b := manySlots(t, slices.Insert(slices.Clone(others), at, stream.Recipient(v))...)
		for name, open := range openers {
			passphrase := &counter{accepts: format.SlotPassphrase}
			if err := open(t.Context(), b, []stream.Identity{passphrase, v}); err != nil || passphrase.calls != 0 {
				t.Errorf("at %d, %s: %d calls, %v", at, name, passphrase.calls, err)
			}
		}
	}
}

// A many is an identity with a person behind it that is asked about all slots at
// once: how often, is counted.
type many struct {
	vault
	runs int
}

func (m *many) Interactive() bool { return true }
func (m *many) UnwrapAny(ctx context.Context, slots []*format.Slot, p *format.Preamble) (int, []byte, error) {
	m.runs++
	for i, s := range slots {
		if cek, err := m.Unwrap(ctx, s, p); err == nil {
			return i, cek, nil
		}
	}
	return -1, nil, slot.ErrIncorrectIdentity
}

// AGE-4: one question does for any number of slots, as for the stanzas of one age
// file; further ones are for slots that held another container's key.
func TestOneRunForAllSlots(t *testing.T) {
	crowd := func(n int, mine ...stream.Recipient) (all []stream.Recipient) {
		for i := range n {
			all = append(all, bodyOf{slotVault, append([]byte("a colleague's"), byte(i))})
		}
		return append(all, mine...)
	}
	for _, tt := range []struct {
		name   string
		decoys int // slots for this key, with the key of another container
		others int // slots for other keys
		runs   int
		want   format.Clause
	}{
		{"one's own slot after 127", 0, format.MaxSlots - 1, 1, ""},
		{"after a decoy", 1, 10, 2, ""},
		{"after as many decoys as there may be", stream.MaxInteractive - 1, 0, stream.MaxInteractive, ""},
		{"after a decoy more", stream.MaxInteractive, 0, stream.MaxInteractive, format.AGE4},
	} {
		for name, open := range openers {
			m := new(many)
			slots := crowd(tt.others)
			for i := range tt.decoys {
				slots = append(slots, decoy{&m.vault, byte(i)})
			}
			b := manySlots(t, append(slots, &m.vault)...)
			err := open(t.Context(), b, with(m))
			if clauseOf(err) != tt.want || m.runs != tt.runs {
				t.Errorf("%s, %s: %d runs, %v", tt.name, name, m.runs, err)
			}
		}
	}
	m := new(many)
	if err := openers["NewReader"](t.Context(), manySlots(t, crowd(format.MaxSlots)...), with(m)); clauseOf(err) != format.SLOT3 || m.runs != 1 {
		t.Errorf("no slot of one's own: %d runs, %v", m.runs, err)
	}
}

// A decoy is a recipient whose slot holds another key than the container's.
type decoy struct {
	*vault
	salt byte
}

func (d decoy) Wrap(ctx context.Context, m *entropy.Mixer, p *format.Preamble, _ []byte) ([]byte, error) {
	return d.vault.Wrap(ctx, m, p, bytes.Repeat([]byte{d.salt}, format.CEKSize))
}

// People are asked last, and not at all where a key does.
func TestInteractiveComesLast(t *testing.T) {
	v := new(vault)
	b := manySlots(t, v, v)
	person := &counter{accepts: slotVault, asks: true}
	for name, open := range openers {
		if err := open(t.Context(), b, []stream.Identity{person, v}); err != nil || person.calls > 0 {
			t.Errorf("%s: a person was asked %d times: %v", name, person.calls, err)
		}
	}
	// The caller's list stays as it was.
	ids := []stream.Identity{person, v}
	if openers["NewReader"](t.Context(), b, ids); ids[0] != stream.Identity(person) {
		t.Error("the caller's identities were sorted")
	}
}

// SLOT-1, SLOT-2: every slot is tried by every identity that takes its type.
func TestSlotsAreTried(t *testing.T) {
	last := new(vault)
	first := new(vault)
	encrypt(t, nil, first, stream.WriterOptions{})
	b := manySlots(t, bodyOf{0x7001, nil}, bodyOf{format.SlotKEK, make([]byte, format.KEKBodySize)}, first, first, last)
	unknown := &counter{accepts: 0x7002}
	kek := &counter{accepts: format.SlotKEK}
	for name, open := range openers {
		unknown.calls, kek.calls, last.asked = 0, 0, 0
		if err := open(t.Context(), b, []stream.Identity{unknown, kek, last}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if unknown.calls != 0 || kek.calls != 1 || last.asked != 3 {
			t.Errorf("%s: asked %d, %d and %d times", name, unknown.calls, kek.calls, last.asked)
		}
	}
}

// A slot that holds something else than the container's key counts as not
// opened, and the next is tried (KEY-1, AGE-3).
func TestWrongKeysInSlots(t *testing.T) {
	v := new(vault)
	b := manySlots(t, bodyOf{0x7001, []byte("lie")}, v)
	for name, cek := range map[string][]byte{
		"another key": make([]byte, 32), "too short": make([]byte, 31), "too long": make([]byte, 33), "empty": {}, "nil": nil,
	} {
		liar := &counter{accepts: 0x7001, returns: func() ([]byte, error) { return cek, nil }}
		for opener, open := range openers {
			if err := open(t.Context(), b, []stream.Identity{liar, v}); err != nil {
				t.Errorf("%s, %s: %v", name, opener, err)
			}
			if err := open(t.Context(), b, with(liar)); clauseOf(err) != format.SLOT3 {
				t.Errorf("%s alone, %s: %v", name, opener, err)
			}
		}
	}
}

// What stops one identity does not stop the others, and is told if none opens.
func TestNoKeyTellsWhy(t *testing.T) {
	v := new(vault)
	b := manySlots(t, v, bodyOf{0x7001, nil})
	broken := &counter{accepts: 0x7001, returns: func() ([]byte, error) { return nil, errBroken }}
	for name, open := range openers {
		if err := open(t.Context(), b, []stream.Identity{broken, v}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		err := open(t.Context(), b, []stream.Identity{broken, new(vault)})
		var none *stream.NoKeyError
		if !errors.As(err, &none) || len(none.Causes) != 1 || !errors.Is(none.Causes[0], errBroken) || none.Identities != 2 ||
			!slices.Equal(none.Slots, []format.SlotType{slotVault, 0x7001}) || !slices.Equal(none.Tried, []format.SlotType{0x7001, slotVault}) {
			t.Errorf("%s: %#v", name, err)
		}
		if err := open(t.Context(), b, nil); !errors.As(err, &none) || none.Identities != 0 || none.Tried != nil {
			t.Errorf("%s without identities: %v", name, err)
		}
	}
}

// No key that fits is not damage, whatever an identity says on the way (SLOT-3).
func TestNoKeyIsNotDamage(t *testing.T) {
	b := manySlots(t, bodyOf{0x7001, nil})
	for _, kind := range []error{format.ErrDamaged, format.ErrForged, format.ErrTruncated} {
		id := &counter{accepts: 0x7001, returns: func() ([]byte, error) { return nil, fmt.Errorf("slot: %w", kind) }}
		if err := openers["NewReader"](t.Context(), b, with(id)); clauseOf(err) != format.SLOT3 || errors.Is(err, kind) {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

// An identity may be any value: it is not compared.
func TestIdentityOfAnyKind(t *testing.T) {
	b := manySlots(t, bodyOf{0x7001, []byte{1}}, bodyOf{0x7001, []byte{2}})
	for name, open := range openers {
		if err := open(t.Context(), b, []stream.Identity{uncomparable{}, uncomparable{}}); clauseOf(err) != format.SLOT3 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type uncomparable []byte

func (uncomparable) Accepts(format.SlotType) bool { return true }
func (uncomparable) Unwrap(context.Context, *format.Slot, *format.Preamble) ([]byte, error) {
	return nil, slot.ErrIncorrectIdentity
}

// A context that ends while an identity works ends the attempt.
func TestCancelledUnwrap(t *testing.T) {
	b := manySlots(t, bodyOf{0x7001, []byte{1}}, bodyOf{0x7001, []byte{2}})
	for name, open := range openers {
		ctx, cancel := context.WithCancelCause(t.Context())
		id := &counter{accepts: 0x7001, returns: func() ([]byte, error) { cancel(errBroken); return nil, ctx.Err() }}
		if err := open(ctx, b, with(id)); !errors.Is(err, errBroken) || id.calls != 1 {
			t.Errorf("%s: %d calls, %v", name, id.calls, err)
		}
	}
}

// A head that is not well-formed costs nobody anything.
func TestHostileHeads(t *testing.T) {
	v := new(vault)
	container := encrypt(t, nil, v, stream.WriterOptions{})
	head := container[:headSize]
	huge := bytes.Repeat([]byte{0xff}, 4<<20)
	copy(huge, head[:64])
	huge[14], huge[15] = 0xff, 0xff // pages
	for name, b := range map[string][]byte{
		"65,535 pages":      huge,
		"no slots":          slices.Concat(head[:100], []byte{0, 0}, head[102:], container[headSize:]),
		"not a container":   huge[64:],
		"nothing but magic": []byte(format.Magic),
		"empty":             nil,
	} {
		id := &counter{accepts: slotVault}
		src := &countingReader{r: bytes.NewReader(b)}
		_, err := stream.NewReader(t.Context(), src, with(id), nil)
		var pe *format.ParseError
		if !errors.As(err, &pe) || id.calls > 0 || src.n > format.MaxHeadSize {
			t.Errorf("%s: %d calls, %d bytes read, %v", name, id.calls, src.n, err)
		}
	}
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// FILE-3, both ways: the chunk that would be number 2^46 is neither sealed nor
// opened.
func TestMostChunks(t *testing.T) {
	for _, workers := range []int{1, 2} {
		v := new(vault)
		var dst bytes.Buffer
		w := newWriter(t, &dst, v, stream.WriterOptions{Workers: workers})
		w.SkipTo(format.MaxChunks - 4)
		if _, err := w.Write(plaintext(4*chunk - 1)); err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("%d workers: the last chunk there may be: %v", workers, err)
		}
		r, err := stream.NewReader(t.Context(), &dst, with(v), &stream.ReaderOptions{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		r.SkipTo(format.MaxChunks - 4)
		if n, err := io.Copy(io.Discard, r); n != 4*chunk-1 || err != nil {
			t.Errorf("%d workers: opening the last chunk there may be: %d, %v", workers, n, err)
		}
		r.Close()

		dst.Reset()
		w = newWriter(t, &dst, v, stream.WriterOptions{Workers: workers})
		w.SkipTo(format.MaxChunks - 4)
		w.Write(plaintext(4 * chunk))
		if err := w.Close(); clauseOf(err) != format.FILE3 || !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("%d workers: a chunk too many: %v", workers, err)
		}
		k := v.keys(t, dst.Bytes())
		last, err := k.Key(format.MaxChunks-1, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		// Four full chunks, and what would have to follow them.
		b, plain := dst.Bytes()[:headSize], plaintext(4*chunk)
		for i := range int64(4) {
			b = last.Seal(b, plain[i*chunk:][:chunk], format.MaxChunks-4+i, new(seal.Nonce))
		}
		b = append(b, make([]byte, format.TagSize)...)
		b = append(b, b[:headSize]...)
		if r, err = stream.NewReader(t.Context(), bytes.NewReader(b), with(v), &stream.ReaderOptions{Workers: workers}); err != nil {
			t.Fatal(err)
		}
		r.SkipTo(format.MaxChunks - 4)
		if n, err := io.Copy(io.Discard, r); n != 4*chunk || clauseOf(err) != format.FILE3 {
			t.Errorf("%d workers: opening a chunk too many: %d, %v", workers, n, err)
		}
		r.Close()
	}
}
