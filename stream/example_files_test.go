package stream_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"bulla/entropy"
	"bulla/keyslot"
	"bulla/stream"
)

// A file is encrypted to a public key, and decrypted with its identity, to another
// file. What is written so far is kept only when all of it was authentic.
func Example_files() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := func(s string) string { return filepath.Join(dir, s) }
	identity, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(name("letter"), []byte("Sealed in clay."), 0o600); err != nil {
		log.Fatal(err)
	}

	if err := encryptFile(name("letter"), name("letter.bulla"), identity.Recipient()); err != nil {
		log.Fatal(err)
	}
	if err := decryptFile(name("letter.bulla"), name("copy"), identity); err != nil {
		log.Fatal(err)
	}
	b, err := os.ReadFile(name("copy"))
	fmt.Println(string(b), err)
	// Output: Sealed in clay. <nil>
}

func encryptFile(from, to string, who stream.Recipient) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	w, err := stream.NewWriter(context.Background(), dst, []stream.Recipient{who}, nil)
	if err != nil {
		return err
	}
	w.ReadFrom(src) // an error of src sticks: Close returns it
	if err := w.Close(); err != nil {
		return err
	}
	return dst.Sync()
}

func decryptFile(from, to string, key stream.Identity) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	st, err := src.Stat()
	if err != nil {
		return err
	}
	r, err := stream.NewReaderAt(context.Background(), src, st.Size(), []stream.Identity{key}, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	if _, err := r.WriteTo(dst); err != nil {
		os.Remove(to) // a part of the plaintext
		return err
	}
	return dst.Sync()
}
