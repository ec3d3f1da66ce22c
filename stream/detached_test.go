package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// fullOfOnePage is a container of one page whose head is full to the byte.
func fullOfOnePage(t *testing.T, plain []byte, r stream.Recipient) []byte {
	t.Helper()
	container := encryptTo(t, plain, stream.WriterOptions{}, r)
	p := split(t, container)
	filler := &vault{size: format.Room(1) - parseHead(t, p.head).SlotsSize() - format.SlotHeaderSize}
	p.head = rewrapHead(t, p.head, r.(stream.Identity), adding(filler))
	p.tail = p.head
	return p.join()
}

// edited is the head of a container after an edit, by which a detached one counts.
func edited(t *testing.T, container, head []byte, id stream.Identity, edit *stream.Edit) []byte {
	t.Helper()
	edit.Entropy = osMixer()
	h, err := stream.EditHead(t.Context(), bytes.NewReader(container), int64(len(container)), with(id), &stream.HeadOptions{Head: head})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Plan(edit); err != nil {
		t.Fatal(err)
	}
	if err := h.Apply(t.Context(), edit); err != nil {
		t.Fatal(err)
	}
	return h.Encoded()
}

// A container whose head is full gets further recipients by a detached head that has
// more pages, which every way of reading takes, whatever became of the copies in the
// container.
func TestLargerDetachedHead(t *testing.T) {
	a, b, plain := newKEK(t), newKEK(t), plaintext(3*chunk+100)
	container := fullOfOnePage(t, plain, a)
	head := edited(t, container, nil, a, &stream.Edit{Add: to(b), Detached: true})
	if h := parseDetached(t, head); len(head) != 2*format.PageSize || h.CopyPages != 2 || h.Pages != 1 || h.Room() != 3 {
		t.Fatalf("%d bytes, %d of %d pages, room for %d", len(head), h.CopyPages, h.Pages, h.Room())
	}
	size := len(container)
	for name, c := range map[string]struct {
		container []byte
		found     []format.Clause // by Verify
	}{
		"as it is":      {container, nil},
		"head damaged":  {flipped(container, 200, 0), []format.Clause{format.HEAD5}},
		"tail damaged":  {flipped(container, size-200, 0), []format.Clause{format.TAIL1}},
		"both damaged":  {flipped(flipped(container, 200, 0), size-200, 0), []format.Clause{format.HEAD5, format.TAIL1}},
		"no magic left": {flipped(flipped(container, 0, 0), size-headSize, 0), []format.Clause{format.HEAD1, format.TAIL1}},
		"other lengths": {flipped(flipped(container, 103, 1), size-headSize+103, 6), []format.Clause{format.HEAD16, format.TAIL1}},
		"pages damaged": {flipped(container, 15, 1), []format.Clause{format.HEAD16}},
		"most pages":    {flipped(flipped(container, 103, 6), 103, 0), []format.Clause{format.HEAD16}}, // 64 of them: more is read than the head has
		"a longer head": {slices.Concat(bytes.Repeat([]byte{0xff}, headSize), container[headSize:]), []format.Clause{format.HEAD1}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, id := range []stream.Identity{a, b} {
				for _, w := range ways {
					for _, workers := range []int{1, 3} {
						got := w.read(c.container, id, stream.ReaderOptions{Head: head, Workers: workers})
						if got.err != nil || !bytes.Equal(got.plain, plain) || (len(got.warnings) > 0) != (c.found != nil) {
							t.Errorf("%s: %d bytes, %v, %v", w.name, len(got.plain), got.warnings, got.err)
						}
					}
				}
			}
			r, err := stream.NewReaderAt(t.Context(), bytes.NewReader(c.container), int64(size), with(b), &stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Head: head}})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			some := make([]byte, chunk)
			if n, err := r.ReadAt(some, chunk+5); n != chunk || err != nil || !bytes.Equal(some, plain[chunk+5:][:chunk]) {
				t.Errorf("a range: %d, %v", n, err)
			}
			o := &stream.VerifyOptions{Head: head}
			rep, err := stream.Verify(t.Context(), bytes.NewReader(c.container), int64(size), with(b), o)
			if err != nil || !rep.Keyed || rep.Authentic != 4 || !slices.Equal(clauses(rep.Findings), c.found) {
				t.Errorf("Verify: %+v, %v, %v", rep, rep.Findings, err)
			}
			if rep, err = stream.VerifyReader(t.Context(), bytes.NewReader(c.container), with(b), o); err != nil || !rep.Keyed || rep.Authentic != 4 || !slices.Equal(clauses(rep.Findings), c.found) {
				t.Errorf("VerifyReader: %+v, %v, %v", rep, rep.Findings, err)
			}
			var saved bytes.Buffer
			if s, err := stream.Salvage(t.Context(), &saved, bytes.NewReader(c.container), int64(size), with(b), &stream.SalvageOptions{ReaderOptions: stream.ReaderOptions{Head: head}}); err != nil || !s.Whole() || !bytes.Equal(saved.Bytes(), plain) {
				t.Errorf("Salvage: %+v, %v", s, err)
			}
		})
	}

	// What is wrong with the payload is named as ever.
	for _, c := range []struct {
		name string
		bad  []byte
		kind error
		want format.Clause
	}{
		{"a bit of a chunk", flipped(container, headSize+100, 0), format.ErrDamaged, format.CHUNK1},
		{"a bit of the last chunk", flipped(container, size-headSize-20, 0), format.ErrDamaged, format.CHUNK1},
		{"cut in the tail", container[:size-100], format.ErrTruncated, format.FILE1},
		{"cut before the tail", container[:size-headSize], format.ErrTruncated, format.FILE1},
		{"cut in a chunk", container[:headSize+chunk+100], format.ErrTruncated, format.FILE1},
		{"something follows", append(slices.Clone(container), make([]byte, 100)...), format.ErrMalformed, format.FILE4},
	} {
		for _, w := range ways {
			if got := w.read(c.bad, b, stream.ReaderOptions{Head: head}); !errors.Is(got.err, c.kind) || clauseOf(got.err) != c.want || !bytes.HasPrefix(plain, got.plain) {
				t.Errorf("%s, %s: %v", c.name, w.name, got.err)
			}
		}
	}
}

// A larger detached head is not written into its container, which it would not fit;
// edited so that it fits, it is.
func TestLargerDetachedHeadStaysOutside(t *testing.T) {
	a, b, plain := newKEK(t), newKEK(t), plaintext(100)
	container := fullOfOnePage(t, plain, a)
	head := edited(t, container, nil, a, &stream.Edit{Add: to(b), Detached: true})

	d := &disk{b: slices.Clone(container)}
	h, err := stream.EditHead(t.Context(), d, int64(len(container)), with(b), &stream.HeadOptions{Head: head})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var full *stream.HeadFullError
	if err := h.Save(d); h.Sound() || !errors.As(err, &full) || full.Room != format.Room(1) || full.Slots != 3 || !full.FitsDetached() || len(d.log) != 0 {
		t.Errorf("Save: sound %v, %v, %d events", h.Sound(), err, len(d.log))
	}
	c := newKEK(t)
	if err := h.Apply(t.Context(), adding(c)); !errors.As(err, &full) || full.Slots != 4 || !bytes.Equal(h.Encoded(), head) {
		t.Errorf("a slot more, in place: %v", err)
	}
	// What is still too much in a detached head.
	huge := &vault{size: format.Room(format.MaxPages)}
	if err := h.Apply(t.Context(), &stream.Edit{Add: to(huge), Detached: true, Entropy: osMixer()}); !errors.As(err, &full) || full.FitsDetached() || full.Room != format.Room(format.MaxPages) {
		t.Errorf("more than any head holds: %v", err)
	}
	// To the last byte that any head holds.
	most := &vault{size: format.Room(format.MaxPages) - h.Head().SlotsSize() - format.SlotHeaderSize}
	if most.size <= format.MaxSlotBody {
		t.Error("one slot fills it: the test is to use several")
	}
	var many []stream.Recipient
	for left := most.size + format.SlotHeaderSize; left > 0; {
		n := min(left, 32<<10)
		if left-n < 1000 {
			n = left / 2
		}
		if left < 2000 {
			n = left
		}
		many = append(many, &vault{size: n - format.SlotHeaderSize})
		left -= n
	}
	if err := h.Apply(t.Context(), &stream.Edit{Add: many, Detached: true, Entropy: osMixer()}); err != nil || len(h.Encoded()) != format.MaxHeadSize {
		t.Errorf("full to the byte: %d bytes, %v", len(h.Encoded()), err)
	}

	// The filler goes; what is left fits, as a detached head has the container's length again.
	if got := edited(t, container, head, b, &stream.Edit{RemoveSlots: []int{1}, Detached: true}); len(got) != headSize {
		t.Errorf("a detached head that fits has %d bytes", len(got))
	}
	h2, err := stream.EditHead(t.Context(), d, int64(len(container)), with(b), &stream.HeadOptions{Head: head})
	if err != nil {
		t.Fatal(err)
	}
	defer h2.Close()
	if err := h2.Apply(t.Context(), removingSlots(1)); err != nil {
		t.Fatal(err)
	}
	if err := h2.Save(d); err != nil || !h2.Sound() || h2.Head().Generation != 4 {
		t.Errorf("Save: sound %v, %v, generation %d", h2.Sound(), err, h2.Head().Generation)
	}
	wantPlain(t, d.b, plain, b, stream.ReaderOptions{}, fewWays)

	// It stands in no container: neither as its head nor as its tail.
	p := split(t, container)
	for name, bad := range map[string][]byte{
		"head": slices.Concat(head, p.join()[headSize:]), "tail": append(slices.Clone(container[:len(container)-headSize]), head...),
	} {
		rep, err := verify(t, bad, b)
		if rep.Valid() {
			t.Errorf("a larger %s: valid, %v", name, err)
		}
	}
	if r, err := stream.NewReader(t.Context(), bytes.NewReader(slices.Concat(head, p.join()[headSize:])), with(b), nil); clauseOf(err) != format.HEAD16 {
		t.Errorf("a larger head, streamed: %v, %v", r, err)
	}
}

func parseDetached(t *testing.T, b []byte) *format.Head {
	t.Helper()
	h, err := format.ParseDetachedHead(b)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ROLE-2: what a container is decides who may have its content, before any key is
// tried. Its head is anyone's to change, and all of it to verify.
func TestRoles(t *testing.T) {
	set := format.SetID{1, 2, 3}
	all := []format.Part{
		{}, {Role: format.RoleVolume, Set: set, Number: 7}, {Role: format.RoleRoot, Set: set},
		{Role: format.RoleIndex, Set: set}, {Role: format.RoleGrant},
	}
	for _, part := range all {
		for _, level := range []int{0, 1} {
			v, plain := new(vault), plaintext(chunk+100)
			container := encrypt(t, plain, v, stream.WriterOptions{Part: part, Level: level})
			if h := parseHead(t, container); h.Part != part {
				t.Fatalf("the head says %+v, not %+v", h.Part, part)
			}
			for _, want := range all {
				o := stream.ReaderOptions{Role: want.Role}
				if want.Role == part.Role {
					wantPlain(t, container, plain, v, o, ways)
					continue
				}
				id := &counter{accepts: slotVault}
				var saved bytes.Buffer
				_, serr := stream.Salvage(t.Context(), &saved, bytes.NewReader(container), int64(len(container)), with(id), &stream.SalvageOptions{ReaderOptions: o})
				errs := []error{serr}
				for _, w := range append(slices.Clone(ways), truncatedWays...) {
					errs = append(errs, w.read(container, id, o).err)
				}
				for _, err := range errs {
					var e *stream.RoleError
					if !errors.As(err, &e) || e.Part != part || e.Want != want.Role || !errors.Is(err, format.ErrMalformed) || e.Finding().Clause != format.ROLE2 {
						t.Errorf("%v as a %v: %v", part.Role, want.Role, err)
					}
				}
				if id.calls > 0 || saved.Len() > 0 {
					t.Errorf("%v as a %v: %d keys were tried, %d bytes came out", part.Role, want.Role, id.calls, saved.Len())
				}
			}
			rep, err := verify(t, container, v)
			if err != nil || !rep.Valid() || rep.Decoded != (level > 0) {
				t.Errorf("Verify of a %v: %+v, %v", part.Role, rep, err)
			}
			if rep, err = stream.VerifyReader(t.Context(), bytes.NewReader(container), with(v), nil); err != nil || !rep.Valid() {
				t.Errorf("VerifyReader of a %v: %+v, %v", part.Role, rep, err)
			}
			d := &disk{b: slices.Clone(container)}
			h, err := rewrap(t.Context(), d, int64(len(container)), with(v), adding(newKEK(t)))
			if err != nil || h.Head().Part != part || h.Head().Generation != 2 {
				t.Errorf("rewrap of a %v: %v", part.Role, err)
			}
		}
	}
	// What is not a part of the set has neither of its numbers.
	for _, part := range []format.Part{{Set: set}, {Number: 1}, {Role: format.RoleGrant, Set: set}, {Role: format.RoleRoot, Number: 1}, {Role: 5}} {
		_, err := stream.NewWriter(context.Background(), io.Discard, to(new(vault)), &stream.WriterOptions{Part: part, Entropy: osMixer()})
		if c := clauseOf(err); c != format.HEAD8 && c != format.ROLE1 {
			t.Errorf("a container of %+v is written: %v", part, err)
		}
	}
}
