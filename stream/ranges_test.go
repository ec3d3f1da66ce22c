package stream_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// Ten thousand ranges, by ReadAt and by WriteRange, by one goroutine and by
// eight, and some more of what is compressed: each is what the same range of the plaintext is.
func TestTenThousandRanges(t *testing.T) {
	const size = 5<<20 + 1234 // more than two frames of coding 1
	plain := plaintext(size)
	for i := range plain[:size/2] {
		plain[i] &= 3 // some of it can be compressed
	}
	for _, level := range []int{0, 1} {
		ranges := 5000
		if level > 0 { // where each costs the decompressing of frames of 2 MiB
			ranges /= sparse(20)
		}
		v := new(vault)
		r := newReaderAt(t, encrypt(t, plain, v, stream.WriterOptions{Level: level}), v, 2)
		for _, goroutines := range []int{1, 8} {
			t.Run(fmt.Sprintf("coding %d, %d goroutines", level, goroutines), func(t *testing.T) {
				var all sync.WaitGroup
				for g := range goroutines {
					all.Go(func() {
						rng := rand.New(rand.NewPCG(uint64(g), 7))
						got, dst := make([]byte, 3*chunk), bytes.Buffer{}
						for i := range ranges / goroutines {
							off := rng.Int64N(size + 100)
							n := rng.IntN([]int{2, 100, chunk, 3 * chunk}[rng.IntN(4)])
							want := plain[min(off, size):min(off+int64(n), size)]
							var err error
							if i%2 == 0 {
								var k int
								k, err = r.ReadAt(got[:n], off)
								if wantErr := len(want) < n; (err == io.EOF) == wantErr {
									err = nil
								}
								if err != nil || !bytes.Equal(got[:k], want) {
									t.Errorf("ReadAt %d+%d: %d bytes, %v", off, n, k, err)
								}
								continue
							}
							dst.Reset()
							k, err := r.WriteRange(t.Context(), &dst, off, int64(n))
							if err != nil || k != int64(dst.Len()) || !bytes.Equal(dst.Bytes(), want) {
								t.Errorf("WriteRange %d+%d: %d bytes, %v", off, n, k, err)
							}
						}
					})
				}
				all.Wait()
			})
		}
	}
}

// counting counts what is read of a source.
type counting struct {
	src   io.ReaderAt
	bytes atomic.Int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.src.ReadAt(p, off)
	c.bytes.Add(int64(n))
	return n, err
}

// A range costs the reading of the chunks that it touches, and no more.
func TestRangesReadNoMore(t *testing.T) {
	v, plain := new(vault), plaintext(20*chunk)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	src := &counting{src: bytes.NewReader(container)}
	r, err := stream.NewReaderAt(t.Context(), src, int64(len(container)), with(v), &stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Workers: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	buf := make([]byte, 4*chunk)
	for _, c := range []struct{ off, n, chunks int64 }{
		{7 * chunk, chunk, 1}, {5*chunk + 10, 10, 1}, {9*chunk - 5, 10, 2}, {11*chunk + 100, chunk, 2}, {15 * chunk, 4 * chunk, 4},
	} {
		src.bytes.Store(0)
		if _, err := r.ReadAt(buf[:c.n], c.off); err != nil {
			t.Error(err)
		}
		if got := src.bytes.Load(); got != c.chunks*format.SealedChunkSize {
			t.Errorf("ReadAt %d+%d read %d bytes, not %d chunks", c.off, c.n, got, c.chunks)
		}
		src.bytes.Store(0)
		if _, err := r.WriteRange(t.Context(), io.Discard, c.off, c.n); err != nil {
			t.Error(err)
		}
		if got := src.bytes.Load(); got != c.chunks*format.SealedChunkSize {
			t.Errorf("WriteRange %d+%d read %d bytes, not %d chunks", c.off, c.n, got, c.chunks)
		}
	}
}

// 64 KiB at a random place: of a chunk, and across two. Beside the time it says
// how many bytes of the source it took.
func BenchmarkRandomRead(b *testing.B) {
	size := int64(256 << 20)
	if long {
		size = 2 << 30
	}
	v := new(vault)
	var dst bytes.Buffer
	dst.Grow(int(format.ContainerSize(size, headSize)))
	w := newWriter(b, &dst, v, stream.WriterOptions{})
	if _, err := w.ReadFrom(io.LimitReader(neverEnding{}, size)); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	src := &counting{src: bytes.NewReader(dst.Bytes())}
	r, err := stream.NewReaderAt(b.Context(), src, int64(dst.Len()), with(v), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for _, c := range []struct {
		name  string
		align int64
	}{{"a chunk", chunk}, {"anywhere", 1}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(chunk)
			b.ReportAllocs()
			src.bytes.Store(0)
			buf := make([]byte, chunk)
			for b.Loop() {
				if _, err := r.ReadAt(buf, rand.Int64N((size-chunk)/c.align)*c.align); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(src.bytes.Load())/float64(b.N), "source-B/op")
		})
	}
}
