package format

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// A head is the preamble, what changes when the recipients change, and two
// checks over all of it.
//
//	   0  64  preamble
//	  64  32  commitment
//	  96   4  generation
//	 100   2  slot count
//	 102   2  copy pages  pages..64; equal to pages in head and tail
//	 104      slots
//	          padding     zero, up to C-36
//	C-36  32  MAC         under a key derived from the CEK, of bytes 0..C-37
//	C-4    4  checksum    CRC-32C of bytes 0..C-5
//
// C = 4096 * copy pages. The head and the tail of a container are as long as its
// preamble says, H = 4096 * pages, for good. A head in a file of its own may have
// more room.
const (
	CommitmentSize = 32
	MACSize        = 32
	checksumSize   = 4

	offCommitment = PreambleSize
	offGeneration = offCommitment + CommitmentSize
	offSlotCount  = offGeneration + 4
	offCopyPages  = offSlotCount + 2
	offSlots      = offCopyPages + 2

	trailerSize = MACSize + checksumSize // after the padding
)

// A Head is one copy of a container's head.
type Head struct {
	Preamble
	Commitment [CommitmentSize]byte
	Generation uint32 // at least 1, one more at every rewrap
	CopyPages  int    // Pages..MaxPages; more than Pages in a detached head alone; 0 stands for Pages
	Slots      []Slot // 1..MaxSlots
	MAC        [MACSize]byte
}

// CopySize is C, the length in bytes of this copy.
func (h *Head) CopySize() int { return cmp.Or(h.CopyPages, h.Pages) * PageSize }

// Identity returns bytes 0 to 95 of h, which all copies of one container have in
// common and no other container has.
func (h *Head) Identity() [IdentitySize]byte {
	return [IdentitySize]byte(append(h.Preamble.Bytes(), h.Commitment[:]...))
}

// SameContainer reports whether h and g are copies of one container's head, as
// far as that can be told without a key.
func (h *Head) SameContainer(g *Head) bool {
	return h.Preamble == g.Preamble && h.Commitment == g.Commitment
}

// SlotsNotIn returns the positions of the slots of h whose recipients have none in
// g, another copy of the same container's head. Passphrases have one id between
// them: of these it is the slot that g must have.
func (h *Head) SlotsNotIn(g *Head) (missing []int) {
	for i, s := range h.Slots {
		same := func(t Slot) bool {
			return t.Type == s.Type && t.ID == s.ID && (s.Type != SlotPassphrase || bytes.Equal(t.Body, s.Body))
		}
		if !slices.ContainsFunc(g.Slots, same) {
			missing = append(missing, i)
		}
	}
	return missing
}

// Room is how many bytes of slots a copy of that many pages has place for.
func Room(pages int) int { return pages*PageSize - offSlots - trailerSize }

// PagesFor is the fewest pages whose copy has room for slots of n bytes in all;
// more than MaxPages when there is no such copy.
func PagesFor(n int) int { return max(MinPages, (n+offSlots+trailerSize+PageSize-1)/PageSize) }

// SlotsSize is the room in bytes that the slots of h take.
func (h *Head) SlotsSize() int {
	n := 0
	for i := range h.Slots {
		n += h.Slots[i].Size()
	}
	return n
}

// Append appends the h.CopySize() bytes of h to b, the checksum computed. It
// fails with a [*ParseError] if h is not a head that [ParseDetachedHead] would accept.
func (h *Head) Append(b []byte) ([]byte, error) {
	// What has no encoding; the rest is for the parser to judge.
	if h.Pages < MinPages || h.Pages > MaxPages {
		return b, wrongPages(h.Pages)
	}
	pages := h.CopySize() / PageSize
	if pages < h.Pages || pages > MaxPages {
		return b, wrongCopyPages(pages, h.Pages, MaxPages)
	}
	if n := h.SlotsSize(); n > Room(pages) {
		return b, &ParseError{HEAD11, "slots", offSlots, ErrMalformed,
			fmt.Sprintf("%d bytes of slots do not fit a head of %d pages", n, pages)}
	}
	start := len(b)
	e := h.Preamble.Append(b)
	e = append(e, h.Commitment[:]...)
	e = binary.BigEndian.AppendUint32(e, h.Generation)
	e = binary.BigEndian.AppendUint16(e, uint16(len(h.Slots)))
	e = binary.BigEndian.AppendUint16(e, uint16(pages))
	for i := range h.Slots {
		if len(h.Slots[i].Body) > MaxSlotBody {
			return b, &ParseError{HEAD11, "slot length", int64(len(e) - start), ErrMalformed, "the body is too long"}
		}
		e = h.Slots[i].append(e)
	}
	e = append(e, make([]byte, start+h.CopySize()-trailerSize-len(e))...)
	e = append(e, h.MAC[:]...)
	e = binary.BigEndian.AppendUint32(e, crc32.Checksum(e[start:], castagnoli))
	if _, err := ParseDetachedHead(e[start:]); err != nil {
		return b, err
	}
	return e, nil
}

// MACInput returns the part of an encoded copy that its MAC covers.
func MACInput(encoded []byte) []byte { return encoded[:len(encoded)-trailerSize] }

// ParseHead reads the copy of a head at the start of b, in the order of the
// checks in spec section 3 up to HEAD-12; bytes after the copy are not looked
// at. The head keeps nothing of b. It fails with a [*ParseError].
//
// A head that parses is undamaged and well-formed, but not yet authentic: that
// takes the CEK, for KEY-1 and HEAD-13.
func ParseHead(b []byte) (*Head, error) { return parseHead(b, false) }

// ParseDetachedHead is [ParseHead] for a detached head, which may be longer than
// the copies in its container (HEAD-16).
func ParseDetachedHead(b []byte) (*Head, error) { return parseHead(b, true) }

func parseHead(b []byte, detached bool) (*Head, error) {
	n, err := checkCopy(b, detached)
	if err != nil {
		return nil, err
	}
	b = bytes.Clone(b[:n])
	p, err := parsePreamble(b)
	if err != nil {
		return nil, err
	}
	h := &Head{
		Preamble:   p,
		Commitment: [CommitmentSize]byte(b[offCommitment:]),
		Generation: binary.BigEndian.Uint32(b[offGeneration:]),
		CopyPages:  n / PageSize,
		MAC:        [MACSize]byte(b[n-trailerSize:]),
	}
	if h.Generation < 1 {
		return nil, &ParseError{HEAD9, "generation", offGeneration, ErrMalformed, "the generation is 0"}
	}
	count := int(binary.BigEndian.Uint16(b[offSlotCount:]))
	if count < 1 || count > MaxSlots {
		return nil, &ParseError{HEAD10, "slot count", offSlotCount, ErrMalformed, fmt.Sprintf("%d slots, not 1 to %d", count, MaxSlots)}
	}
	rest := b[offSlots : n-trailerSize]
	h.Slots = make([]Slot, 0, count)
	passphrases := 0
	for i := range count {
		off := n - trailerSize - len(rest)
		var s Slot
		s, rest, err = parseSlot(rest)
		if s.Type == SlotPassphrase && err == nil {
			if passphrases++; passphrases > MaxPassphraseSlots { // each costs a reader an Argon2id
				err = &ParseError{PASS7, "type", 0, ErrMalformed, fmt.Sprintf("more than %d passphrase slots", MaxPassphraseSlots)}
			}
		}
		if err != nil {
			return nil, within(err, int64(off), fmt.Sprintf("slot %d", i+1))
		}
		h.Slots = append(h.Slots, s)
	}
	if i := firstNonZero(rest); i >= 0 {
		return nil, &ParseError{HEAD12, "padding", int64(n - trailerSize - len(rest) + i), ErrMalformed, "a byte of the padding is not zero"}
	}
	return h, nil
}
