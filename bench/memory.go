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
	"slices"
	"syscall"
	"time"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// A contest is two pieces of work in this process, the second of which is what
// the first could be at best.
type contest struct {
	size          int64 // of the plaintext, which the rates go by
	goal          float64
	ours, against string // what they are, in words
	work, limit   func() error
}

// inMemory runs what needs no files, and gives each result to done.
func inMemory(n int64, filter *regexp.Regexp, done func(Case)) error {
	for _, some := range []struct {
		table string
		names []string
		make  func(n int64) ([]contest, error) // of these names
	}{
		{"limits", []string{"memory/Writer vs sealing alone", "memory/Reader vs opening alone", "memory/Verify vs opening alone"}, streams},
		{"compress", []string{"memory/compress -1 vs codec alone", "memory/compress -3 vs codec alone", "memory/decompress vs codec alone"}, codecs},
	} {
		if !slices.ContainsFunc(some.names, filter.MatchString) {
			continue // making them takes memory and time
		}
		all, err := some.make(n)
		if err != nil {
			return err
		}
		for i, c := range all {
			if !filter.MatchString(some.names[i]) {
				continue
			}
			result := Case{Name: some.names[i], Table: some.table, Size: c.size, AtLeast: c.goal}
			if err := c.compare(&result); err != nil {
				return fmt.Errorf("%s: %w", result.Name, err)
			}
			done(result)
		}
	}
	return nil
}

// compare times the two in turn. The first round warms up and does not count.
func (c *contest) compare(result *Case) error {
	var runs [2][]run
	for i := range *rounds + 1 {
		for k, work := range []func() error{c.work, c.limit} {
			start, busy := time.Now(), processorTime()
			if err := work(); err != nil {
				return err
			}
			if i > 0 {
				runs[k] = append(runs[k], run{took: time.Since(start), cpu: processorTime() - busy})
			}
		}
	}
	result.compared(sideOf(c.ours, runs[0]), sideOf(c.against, runs[1]))
	return nil
}

// processorTime is what this process has taken of it.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// streams compares the streams with what the processor can do at best, AES-GCM on every core at
// once: sealing, over buffers that stay in its caches, and opening, of as many chunks in memory as
// the streams read.
func streams(n int64) ([]contest, error) {
	n = (n + format.ChunkSize - 1) / format.ChunkSize * format.ChunkSize
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
	container.Grow(int(n + n>>10))
	if err := write(&container); err != nil {
		return nil, err
	}
	sealed := make([]byte, n/format.ChunkSize*format.SealedChunkSize)
	if err := allCores(sealed, func(gcm cipher.AEAD, chunk, buf []byte) error {
		gcm.Seal(chunk[:0], nonce, buf[:format.ChunkSize], nil)
		return nil
	}); err != nil {
		return nil, err
	}
	ids := []stream.Identity{id}
	seal := func() error {
		return allCores(sealed, func(gcm cipher.AEAD, _, buf []byte) error {
			gcm.Seal(buf[:0], nonce, buf[:format.ChunkSize], nil)
			return nil
		})
	}
	open := func() error {
		return allCores(sealed, func(gcm cipher.AEAD, chunk, buf []byte) error {
			_, err := gcm.Open(buf[:0], nonce, chunk, nil)
			return err
		})
	}
	const sealing, opening = "AES-GCM sealing on all cores, in the cache", "AES-GCM opening on all cores, from memory"
	return []contest{
		{n, 0.9, "stream.Writer, zeros to nowhere", sealing, func() error { return write(io.Discard) }, seal},
		{n, 0.85, "stream.Reader, memory to nowhere", opening, func() error {
			r, err := stream.NewReader(ctx, bytes.NewReader(container.Bytes()), ids, nil)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(io.Discard, r)
			return err
		}, open},
		{n, 0.85, "stream.Verify of memory", opening, func() error {
			_, err := stream.Verify(ctx, bytes.NewReader(container.Bytes()), int64(container.Len()), ids, nil)
			return err
		}, open},
	}, nil
}

// zeros is an endless source that costs nothing.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// nonce is for all of them: that does not matter to how long it takes.
var nonce = make([]byte, 12)

// allCores does work on the chunks of sealed, on every core. buf is a buffer of the core's own, for a
// chunk.
func allCores(sealed []byte, work func(gcm cipher.AEAD, chunk, buf []byte) error) error {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	const batch = 4 // chunks that a core takes at a time
	chunks := len(sealed) / format.SealedChunkSize
	return shared((chunks+batch-1)/batch, func() (func(int) error, error) {
		buf := make([]byte, format.SealedChunkSize)
		return func(i int) error {
			for k := i * batch; k < min((i+1)*batch, chunks); k++ {
				if err := work(gcm, sealed[k*format.SealedChunkSize:][:format.SealedChunkSize], buf); err != nil {
					return err
				}
			}
			return nil
		}, nil
	})
}
