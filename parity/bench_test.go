package parity_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"bulla/parity"
)

// What making costs at several depths, and scrubbing, from memory.
func BenchmarkMaker(b *testing.B) {
	container := newContainer(b, rand.New(rand.NewPCG(1, 1)), 256<<20, 1)
	for _, cells := range []int{2, 7, 13} {
		for _, depth := range []int{16, 64, 128, 256} {
			b.Run(fmt.Sprintf("cells=%d/depth=%d", cells, depth), func(b *testing.B) {
				b.SetBytes(int64(len(container)))
				for range b.N {
					m, err := parity.NewMakerDepth(io.Discard, cells, 0, depth)
					if err != nil {
						b.Fatal(err)
					}
					for p := container; len(p) > 0; p = p[min(len(p), 1<<20):] {
						m.Write(p[:min(len(p), 1<<20)])
					}
					if _, err := m.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkScrub(b *testing.B) {
	container := newContainer(b, rand.New(rand.NewPCG(1, 1)), 256<<20, 1)
	par, _ := made(b, container, 7, 1<<20)
	b.SetBytes(int64(len(container)))
	for range b.N {
		r, err := parity.Scrub(context.Background(), bytes.NewReader(container), int64(len(container)), bytes.NewReader(par), int64(len(par)), nil)
		if err != nil || !r.Sound() {
			b.Fatal(err)
		}
	}
}
