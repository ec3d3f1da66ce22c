package stream_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"strings"

	"bulla/entropy"
	"bulla/keyslot"
	"bulla/stream"
)

// exampleKey is a key for these examples. A recipient that many may encrypt to
// is in keyslot too.
func exampleKey() *keyslot.KEK {
	key, err := keyslot.GenerateKEK(entropy.Default())
	if err != nil {
		log.Fatal(err)
	}
	return key
}

// sealed is a container with what fill writes.
func sealed(key *keyslot.KEK, fill func(io.Writer) error) *bytes.Reader {
	var container bytes.Buffer
	w, err := stream.NewWriter(context.Background(), &container, []stream.Recipient{key}, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := fill(w); err != nil {
		w.Abort(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	return bytes.NewReader(container.Bytes())
}

// Encrypting and decrypting a stream. The plaintext is complete only when
// WriteTo has returned without an error.
func Example() {
	ctx, key := context.Background(), exampleKey()

	var container bytes.Buffer
	w, err := stream.NewWriter(ctx, &container, []stream.Recipient{key}, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.ReadFrom(strings.NewReader("What it held could not be changed without breaking it.")); err != nil {
		log.Fatal(err) // and Close would refuse
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	r, err := stream.NewReader(ctx, &container, []stream.Identity{key}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	var plaintext strings.Builder
	if _, err := io.Copy(&plaintext, r); err != nil {
		log.Fatal(err)
	}
	fmt.Println(plaintext.String())
	// Output: What it held could not be changed without breaking it.
}

// A ReaderAt gives any part of a container, here to a bufio.Scanner or whatever
// else takes an io.Reader, without reading the rest.
func ExampleReaderAt() {
	key := exampleKey()
	container := sealed(key, func(w io.Writer) error {
		for i := range 100_000 {
			if _, err := fmt.Fprintf(w, "line %6d\n", i); err != nil {
				return err
			}
		}
		return nil
	})

	r, err := stream.NewReaderAt(context.Background(), container, container.Size(), []stream.Identity{key}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	const line = 12
	part, err := io.ReadAll(io.NewSectionReader(r, 77_777*line, 2*line))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(part))
	// Output:
	// line  77777
	// line  77778
}

// With its size a ReaderAt is all that package zip asks of an archive.
func ExampleReaderAt_zip() {
	key := exampleKey()
	container := sealed(key, func(w io.Writer) error {
		archive := zip.NewWriter(w)
		for _, name := range []string{"a.txt", "b.txt"} {
			member, err := archive.Create(name)
			if err != nil {
				return err
			}
			if _, err := io.WriteString(member, "this is "+name); err != nil {
				return err
			}
		}
		return archive.Close()
	})

	r, err := stream.NewReaderAt(context.Background(), container, container.Size(), []stream.Identity{key}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	size, err := r.Size()
	if err != nil {
		log.Fatal(err)
	}
	archive, err := zip.NewReader(r, size)
	if err != nil {
		log.Fatal(err)
	}
	member, err := archive.Open("b.txt")
	if err != nil {
		log.Fatal(err)
	}
	content, err := io.ReadAll(member)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(content))
	// Output: this is b.txt
}

// Verify authenticates all of a container and says what is wrong with it, with
// the clause of the specification and the place.
func ExampleVerify() {
	key := exampleKey()
	container := sealed(key, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 200_000))
		return err
	})
	damaged := make([]byte, container.Size())
	container.ReadAt(damaged, 0)
	damaged[100_000] ^= 1

	report, err := stream.Verify(context.Background(), bytes.NewReader(damaged), int64(len(damaged)), []stream.Identity{key}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("valid:", report.Valid())
	for _, f := range report.Findings {
		fmt.Println(f)
	}
	// Output:
	// valid: false
	// CHUNK-1 violation at 69648+65552: chunk 1 failed authentication
}
