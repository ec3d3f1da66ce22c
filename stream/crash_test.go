package stream_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// What a crash leaves: a disk writes sectors, each whole or not at all, in any
// order between two syncs, and what a sync has promised is there.
const sector = 512

// sectors takes the log of a disk to pieces: for each span between syncs the
// writes, none of which crosses the border of a sector.
func sectors(log []event) (spans [][]event) {
	var span []event
	for _, e := range log {
		if e.data == nil {
			spans, span = append(spans, span), nil
			continue
		}
		for off, rest := e.off, e.data; len(rest) > 0; {
			n := min(len(rest), int(sector-off%sector))
			span = append(span, event{off, rest[:n]})
			off, rest = off+int64(n), rest[n:]
		}
	}
	return append(spans, span)
}

// crashes calls check with the images that a crash during the log's writes can
// leave of what was there before, see subsets.
func crashes(before []byte, log []event, check func(what string, image []byte)) {
	base := slices.Clone(before)
	for i, span := range sectors(log) {
		for set := range subsets(len(span)) {
			image := slices.Clone(base)
			for j, e := range span {
				if set(j) {
					copy(image[e.off:], e.data)
				}
			}
			check(fmt.Sprintf("span %d, sectors %s", i, setName(len(span), set)), image)
		}
		for _, e := range span {
			copy(base[e.off:], e.data)
		}
	}
}

// subsets yields the subsets of n things: every one that is a prefix, and of the
// others a sample. (A 4,096-byte copy is nine sectors where it does not begin at
// the border of one.)
func subsets(n int) func(yield func(func(int) bool) bool) {
	step := sparse(3)
	if raceDetector {
		step = 31
	}
	return func(yield func(func(int) bool) bool) {
		for bits := range 1 << n {
			if prefix := bits&(bits+1) == 0; !prefix && bits%step != 0 {
				continue
			}
			if !yield(func(i int) bool { return bits>>i&1 == 1 }) {
				return
			}
		}
	}
}

func setName(n int, set func(int) bool) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '.'
		if set(i) {
			b[i] = 'X'
		}
	}
	return string(b)
}

// A team is some people, of whom the containers here are for some.
type team []*keyslot.KEK

// A state is what a container is to a team: who of them are recipients of the
// head that counts, and that head.
type state struct {
	members string // "ac"
	head    *format.Head
	encoded []byte
}

// of returns the state of a container, which may be for none of them any more.
func (all team) of(t *testing.T, container []byte) (s state) {
	t.Helper()
	for _, id := range all {
		h, err := stream.EditHead(t.Context(), bytes.NewReader(container), int64(len(container)), with(id), nil)
		if err != nil {
			if clauseOf(err) != format.SLOT3 {
				t.Errorf("it does not open: %v", err)
			}
			continue
		}
		s = state{head: h.Head(), encoded: h.Encoded()}
		for i, k := range all {
			if len(h.SlotsOf(k)) > 0 {
				s.members += string(rune('a' + i))
			}
		}
		h.Close()
	}
	return s
}

// A rewrap that is cut anywhere leaves a container that opens for its old
// recipients or its new ones; verify says which copy is not good, and a repair
// mends that.
func TestRewrapCrash(t *testing.T) {
	people := team{newKEK(t), newKEK(t), newKEK(t)}
	a, b, c := people[0], people[1], people[2]
	container := encryptTo(t, plaintext(100), stream.WriterOptions{}, a, b)
	g1 := split(t, container).head
	g2 := rewrapHead(t, g1, a, removing(b))
	onlyB := rewrapHead(t, g1, b, removing(a))
	torn := func(to []byte) []byte { return slices.Concat(to[:3*sector], g1[3*sector:]) }
	zero := make([]byte, headSize)
	add := func() *stream.Edit { return adding(c) }

	for _, tt := range []struct {
		name       string
		head, tail []byte
		opener     *keyslot.KEK
		edit       *stream.Edit
		after      string // the recipients, once it is done
	}{
		{"both good, add", g1, g1, a, add(), "abc"},
		{"both good, remove", g1, g1, a, removing(b), "a"},
		{"both good, replace oneself", g1, g1, a, &stream.Edit{Add: to(c), Remove: []stream.Named{a}, Entropy: osMixer()}, "bc"},
		{"both good, replace all", g1, g1, a, &stream.Edit{Add: to(c), Remove: []stream.Named{a, b}, Entropy: osMixer()}, "c"},
		{"head torn", torn(g2), g1, a, add(), "abc"},
		{"tail torn", g1, torn(g2), a, add(), "abc"},
		{"no head", zero, g1, a, removing(a), "b"},
		{"no tail", g1, zero, a, removing(a), "b"},
		{"head at 1, tail at 2", g1, g2, a, add(), "ac"},
		{"head at 2, tail at 1", g2, g1, a, add(), "ac"},
		{"key in the newer tail only", onlyB, rewrapHead(t, g2, a, &stream.Edit{}), a, add(), "ac"},
		{"key in the older head only", g1, onlyB, a, add(), "bc"},
		{"key in the older tail only", onlyB, g1, a, add(), "bc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := joined(t, container, tt.head, tt.tail)
			d := &disk{b: slices.Clone(before)}
			if _, err := rewrap(t.Context(), d, int64(len(d.b)), with(tt.opener), tt.edit); err != nil {
				t.Fatal(err)
			}
			old, new := people.of(t, before), people.of(t, d.b)
			if new.members != tt.after || new.head.Generation != old.head.Generation+1 {
				t.Fatalf("for %s at generation %d, then for %s at %d", old.members, old.head.Generation, new.members, new.head.Generation)
			}
			crashes(before, d.log, func(what string, image []byte) {
				now := people.of(t, image)
				if !bytes.Equal(now.encoded, old.encoded) && !bytes.Equal(now.encoded, new.encoded) {
					t.Fatalf("%s: it is for %q", what, now.members)
				}
				if !bytes.Equal(image[headSize:len(image)-headSize], container[headSize:len(image)-headSize]) {
					t.Fatalf("%s: the payload has changed", what)
				}
				checkMended(t, image, people[now.members[0]-'a'], now)
				if t.Failed() {
					t.Fatal(what)
				}
			})
		})
	}
}

// checkMended checks that verify finds fault with the copies of an image, if
// they are not equal and good, and with nothing else, and that a repair by id
// makes both the one that counts.
func checkMended(t *testing.T, image []byte, id stream.Identity, now state) {
	t.Helper()
	tail := len(image) - headSize
	rep, err := verify(t, image, id)
	if err != nil || !rep.Keyed || rep.Failed > 0 || rep.Valid() != bytes.Equal(image[:headSize], image[tail:]) {
		t.Errorf("Verify: %+v, %v", rep, err)
	}
	for _, f := range rep.Findings {
		bad := image[:headSize]
		if f.Offset >= headSize {
			bad = image[tail:]
		}
		if f.Offset >= headSize && f.Offset < int64(tail) || bytes.Equal(bad, now.encoded) {
			t.Errorf("Verify finds %v", f)
		}
	}
	d := &disk{b: slices.Clone(image)}
	faults, err := repair(t.Context(), d, int64(len(image)), with(id), nil)
	if err != nil || !slices.Equal(faults, rep.Findings) {
		t.Errorf("Repair: %v and %v, Verify: %v", faults, err, rep.Findings)
	}
	if n, order := d.written(int64(len(image))); n != len(faults)*headSize || n > headSize {
		t.Errorf("Repair of %v: %s", faults, order)
	}
	if !bytes.Equal(d.b, slices.Concat(now.encoded, image[headSize:tail], now.encoded)) {
		t.Error("Repair did not make both copies the one that counts")
	}
}

// A crash during a repair leaves what can be repaired again.
func TestRepairCrash(t *testing.T) {
	people := team{newKEK(t), newKEK(t)}
	a := people[0]
	container := encryptTo(t, plaintext(100), stream.WriterOptions{}, a)
	g1 := split(t, container).head
	g2 := rewrapHead(t, g1, a, adding(people[1]))
	for name, copies := range map[string][2][]byte{
		"stale head":  {g1, g2},
		"stale tail":  {g2, g1},
		"broken head": {flipped(g1, 777, 0), g2},
		"no tail":     {g2, make([]byte, headSize)},
	} {
		before := joined(t, container, copies[0], copies[1])
		d := &disk{b: slices.Clone(before)}
		if _, err := repair(t.Context(), d, int64(len(d.b)), with(a), nil); err != nil {
			t.Fatal(err)
		}
		crashes(before, d.log, func(what string, image []byte) {
			now := people.of(t, image)
			if !bytes.Equal(now.encoded, g2) {
				t.Errorf("it is for %q", now.members)
			}
			checkMended(t, image, a, now)
			if t.Failed() {
				t.Fatalf("%s: %s", name, what)
			}
		})
	}
}
