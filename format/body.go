package format

import (
	"encoding/binary"
	"fmt"
)

// The body of a slot of type 1: what RFC 9180 calls enc and ct.
//
//	   0  1120  enc
//	1120    48  ct
const (
	HPKEEncSize  = 1120
	WrappedSize  = CEKSize + TagSize // a CEK under an AEAD
	HPKEBodySize = HPKEEncSize + WrappedSize
)

// An HPKEBody is the body of a slot of type 1.
type HPKEBody struct {
	Enc [HPKEEncSize]byte
	CT  [WrappedSize]byte
}

// Append appends the HPKEBodySize bytes of h to b.
func (h *HPKEBody) Append(b []byte) []byte {
	b = append(b, h.Enc[:]...)
	return append(b, h.CT[:]...)
}

// ParseHPKEBody reads the body of a slot of type 1; it enforces HPKE-1.
func ParseHPKEBody(b []byte) (*HPKEBody, error) {
	if len(b) != HPKEBodySize {
		return nil, wrongBody(HPKE1, len(b), HPKEBodySize)
	}
	return &HPKEBody{
		Enc: [HPKEEncSize]byte(b),
		CT:  [WrappedSize]byte(b[HPKEEncSize:]),
	}, nil
}

// A symmetric wrapping: the whole body of a slot of type 4, and the end of one
// of type 2.
//
//	 0  32  salt
//	32  32  commit
//	64  48  ct
const (
	CommitSize  = 32
	KEKBodySize = SaltSize + CommitSize + WrappedSize
)

// A KEKBody is a CEK wrapped under a symmetric key: the body of a slot of type 4.
type KEKBody struct {
	Salt   [SaltSize]byte
	Commit [CommitSize]byte
	CT     [WrappedSize]byte
}

// Append appends the KEKBodySize bytes of k to b.
func (k *KEKBody) Append(b []byte) []byte {
	b = append(b, k.Salt[:]...)
	b = append(b, k.Commit[:]...)
	return append(b, k.CT[:]...)
}

// ParseKEKBody reads the body of a slot of type 4; it enforces KEK-1.
func ParseKEKBody(b []byte) (*KEKBody, error) {
	if len(b) != KEKBodySize {
		return nil, wrongBody(KEK1, len(b), KEKBodySize)
	}
	return &KEKBody{
		Salt:   [SaltSize]byte(b),
		Commit: [CommitSize]byte(b[SaltSize:]),
		CT:     [WrappedSize]byte(b[SaltSize+CommitSize:]),
	}, nil
}

// The body of a slot of type 2: the cost of Argon2id, then a symmetric wrapping.
//
//	0    4  KiB
//	4    1  passes
//	5  112  salt, commit, ct
const (
	passphraseCostSize = 4 + 1
	PassphraseBodySize = passphraseCostSize + KEKBodySize
)

// Bounds of Argon2id's cost (PASS-2, PASS-3, PASS-5, PASS-8).
const (
	MinPassphraseKiB    = 32
	MaxPassphraseKiB    = 1 << 20
	MaxPassphrasePasses = 16
	MaxPassphraseWork   = 1 << 20 // KiB * passes that a reader spends on one slot
	MaxPassphraseSlots  = 8       // in one copy (PASS-7)
)

// A PassphraseBody is the body of a slot of type 2.
type PassphraseBody struct {
	KiB    uint32 // memory of Argon2id
	Passes uint8
	KEKBody
}

// Work is the cost of one attempt in KiB * passes, the unit of MaxPassphraseWork.
func (p *PassphraseBody) Work() uint64 { return uint64(p.KiB) * uint64(p.Passes) }

// Append appends the PassphraseBodySize bytes of p to b.
func (p *PassphraseBody) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, p.KiB)
	b = append(b, p.Passes)
	return p.KEKBody.Append(b)
}

// ParsePassphraseBody reads the body of a slot of type 2. It enforces PASS-1 to
// PASS-3, so that the cost it returns is one that a reader may pay; a cost
// beyond the bounds is under [ErrUnsupported].
func ParsePassphraseBody(b []byte) (*PassphraseBody, error) {
	if len(b) != PassphraseBodySize {
		return nil, wrongBody(PASS1, len(b), PassphraseBodySize)
	}
	p := &PassphraseBody{KiB: binary.BigEndian.Uint32(b), Passes: b[4]}
	if p.Passes < 1 || p.Passes > MaxPassphrasePasses {
		return nil, &ParseError{PASS2, "passes", 4, ErrUnsupported,
			fmt.Sprintf("%d Argon2id passes, not 1 to %d", p.Passes, MaxPassphrasePasses)}
	}
	if p.KiB < MinPassphraseKiB || p.KiB > MaxPassphraseKiB {
		return nil, &ParseError{PASS3, "KiB", 0, ErrUnsupported,
			fmt.Sprintf("%d KiB for Argon2id, not %d to %d", p.KiB, MinPassphraseKiB, MaxPassphraseKiB)}
	}
	k, err := ParseKEKBody(b[passphraseCostSize:])
	if err != nil {
		return nil, err
	}
	p.KEKBody = *k
	return p, nil
}

func wrongBody(c Clause, got, want int) error {
	return &ParseError{c, "slot body", 0, ErrMalformed, fmt.Sprintf("%d bytes, not %d", got, want)}
}
