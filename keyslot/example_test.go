package keyslot_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"bulla/entropy"
	"bulla/keyslot"
	"bulla/stream"
)

// A recipients file and an identity file: whoever has the first encrypts, whoever
// has the second decrypts.
func Example() {
	identity, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		log.Fatal(err)
	}
	team := "# the team\n" + identity.Recipient().Canonical() + "\n"
	secret := identity.String()

	f, err := os.CreateTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()

	recipients, err := keyslot.ParseRecipients(strings.NewReader(team))
	if err != nil {
		log.Fatal(err)
	}
	w, err := stream.NewWriter(context.Background(), f, recipients, nil)
	if err != nil {
		log.Fatal(err)
	}
	w.ReadFrom(strings.NewReader("for the team"))
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	identities, err := keyslot.ParseIdentities(strings.NewReader(secret))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		log.Fatal(err)
	}
	r, err := stream.NewReader(context.Background(), f, identities, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	plaintext, err := io.ReadAll(r)
	fmt.Println(string(plaintext), err)
	// Output: for the team <nil>
}
