package keyfile_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bulla/entropy"
	"bulla/keyslot"
	"bulla/keyslot/keyfile"
	"bulla/stream"
)

// A key file is written, its public half is given to whoever encrypts, and the file
// opens what was encrypted.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "key.txt")
	id, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		log.Fatal(err)
	}
	file, err := keyfile.Encode(id, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(name, file, 0o600); err != nil {
		log.Fatal(err)
	}

	recipients, err := keyfile.ParseRecipients(strings.NewReader(id.Recipient().Canonical()+"\n"), nil)
	if err != nil {
		log.Fatal(err)
	}
	var container bytes.Buffer
	w, err := stream.NewWriter(context.Background(), &container, recipients, nil)
	if err != nil {
		log.Fatal(err)
	}
	w.ReadFrom(strings.NewReader("from a file of keys"))
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	f, err := os.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	identities, err := keyfile.ParseIdentities(name, f, nil)
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
	// Output: from a file of keys <nil>
}
