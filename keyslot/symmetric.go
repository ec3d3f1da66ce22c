package keyslot

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"bulla/entropy"
	"bulla/format"
	"bulla/slot"
)

// The wrapping that slot types 2 and 4 share (spec section 5). They differ in
// where IKM comes from:
//
//	OKM    = HKDF-SHA-512(IKM, salt, info, 64)
//	commit = OKM[0:32]
//	ct     = ChaCha20-Poly1305(OKM[32:64], nonce 0, no associated data, CEK)
//
// The salt is fresh for every slot (SLOT-5), so each wrapping key seals once and
// a fixed nonce is safe. ChaCha20-Poly1305 commits to no key: one ciphertext can
// be made to open under many, which would let a reader's answers test many
// passphrases at a time. commit, which is compared first, takes that away.
const okmSize = format.CommitSize + chacha20poly1305.KeySize

// purposeSalt names the draw of a slot's salt.
const purposeSalt = "slot salt"

var zeroNonce [chacha20poly1305.NonceSize]byte

// newSalt draws a fresh salt from m (SLOT-5).
func newSalt(m *entropy.Mixer) (salt [format.SaltSize]byte, err error) {
	err = m.Fill(purposeSalt, salt[:])
	return salt, err
}

// symmetricKey derives OKM: commit and the cipher of ct.
func symmetricKey(ikm []byte, salt *[format.SaltSize]byte, info []byte) (commit []byte, aead cipher.AEAD) {
	okm := must(hkdf.Key(sha512.New, ikm, salt[:], string(info), okmSize))
	key := okm[format.CommitSize:]
	defer clear(key)
	return okm[:format.CommitSize], must(chacha20poly1305.New(key))
}

// wrapSymmetric fills in what follows from b.Salt: commit and ct.
func wrapSymmetric(b *format.KEKBody, ikm, info, cek []byte) {
	commit, aead := symmetricKey(ikm, &b.Salt, info)
	copy(b.Commit[:], commit)
	aead.Seal(b.CT[:0], zeroNonce[:], cek, nil)
}

// unwrapSymmetric opens b. Its error wraps [slot.ErrIncorrectIdentity] when ikm is not
// the one that b was made with, and [format.ErrForged] when it is and ct still
// does not open.
func unwrapSymmetric(b *format.KEKBody, ikm, info []byte) ([]byte, error) {
	commit, aead := symmetricKey(ikm, &b.Salt, info)
	// PASS-4, KEK-2: before ct, and in constant time.
	if subtle.ConstantTimeCompare(b.Commit[:], commit) != 1 {
		return nil, slot.ErrIncorrectIdentity
	}
	cek, err := aead.Open(nil, zeroNonce[:], b.CT[:], nil)
	if err != nil {
		return nil, fmt.Errorf("the key fits and the wrapped key does not open: %w", format.ErrForged)
	}
	return cek, nil
}
