package zseek

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// corpusSize is how much of the standard library's source the benchmarks take.
const corpusSize = 64 << 20

// corpus is a tar of it.
var corpus = sync.OnceValues(func() ([]byte, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	full := errors.New("that is enough")
	var b bytes.Buffer
	w := tar.NewWriter(writerFunc(func(p []byte) (int, error) {
		if b.Len() >= corpusSize {
			return 0, full
		}
		return b.Write(p)
	}))
	err = w.AddFS(os.DirFS(filepath.Join(strings.TrimSpace(string(root)), "src")))
	if err != nil && !errors.Is(err, full) {
		return nil, err
	}
	return b.Bytes()[:min(b.Len(), corpusSize)], nil
})

func benchmarkCorpora(b *testing.B, f func(b *testing.B, content []byte)) {
	b.Run("source", func(b *testing.B) {
		content, err := corpus()
		if err != nil {
			b.Skip("no corpus: ", err)
		}
		f(b, content)
	})
	b.Run("noise", func(b *testing.B) { f(b, noise(1, corpusSize)) })
}

func benchmarkWorkers(b *testing.B, f func(b *testing.B, workers int)) {
	for _, n := range []int{1, runtime.GOMAXPROCS(0)} {
		b.Run(fmt.Sprintf("j%d", n), func(b *testing.B) { f(b, n) })
	}
}

func BenchmarkWriter(b *testing.B) {
	benchmarkCorpora(b, func(b *testing.B, content []byte) {
		for _, level := range []int{1, 3, 6, 10} {
			b.Run(fmt.Sprintf("level%d", level), func(b *testing.B) {
				benchmarkWorkers(b, func(b *testing.B, workers int) {
					b.SetBytes(int64(len(content)))
					b.ReportAllocs()
					n := 0
					for b.Loop() {
						n = 0
						w, err := NewWriter(writerFunc(func(p []byte) (int, error) { n += len(p); return len(p), nil }), level, workers)
						if err != nil {
							b.Fatal(err)
						}
						if _, err := w.ReadFrom(onlyReader{bytes.NewReader(content)}); err != nil {
							b.Fatal(err)
						}
						if err := w.Close(); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(len(content))/float64(n), "ratio")
				})
			})
		}
	})
}

type onlyReader struct{ io.Reader }

func BenchmarkReader(b *testing.B) {
	benchmarkCorpora(b, func(b *testing.B, content []byte) {
		stream := compress(b, content, 3, 0)
		for name, read := range map[string]func(workers int) (int64, error){
			"stream": func(workers int) (int64, error) {
				r := NewReader(bytes.NewReader(stream), workers)
				defer r.Close()
				return r.WriteTo(io.Discard)
			},
			"table": func(workers int) (int64, error) {
				r, err := NewReaderAt(bytes.NewReader(stream), int64(len(stream)), workers)
				if err != nil {
					return 0, err
				}
				return r.WriteTo(io.Discard)
			},
		} {
			b.Run(name, func(b *testing.B) {
				benchmarkWorkers(b, func(b *testing.B, workers int) {
					b.SetBytes(int64(len(content)))
					b.ReportAllocs()
					for b.Loop() {
						if n, err := read(workers); err != nil || n != int64(len(content)) {
							b.Fatal(n, err)
						}
					}
				})
			})
		}
	})
}

// BenchmarkReadAt reads 64 KiB at places far from each other: a frame each.
func BenchmarkReadAt(b *testing.B) {
	content, err := corpus()
	if err != nil {
		b.Skip("no corpus: ", err)
	}
	stream := compress(b, content, 3, 0)
	r, err := NewReaderAt(bytes.NewReader(stream), int64(len(stream)), 1)
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 64<<10)
	frames := r.Table().Frames() - 1
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i += 7 {
		if _, err := r.ReadAt(p, i%frames*FrameContent); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScan finds the end of a frame of source text.
func BenchmarkScan(b *testing.B) {
	content, err := corpus()
	if err != nil {
		b.Skip("no corpus: ", err)
	}
	frame, err := newCompressor(3).compress(nil, content[:FrameContent])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := scanFrame(frame); err != nil {
			b.Fatal(err)
		}
	}
}
