package xwing_test

import (
	"crypto/hpke"
	"testing"

	"bulla/entropy"
	"bulla/internal/xwing"
)

// The sizes are the receiver's. The KEM itself is held to the draft's vector by
// package keyslot's tests, together with the schedule that it feeds.
func TestSizes(t *testing.T) {
	kem := hpke.MLKEM768X25519()
	k, err := kem.NewPrivateKey(make([]byte, xwing.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	public := k.PublicKey().Bytes()
	if len(public) != xwing.PublicSize {
		t.Fatalf("a public key has %d bytes, not %d", len(public), xwing.PublicSize)
	}
	p, err := xwing.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	secret, enc, err := p.Encapsulate(entropy.Default())
	if err != nil || len(secret) != 32 || len(enc) != xwing.EncSize {
		t.Fatalf("a secret of %d bytes in %d, %v", len(secret), len(enc), err)
	}
}
