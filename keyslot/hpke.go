package keyslot

import (
	"context"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/bech32"
	"bulla/internal/xwing"
	"bulla/slot"
)

// Slot type 1: RFC 9180, single-shot base mode, with
//
//	KEM   647a  MLKEM768-X25519, see internal/xwing
//	KDF   0001  HKDF-SHA256
//	AEAD  0003  ChaCha20-Poly1305
//
// The sender is this file's own, for the sake of the ephemeral (see internal/xwing);
// the receiver is the standard library's.
const hpkeSuite = "HPKE" + "\x64\x7a" + "\x00\x01" + "\x00\x03" // suite_id

// The encodings of keys, which are age's.
const (
	hpkeRecipientPrefix = "age1pq"
	hpkeIdentityPrefix  = "AGE-SECRET-KEY-PQ-"
)

// An HPKERecipient is a post-quantum public key, "age1pq1…". It is safe for
// concurrent use.
type HPKERecipient struct {
	key  *xwing.PublicKey
	text string
}

// NewHPKERecipient makes a recipient of a public key of 1,216 bytes: the
// ML-KEM-768 encapsulation key, then the X25519 public key.
func NewHPKERecipient(public []byte) (*HPKERecipient, error) {
	key, err := xwing.NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("post-quantum recipient: %w", err)
	}
	return &HPKERecipient{key, bech32.Encode(hpkeRecipientPrefix, public)}, nil
}

// ParseHPKERecipient reads a recipient in text: "age1pq1…", in lower case.
func ParseHPKERecipient(s string) (*HPKERecipient, error) {
	prefix, public, err := bech32.Decode(s)
	if err != nil {
		return nil, fmt.Errorf("post-quantum recipient: %w", err)
	}
	if prefix != hpkeRecipientPrefix {
		return nil, errors.New("post-quantum recipient: it does not begin with age1pq1")
	}
	return NewHPKERecipient(public)
}

// String is the recipient in text, as age-keygen -y writes it.
func (r *HPKERecipient) String() string { return r.text }

// Type is [format.SlotHPKE].
func (r *HPKERecipient) Type() format.SlotType { return format.SlotHPKE }

// Canonical is the recipient in text.
func (r *HPKERecipient) Canonical() string { return r.text }

// BodySize is [format.HPKEBodySize], exactly.
func (r *HPKERecipient) BodySize() int { return format.HPKEBodySize }

// Class is [format.PostQuantum].
func (r *HPKERecipient) Class() format.Class { return format.PostQuantum }

// Wrap implements [Recipient].
func (r *HPKERecipient) Wrap(ctx context.Context, m *entropy.Mixer, p *format.Preamble, cek []byte) ([]byte, error) {
	if err := checkWrap(ctx, cek); err != nil {
		return nil, err
	}
	secret, enc, err := r.key.Encapsulate(m)
	if err != nil {
		return nil, fmt.Errorf("hpke slot: %w", err)
	}
	defer clear(secret)
	ct := hpkeSeal(secret, slotInfo(format.SlotHPKE, p), cek)
	body := format.HPKEBody{Enc: [format.HPKEEncSize]byte(enc), CT: [format.WrappedSize]byte(ct)}
	return body.Append(make([]byte, 0, format.HPKEBodySize)), nil
}

// hpkeSeal is RFC 9180's KeySchedule (section 5.1) in base mode and the first
// Seal (section 5.2) with empty associated data, whose nonce is the base nonce.
func hpkeSeal(secret, info, plaintext []byte) []byte {
	key, nonce := hpkeSchedule(secret, info)
	defer clear(key)
	return must(chacha20poly1305.New(key)).Seal(nil, nonce, plaintext, nil)
}

// hpkeSchedule derives the AEAD's key and base nonce. Mode base: a zero byte,
// an empty psk and an empty psk_id.
func hpkeSchedule(secret, info []byte) (key, nonce []byte) {
	const mode = 0
	context := append(append([]byte{mode}, hpkeExtract(nil, "psk_id_hash", nil)...), hpkeExtract(nil, "info_hash", info)...)
	prk := hpkeExtract(secret, "secret", nil)
	defer clear(prk)
	return hpkeExpand(prk, "key", context, chacha20poly1305.KeySize), hpkeExpand(prk, "base_nonce", context, chacha20poly1305.NonceSize)
}

// hpkeLabel begins the input of every extraction and expansion (section 4).
const hpkeLabel = "HPKE-v1" + hpkeSuite

// hpkeExtract is RFC 9180's LabeledExtract.
func hpkeExtract(salt []byte, label string, ikm []byte) []byte {
	labeled := append([]byte(hpkeLabel+label), ikm...)
	defer clear(labeled)
	return must(hkdf.Extract(sha256.New, labeled, salt))
}

// hpkeExpand is RFC 9180's LabeledExpand.
func hpkeExpand(prk []byte, label string, info []byte, n int) []byte {
	labeled := binary.BigEndian.AppendUint16(nil, uint16(n))
	return must(hkdf.Expand(sha256.New, prk, string(labeled)+hpkeLabel+label+string(info), n))
}

// An HPKEIdentity is a post-quantum secret key, "AGE-SECRET-KEY-PQ-1…". It is
// safe for concurrent use.
type HPKEIdentity struct {
	key       hpke.PrivateKey
	recipient *HPKERecipient
}

// GenerateIdentity makes a new identity of a seed drawn from m; nil means
// [entropy.Default].
func GenerateIdentity(m *entropy.Mixer) (*HPKEIdentity, error) {
	seed := make([]byte, xwing.SeedSize)
	defer clear(seed)
	if err := m.Fill("identity seed", seed); err != nil {
		return nil, err
	}
	return NewHPKEIdentity(seed)
}

// NewHPKEIdentity makes the identity of a seed of 32 bytes, which stays the
// caller's. Every seed is valid.
func NewHPKEIdentity(seed []byte) (*HPKEIdentity, error) {
	if len(seed) != xwing.SeedSize {
		return nil, fmt.Errorf("post-quantum identity: a seed of %d bytes, not %d", len(seed), xwing.SeedSize)
	}
	key := must(hpke.MLKEM768X25519().NewPrivateKey(seed))
	return &HPKEIdentity{key, must(NewHPKERecipient(key.PublicKey().Bytes()))}, nil
}

// ParseHPKEIdentity reads an identity in text: "AGE-SECRET-KEY-PQ-1…", in
// upper case.
func ParseHPKEIdentity(s string) (*HPKEIdentity, error) {
	prefix, seed, err := bech32.Decode(s)
	if err != nil {
		return nil, fmt.Errorf("post-quantum identity: %w", err)
	}
	defer clear(seed)
	if prefix != hpkeIdentityPrefix {
		return nil, errors.New("post-quantum identity: it does not begin with AGE-SECRET-KEY-PQ-1")
	}
	return NewHPKEIdentity(seed)
}

// Recipient is the public half of i, an [*HPKERecipient].
func (i *HPKEIdentity) Recipient() Recipient { return i.recipient }

// Format implements [fmt.Formatter]: every verb prints the recipient, so that an
// identity that ends up in a message gives nothing away.
func (i HPKEIdentity) Format(f fmt.State, _ rune) {
	io.WriteString(f, "identity of "+i.recipient.String())
}

// String is the identity in text, as age-keygen -pq writes it: a secret. Package
// fmt does not call it.
func (i *HPKEIdentity) String() string {
	return bech32.Encode(hpkeIdentityPrefix, must(i.key.Bytes())) // which was made of a seed
}

// Accepts implements [Identity].
func (i *HPKEIdentity) Accepts(t format.SlotType) bool { return t == format.SlotHPKE }

// Unwrap implements [Identity].
func (i *HPKEIdentity) Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) ([]byte, error) {
	if err := checkUnwrap(ctx, i, s); err != nil {
		return nil, err
	}
	body, err := format.ParseHPKEBody(s.Body) // HPKE-1
	if err != nil {
		return nil, err
	}
	r, err := hpke.NewRecipient(body.Enc[:], i.key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), slotInfo(s.Type, p))
	if err != nil {
		// An enc for another key decapsulates to nonsense, without an error
		// (implicit rejection). Here is one that nobody can have made in good
		// faith: its X25519 half is of low order.
		return nil, fmt.Errorf("hpke slot: %w: %w", format.ErrMalformed, err)
	}
	cek, err := r.Open(nil, body.CT[:])
	if err != nil {
		return nil, fmt.Errorf("hpke slot: %w", slot.ErrIncorrectIdentity)
	}
	return cek, nil
}
