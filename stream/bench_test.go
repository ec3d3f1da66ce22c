package stream_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"bulla/stream"
)

// The size of the streams: four segments, so that their keys show.
const benchSize = 4 * segment

// eachWorkers runs a benchmark over benchSize bytes with one worker, and with
// one for each processor.
func eachWorkers(b *testing.B, f func(b *testing.B, workers int)) {
	for _, workers := range slices.Compact([]int{1, runtime.GOMAXPROCS(0)}) {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.SetBytes(benchSize)
			b.ReportAllocs()
			f(b, workers)
		})
	}
}

func BenchmarkWriter(b *testing.B) {
	for _, suite := range suites {
		b.Run(suite.String(), func(b *testing.B) {
			eachWorkers(b, func(b *testing.B, workers int) {
				for b.Loop() {
					w := newWriter(b, io.Discard, new(vault), stream.WriterOptions{Suite: suite, Workers: workers})
					if _, err := w.ReadFrom(io.LimitReader(neverEnding{}, benchSize)); err != nil {
						b.Fatal(err)
					}
					if err := w.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// Writing in small pieces costs a copy.
func BenchmarkWriterWrite(b *testing.B) {
	eachWorkers(b, func(b *testing.B, workers int) {
		p := make([]byte, 32<<10)
		for b.Loop() {
			w := newWriter(b, io.Discard, new(vault), stream.WriterOptions{Workers: workers})
			for range benchSize / len(p) {
				w.Write(p)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	for _, suite := range suites {
		b.Run(suite.String(), func(b *testing.B) {
			v := new(vault)
			container := encrypt(b, make([]byte, benchSize), v, stream.WriterOptions{Suite: suite})
			eachWorkers(b, func(b *testing.B, workers int) {
				for b.Loop() {
					r := newReader(b, bytes.NewReader(container), v, workers)
					if _, err := r.WriteTo(io.Discard); err != nil {
						b.Fatal(err)
					}
					r.Close()
				}
			})
		})
	}
}

func BenchmarkReaderAtWriteTo(b *testing.B) {
	v := new(vault)
	container := encrypt(b, make([]byte, benchSize), v, stream.WriterOptions{})
	eachWorkers(b, func(b *testing.B, workers int) {
		r := newReaderAt(b, container, v, workers)
		for b.Loop() {
			if _, err := r.WriteTo(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Ranges at random places, from many goroutines.
func BenchmarkReaderAtReadAt(b *testing.B) {
	v := new(vault)
	container := encrypt(b, make([]byte, benchSize), v, stream.WriterOptions{})
	r := newReaderAt(b, container, v, 1)
	for _, n := range []int{100, 4 << 10, chunk, 1 << 20} {
		b.Run(fmt.Sprintf("%d bytes", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				buf := make([]byte, n)
				for pb.Next() {
					if _, err := r.ReadAt(buf, rand.Int64N(benchSize-int64(n))); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	v := new(vault)
	container := encrypt(b, make([]byte, benchSize), v, stream.WriterOptions{})
	eachWorkers(b, func(b *testing.B, workers int) {
		for b.Loop() {
			rep, err := stream.Verify(b.Context(), bytes.NewReader(container), int64(len(container)), with(v), &stream.VerifyOptions{Workers: workers})
			if err != nil || !rep.Valid() {
				b.Fatal(rep, err)
			}
		}
	})
}

// What a container costs, however little is in it.
func BenchmarkSmall(b *testing.B) {
	v, plain := new(vault), make([]byte, 100)
	container := encrypt(b, plain, v, stream.WriterOptions{})
	b.Run("Writer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w := newWriter(b, io.Discard, v, stream.WriterOptions{})
			w.Write(plain)
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Reader", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := newReader(b, bytes.NewReader(container), v, 0)
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
			r.Close()
		}
	})
}
