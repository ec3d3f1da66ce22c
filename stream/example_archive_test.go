package stream_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"bulla/stream"
)

// Through an io.SectionReader, which can seek, package tar goes from header to
// header and passes over the data that nobody asks for.
func ExampleReaderAt_tar() {
	key := exampleKey()
	container := sealed(key, func(w io.Writer) error {
		archive := tar.NewWriter(w)
		for _, name := range []string{"a.txt", "b.txt", "c.txt"} {
			content := "this is " + name
			if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
				return err
			}
			if _, err := io.WriteString(archive, content); err != nil {
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
	archive := tar.NewReader(io.NewSectionReader(r, 0, size))
	for {
		member, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		if member.Name != "b.txt" {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(content))
	}
	// Output: this is b.txt
}

// A web server that opens what it is asked for, and keeps only the container.
func ExampleReaderAt_http() {
	key := exampleKey()
	container := sealed(key, func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("0123456789", 100_000))
		return err
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
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.ServeContent(w, req, "digits.txt", time.Time{}, io.NewSectionReader(r, 0, size))
	}))
	defer server.Close()

	req, err := http.NewRequest(http.MethodGet, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Range", "bytes=777773-777777")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	part, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Status)
	fmt.Println(resp.Header.Get("Content-Range"))
	fmt.Println(string(part))
	// Output:
	// 206 Partial Content
	// bytes 777773-777777/1000000
	// 34567
}

// What is left of a damaged container comes back, each byte in its place, and
// what is lost is told.
func ExampleSalvage() {
	key := exampleKey()
	container := sealed(key, func(w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte("x"), 1_000_000))
		return err
	})
	damaged := make([]byte, container.Size())
	container.ReadAt(damaged, 0)
	clear(damaged[:4096])           // the head
	clear(damaged[300_000:300_010]) // a few bytes of chunk 4

	var out bytes.Buffer
	found, err := stream.Salvage(context.Background(), &out, bytes.NewReader(damaged), int64(len(damaged)), []stream.Identity{key}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found.Intact, "bytes of", found.Size, "are intact")
	fmt.Println("lost:", found.Lost)
	// Output:
	// 934464 bytes of 1000000 are intact
	// lost: [{262144 65536}]
}
