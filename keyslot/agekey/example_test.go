package agekey_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"strings"

	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/stream"
)

// The keys that people have for age open containers, too. (This one is for this
// example, and nobody's.)
func Example() {
	const (
		public = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
		secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
	)
	recipients, err := keyslot.ParseRecipients(strings.NewReader(public), agekey.Recipients(nil))
	if err != nil {
		log.Fatal(err)
	}
	var container bytes.Buffer
	w, err := stream.NewWriter(context.Background(), &container, recipients, nil)
	if err != nil {
		log.Fatal(err)
	}
	w.ReadFrom(strings.NewReader("for a key of age"))
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	identities, err := agekey.ParseIdentityFile("key.txt", strings.NewReader(secret), nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	r, err := stream.NewReader(context.Background(), &container, identities, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	plaintext, err := io.ReadAll(r)
	fmt.Println(string(plaintext), err)
	// Output: for a key of age <nil>
}
