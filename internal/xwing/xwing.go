// Package xwing is the sender's half of MLKEM768-X25519 (X-Wing), the KEM of slot
// type 1: draft-ietf-hpke-pq, KEM 0x647a.
//
// The standard library's sender takes all its coins from crypto/rand. Here the
// X25519 ephemeral comes from the mixer, so that a key which hardware made good
// is not given away by a wrapping that a predictable system generator made. The
// coins of ML-KEM remain the system's: the standard library offers no other
// way, outside of its tests, to encapsulate.
//
//	public key   ML-KEM-768 encapsulation key (1184) || X25519 public key (32)
//	enc          ML-KEM-768 ciphertext (1088)        || X25519 ephemeral   (32)
package xwing

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/sha3"
	"errors"
	"fmt"

	"bulla/entropy"
)

// Sizes in bytes.
const (
	X25519Size = 32
	PublicSize = mlkem.EncapsulationKeySize768 + X25519Size
	SeedSize   = 32
	EncSize    = mlkem.CiphertextSize768 + X25519Size
)

// label ends the input of the combiner, so that no other hybrid of the
// same parts gives the same secret.
const label = `\./` + `/^\`

// Purpose names the mixer's draw of the X25519 ephemeral.
const Purpose = "x25519 ephemeral"

// A PublicKey is what one encapsulates to.
type PublicKey struct {
	PQ *mlkem.EncapsulationKey768
	X  *ecdh.PublicKey
}

// NewPublicKey reads a public key of PublicSize bytes.
func NewPublicKey(b []byte) (*PublicKey, error) {
	if len(b) != PublicSize {
		return nil, fmt.Errorf("a public key of %d bytes, not %d", len(b), PublicSize)
	}
	pq, err := mlkem.NewEncapsulationKey768(b[:mlkem.EncapsulationKeySize768])
	if err != nil {
		return nil, errors.New("not a public key of ML-KEM-768")
	}
	x, err := ecdh.X25519().NewPublicKey(b[mlkem.EncapsulationKeySize768:])
	if err != nil {
		return nil, errors.New("not a public key of X25519")
	}
	// A point of low order gives the same secret, zero, with every scalar; one
	// scalar is enough to tell.
	probe, err := ecdh.X25519().NewPrivateKey(make([]byte, X25519Size))
	if err != nil {
		return nil, fmt.Errorf("x25519: %w", err)
	}
	if _, err := probe.ECDH(x); err != nil {
		return nil, errors.New("its X25519 half is a point of low order")
	}
	return &PublicKey{pq, x}, nil
}

// Encapsulate makes a shared secret, 32 bytes, and the enc that carries it.
func (k *PublicKey) Encapsulate(m *entropy.Mixer) (secret, enc []byte, err error) {
	scalar := make([]byte, X25519Size)
	defer clear(scalar)
	if err := m.Fill(Purpose, scalar); err != nil {
		return nil, nil, err
	}
	pqSecret, pqCiphertext := k.PQ.Encapsulate()
	return k.Combine(scalar, pqSecret, pqCiphertext)
}

// Combine is Encapsulate without randomness: scalar is the X25519 ephemeral,
// the rest what ML-KEM's encapsulation gave, whose secret it clears.
func (k *PublicKey) Combine(scalar, pqSecret, pqCiphertext []byte) (secret, enc []byte, err error) {
	defer clear(pqSecret)
	ephemeral, err := ecdh.X25519().NewPrivateKey(scalar)
	if err != nil {
		return nil, nil, fmt.Errorf("x25519: %w", err)
	}
	xSecret, err := ephemeral.ECDH(k.X)
	if err != nil {
		return nil, nil, fmt.Errorf("x25519: %w", err)
	}
	defer clear(xSecret)
	xPublic := ephemeral.PublicKey().Bytes()

	h := sha3.New256()
	for _, part := range [][]byte{pqSecret, xSecret, xPublic, k.X.Bytes(), []byte(label)} {
		h.Write(part)
	}
	return h.Sum(nil), append(pqCiphertext, xPublic...), nil
}
