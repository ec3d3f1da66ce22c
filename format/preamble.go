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
//	10   1  version     1
//	11   1  suite
//	12   1  coding
//	13   1  zero
//	14   2  pages       1..64
//	16  16  reserved    zero
//	32  32  salt
const (
	offVersion  = magicSize
	offSuite    = offVersion + 1
	offCoding   = offSuite + 1
	offZero     = offCoding + 1
	offPages    = offZero + 1
	offReserved = offPages + 2
	offSalt     = offReserved + reservedSize

	reservedSize = 16
	SaltSize     = 32

	// PreambleSize is the length of an encoded [Preamble] in bytes.
	PreambleSize = offSalt + SaltSize
)

// Magic begins every copy of a head. Its first byte is not ASCII and its last
// four are line ends and a control character, so that a transfer which takes
// the container for text breaks it visibly.
const Magic = "\x89bulla\r\n\x1a\n"

const magicSize = 10

var _ = [1]struct{}{}[len(Magic)-magicSize] // does not compile unless they agree

// Version is the only version of the format there is.
const Version = 1

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
	Pages  int // MinPages..MaxPages
	Salt   [SaltSize]byte
}

// HeadSize is the length in bytes of each copy of the head.
func (p *Preamble) HeadSize() int { return p.Pages * PageSize }

// Append appends the PreambleSize bytes of p to b.
func (p *Preamble) Append(b []byte) []byte {
	b = append(b, Magic...)
	b = append(b, Version, byte(p.Suite), byte(p.Coding), 0)
	b = binary.BigEndian.AppendUint16(b, uint16(p.Pages))
	b = append(b, make([]byte, reservedSize)...)
	return append(b, p.Salt[:]...)
}

// Bytes returns the encoded preamble: the form in which it enters every key.
func (p *Preamble) Bytes() []byte { return p.Append(make([]byte, 0, PreambleSize)) }

// PeekHeadSize reads from b, at least the first PreambleSize bytes of a copy,
// how long the copy is: what a reader must know before it can check the
// checksum. It enforces HEAD-1 to HEAD-3.
func PeekHeadSize(b []byte) (int, error) {
	if n := min(len(b), len(Magic)); string(b[:n]) != Magic[:n] {
		return 0, foreignError(b)
	}
	// What there is of a copy that is cut off is checked in the same order.
	if len(b) > offVersion && b[offVersion] != Version {
		return 0, &ParseError{HEAD2, "version", offVersion, ErrUnsupported,
			fmt.Sprintf("version is %d, this reader knows %d", b[offVersion], Version)}
	}
	pages := 0
	if len(b) >= offReserved {
		pages = int(binary.BigEndian.Uint16(b[offPages:]))
		if pages < MinPages || pages > MaxPages {
			return 0, wrongPages(pages)
		}
	}
	if len(b) < PreambleSize {
		reason := "the input ends inside the head"
		if len(b) == 0 {
			reason = "the input is empty"
		}
		return 0, &ParseError{HEAD4, "preamble", int64(len(b)), ErrTruncated, reason}
	}
	return pages * PageSize, nil
}

func wrongPages(pages int) error {
	return &ParseError{HEAD3, "pages", offPages, ErrMalformed, fmt.Sprintf("pages is %d, not %d to %d", pages, MinPages, MaxPages)}
}

// CopySize returns how many bytes of b have to be at hand to tell whether an
// intact copy begins it, whatever its version: the copy's length, or if the first
// PreambleSize bytes rule one out, no more than these.
func CopySize(b []byte) int {
	if len(b) < PreambleSize || string(b[:magicSize]) != Magic {
		return PreambleSize
	}
	pages := int(binary.BigEndian.Uint16(b[offPages:]))
	if pages < MinPages || pages > MaxPages {
		return PreambleSize
	}
	return pages * PageSize
}

// parsePreamble reads the fields of a preamble whose copy is undamaged, after
// [PeekHeadSize] has passed it. It enforces HEAD-6 to HEAD-8.
func parsePreamble(b []byte) (Preamble, error) {
	p := Preamble{
		Suite:  Suite(b[offSuite]),
		Coding: Coding(b[offCoding]),
		Pages:  int(binary.BigEndian.Uint16(b[offPages:])),
		Salt:   [SaltSize]byte(b[offSalt:PreambleSize]),
	}
	if !p.Suite.Known() {
		return p, &ParseError{HEAD6, "suite", offSuite, ErrUnsupported, fmt.Sprintf("suite %d is not registered", p.Suite)}
	}
	if !p.Coding.Known() {
		return p, &ParseError{HEAD7, "coding", offCoding, ErrUnsupported, fmt.Sprintf("coding %d is not registered", p.Coding)}
	}
	if b[offZero] != 0 {
		return p, &ParseError{HEAD8, "zero", offZero, ErrMalformed, "the byte is not zero"}
	}
	if i := firstNonZero(b[offReserved:offSalt]); i >= 0 {
		return p, &ParseError{HEAD8, "reserved", int64(offReserved + i), ErrMalformed, "a reserved byte is not zero"}
	}
	return p, nil
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
