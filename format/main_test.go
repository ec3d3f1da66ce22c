package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"testing"
)

// unregistered is a slot type that no registry has.
const unregistered SlotType = 0x7f00

// sampleSlots has a slot of every type, with bodies that satisfy every clause.
func sampleSlots() []Slot {
	return []Slot{
		{Type: SlotHPKE, ID: [SlotIDSize]byte{1}, Body: pattern(HPKEBodySize)},
		{Type: SlotPassphrase, ID: [SlotIDSize]byte{2}, Body: passphraseBody(MinPassphraseKiB, 1)},
		{Type: SlotAge, ID: [SlotIDSize]byte{3}, Body: ageBody("X25519 abc")},
		{Type: SlotKEK, ID: [SlotIDSize]byte{4}, Body: pattern(KEKBodySize)},
		{Type: unregistered, ID: [SlotIDSize]byte{5}, Body: pattern(7)},
		{Type: unregistered, ID: [SlotIDSize]byte{6}},
	}
}

// sampleHead is a well-formed head of the given pages; its MAC is no real one.
func sampleHead(pages int, slots ...Slot) *Head {
	h := &Head{Generation: 1, CopyPages: pages, Slots: slots}
	h.Suite, h.Pages = AES256GCM, pages
	copy(h.Salt[:], pattern(SaltSize))
	copy(h.Commitment[:], pattern(CommitmentSize))
	copy(h.MAC[:], pattern(MACSize))
	return h
}

// larger is h as a detached head of so many pages.
func larger(h *Head, pages int) *Head {
	h.CopyPages = pages
	return h
}

// encode is h.Append of a head that must be well-formed.
func encode(t testing.TB, h *Head) []byte {
	t.Helper()
	b, err := h.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// repaired returns b after change, with the checksum made right again: what
// someone who can compute a CRC, and nothing else, can do to a head.
func repaired(b []byte, change func(b []byte)) []byte {
	b = slices.Clone(b)
	change(b)
	binary.BigEndian.PutUint32(b[len(b)-checksumSize:], crc32.Checksum(b[:len(b)-checksumSize], castagnoli))
	return b
}

// set returns a change that writes bytes at an offset.
func set(off int, with ...byte) func([]byte) {
	return func(b []byte) { copy(b[off:], with) }
}

// pattern is n bytes of which no two neighbours are equal and none is zero.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i%251) + 1
	}
	return b
}

func passphraseBody(kib uint32, passes uint8) []byte {
	b := PassphraseBody{KiB: kib, Passes: passes}
	copy(b.Salt[:], pattern(SaltSize))
	return b.Append(nil)
}

// ageBody is an age file, as far as this package looks at one, with the given
// stanzas.
func ageBody(stanzas ...string) []byte {
	b := []byte(ageIntro)
	for _, s := range stanzas {
		b = append(b, ageArrow+s+"\nc3RhbnphIGJvZHk\n"...)
	}
	b = append(b, "--- mac mac mac mac mac mac mac mac mac mac\n"...)
	return append(b, pattern(64)...)
}

// container is head, a payload of n bytes of no meaning, and tail.
func container(head []byte, n int, tail []byte) []byte {
	return slices.Concat(head, bytes.Repeat([]byte{0xa5}, n), tail)
}

// wantError checks that err is a *ParseError under kind that cites c at offset.
func wantError(t *testing.T, err error, c Clause, kind error, offset int64) {
	t.Helper()
	var pe *ParseError
	if !errors.As(err, &pe) {
		t.Fatalf("error is %v, not a *ParseError", err)
	}
	if pe.Clause != c || pe.Offset != offset || !errors.Is(err, kind) {
		t.Errorf("error is %q, want %v [%s] at offset %d", err, kind, c, offset)
	}
}

// faultyAt fails the n-th ReadAt, counted from 0, and counts them all.
type faultyAt struct {
	io.ReaderAt
	n, calls int
	err      error
}

func (f *faultyAt) ReadAt(p []byte, off int64) (int, error) {
	f.calls++
	if f.calls == f.n+1 {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, off)
}
