package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// Every kind of damage between the writing and the reading back is noticed.
func TestCloseVerified(t *testing.T) {
	for _, n := range []int{0, 10, chunk, 2*chunk + 100, batch, 2*batch + chunk} {
		for name, change := range map[string]func(b []byte) []byte{
			"nothing":        func(b []byte) []byte { return b },
			"a bit of it":    func(b []byte) []byte { b[headSize+3] ^= 4; return b },
			"the head":       func(b []byte) []byte { b[300] ^= 1; return b },
			"the tail":       func(b []byte) []byte { b[len(b)-200] ^= 1; return b },
			"both copies":    func(b []byte) []byte { b[5] ^= 1; b[len(b)-200] ^= 1; return b },
			"one byte less":  func(b []byte) []byte { return b[:len(b)-1] },
			"half":           func(b []byte) []byte { return b[:len(b)/2] },
			"nothing at all": func([]byte) []byte { return nil },
			"one byte more":  func(b []byte) []byte { return append(b, 0) },
			"another one":    func(b []byte) []byte { return encrypt(t, plaintext(n), new(vault), stream.WriterOptions{}) },
			"the last chunk": func(b []byte) []byte { b[len(b)-headSize-1] ^= 1; return b },
			"a chunk is gone": func(b []byte) []byte {
				return append(b[:headSize:headSize], b[min(headSize+format.SealedChunkSize, len(b)-headSize):]...)
			},
		} {
			for _, level := range []int{0, 1} {
				var dst bytes.Buffer
				w := newWriter(t, &dst, new(vault), stream.WriterOptions{Level: level, Workers: 2})
				w.Write(plaintext(n))
				err := w.CloseVerified(t.Context(), func() (io.ReaderAt, int64, error) {
					b := change(bytes.Clone(dst.Bytes()))
					return bytes.NewReader(b), int64(len(b)), nil
				}, nil)
				if (name == "nothing") != (err == nil) || err != nil && !errors.Is(err, stream.ErrNotAsWritten) {
					t.Errorf("%d bytes, level %d, changed is %s: %v", n, level, name, err)
				}
				if _, err := w.Write([]byte("x")); !errors.Is(err, stream.ErrClosed) {
					t.Errorf("Write after it: %v", err)
				}
			}
		}
	}
}

func TestCloseVerifiedErrors(t *testing.T) {
	var dst bytes.Buffer
	begin := func() *stream.Writer {
		dst.Reset()
		w := newWriter(t, &dst, new(vault), stream.WriterOptions{})
		w.Write(plaintext(1000))
		return w
	}
	never := func() (io.ReaderAt, int64, error) {
		t.Error("read back, though it was not finished")
		return nil, 0, nil
	}
	written := func() (io.ReaderAt, int64, error) { return bytes.NewReader(dst.Bytes()), int64(dst.Len()), nil }

	w := begin()
	w.Abort(errBroken)
	if err := w.CloseVerified(t.Context(), never, nil); !errors.Is(err, errBroken) {
		t.Errorf("aborted: %v", err)
	}
	w = begin()
	w.Close()
	if err := w.CloseVerified(t.Context(), never, nil); !errors.Is(err, stream.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := begin().CloseVerified(t.Context(), func() (io.ReaderAt, int64, error) { return nil, 0, errBroken }, nil); !errors.Is(err, errBroken) {
		t.Errorf("what cannot be opened: %v", err)
	}
	if err := begin().CloseVerified(t.Context(), func() (io.ReaderAt, int64, error) {
		return &badMedium{Reader: bytes.NewReader(dst.Bytes()), sector: 512, bad: map[int64]bool{10: true}}, int64(dst.Len()), nil
	}, nil); !errors.Is(err, errBroken) || errors.Is(err, stream.ErrNotAsWritten) {
		t.Errorf("what cannot be read: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	if err := begin().CloseVerified(ctx, written, nil); !errors.Is(err, errBroken) {
		t.Errorf("cancelled: %v", err)
	}
	if err := begin().CloseVerified(t.Context(), written, nil); err != nil {
		t.Error(err)
	}
}

// What was authentic before it was sealed and does not decompress is noticed.
func TestCloseVerifiedCodecFault(t *testing.T) {
	for _, faulty := range []bool{false, true} {
		var dst bytes.Buffer
		w := newWriter(t, &dst, new(vault), stream.WriterOptions{Level: 1})
		w.Between(func(codec io.Writer) io.Writer {
			return writerFunc(func(p []byte) (int, error) {
				p = bytes.Clone(p)
				if faulty && len(p) > 1000 {
					p[len(p)/2] ^= 1
				}
				return codec.Write(p)
			})
		})
		w.Write(plaintext(3 << 20))
		err := w.CloseVerified(t.Context(), func() (io.ReaderAt, int64, error) {
			return bytes.NewReader(dst.Bytes()), int64(dst.Len()), nil
		}, nil)
		if faulty != errors.Is(err, stream.ErrNotAsWritten) || !faulty && err != nil {
			t.Errorf("faulty %v: %v", faulty, err)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
