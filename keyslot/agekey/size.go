package agekey

import (
	"encoding/base64"
	"fmt"

	"bulla/format"
)

// What a slot takes is known before it is made, for every recipient but a
// plugin's. An age file for one recipient (C2SP age.md) is
//
//	age-encryption.org/v1 LF
//	-> TYPE ARGUMENT … LF           arguments and body in Base64 without padding
//	BODY LF                         wrapped at 64 columns, the last line shorter
//	--- MAC LF                      32 bytes in Base64
//	NONCE CIPHERTEXT                16 bytes, then one chunk with its tag
const (
	introSize   = len("age-encryption.org/v1\n")
	footerSize  = len("--- ") + (ageMACSize*8+5)/6 + len("\n")
	payloadSize = ageNonceSize + format.CEKSize + format.TagSize

	ageMACSize   = 32
	ageNonceSize = 16
	bodyColumns  = 64

	fileKeySize        = 16
	wrappedFileKeySize = fileKeySize + format.TagSize
)

// PluginBodySize is how much room a plugin's slot gets, in bytes: several times
// what the known plugins need.
const PluginBodySize = 4096

// fileSize is the length of an age file with one stanza of the given type,
// whose arguments and body are so many bytes long before Base64.
func fileSize(stanza string, body int, args ...int) int {
	line := len("-> ") + len(stanza) + len("\n")
	for _, n := range args {
		line += len(" ") + base64.RawStdEncoding.EncodedLen(n)
	}
	text := base64.RawStdEncoding.EncodedLen(body)
	breaks := text/bodyColumns + 1 // the last line is shorter, and may be empty
	return introSize + line + text + breaks + footerSize + payloadSize
}

// A SizeError reports a recipient whose slot is larger than a slot may be.
type SizeError struct {
	Size, Limit int // in bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("the recipient needs a slot of %d bytes, more than %d", e.Size, e.Limit)
}
