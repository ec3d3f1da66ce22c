//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"sync"
	"time"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// A contest is two pieces of work in this process, the second of which is what
// the first could be at best.
type contest struct {
	name         string
	size         int64 // of the plaintext, which the rates go by
	goal         float64
	ours, theirs func() error
}

// inMemory runs what needs no files.
func inMemory(n int64, filter *regexp.Regexp) error {
	for _, contests := range []func() ([]contest, error){
		func() ([]contest, error) { return streams(n) },
		codecs,
	} {
		all, err := contests()
		if err != nil {
			return err
		}
		for _, c := range all {
			if !filter.MatchString(c.name) {
				continue
			}
			if err := c.compare(); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// compare times the two in turn and prints the result.
func (c *contest) compare() error {
	var ours, theirs []time.Duration
	for range *rounds {
		for _, side := range []struct {
			work func() error
			took *[]time.Duration
		}{{c.ours, &ours}, {c.theirs, &theirs}} {
			start := time.Now()
			if err := side.work(); err != nil {
				return err
			}
			*side.took = append(*side.took, time.Since(start))
		}
	}
	report(c.name, median(ours), median(theirs), c.size, c.goal, 0)
	return nil
}

// streams compares the streams with what the processor can do at best: AES-GCM
// over buffers that stay in its caches, on every core at once.
func streams(n int64) ([]contest, error) {
	id, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	var container bytes.Buffer
	write := func(dst io.Writer) error {
		w, err := stream.NewWriter(ctx, dst, []stream.Recipient{id.Recipient()}, &stream.WriterOptions{Suite: format.AES256GCM})
		if err != nil {
			return err
		}
		if _, err := w.ReadFrom(io.LimitReader(zeros{}, n)); err != nil {
			return err
		}
		return w.Close()
	}
	if err := write(&container); err != nil {
		return nil, err
	}
	ids := []stream.Identity{id}
	raw := func() error { rawGCM(n); return nil }
	return []contest{
		{"memory/Writer vs raw AES-GCM", n, 0.9, func() error { return write(io.Discard) }, raw},
		{"memory/Reader vs raw AES-GCM", n, 0, func() error {
			r, err := stream.NewReader(ctx, bytes.NewReader(container.Bytes()), ids, nil)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(io.Discard, r)
			return err
		}, raw},
		{"memory/Verify vs raw AES-GCM", n, 0.55, func() error {
			_, err := stream.Verify(ctx, bytes.NewReader(container.Bytes()), int64(container.Len()), ids, nil)
			return err
		}, raw},
	}, nil
}

// zeros is an endless source that costs nothing.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// rawGCM seals n bytes in chunks, shared by all cores.
func rawGCM(n int64) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	cores := runtime.GOMAXPROCS(0)
	var all sync.WaitGroup
	for range cores {
		all.Go(func() {
			nonce := make([]byte, gcm.NonceSize())
			in := make([]byte, 4*format.ChunkSize)
			out := make([]byte, 0, 4*format.SealedChunkSize)
			for done := int64(0); done < n/int64(cores); done += int64(len(in)) {
				out = out[:0]
				for i := 0; i < len(in); i += format.ChunkSize {
					out = gcm.Seal(out, nonce, in[i:i+format.ChunkSize], nil)
				}
			}
		})
	}
	all.Wait()
}
