package format_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// What a file is shows without any key.
func Example() {
	f, err := os.CreateTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	seal(f, "What it held could not be changed without breaking it.")

	st, err := f.Stat()
	if err != nil {
		log.Fatal(err)
	}
	report := format.Check(f, st.Size())
	d, err := report.Describe(nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("valid, as far as shows without a key:", report.Valid())
	fmt.Println(d.Size, "bytes for", *d.Plaintext, "of plaintext, generation", d.Generation)
	for _, s := range d.Slots {
		fmt.Println(s.Type, "-", s.Text)
	}

	// A byte of the tail is flipped.
	if _, err := f.WriteAt([]byte("?"), st.Size()-100); err != nil {
		log.Fatal(err)
	}
	for _, finding := range format.Check(f, st.Size()).Findings {
		fmt.Println(finding.Clause, "at byte", finding.Offset)
	}
	// Output:
	// valid, as far as shows without a key: true
	// 8262 bytes for 54 of plaintext, generation 1
	// hpke - post-quantum public key
	// TAIL-1 at byte 4166
}

// seal writes a container for a new public key.
func seal(f *os.File, text string) {
	id, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		log.Fatal(err)
	}
	w, err := stream.NewWriter(context.Background(), f, []stream.Recipient{id.Recipient()}, &stream.WriterOptions{Suite: format.AES256GCM})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
}
