package keyslot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"

	"bulla/entropy"
	"bulla/format"
)

// KEKSize is the length of a key-encryption key in bytes.
const KEKSize = 32

// MaxKEKFile is the length in bytes of the longest file that holds a KEK: 64
// hexadecimal digits and a line end. Who reads a KEK file reads no more than
// one byte beyond.
const MaxKEKFile = 2*KEKSize + len("\r\n")

var (
	errKEKFile = fmt.Errorf("not a key file: expected exactly %d bytes, %d hexadecimal digits or %d characters of Base64",
		KEKSize, hex.EncodedLen(KEKSize), base64.StdEncoding.EncodedLen(KEKSize))
	errKEKText = fmt.Errorf("not a key file: its %d bytes are all text, so they are no key of %[1]d random bytes", KEKSize)
)

// A KEK is a symmetric key-encryption key: slot type 4. It is both the
// recipient and the identity, and safe for concurrent use.
type KEK struct{ key [KEKSize]byte }

// GenerateKEK makes a new KEK with key material from m.
func GenerateKEK(m *entropy.Mixer) (*KEK, error) {
	k := &KEK{}
	if err := m.Fill("kek", k.key[:]); err != nil {
		return nil, err
	}
	return k, nil
}

// NewKEK makes a KEK of its 32 bytes, which it copies.
func NewKEK(key []byte) (*KEK, error) {
	if len(key) != KEKSize {
		return nil, fmt.Errorf("a key-encryption key of %d bytes, not %d", len(key), KEKSize)
	}
	return &KEK{[KEKSize]byte(key)}, nil
}

// ParseKEK reads what a KEK file holds: the 32 bytes as they are, or in text as
// 64 hexadecimal digits of either case or as 44 characters of padded standard
// Base64. Text may end in one line end, LF or CRLF.
//
// The length decides which it is, and it can, since no form has the length of
// another with or without a line end. Raw bytes take no line end: a file of 33
// bytes is refused, because whatever added a byte may have changed others; and
// in a file of 32 bytes a last byte of 0a belongs to the key. There is one file
// of 32 bytes that length alone gets wrong: a line of text, be it 31 characters
// of passphrase and a line end or a 128-bit key in hexadecimal digits, whose
// strength is far from 256 bits. So 32 bytes that are all printable ASCII or
// white space are refused; of random keys that meets one in 2^43.
func ParseKEK(file []byte) (*KEK, error) {
	if len(file) == KEKSize {
		if isText(file) {
			return nil, errKEKText
		}
		return NewKEK(file)
	}
	text := file
	if t, ok := bytes.CutSuffix(text, []byte("\n")); ok {
		text = bytes.TrimSuffix(t, []byte("\r"))
	}
	key := make([]byte, 0, MaxKEKFile)
	defer func() { clear(key[:cap(key)]) }()
	var err error
	switch len(text) {
	case hex.EncodedLen(KEKSize):
		key, err = hex.AppendDecode(key, text)
	case base64.StdEncoding.EncodedLen(KEKSize):
		// The decoder passes over line ends: a length of 32 says there were none.
		key, err = base64.StdEncoding.Strict().AppendDecode(key, text)
	default:
		return nil, errKEKFile
	}
	if err != nil || len(key) != KEKSize {
		return nil, errKEKFile // err would quote the file
	}
	return NewKEK(key)
}

// isText reports whether b is nothing but printable ASCII and white space.
func isText(b []byte) bool {
	for _, c := range b {
		if (c < ' ' || c > '~') && (c < '\t' || c > '\r') {
			return false
		}
	}
	return true
}

// Encode returns the contents of a KEK file: the key in Base64 and a line end.
// It is a secret.
func (k *KEK) Encode() []byte {
	return append(base64.StdEncoding.AppendEncode(nil, k.key[:]), '\n')
}

// Format implements [fmt.Formatter]: no verb prints the key.
func (k KEK) Format(f fmt.State, _ rune) { io.WriteString(f, "key-encryption key") }

// Type is [format.SlotKEK].
func (k *KEK) Type() format.SlotType { return format.SlotKEK }

// Canonical is "kek:" and the SHA-256 of the key in hexadecimal digits.
func (k *KEK) Canonical() string {
	sum := sha256.Sum256(k.key[:])
	return "kek:" + hex.EncodeToString(sum[:])
}

// BodySize is [format.KEKBodySize], exactly.
func (k *KEK) BodySize() int { return format.KEKBodySize }

// Class is [format.Neutral].
func (k *KEK) Class() format.Class { return format.Neutral }

// Wrap implements [Recipient].
func (k *KEK) Wrap(ctx context.Context, m *entropy.Mixer, p *format.Preamble, cek []byte) ([]byte, error) {
	if err := checkWrap(ctx, cek); err != nil {
		return nil, err
	}
	salt, err := newSalt(m)
	if err != nil {
		return nil, fmt.Errorf("kek slot: %w", err)
	}
	b := format.KEKBody{Salt: salt}
	wrapSymmetric(&b, k.key[:], slotInfo(format.SlotKEK, p), cek)
	return b.Append(make([]byte, 0, format.KEKBodySize)), nil
}

// Recipient is k itself.
func (k *KEK) Recipient() Recipient { return k }

// Accepts implements [Identity].
func (k *KEK) Accepts(t format.SlotType) bool { return t == format.SlotKEK }

// Unwrap implements [Identity].
func (k *KEK) Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) ([]byte, error) {
	if err := checkUnwrap(ctx, k, s); err != nil {
		return nil, err
	}
	b, err := format.ParseKEKBody(s.Body) // KEK-1
	if err != nil {
		return nil, err
	}
	cek, err := unwrapSymmetric(b, k.key[:], slotInfo(s.Type, p))
	if err != nil {
		return nil, fmt.Errorf("kek slot: %w", err)
	}
	return cek, nil
}
