package entropy

import (
	"crypto/hkdf"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"runtime"
)

// The mixer, whole:
//
//	ikm = for each contribution: BE16(source id) || BE32(length) || bytes
//	out = HKDF-SHA-512(ikm, salt = OS1 (64 bytes), info = "bulla/v1 mix " || purpose, L)
//	      XOR OS2 (L bytes, drawn after ikm is complete)
//
// OS1 and OS2 are fresh bytes of the operating system's generator. OS2 is a
// one-time pad over the derived bytes: whatever the sources contributed, and
// even if the hash were broken, the output is as hard to guess as OS2, because
// no source could know OS2 when it contributed. OS1 makes the derivation a
// keyed extraction, so that a source cannot search for an input that gives a
// wanted output. If the operating system's generator is the broken part, the
// output is as hard to guess as the best contribution.
const (
	saltSize   = 64 // OS1: the block that HMAC-SHA-512 gives out
	infoPrefix = "bulla/v1 mix "

	contributionHeader = 2 + 4 // BE16(source id) || BE32(length)

	// MaxFill is the longest output of one Fill, in bytes: what
	// HKDF-Expand with SHA-512 can give (RFC 5869, section 2.3).
	MaxFill = 255 * sha512.Size
)

// appendHeader starts a contribution of n bytes. Two lists of contributions
// have the same encoding only if they are the same list: every field but the
// bytes has a fixed length, and the length of the bytes stands before them.
func appendHeader(ikm []byte, id uint16, n int) []byte {
	ikm = binary.BigEndian.AppendUint16(ikm, id)
	return binary.BigEndian.AppendUint32(ikm, uint32(n))
}

// mix computes out from the contributions and the operating system's bytes.
// len(os2) must equal len(out), which must be 1 to MaxFill.
func mix(out, ikm, os1, os2 []byte, purpose string) error {
	if len(os2) != len(out) {
		return fmt.Errorf("internal error: %d bytes of mask for %d of output", len(os2), len(out))
	}
	derived, err := hkdf.Key(sha512.New, ikm, os1, infoPrefix+purpose, len(out))
	if err != nil {
		return fmt.Errorf("deriving: %w", err)
	}
	subtle.XORBytes(out, derived, os2)
	wipe(derived)
	return nil
}

// wipe clears b. It is not inlined and keeps b alive, so that the compiler
// cannot find the stores useless.
//
//go:noinline
func wipe(b []byte) {
	clear(b)
	runtime.KeepAlive(b)
}
