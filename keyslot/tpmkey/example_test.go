package tpmkey_test

import (
	"context"
	"log"
	"os"
	"strings"

	"bulla/entropy"
	"bulla/keyslot/tpmkey"
	"bulla/stream"
)

// A key is sealed to the TPM of this machine, with a PIN. Encrypting to it takes no
// TPM. (This example is not run: few machines that test have one.)
func Example() {
	ctx := context.Background()
	key, err := tpmkey.Generate(ctx, entropy.Default(), &tpmkey.Options{PIN: []byte("123456")})
	if err != nil {
		log.Fatal(err)
	}
	file, err := key.Encode()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("laptop.pem", file, 0o600); err != nil { // no secret is in it
		log.Fatal(err)
	}

	f, err := os.Create("letter.bulla")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	w, err := stream.NewWriter(ctx, f, []stream.Recipient{key.Recipient()}, nil)
	if err != nil {
		log.Fatal(err)
	}
	w.ReadFrom(strings.NewReader("for this machine alone"))
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
}
