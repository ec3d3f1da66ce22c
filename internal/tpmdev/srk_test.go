package tpmdev

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

// made is the response of a TPM that made the key.
func made(t testing.TB, public tpm2.TPMTPublic) *tpm2.CreatePrimaryResponse {
	t.Helper()
	name, err := tpm2.ObjectName(&public)
	if err != nil {
		t.Fatal(err)
	}
	return &tpm2.CreatePrimaryResponse{ObjectHandle: 0x80000000, OutPublic: tpm2.New2B(public), Name: *name}
}

// p256G is a point on the curve: its generator.
var p256G = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
	X: tpm2.TPM2BECCParameter{Buffer: unhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")},
	Y: tpm2.TPM2BECCParameter{Buffer: unhex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")},
})

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// The key that comes must be the key that was asked for.
func TestTakeSRK(t *testing.T) {
	key := srkTemplate
	key.Unique = p256G
	var k SRK
	if err := k.take(made(t, key)); err != nil || len(k.Name) != 34 {
		t.Errorf("a good key: %v", err)
	}
	for name, change := range map[string]func(*tpm2.TPMTPublic){
		"exportable":   func(p *tpm2.TPMTPublic) { p.ObjectAttributes.FixedTPM = false },
		"unrestricted": func(p *tpm2.TPMTPublic) { p.ObjectAttributes.Restricted = false },
		"signing":      func(p *tpm2.TPMTPublic) { p.ObjectAttributes.SignEncrypt = true },
		"policy":       func(p *tpm2.TPMTPublic) { p.AuthPolicy.Buffer = make([]byte, 32) },
		"SHA-384":      func(p *tpm2.TPMTPublic) { p.NameAlg = tpm2.TPMAlgSHA384 },
		"RSA":          func(p *tpm2.TPMTPublic) { *p = tpm2.RSASRKTemplate },
	} {
		other := key
		change(&other)
		var k SRK
		if err := k.take(made(t, other)); !errors.Is(err, errWrongSRK) || k.Name != nil {
			t.Errorf("%s: %v, want errWrongSRK", name, err)
		}
	}
	rsp := made(t, key)
	rsp.Name.Buffer[5] ^= 1
	if err := k.take(rsp); !errors.Is(err, errWrongSRK) {
		t.Errorf("another name: %v, want errWrongSRK", err)
	}
}
