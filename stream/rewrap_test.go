package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"bulla/format"
	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/stream"
)

// newKEK makes a recipient that is its own identity, and cheap.
func newKEK(t testing.TB) *keyslot.KEK {
	t.Helper()
	k, err := keyslot.GenerateKEK(osMixer())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// encryptTo makes a container for several recipients.
func encryptTo(t testing.TB, plain []byte, o stream.WriterOptions, to ...stream.Recipient) []byte {
	t.Helper()
	var dst bytes.Buffer
	o.Entropy = osMixer()
	w, err := stream.NewWriter(t.Context(), &dst, to, &o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dst.Bytes()
}

// headFor is the head of a container for those recipients.
func headFor(t testing.TB, o stream.WriterOptions, to ...stream.Recipient) []byte {
	t.Helper()
	return split(t, encryptTo(t, nil, o, to...)).head
}

// adding, removing and removingSlots make edits.
func adding(r ...stream.Recipient) *stream.Edit { return &stream.Edit{Add: r, Entropy: osMixer()} }
func removing(n ...stream.Named) *stream.Edit   { return &stream.Edit{Remove: n} }
func removingSlots(i ...int) *stream.Edit       { return &stream.Edit{RemoveSlots: i} }

// rewrapHead is stream.RewrapHead, which must succeed.
func rewrapHead(t testing.TB, head []byte, id stream.Identity, edit *stream.Edit) []byte {
	t.Helper()
	b, err := rewrapDetached(t.Context(), head, with(id), edit)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// opens reports whether id opens a head.
func opens(t testing.TB, head []byte, id stream.Identity) bool {
	t.Helper()
	h, err := stream.EditDetachedHead(t.Context(), head, with(id))
	if err == nil {
		h.Close()
	} else if clauseOf(err) != format.SLOT3 {
		t.Error(err)
	}
	return err == nil
}

func TestRewrapHead(t *testing.T) {
	a, b, c, d := newKEK(t), newKEK(t), newKEK(t), newKEK(t)
	for _, tt := range []struct {
		name string
		edit *stream.Edit
		kept []int // of the old slots, in order; then come those that were added
		in   []stream.Identity
		out  []stream.Identity
	}{
		{"nothing", &stream.Edit{}, []int{0, 1, 2}, []stream.Identity{a, b, c}, []stream.Identity{d}},
		{"one more", adding(d), []int{0, 1, 2}, []stream.Identity{a, b, c, d}, nil},
		{"the first less", removing(a), []int{1, 2}, []stream.Identity{b, c}, []stream.Identity{a}},
		{"the last less", removing(c), []int{0, 1}, []stream.Identity{a, b}, []stream.Identity{c}},
		{"two less", removing(c, a), []int{1}, []stream.Identity{b}, []stream.Identity{a, c}},
		{"the same twice", removing(c, c), []int{0, 1}, []stream.Identity{a, b}, []stream.Identity{c}},
		{"by slot", removingSlots(1), []int{0, 2}, []stream.Identity{a, c}, []stream.Identity{b}},
		{"by slot, twice and named", &stream.Edit{RemoveSlots: []int{1, 1}, Remove: []stream.Named{b}}, []int{0, 2}, []stream.Identity{a, c}, []stream.Identity{b}},
		{"one for all", &stream.Edit{Add: to(d), Remove: []stream.Named{a, b}, RemoveSlots: []int{2}}, nil, []stream.Identity{d}, []stream.Identity{a, b, c}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.edit.Entropy = osMixer()
			before := headFor(t, stream.WriterOptions{}, a, b, c)
			was := slices.Clone(before)
			after := rewrapHead(t, before, a, tt.edit)
			if !bytes.Equal(before, was) {
				t.Error("the old head was changed")
			}
			if len(after) != len(before) || !bytes.Equal(after[:96], before[:96]) { // WRAP-1: preamble and commitment
				t.Error("more than the slots has changed")
			}
			h, old := parseHead(t, after), parseHead(t, before)
			if h.Generation != old.Generation+1 {
				t.Errorf("generation %d after %d", h.Generation, old.Generation)
			}
			for i, from := range tt.kept {
				if !sameSlot(h.Slots[i], old.Slots[from]) {
					t.Errorf("slot %d is not the old slot %d", i, from)
				}
			}
			if len(h.Slots) != len(tt.kept)+len(tt.edit.Add) {
				t.Errorf("%d slots", len(h.Slots))
			}
			for _, id := range tt.in {
				if !opens(t, after, id) {
					t.Error("a recipient does not open it")
				}
			}
			for _, id := range tt.out {
				if opens(t, after, id) {
					t.Error("one who is no recipient opens it")
				}
			}
			// Again, from what came out, with what follows a head in a container behind it.
			again := rewrapHead(t, append(slices.Clone(after), "payload"...), tt.in[0], &stream.Edit{})
			if g := parseHead(t, again).Generation; g != old.Generation+2 || len(again) != len(before) {
				t.Errorf("generation %d after two changes", g)
			}
		})
	}
}

func sameSlot(a, b format.Slot) bool {
	return a.Type == b.Type && a.ID == b.ID && bytes.Equal(a.Body, b.Body)
}

// Slots of types that nobody here knows are carried over as they are, and can
// be removed by their place (SLOT-1, WRAP-3).
func TestRewrapUnknownSlots(t *testing.T) {
	v, a, b := new(vault), newKEK(t), newKEK(t)
	container := encryptTo(t, nil, stream.WriterOptions{}, a, v)
	future := format.Slot{Type: 0x7f01, ID: [16]byte{1, 2, 3}, Body: []byte("of a later version")}
	head := rewrappedHead(t, v.keys(t, container), split(t, container).head, func(h *format.Head) {
		h.Slots = []format.Slot{h.Slots[0], future, {Type: 0xffff}, h.Slots[1]}
	})
	h := parseHead(t, rewrapHead(t, head, a, adding(b)))
	if len(h.Slots) != 5 || !sameSlot(h.Slots[1], future) || !sameSlot(h.Slots[2], format.Slot{Type: 0xffff}) {
		t.Errorf("slots: %v", h.Slots)
	}
	h = parseHead(t, rewrapHead(t, head, v, removingSlots(1)))
	if len(h.Slots) != 3 || slices.ContainsFunc(h.Slots, func(s format.Slot) bool { return s.Type == future.Type }) {
		t.Errorf("slots: %v", h.Slots)
	}
	// What nobody here opens does not count as an opener.
	if _, err := rewrapDetached(t.Context(), head, with(a), removing(a)); !errors.Is(err, stream.ErrLastSlot) {
		t.Errorf("the last of a known type: %v", err)
	}
	// Its own recipient does know it.
	if !opens(t, rewrapHead(t, head, a, &stream.Edit{Add: to(v), RemoveSlots: []int{0, 1, 2, 3}, Entropy: osMixer()}), v) {
		t.Error("a recipient of an unknown type that was added does not open it")
	}
}

func TestRewrapLastSlot(t *testing.T) {
	a, b := newKEK(t), newKEK(t)
	head := headFor(t, stream.WriterOptions{}, a, b)
	for name, edit := range map[string]*stream.Edit{
		"by name": removing(a, b),
		"by slot": removingSlots(0, 1),
		"mixed":   {Remove: []stream.Named{b}, RemoveSlots: []int{0}},
	} {
		if _, err := rewrapDetached(t.Context(), head, with(a), edit); !errors.Is(err, stream.ErrLastSlot) { // WRAP-3
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The head has the length that it was given. A slot that fits to the byte fits.
func TestRewrapFullHead(t *testing.T) {
	a, big := newKEK(t), &vault{}
	head := headFor(t, stream.WriterOptions{}, a)
	room := format.Room(1) - parseHead(t, head).SlotsSize() - format.SlotHeaderSize
	big.size = room
	full := rewrapHead(t, head, a, adding(big))

	big.size = room + 1
	var e *stream.HeadFullError
	if _, err := rewrapDetached(t.Context(), head, with(a), adding(big)); !errors.As(err, &e) || e.Need != e.Room+1 || e.Room != format.Room(1) || e.Slots != 2 {
		t.Errorf("one byte too many: %v", err)
	}
	b := newKEK(t)
	if _, err := rewrapDetached(t.Context(), full, with(a), adding(b)); !errors.As(err, &e) || !strings.Contains(err.Error(), "full") {
		t.Errorf("one slot too many: %v", err)
	}
	// What is removed by the same edit makes room.
	if h := rewrapHead(t, full, a, &stream.Edit{Add: to(b), RemoveSlots: []int{1}, Entropy: osMixer()}); !opens(t, h, b) {
		t.Error("it does not open with the slot that took another's place")
	}

	// 128 slots and no more, room or not (HEAD-10).
	head = headFor(t, stream.WriterOptions{Reserve: 100}, a)
	var many []stream.Recipient
	for range format.MaxSlots - 1 {
		many = append(many, newKEK(t))
	}
	full = rewrapHead(t, head, a, adding(many...))
	if n := len(parseHead(t, full).Slots); n != format.MaxSlots {
		t.Errorf("%d slots", n)
	}
	if _, err := rewrapDetached(t.Context(), full, with(a), adding(b)); !errors.As(err, &e) || e.Slots != format.MaxSlots+1 || e.Need > e.Room {
		t.Errorf("129 slots: %v", err)
	}
}

func TestRewrapNotThere(t *testing.T) {
	a, b := newKEK(t), newKEK(t)
	head := headFor(t, stream.WriterOptions{}, a)
	for _, n := range []stream.Named{b, named{format.SlotPassphrase, ""}, named{format.SlotHPKE, a.Canonical()}} {
		var e *stream.RecipientNotFoundError
		_, err := rewrapDetached(t.Context(), head, with(a), removing(n))
		if !errors.As(err, &e) || e.Recipient != n || n.Canonical() == "" && !strings.Contains(err.Error(), "no passphrase slot") {
			t.Errorf("%v: %v", n, err)
		}
	}
	for _, i := range []int{-1, 1, math.MaxInt} {
		if _, err := rewrapDetached(t.Context(), head, with(a), removingSlots(i)); err == nil {
			t.Errorf("slot %d was removed", i)
		}
	}
}

// A named is a recipient's name and no more.
type named struct {
	t         format.SlotType
	canonical string
}

func (n named) Type() format.SlotType { return n.t }
func (n named) Canonical() string     { return n.canonical }

// Passphrases have all the same name, and keys may have been added twice: a name
// stands for all of its slots, of its own type.
func TestRewrapSameName(t *testing.T) {
	passphrase := func(s string) stream.Recipient {
		r, err := keyslot.NewPassphraseRecipient([]byte(s), &keyslot.PassphraseOptions{KiB: format.MinPassphraseKiB, Passes: 1})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a := newKEK(t)
	head := headFor(t, stream.WriterOptions{}, passphrase("one"), a, passphrase("two"), a, &alias{vault{}, a.Canonical()})
	h, err := stream.EditDetachedHead(t.Context(), head, with(a))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if got := fmt.Sprint(h.SlotsOf(passphrase("any")), h.SlotsOf(a), h.SlotsOf(named{slotVault, a.Canonical()}), h.SlotsOf(newKEK(t))); got != "[0 2] [1 3] [4] []" {
		t.Errorf("slots of the passphrases, the KEK, its alias, nobody: %s", got)
	}
	if n := len(parseHead(t, rewrapHead(t, head, a, removing(passphrase("any")))).Slots); n != 3 {
		t.Errorf("%d slots without the passphrases", n)
	}
	one := rewrapHead(t, head, a, removingSlots(0))
	if opens(t, one, passphraseIdentity("one")) || !opens(t, one, passphraseIdentity("two")) {
		t.Error("by its slot, another passphrase was removed")
	}
	if after := rewrapHead(t, head, a, removing(a)); opens(t, after, a) || len(parseHead(t, after).Slots) != 3 {
		t.Error("a key that was there twice still opens it")
	}
}

// An alias is a vault with a name of someone's choice.
type alias struct {
	vault
	canonical string
}

func (a *alias) Canonical() string { return a.canonical }

// Classical and post-quantum keys do not come together unless one says so, one
// after the other neither (SLOT-4). Nor does leaving take a permission.
func TestRewrapClasses(t *testing.T) {
	id, err := keyslot.GenerateIdentity(osMixer())
	if err != nil {
		t.Fatal(err)
	}
	pq := id.Recipient()
	classical, err := agekey.ParseRecipient("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b := newKEK(t), newKEK(t)
	for name, start := range map[string][]stream.Recipient{"pq": {a, pq}, "classical": {a, classical}} {
		other := stream.Recipient(classical)
		if name == "classical" {
			other = pq
		}
		head := headFor(t, stream.WriterOptions{}, start...)
		if _, err := rewrapDetached(t.Context(), head, with(a), adding(other)); !errors.Is(err, format.ErrMixedClasses) {
			t.Errorf("beside %s: %v", name, err)
		}
		// In the place of the other it may come.
		rewrapHead(t, head, a, &stream.Edit{Add: to(other), RemoveSlots: []int{1}, Entropy: osMixer()})

		mixed := rewrapHead(t, head, a, &stream.Edit{Add: to(other), AllowClassical: true, Entropy: osMixer()})
		rewrapHead(t, mixed, a, adding(b))
		rewrapHead(t, mixed, a, removing(other))
		rewrapHead(t, mixed, a, &stream.Edit{Add: to(b), Remove: []stream.Named{a}, Entropy: osMixer()})
		if _, err := rewrapDetached(t.Context(), mixed, with(a), adding(pq)); !errors.Is(err, format.ErrMixedClasses) {
			t.Errorf("one more in a mixture: %v", err)
		}
	}
}

// A head that does not open, or a recipient that does not wrap, changes nothing.
func TestRewrapErrors(t *testing.T) {
	v, a := new(vault), newKEK(t)
	container := encryptTo(t, nil, stream.WriterOptions{}, a, v)
	head := split(t, container).head

	last := rewrappedHead(t, v.keys(t, container), head, func(h *format.Head) { h.Generation = math.MaxUint32 })
	forged := forgedHead(t, head, func(h *format.Head) { h.Slots = h.Slots[:1] })
	for name, tt := range map[string]struct {
		head   []byte
		id     stream.Identity
		clause format.Clause
	}{
		"no head":             {[]byte("age-encryption.org/v1"), a, format.HEAD1},
		"half a head":         {head[:len(head)/2], a, format.HEAD4},
		"a damaged head":      {flipped(head, 200, 0), a, format.HEAD5},
		"a forged head":       {forged, a, format.HEAD13},
		"another's key":       {head, newKEK(t), format.SLOT3},
		"the last generation": {last, a, format.WRAP1},
	} {
		if b, err := rewrapDetached(t.Context(), tt.head, with(tt.id), adding(newKEK(t))); clauseOf(err) != tt.clause || b != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	h, err := stream.EditDetachedHead(t.Context(), head, with(a))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Apply(t.Context(), adding(newKEK(t), &vault{fail: errBroken})); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "recipient 2") {
		t.Errorf("a recipient that fails: %v", err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Apply(done, adding(newKEK(t))); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if !bytes.Equal(h.Encoded(), head) || h.Head().Generation != 1 || len(h.Head().Slots) != 2 {
		t.Error("an edit that failed changed the head")
	}
	// Two edits before anything is written are one generation (WRAP-1).
	for range 2 {
		if err := h.Apply(t.Context(), adding(newKEK(t))); err != nil {
			t.Fatal(err)
		}
	}
	if h.Head().Generation != 2 || len(h.Head().Slots) != 4 || !opens(t, h.Encoded(), a) {
		t.Errorf("generation %d with %d slots", h.Head().Generation, len(h.Head().Slots))
	}
	if err := h.Save(&disk{}); err == nil {
		t.Error("a head by itself was written to a container")
	}
}

// A head that is edited elsewhere opens the container it is of, instead of the
// copies there or beside them: the newest counts (READ-1).
func TestRewrapDetached(t *testing.T) {
	a, b := newKEK(t), newKEK(t)
	plain := plaintext(1000)
	container := encryptTo(t, plain, stream.WriterOptions{}, a)
	head := rewrapHead(t, split(t, container).head, a, &stream.Edit{Add: to(b), Remove: []stream.Named{a}, Entropy: osMixer()})
	zero := make([]byte, headSize)
	for _, w := range ways {
		for name, c := range map[string][]byte{"beside": container, "instead of both": joined(t, container, zero, zero)} {
			if got := w.read(c, b, stream.ReaderOptions{Head: head}); got.err != nil || !bytes.Equal(got.plain, plain) {
				t.Errorf("%s, %s: %v", w.name, name, got.err)
			}
		}
		// The copies that cannot be changed still open for who was removed.
		if got := w.read(container, a, stream.ReaderOptions{Head: head}); got.err != nil {
			t.Errorf("%s: %v", w.name, got.err)
		}
	}
}
