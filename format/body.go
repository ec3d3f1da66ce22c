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
func (h *HPKEBody) Append(b []byte) []byte { return appendBody(b, h) }

// ParseHPKEBody reads the body of a slot of type 1; it enforces HPKE-1.
func ParseHPKEBody(b []byte) (*HPKEBody, error) { return parseBody[HPKEBody](HPKE1, b) }

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
func (k *KEKBody) Append(b []byte) []byte { return appendBody(b, k) }

// ParseKEKBody reads the body of a slot of type 4; it enforces KEK-1.
func ParseKEKBody(b []byte) (*KEKBody, error) { return parseBody[KEKBody](KEK1, b) }

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
func (p *PassphraseBody) Append(b []byte) []byte { return appendBody(b, p) }

// ParsePassphraseBody reads the body of a slot of type 2. It enforces PASS-1 to
// PASS-3, so that the cost it returns is one that a reader may pay; a cost
// beyond the bounds is under [ErrUnsupported].
func ParsePassphraseBody(b []byte) (*PassphraseBody, error) {
	p, err := parseBody[PassphraseBody](PASS1, b)
	if err != nil {
		return nil, err
	}
	if p.Passes < 1 || p.Passes > MaxPassphrasePasses {
		return nil, &ParseError{PASS2, "passes", 4, ErrUnsupported,
			fmt.Sprintf("%d Argon2id passes, not 1 to %d", p.Passes, MaxPassphrasePasses)}
	}
	if p.KiB < MinPassphraseKiB || p.KiB > MaxPassphraseKiB {
		return nil, &ParseError{PASS3, "KiB", 0, ErrUnsupported,
			fmt.Sprintf("%d KiB for Argon2id, not %d to %d", p.KiB, MinPassphraseKiB, MaxPassphraseKiB)}
	}
	return p, nil
}

// appendBody appends the encoding of body, a pointer to one of the types above: its
// fields in their order, as drawn there.
func appendBody(b []byte, body any) []byte {
	b, err := binary.Append(b, binary.BigEndian, body)
	if err != nil {
		panic("format: internal error: " + err.Error()) // only for a type without a fixed size
	}
	return b
}

// parseBody is the inverse of appendBody. It enforces c, the clause on the length.
func parseBody[T any](c Clause, b []byte) (*T, error) {
	body := new(T)
	if want := binary.Size(body); len(b) != want {
		return nil, &ParseError{c, "slot body", 0, ErrMalformed, fmt.Sprintf("%d bytes, not %d", len(b), want)}
	}
	if _, err := binary.Decode(b, binary.BigEndian, body); err != nil {
		return nil, err
	}
	return body, nil
}
