package stream_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"runtime"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// A generator gives n bytes that repeat a pattern, and checks them on their way
// back: a long stream that takes no memory.
type generator struct {
	pattern []byte
	n       int64 // left to give
	at      int64 // of the next byte, either way
}

func newGenerator(n int64) *generator { return &generator{pattern: plaintext(1<<20 + 13), n: n} }

func (g *generator) Read(p []byte) (int, error) {
	if g.n == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), g.n)]
	n := copy(p, g.pattern[g.at%int64(len(g.pattern)):])
	g.at += int64(n)
	g.n -= int64(n)
	return n, nil
}

func (g *generator) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		want := g.pattern[g.at%int64(len(g.pattern)):]
		want = want[:min(len(want), len(p)-done)]
		if !bytes.Equal(p[done:done+len(want)], want) {
			return done, fmt.Errorf("another byte near %d", g.at)
		}
		done += len(want)
		g.at += int64(len(want))
	}
	return len(p), nil
}

// allocated is how many bytes, and in how many pieces, f allocates in all.
func allocated(f func()) (size, pieces int64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc), int64(after.Mallocs - before.Mallocs)
}

// A stream of any length goes through a pipe of Writer and Reader in the memory
// of their rings. What is measured is all that was ever allocated, so that it
// bounds what was in use at any moment.
func TestMemoryIsBounded(t *testing.T) {
	length := int64(256 << 20)
	if raceDetector {
		length = 32 << 20
	}
	if long {
		length = 2 << 30
	}
	for _, workers := range []int{1, 2, 4} {
		v := new(vault)
		back := newGenerator(0)
		size, _ := allocated(func() {
			pr, pw := io.Pipe()
			go func() {
				w := newWriter(t, pw, v, stream.WriterOptions{Workers: workers})
				if _, err := w.ReadFrom(newGenerator(length)); err != nil {
					t.Error(err)
				}
				if err := w.Close(); err != nil {
					t.Error(err)
				}
				pw.Close()
			}()
			r := newReader(t, pr, v, workers)
			defer r.Close()
			if n, err := r.WriteTo(back); n != length || err != nil {
				t.Errorf("%d workers: %d bytes of %d: %v", workers, n, length, err)
			}
		})
		perBatch := int64(2*batch + 2*format.MaxHeadSize)              // in and out, and what is held back
		perSegment := int64(16 << 10)                                  // a key and its AEAD, on both sides
		limit := 2*int64(stream.RingSlots(workers))*perBatch + 6<<20 + // both rings; heads and patterns
			length/format.SegmentSize*perSegment
		if size > limit {
			t.Errorf("%d workers: %d MiB through %d KiB of allocations, more than %d", workers, length>>20, size>>10, limit>>10)
		}
	}
}

// A batch on its way allocates nothing; a segment costs a key.
func TestBatchesDoNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	const few, many = 12 * batch, 31 * batch // within one segment, and more than a ring of 2 workers holds
	v := new(vault)
	containers := map[int][]byte{few: encrypt(t, make([]byte, few), v, stream.WriterOptions{}), many: encrypt(t, make([]byte, many), v, stream.WriterOptions{})}
	for _, workers := range []int{1, 2} {
		for name, run := range map[string]func(n int){
			"Writer.ReadFrom": func(n int) {
				w := newWriter(t, io.Discard, v, stream.WriterOptions{Workers: workers})
				w.ReadFrom(io.LimitReader(neverEnding{}, int64(n)))
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			},
			"Writer.Write": func(n int) {
				w := newWriter(t, io.Discard, v, stream.WriterOptions{Workers: workers})
				p := containers[many]
				for step := 10_000; n > 0; n -= step {
					w.Write(p[:min(n, step)])
				}
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			},
			"Reader.WriteTo": func(n int) {
				r := newReader(t, bytes.NewReader(containers[n]), v, workers)
				if _, err := r.WriteTo(io.Discard); err != nil {
					t.Error(err)
				}
				r.Close()
			},
			"ReaderAt.WriteTo": func(n int) {
				r := newReaderAt(t, containers[n], v, workers)
				if _, err := r.WriteTo(io.Discard); err != nil {
					t.Error(err)
				}
			},
			"Verify": func(n int) {
				o := stream.VerifyOptions{Workers: workers}
				if rep, err := stream.Verify(t.Context(), bytes.NewReader(containers[n]), int64(len(containers[n])), with(v), &o); err != nil || !rep.Valid() {
					t.Error(rep, err)
				}
			},
		} {
			// The least of some runs: the runtime and its collector allocate, too, whenever they like.
			least := func(n int) int64 {
				pieces := int64(math.MaxInt64)
				for range 5 {
					_, p := allocated(func() { run(n) })
					pieces = min(pieces, p)
				}
				return pieces
			}
			if more, batches := least(many)-least(few), int64(many-few)/batch; more > batches/2 {
				t.Errorf("%s, %d workers: %d allocations for %d batches more", name, workers, more, batches)
			}
		}
	}
}

// Reading at random allocates nothing either, once there are buffers.
func TestReadAtDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector drops what is pooled")
	}
	v := new(vault)
	r := newReaderAt(t, encrypt(t, plaintext(10*chunk), v, stream.WriterOptions{}), v, 1)
	for _, n := range []int{100, chunk, 3*chunk + 5} {
		buf, off := make([]byte, n), int64(0)
		if allocs := testing.AllocsPerRun(50, func() {
			if _, err := r.ReadAt(buf, off); err != nil {
				t.Fatal(err)
			}
			off = (off + chunk) % (5 * chunk)
		}); allocs >= 1 {
			t.Errorf("ReadAt of %d bytes: %v allocations", n, allocs)
		}
	}
}

// The buffers of a stream that has ended serve the next, as those of a set's volumes do.
func TestBuffersServeTheNext(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector gives up some of what is kept")
	}
	const length, runs = 12 * batch, 20
	v := new(vault)
	container := encrypt(t, plaintext(length), v, stream.WriterOptions{})
	r := newReaderAt(t, container, v, 2)
	for name, run := range map[string]func(){
		"Writer": func() {
			w := newWriter(t, io.Discard, v, stream.WriterOptions{Workers: 2})
			w.ReadFrom(io.LimitReader(neverEnding{}, length))
			w.Close()
		},
		"ReaderAt.WriteTo": func() { r.WriteTo(io.Discard) },
	} {
		run()
		size, _ := allocated(func() {
			for range runs {
				run()
			}
		})
		if each := size / runs; each > 2*batch { // of at least 8 that a ring takes
			t.Errorf("%s: %d KiB are allocated for a stream", name, each>>10)
		}
	}
}
