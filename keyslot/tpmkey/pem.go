package tpmkey

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"bulla/keyslot"
)

// A Key is an identity that is sealed to a TPM: what its file holds. There is no
// secret in it.
type Key struct {
	recipient keyslot.Recipient // an *HPKERecipient
	srk       []byte            // the Name of the storage root key
	ek        []byte            // the Name of the endorsement key; nil if it is not known
	sealed
}

const (
	pemLabel = "TSS2 PRIVATE KEY"
	pemBegin = "-----BEGIN " + pemLabel + "-----"

	// MaxFile is the most bytes a key file may have.
	MaxFile = 16 << 10
)

// ErrMalformed is wrapped by the error about a file that is no key file.
var ErrMalformed = errors.New("malformed TPM key file")

// Recipient is the public key of k, a [*keyslot.HPKERecipient].
func (k *Key) Recipient() keyslot.Recipient { return k.recipient }

// NeedsPIN reports whether k opens only with a PIN.
func (k *Key) NeedsPIN() bool { return k.pin }

// PCRs lists the PCRs that k is bound to, in ascending order.
func (k *Key) PCRs() []int {
	if k.pcrs == nil {
		return nil
	}
	return k.pcrs.numbers()
}

// The comments that belong to the format, each on a line of its own:
//
//	# NAME: VALUE
const (
	commentMark      = "#"
	commentSep       = ": "
	commentRecipient = "recipient"
	commentSRK       = "srk"
	commentEK        = "ek"
)

// Encode returns the key file, in ASCII. Comments of the caller's may go before
// it, each line of them with a "#" in front.
func (k *Key) Encode() ([]byte, error) {
	der, err := k.der()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	comment := func(name, value string) { fmt.Fprintf(&b, "%s %s%s%s\n", commentMark, name, commentSep, value) }
	comment(commentRecipient, k.recipient.Canonical())
	comment(commentSRK, hex.EncodeToString(k.srk))
	if k.ek != nil {
		comment(commentEK, hex.EncodeToString(k.ek))
	}
	err = pem.Encode(&b, &pem.Block{Type: pemLabel, Bytes: der})
	return b.Bytes(), err
}

// IsKeyFile reports whether a file is meant to be a key file: one of its lines
// begins the PEM block. It looks at the first MaxFile bytes.
func IsKeyFile(file []byte) bool {
	return findPEM(file[:min(len(file), MaxFile)]) >= 0
}

// findPEM is where the PEM block begins, -1 if there is none.
func findPEM(file []byte) int {
	offset := 0
	for line := range bytes.Lines(file) {
		if bytes.HasPrefix(line, []byte(pemBegin)) {
			return offset
		}
		offset += len(line)
	}
	return -1
}

// Parse reads a key file, at most [MaxFile] bytes of r and one more. Its error
// wraps [ErrMalformed] unless it is r's.
func Parse(r io.Reader) (*Key, error) {
	file, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(file) > MaxFile {
		return nil, malformed("more than %d bytes", MaxFile)
	}
	// An editor may have changed the line ends.
	file = bytes.ReplaceAll(file, []byte("\r\n"), []byte("\n"))
	begin := findPEM(file)
	if begin < 0 {
		return nil, malformed("there is no line %s", pemBegin)
	}
	k, err := parseComments(file[:begin])
	if err != nil {
		return nil, err
	}
	der, err := parsePEM(file[begin:])
	if err != nil {
		return nil, err
	}
	s, err := parseDER(der)
	if err != nil {
		return nil, err
	}
	k.sealed = *s
	return k, nil
}

// parsePEM reads one PEM block as pem.Encode writes it, with nothing behind it
// but white space.
func parsePEM(b []byte) ([]byte, error) {
	block, rest := pem.Decode(b)
	if block == nil || block.Type != pemLabel {
		return nil, malformed("its PEM block is cut off or changed")
	}
	text := append(bytes.TrimSpace(b[:len(b)-len(rest)]), '\n')
	if len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 || !bytes.Equal(text, pem.EncodeToMemory(block)) {
		return nil, malformed("there is more in it than one PEM block below its comments")
	}
	return block.Bytes, nil
}

// parseComments reads what stands above the PEM block: blank lines and comments,
// of which three kinds have a meaning.
func parseComments(b []byte) (*Key, error) {
	found := make(map[string]string)
	for line := range bytes.Lines(b) {
		text := strings.TrimSpace(string(line))
		if text == "" {
			continue
		}
		comment, ok := strings.CutPrefix(text, commentMark)
		if !ok {
			return nil, malformed("above its PEM block there is more than comments")
		}
		name, value, _ := strings.Cut(strings.TrimSpace(comment), commentSep)
		switch name {
		case commentRecipient, commentSRK, commentEK:
			if _, twice := found[name]; twice {
				return nil, malformed("two comments %q", name)
			}
			found[name] = strings.TrimSpace(value)
		}
	}
	return keyOf(found)
}

// keyOf makes the first part of a key of the comments.
func keyOf(comments map[string]string) (*Key, error) {
	k := &Key{}
	var err error
	if k.recipient, err = keyslot.ParseHPKERecipient(comments[commentRecipient]); err != nil {
		return nil, malformed("the comment %q is missing or wrong: %v", commentRecipient, err)
	}
	if k.srk = parseName(comments[commentSRK]); k.srk == nil {
		return nil, malformed("the comment %q is missing or not a Name", commentSRK)
	}
	if ek, ok := comments[commentEK]; ok {
		if k.ek = parseName(ek); k.ek == nil {
			return nil, malformed("the comment %q is not a Name", commentEK)
		}
	}
	return k, nil
}

// parseName reads a Name in hexadecimal digits; nil if it is none.
func parseName(s string) []byte {
	if name, err := hex.DecodeString(s); err == nil && isName(name) {
		return name
	}
	return nil
}

// isName reports whether b is a Name with SHA-256 (Part 1, 16, "names"): the
// algorithm's number, then the hash.
func isName(b []byte) bool {
	const sha256Name = 2 + 32
	return len(b) == sha256Name && b[0] == 0x00 && b[1] == 0x0b
}
