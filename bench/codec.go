//go:build unix

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"bulla/entropy"
	"bulla/internal/zseek"
	"bulla/keyslot"
	"bulla/stream"
)

// codecs compares compressed streams with the codec alone: the same frames,
// coded by as many goroutines as there are cores, from memory to nowhere. What
// the ratio lacks to 1 is what cutting, ordering and sealing cost; the rest of
// the difference to the zstd command is the codec's.
func codecs(n int64) ([]contest, error) {
	id, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		return nil, err
	}
	plain, err := sourceTree()
	if err != nil {
		return nil, err
	}
	plain = plain[:min(n, int64(len(plain)))]
	ctx := context.Background()
	write := func(dst io.Writer, level int) error {
		w, err := stream.NewWriter(ctx, dst, []stream.Recipient{id.Recipient()}, &stream.WriterOptions{Level: level})
		if err != nil {
			return err
		}
		if _, err := w.ReadFrom(bytes.NewReader(plain)); err != nil {
			return err
		}
		return w.Close()
	}
	var container bytes.Buffer
	if err := write(&container, zseek.DefaultLevel); err != nil {
		return nil, err
	}
	const codec = "the codec on all cores"
	var all []contest
	for _, level := range []int{1, 3} {
		all = append(all, contest{int64(len(plain)), 0, "stream.Writer", codec,
			func() error { return write(io.Discard, level) },
			func() error { return codecAlone(plain, zstd.EncoderLevelFromZstd(level)) }})
	}
	frames, err := framesOf(plain)
	if err != nil {
		return nil, err
	}
	return append(all, contest{int64(len(plain)), 0, "stream.ReaderAt", codec,
		func() error {
			r, err := stream.NewReaderAt(ctx, bytes.NewReader(container.Bytes()), int64(container.Len()), []stream.Identity{id}, nil)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = r.WriteTo(io.Discard)
			return err
		},
		func() error {
			return shared(len(frames), func() (func(int) error, error) {
				d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
				content := make([]byte, 0, zseek.FrameContent+64)
				return func(i int) error { _, err := d.DecodeAll(frames[i], content); return err }, err
			})
		}}), nil
}

// codecAlone compresses plain in frames and keeps nothing.
func codecAlone(plain []byte, level zstd.EncoderLevel) error {
	n := (len(plain) + zseek.FrameContent - 1) / zseek.FrameContent
	return shared(n, func() (func(int) error, error) {
		e, err := zstd.NewWriter(nil, zstd.WithWindowSize(zseek.MaxWindow), zstd.WithEncoderLevel(level),
			zstd.WithAllLitEntropyCompression(true), zstd.WithLowerEncoderMem(true), zstd.WithEncoderConcurrency(1))
		var frame []byte
		return func(i int) error {
			frame = e.EncodeAll(plain[i*zseek.FrameContent:min((i+1)*zseek.FrameContent, len(plain))], frame[:0])
			return nil
		}, err
	})
}

// framesOf is plain in compressed frames of the default level.
func framesOf(plain []byte) (frames [][]byte, err error) {
	var all bytes.Buffer
	w, err := zseek.NewWriter(&all, zseek.DefaultLevel, 0)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	t, err := zseek.ReadTable(bytes.NewReader(all.Bytes()), int64(all.Len()))
	for i := int64(0); err == nil && i < t.Frames(); i++ {
		f := t.Frame(i)
		frames = append(frames, all.Bytes()[f.Offset:][:f.Size])
	}
	return frames, err
}

// shared does work on the numbers 0 to n-1, on all cores; start makes the worker
// of each.
func shared(n int, start func() (work func(int) error, err error)) error {
	var next atomic.Int64
	var workers sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for c := range errs {
		workers.Go(func() {
			work, err := start()
			for i := int(next.Add(1)) - 1; err == nil && i < n; i = int(next.Add(1)) - 1 {
				err = work(i)
			}
			errs[c] = err
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// sourceTree is a tar of Go's source tree.
func sourceTree() ([]byte, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("finding Go's source tree: %w", err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(filepath.Join(strings.TrimSpace(string(root)), "src"))); err != nil {
		return nil, err
	}
	return b.Bytes(), w.Close()
}
