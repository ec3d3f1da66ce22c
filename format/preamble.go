package format

import (
	"encoding/binary"
	"fmt"
)

// The preamble, the first 64 bytes of a head, is fixed when a container is
// created. Every key derived from the CEK depends on all of it, so that a
// changed preamble cannot open anything.
//
//	 0  10  magic       89 62 75 6c 6c 61 0d 0a 1a 0a
//	10   1  version     2
//	11   1  suite
//	12   1  coding
//	13   1  role
//	14   2  pages       1..64, of the container's own copies of the head
//	16  12  set id      of a part of a set; else zero
//	28   4  number      of a volume; else zero
//	32  32  salt
const (
	offVersion = magicSize
	offSuite   = offVersion + 1
	offCoding  = offSuite + 1
	offRole    = offCoding + 1
	offPages   = offRole + 1
	offSetID   = offPages + 2
	offNumber  = offSetID + SetIDSize
	offSalt    = offNumber + 4

	RoleOffset = offRole // of the role, in every copy
	SaltSize   = 32

	// PreambleSize is the length of an encoded [Preamble] in bytes.
	PreambleSize = offSalt + SaltSize
)

// Magic begins every copy of a head. Its first byte is not ASCII and its last
// four are line ends and a control character, so that a transfer which takes
// the container for text breaks it visibly.
const Magic = "\x89bulla\r\n\x1a\n"

const magicSize = 10

var _ = [1]struct{}{}[len(Magic)-magicSize] // does not compile unless they agree

// Version is the version of the format that this package reads and writes. The
// first one had neither roles nor detached heads larger than the container's own.
const (
	Version  = 2
	version1 = 1
)

// A Suite is the AEAD that seals the payload; see spec/registry.md.
type Suite byte

const (
	AES256GCM        Suite = 1
	ChaCha20Poly1305 Suite = 2
)

func (s Suite) String() string {
	switch s {
	case AES256GCM:
		return "AES-256-GCM"
	case ChaCha20Poly1305:
		return "ChaCha20-Poly1305"
	}
	return fmt.Sprintf("suite %d", byte(s))
}

// Known reports whether s is registered.
func (s Suite) Known() bool { return s == AES256GCM || s == ChaCha20Poly1305 }

// A Coding is what the payload's plaintext is; see spec/registry.md.
type Coding byte

const (
	Plain Coding = 0 // the plaintext as it came
	Zstd  Coding = 1 // Zstandard's seekable format
)

func (c Coding) String() string {
	switch c {
	case Plain:
		return "as is"
	case Zstd:
		return "Zstandard seekable"
	}
	return fmt.Sprintf("coding %d", byte(c))
}

// Known reports whether c is registered.
func (c Coding) Known() bool { return c == Plain || c == Zstd }

// A Preamble is the part of a head that never changes.
type Preamble struct {
	Suite  Suite
	Coding Coding
	Part
	Pages int // MinPages..MaxPages
	Salt  [SaltSize]byte
}

// HeadSize is H, the length in bytes of the container's head and of its tail.
func (p *Preamble) HeadSize() int { return p.Pages * PageSize }

// HeadSizeOf is H of the container whose copies begin with identity, at least the first
// PreambleSize bytes of it; 0 if it breaks HEAD-3. It looks at nothing else.
func HeadSizeOf(identity []byte) int64 {
	pages := int64(binary.BigEndian.Uint16(identity[offPages:]))
	if pages < MinPages || pages > MaxPages {
		return 0
	}
	return pages * PageSize
}

// Append appends the PreambleSize bytes of p to b.
func (p *Preamble) Append(b []byte) []byte {
	b = append(b, Magic...)
	b = append(b, Version, byte(p.Suite), byte(p.Coding), byte(p.Role))
	b = binary.BigEndian.AppendUint16(b, uint16(p.Pages))
	b = append(b, p.Set[:]...)
	b = binary.BigEndian.AppendUint32(b, p.Number)
	return append(b, p.Salt[:]...)
}

// Bytes returns the encoded preamble: the form in which it enters every key.
func (p *Preamble) Bytes() []byte { return p.Append(make([]byte, 0, PreambleSize)) }

// ParsePreamble reads a preamble that stands by itself, in a grant. It enforces HEAD-1,
// HEAD-3, HEAD-2, HEAD-6, HEAD-7, ROLE-1 and HEAD-8, and fails with a [*ParseError].
func ParsePreamble(b []byte) (Preamble, error) {
	if len(b) < PreambleSize || string(b[:magicSize]) != Magic {
		return Preamble{}, &ParseError{HEAD1, "magic", 0, ErrNotBulla, "it does not begin with the magic"}
	}
	if pages := int(binary.BigEndian.Uint16(b[offPages:])); pages < MinPages || pages > MaxPages {
		return Preamble{}, wrongPages(pages)
	}
	return parsePreamble(b)
}

// parsePreamble reads the fields of a preamble whose copy is intact. It enforces
// HEAD-2, HEAD-6, HEAD-7, ROLE-1 and HEAD-8.
func parsePreamble(b []byte) (Preamble, error) {
	p := Preamble{
		Suite:  Suite(b[offSuite]),
		Coding: Coding(b[offCoding]),
		Part: Part{
			Role:   Role(b[offRole]),
			Set:    SetID(b[offSetID:offNumber]),
			Number: binary.BigEndian.Uint32(b[offNumber:]),
		},
		Pages: int(binary.BigEndian.Uint16(b[offPages:])),
		Salt:  [SaltSize]byte(b[offSalt:PreambleSize]),
	}
	if v := b[offVersion]; v != Version {
		return p, &ParseError{HEAD2, "version", offVersion, UnknownVersion(v), fmt.Sprintf("version is %d, this reader knows %d", v, Version)}
	}
	if !p.Suite.Known() {
		return p, &ParseError{HEAD6, "suite", offSuite, ErrUnsupported, fmt.Sprintf("suite %d is not registered", p.Suite)}
	}
	if !p.Coding.Known() {
		return p, &ParseError{HEAD7, "coding", offCoding, ErrUnsupported, fmt.Sprintf("coding %d is not registered", p.Coding)}
	}
	return p, p.Part.check()
}

// firstNonZero returns the index of the first byte of b that is not zero, or -1.
func firstNonZero(b []byte) int {
	for i, c := range b {
		if c != 0 {
			return i
		}
	}
	return -1
}
