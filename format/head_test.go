package format

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The layout of spec section 3, as numbers: a slip in the constants that are
// derived from one another would otherwise go unnoticed, since writing and
// parsing share them.
func TestHeadLayout(t *testing.T) {
	h := sampleHead(1, Slot{Type: SlotKEK, ID: [16]byte(bytes.Repeat([]byte{0xee}, 16)), Body: pattern(112)})
	h.Suite, h.Coding, h.Generation = ChaCha20Poly1305, Zstd, 0x01020304
	h.Part = Part{RoleVolume, SetID([]byte("abcdefghijkl")), 0x05060708}
	b := encode(t, h)
	for _, f := range []struct {
		name  string
		start int
		want  []byte
	}{
		{"magic", 0, []byte{0x89, 'b', 'u', 'l', 'l', 'a', 0x0d, 0x0a, 0x1a, 0x0a}},
		{"version", 10, []byte{2}},
		{"suite", 11, []byte{2}},
		{"coding", 12, []byte{1}},
		{"role", 13, []byte{1}},
		{"pages", 14, []byte{0, 1}},
		{"set id", 16, []byte("abcdefghijkl")},
		{"number", 28, []byte{5, 6, 7, 8}},
		{"salt", 32, h.Salt[:]},
		{"commitment", 64, h.Commitment[:]},
		{"generation", 96, []byte{1, 2, 3, 4}},
		{"slot count", 100, []byte{0, 1}},
		{"copy pages", 102, []byte{0, 1}},
		{"slot type", 104, []byte{0, 4}},
		{"slot length", 106, []byte{0, 112}},
		{"slot id", 108, h.Slots[0].ID[:]},
		{"slot body", 124, h.Slots[0].Body},
		{"padding", 236, make([]byte, 4096-36-236)},
		{"MAC", 4096 - 36, h.MAC[:]},
	} {
		if got := b[f.start : f.start+len(f.want)]; !bytes.Equal(got, f.want) {
			t.Errorf("%s at %d: % x, want % x", f.name, f.start, got, f.want)
		}
	}
	if len(b) != 4096 {
		t.Errorf("the head is %d bytes long", len(b))
	}
	if got := MACInput(b); len(got) != 4096-36 || &got[0] != &b[0] {
		t.Errorf("MACInput has %d bytes", len(got))
	}
	if got := h.Preamble.Bytes(); !bytes.Equal(got, b[:64]) {
		t.Errorf("the preamble is % x", got)
	}
	// The checksum of the check string in every catalogue of CRCs.
	if got := repaired(append([]byte("123456789"), 0, 0, 0, 0), set(0))[9:]; !bytes.Equal(got, []byte{0xe3, 0x06, 0x92, 0x83}) {
		t.Errorf("CRC-32C of 123456789 is % x", got)
	}
}

func TestHeadRoundTrip(t *testing.T) {
	full := make([]Slot, MaxSlots) // as many slots as there may be, one filling the rest of its head
	for i := range full {
		full[i] = Slot{Type: unregistered}
	}
	full[MaxSlots-1].Body = pattern(Room(5) - MaxSlots*SlotHeaderSize)

	for _, h := range []*Head{
		sampleHead(1, Slot{Type: unregistered}),
		sampleHead(1, sampleSlots()...),
		sampleHead(MaxPages, sampleSlots()...),
		sampleHead(5, full...),
		sampleHead(17, Slot{Type: unregistered, Body: pattern(MaxSlotBody)}),
		larger(sampleHead(1, full...), 5), // detached heads
		larger(sampleHead(63, sampleSlots()...), MaxPages),
	} {
		t.Run(fmt.Sprintf("%d slots, %d pages", len(h.Slots), h.Pages), func(t *testing.T) {
			b := encode(t, h)
			if len(b) != h.CopySize() {
				t.Fatalf("%d bytes, not %d", len(b), h.CopySize())
			}
			back, err := ParseDetachedHead(append(slices.Clone(b), "what follows"...))
			if err != nil {
				t.Fatal(err)
			}
			for i := range back.Slots { // nil and empty are one here
				if len(back.Slots[i].Body) == 0 {
					back.Slots[i].Body = nil
				}
			}
			if inside, err := ParseHead(b); (err == nil) != (h.CopyPages == h.Pages) || err == nil && !bytes.Equal(encode(t, inside), b) {
				t.Errorf("ParseHead of a copy of %d pages, where the container's have %d: %v", h.CopyPages, h.Pages, err)
			}
			if !reflect.DeepEqual(back, h) {
				t.Error("parsing gave another head")
			}
			prefix := []byte("prefix")
			again, err := back.Append(prefix)
			if err != nil || !bytes.Equal(again, slices.Concat(prefix, b)) {
				t.Errorf("appending gave other bytes: %v", err)
			}
		})
	}
}

// A head must not change because the buffer that it was parsed from does.
func TestParseHeadKeepsNothing(t *testing.T) {
	b := encode(t, sampleHead(1, sampleSlots()...))
	h, err := ParseHead(b)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(b)
	clear(b)
	if !bytes.Equal(encode(t, h), want) {
		t.Error("the head aliases its input")
	}
}

// Every clause that a stranger can check, on a head that is right but for it.
func TestParseHeadClauses(t *testing.T) {
	const (
		H    = 4096
		body = 124 // of the first slot
	)
	kek := encode(t, sampleHead(1, Slot{Type: SlotKEK, Body: pattern(KEKBodySize)}))
	hpke := encode(t, sampleHead(1, Slot{Type: SlotHPKE, Body: pattern(HPKEBodySize)}))
	pass := encode(t, sampleHead(1, Slot{Type: SlotPassphrase, Body: passphraseBody(32, 1)}))
	other := encode(t, sampleHead(1, Slot{Type: unregistered, Body: pattern(8)}))
	two := encode(t, sampleHead(1, Slot{Type: unregistered}, Slot{Type: SlotKEK, Body: pattern(KEKBodySize)}))
	age := func(body []byte) []byte {
		slot := Slot{Type: unregistered, Body: body} // checked only once it is given its type
		return repaired(encode(t, sampleHead(MaxPages, slot)), set(104, 0, byte(SlotAge)))
	}

	for _, c := range []struct {
		clause Clause
		kind   error
		offset int64
		name   string
		head   []byte
	}{
		{HEAD1, ErrNotBulla, 0, "first byte", repaired(kek, set(0, 0x88))},
		{HEAD1, ErrNotBulla, 0, "last byte of the magic", repaired(kek, set(9, 0x0d))},
		{HEAD2, ErrUnsupported, 10, "version 0", repaired(kek, set(10, 0))},
		{HEAD2, ErrUnsupported, 10, "version 1", repaired(kek, set(10, 1))},
		{HEAD2, ErrUnsupported, 10, "version 1, where slots began at byte 102", repaired(kek, func(b []byte) { set(10, 1)(b); set(102, 0, 3)(b) })},
		{HEAD2, ErrUnsupported, 10, "version 3", repaired(kek, set(10, 3))},
		{HEAD3, ErrMalformed, 14, "no pages", repaired(kek, set(14, 0, 0))},
		{HEAD3, ErrMalformed, 14, "65 pages", repaired(kek, set(14, 0, 65))},
		{HEAD3, ErrMalformed, 14, "256 pages", repaired(kek, set(14, 1, 0))},
		{HEAD16, ErrMalformed, 102, "no copy pages", repaired(kek, set(102, 0, 0))},
		{HEAD16, ErrMalformed, 102, "fewer copy pages than pages", repaired(kek, set(14, 0, 2))},
		{HEAD16, ErrMalformed, 102, "more copy pages than pages", repaired(kek, set(102, 0, 2))},
		{HEAD16, ErrMalformed, 102, "256 copy pages", repaired(kek, set(102, 1, 0))},
		{HEAD16, ErrMalformed, 102, "copy pages of another version", repaired(kek, func(b []byte) { set(10, 3)(b); set(102, 0, 2)(b) })},
		{HEAD4, ErrTruncated, H, "fewer bytes than pages", repaired(kek, func(b []byte) { set(14, 0, 2)(b); set(102, 0, 2)(b) })},
		{HEAD4, ErrTruncated, H, "fewer bytes than pages, version 1", repaired(kek, func(b []byte) { set(10, 1)(b); set(14, 0, 2)(b) })},
		{HEAD5, ErrDamaged, H - 4, "checksum", append(slices.Clone(kek[:H-1]), kek[H-1]^1)},
		{HEAD6, ErrUnsupported, 11, "suite 0", repaired(kek, set(11, 0))},
		{HEAD6, ErrUnsupported, 11, "suite 3", repaired(kek, set(11, 3))},
		{HEAD7, ErrUnsupported, 12, "coding 2", repaired(kek, set(12, 2))},
		{ROLE1, ErrUnsupported, 13, "role 5", repaired(kek, set(13, 5))},
		{ROLE1, ErrUnsupported, 13, "role 255", repaired(kek, set(13, 255))},
		{HEAD8, ErrUnsupported, 16, "first byte of a file's set id", repaired(kek, set(16, 1))},
		{HEAD8, ErrUnsupported, 27, "last byte of a file's set id", repaired(kek, set(27, 1))},
		{HEAD8, ErrUnsupported, 31, "a file's number", repaired(kek, set(31, 1))},
		{HEAD8, ErrUnsupported, 16, "a grant's set id", repaired(kek, func(b []byte) { set(13, 4)(b); set(16, 1)(b) })},
		{HEAD8, ErrUnsupported, 28, "a grant's number", repaired(kek, func(b []byte) { set(13, 4)(b); set(28, 1)(b) })},
		{HEAD8, ErrUnsupported, 28, "a root's number", repaired(kek, func(b []byte) { set(13, 2)(b); set(16, 1)(b); set(28, 1)(b) })},
		{HEAD8, ErrUnsupported, 30, "an index's number", repaired(kek, func(b []byte) { set(13, 3)(b); set(30, 1)(b) })},
		{HEAD9, ErrMalformed, 96, "generation 0", repaired(kek, set(96, 0, 0, 0, 0))},
		{HEAD10, ErrMalformed, 100, "no slots", repaired(kek, set(100, 0, 0))},
		{HEAD10, ErrMalformed, 100, "129 slots", repaired(kek, set(100, 0, 129))},
		{HEAD10, ErrMalformed, 100, "256 slots", repaired(kek, set(100, 1, 0))},
		{HEAD11, ErrMalformed, 106, "the body reaches into the MAC", repaired(other, set(106, 0x0f, 0x61))},
		{HEAD11, ErrMalformed, 106, "the longest body", repaired(other, set(106, 0xff, 0xff))},
		{HEAD11, ErrMalformed, 104 + 20 + 2, "the second body", repaired(two, set(126, 0xff, 0xff))},
		// One slot that leaves 19 bytes before the MAC, and the claim of a second.
		{HEAD11, ErrMalformed, H - 36 - 19, "the header reaches into the MAC",
			repaired(other, func(b []byte) { set(100, 0, 2)(b); set(106, 0x0f, 0x60-19)(b) })},
		{HPKE1, ErrMalformed, body, "a byte less", repaired(hpke, set(106, 0x04, 0x8f))},
		{HPKE1, ErrMalformed, body, "a byte more", repaired(hpke, set(106, 0x04, 0x91))},
		{HPKE1, ErrMalformed, body, "nothing", repaired(hpke, set(106, 0, 0))},
		{PASS1, ErrMalformed, body, "a byte less", repaired(pass, set(106, 0, 116))},
		{PASS1, ErrMalformed, body, "a byte more", repaired(pass, set(106, 0, 118))},
		{PASS2, ErrUnsupported, body + 4, "no passes", repaired(pass, set(body+4, 0))},
		{PASS2, ErrUnsupported, body + 4, "17 passes", repaired(pass, set(body+4, 17))},
		{PASS3, ErrUnsupported, body, "31 KiB", repaired(pass, set(body, 0, 0, 0, 31))},
		{PASS3, ErrUnsupported, body, "1 GiB and 1 KiB", repaired(pass, set(body, 0, 0x10, 0, 1))},
		{PASS3, ErrUnsupported, body, "all ones", repaired(pass, set(body, 0xff, 0xff, 0xff, 0xff))},
		{AGE1, ErrMalformed, body, "63 bytes", age(ageBody("x")[:MinAgeBody-1])},
		{AGE1, ErrMalformed, body, "a byte too long", age(append(ageBody("x"), make([]byte, MaxAgeBody)...)[:MaxAgeBody+1])},
		{AGE1, ErrMalformed, body, "another version", age(bytes.Replace(ageBody("x"), []byte("/v1"), []byte("/v2"), 1))},
		{AGE1, ErrMalformed, body, "a CRLF", age(bytes.Replace(ageBody("x"), []byte("\n"), []byte("\r\n"), 1))},
		{AGE2, ErrMalformed, body + 22, "scrypt first", age(ageBody("scrypt c2FsdA 18"))},
		{AGE2, ErrMalformed, body + 22 + 14 + 16, "scrypt second", age(ageBody("X25519 abc", "scrypt c2FsdA 18"))},
		{AGE2, ErrMalformed, body + 22, "scrypt without arguments", age(ageBody("scrypt"))},
		{KEK1, ErrMalformed, body, "a byte less", repaired(kek, set(106, 0, 111))},
		{KEK1, ErrMalformed, body, "a byte more", repaired(kek, set(106, 0, 113))},
		{KEK1, ErrMalformed, 124 + 20, "in the second slot", repaired(two, set(126, 0, 111))},
		{HEAD12, ErrMalformed, 236, "first byte of the padding", repaired(kek, set(236, 1))},
		{HEAD12, ErrMalformed, H - 37, "last byte of the padding", repaired(kek, set(H-37, 0x80))},
	} {
		t.Run(fmt.Sprintf("%s %s", c.clause, c.name), func(t *testing.T) {
			_, err := ParseHead(c.head)
			wantError(t, err, c.clause, c.kind, c.offset)
		})
	}
	for name, head := range map[string][]byte{
		"kek": kek, "hpke": hpke, "passphrase": pass, "unknown": other, "two": two,
		"costliest passphrase":            repaired(pass, set(body, 0, 0x10, 0, 0, 16)),
		"a volume":                        repaired(kek, func(b []byte) { set(13, 1, 0, 1)(b); set(16, bytes.Repeat([]byte{0xff}, 16)...)(b) }),
		"a volume, all zero":              repaired(kek, set(13, 1)),
		"a root":                          repaired(kek, func(b []byte) { set(13, 2)(b); set(16, 1)(b) }),
		"an index":                        repaired(kek, func(b []byte) { set(13, 3)(b); set(27, 1)(b) }),
		"a grant":                         repaired(kek, set(13, 4)),
		"highest generation":              repaired(kek, set(96, 0xff, 0xff, 0xff, 0xff)),
		"shortest age":                    age(append(ageBody("x"), pattern(64)...)[:MinAgeBody]),
		"longest age":                     age(append(ageBody("x"), make([]byte, MaxAgeBody)...)[:MaxAgeBody]),
		"scrypt behind the age header":    age(append(ageBody("x"), "\n-> scrypt \n"...)),
		"a stanza that begins as scrypt…": age(ageBody("scrypty x")),
		"age without a line end":          age([]byte(ageIntro + strings.Repeat("x", 64))),
	} {
		if _, err := ParseHead(head); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The first clause that fails, in the order of the specification, is the one
// that is named, whatever else is wrong.
func TestParseHeadOrder(t *testing.T) {
	b := encode(t, sampleHead(1, Slot{Type: SlotKEK, Body: pattern(KEKBodySize)}))
	mend := func() { b = repaired(b, func([]byte) {}) }
	for _, step := range []struct {
		clause Clause
		wrong  func([]byte)
	}{
		{HEAD12, set(300, 1)},
		{KEK1, set(106, 0, 111)},
		{HEAD11, set(106, 0xff, 0xff)},
		{HEAD10, set(100, 0, 0)},
		{HEAD9, set(96, 0, 0, 0, 0)},
		{HEAD8, set(31, 1)},
		{ROLE1, set(13, 9)},
		{HEAD7, set(12, 9)},
		{HEAD6, set(11, 9)},
		{HEAD2, set(10, 3)},
		{HEAD5, func(b []byte) { b[len(b)-1] ^= 1 }},
		{HEAD4, func(b []byte) { set(14, 0, 2)(b); set(102, 0, 2)(b) }},
		{HEAD16, set(102, 0, 1)},
		{HEAD3, set(14, 0, 0)},
		{HEAD1, set(0, 'x')},
	} {
		step.wrong(b)
		if !slices.Contains([]Clause{HEAD5, HEAD4, HEAD16, HEAD3, HEAD1}, step.clause) {
			mend()
		}
		_, err := ParseHead(b)
		if !strings.Contains(fmt.Sprint(err), "["+string(step.clause)+"]") {
			t.Errorf("error is %v, want %s", err, step.clause)
		}
	}
	// The same where the input ends before the whole preamble is there.
	short := encode(t, sampleHead(1, Slot{Type: unregistered}))[:20]
	for _, step := range []struct {
		clause Clause
		wrong  func([]byte)
	}{
		{HEAD4, set(10, 9)}, // which damage may have made
		{HEAD3, set(14, 0, 65)},
		{HEAD1, set(9, 'x')},
	} {
		step.wrong(short)
		_, err := ParseHead(short)
		if !strings.Contains(fmt.Sprint(err), "["+string(step.clause)+"]") {
			t.Errorf("20 bytes: error is %v, want %s", err, step.clause)
		}
	}
}

// Every single bit of a head matters, and its checksum says so.
func TestParseHeadBitFlips(t *testing.T) {
	b := encode(t, sampleHead(1, sampleSlots()...))
	for i := range len(b) * 8 {
		at, mask := i/8, byte(1)<<(i%8)
		b[at] ^= mask
		_, err := ParseHead(b)
		b[at] ^= mask
		switch {
		case at < offVersion:
			wantError(t, err, HEAD1, ErrNotBulla, 0)
		case at == offPages || at == offPages+1: // 0, or 3..65, or 257 and more pages
			pages := int(b[offPages])<<8 + int(b[offPages+1]) ^ int(mask)<<(8*(offPages+1-at))
			if pages < MinPages || pages > MaxPages {
				wantError(t, err, HEAD3, ErrMalformed, offPages)
			} else {
				wantError(t, err, HEAD16, ErrMalformed, offCopyPages)
			}
		case at == offCopyPages || at == offCopyPages+1:
			wantError(t, err, HEAD16, ErrMalformed, offCopyPages)
		default:
			wantError(t, err, HEAD5, ErrDamaged, int64(len(b))-checksumSize)
		}
		if t.Failed() {
			t.Fatalf("bit %d of byte %d", i%8, at)
		}
	}
}

func TestParseHeadTruncations(t *testing.T) {
	b := encode(t, sampleHead(2, sampleSlots()...))
	for n := range len(b) {
		h, err := ParseHead(b[:n:n])
		if h != nil {
			t.Fatalf("%d bytes parse", n)
		}
		wantError(t, err, HEAD4, ErrTruncated, int64(n))
		if t.Failed() {
			t.Fatalf("%d bytes", n)
		}
	}
}

// What Append refuses is what ParseHead would.
func TestAppendRefuses(t *testing.T) {
	ok := Slot{Type: unregistered}
	for _, c := range []struct {
		clause Clause
		offset int64
		head   *Head
	}{
		{HEAD3, 14, sampleHead(0, ok)},
		{HEAD3, 14, sampleHead(-1, ok)},
		{HEAD3, 14, sampleHead(65, ok)},
		{HEAD16, 102, larger(sampleHead(2, ok), 1)},
		{HEAD16, 102, larger(sampleHead(2, ok), 65)},
		{HEAD16, 102, larger(sampleHead(2, ok), -1)},
		{ROLE1, 13, func() *Head { h := sampleHead(1, ok); h.Role = 5; return h }()},
		{HEAD8, 17, func() *Head { h := sampleHead(1, ok); h.Set[1] = 1; return h }()},
		{HEAD8, 31, func() *Head { h := sampleHead(1, ok); h.Role, h.Number = RoleRoot, 1; return h }()},
		{HEAD6, 11, func() *Head { h := sampleHead(1, ok); h.Suite = 3; return h }()},
		{HEAD7, 12, func() *Head { h := sampleHead(1, ok); h.Coding = 2; return h }()},
		{HEAD9, 96, func() *Head { h := sampleHead(1, ok); h.Generation = 0; return h }()},
		{HEAD10, 100, sampleHead(1)},
		{HEAD10, 100, sampleHead(64, make([]Slot, 129)...)},
		{HEAD11, 104 + 20, sampleHead(64, ok, Slot{Type: unregistered, Body: make([]byte, MaxSlotBody+1)})},
		{HEAD11, 104, sampleHead(1, Slot{Type: unregistered, Body: make([]byte, Room(1)-SlotHeaderSize+1)})},
		{HPKE1, 124, sampleHead(1, Slot{Type: SlotHPKE})},
		{PASS2, 124 + 20 + 4, sampleHead(1, ok, Slot{Type: SlotPassphrase, Body: make([]byte, PassphraseBodySize)})},
		{AGE1, 124, sampleHead(1, Slot{Type: SlotAge, Body: make([]byte, 100)})},
		{KEK1, 124, sampleHead(1, Slot{Type: SlotKEK, Body: make([]byte, 100)})},
	} {
		b, err := c.head.Append([]byte("kept"))
		if string(b) != "kept" {
			t.Errorf("%s: Append returned %d bytes", c.clause, len(b))
		}
		if err == nil {
			t.Errorf("%s: no error", c.clause)
			continue
		}
		var kind error = ErrMalformed
		if slices.Contains([]Clause{HEAD6, HEAD7, ROLE1, HEAD8, PASS2}, c.clause) {
			kind = ErrUnsupported
		}
		wantError(t, err, c.clause, kind, c.offset)
	}
}

func TestRoomAndPages(t *testing.T) {
	for pages := MinPages; pages <= MaxPages; pages++ {
		room := Room(pages)
		if got := PagesFor(room); got != pages {
			t.Errorf("PagesFor(%d) is %d, not %d", room, got, pages)
		}
		if got := PagesFor(room + 1); got != pages+1 {
			t.Errorf("PagesFor(%d) is %d, not %d", room+1, got, pages+1)
		}
	}
	if Room(1) != 4096-104-36 || PagesFor(0) != 1 {
		t.Errorf("Room(1) is %d, PagesFor(0) is %d", Room(1), PagesFor(0))
	}
	// Room is not only arithmetic: such a slot does fit, and does not with a byte more.
	slot := Slot{Type: unregistered, Body: pattern(Room(1) - SlotHeaderSize)}
	h := sampleHead(1, slot)
	if h.SlotsSize() != Room(1) {
		t.Errorf("SlotsSize is %d", h.SlotsSize())
	}
	if _, err := ParseHead(encode(t, h)); err != nil {
		t.Error(err)
	}
}

// A detached head is checked like any other copy, but may be larger than those in
// its container; it is whole if its own length is there.
func TestParseDetachedHead(t *testing.T) {
	b := encode(t, larger(sampleHead(2, sampleSlots()...), 3))
	if h, err := ParseDetachedHead(b); err != nil || h.HeadSize() != 2*PageSize || h.CopySize() != 3*PageSize || len(b) != 3*PageSize {
		t.Fatalf("%+v, %v", h, err)
	}
	for n := range len(b) {
		_, err := ParseDetachedHead(b[:n:n])
		wantError(t, err, HEAD4, ErrTruncated, int64(n))
	}
	for _, c := range []struct {
		clause Clause
		kind   error
		offset int64
		with   func([]byte)
	}{
		{HEAD16, ErrMalformed, 102, set(102, 0, 1)},
		{HEAD16, ErrMalformed, 102, set(102, 0, 65)},
		{HEAD4, ErrTruncated, 3 * PageSize, set(102, 0, 64)},
		{HEAD5, ErrDamaged, 2*PageSize - 4, set(102, 0, 2)},
		{HEAD5, ErrDamaged, 3*PageSize - 4, set(300, 0xff)},
		{HEAD2, ErrUnsupported, 10, set(10, 9)},
	} {
		wrong := slices.Clone(b)
		if c.with(wrong); c.clause == HEAD2 {
			wrong = repaired(wrong, func([]byte) {})
		}
		_, err := ParseDetachedHead(wrong)
		wantError(t, err, c.clause, c.kind, c.offset)
	}
}

// The version that an intact copy has can be told: a hint depends on it.
func TestUnknownVersion(t *testing.T) {
	b := encode(t, sampleHead(1, Slot{Type: unregistered}))
	for _, v := range []byte{0, 1, 3, 255} {
		_, err := ParseHead(repaired(b, set(10, v)))
		if got, ok := errors.AsType[UnknownVersion](err); !ok || byte(got) != v || !errors.Is(err, ErrUnsupported) {
			t.Errorf("version %d: %v", v, err)
		}
	}
}
