package epoch

import (
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/binary"

	"bulla/keyslot"
)

// A chain is c(t), and t.
type chain struct {
	c [chainSize]byte
	t int
}

const (
	chainSize = 64 // bytes, of c(t)
	seedSize  = 32 // of seed(t)

	labelNext = "bulla/v2 epoch next"
	labelKey  = "bulla/v2 epoch key"
)

// expand derives n bytes from c(t).
func (c *chain) expand(label string, n int) []byte {
	info := binary.BigEndian.AppendUint64([]byte(label), uint64(c.t))
	out, err := hkdf.Expand(sha512.New, c.c[:], string(info), n)
	if err != nil { // of lengths that HKDF does not have
		panic("internal error: " + err.Error())
	}
	return out
}

// to is the chain at a later epoch. c stays as it is (EPOCH-1).
func (c chain) to(t int) chain {
	for ; c.t < t; c.t++ {
		next := c.expand(labelNext, chainSize)
		copy(c.c[:], next)
		clear(next)
	}
	return c
}

// identity is the key of epoch t (EPOCH-2).
func (c *chain) identity() (*keyslot.HPKEIdentity, error) {
	seed := c.expand(labelKey, seedSize)
	defer clear(seed)
	return keyslot.NewHPKEIdentity(seed)
}
