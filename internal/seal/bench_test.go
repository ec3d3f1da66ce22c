package seal

import (
	"testing"

	"bulla/format"
)

// The unit of these benchmarks is what the streams hand to a worker at a time.
const benchChunks = 4

func BenchmarkSeal(b *testing.B) {
	eachSuite(b, func(b *testing.B, s format.Suite) {
		seg, plain := segment(b, testKeys(b, s), 0), make([]byte, benchChunks*format.ChunkSize)
		dst, n := make([]byte, 0, benchChunks*format.SealedChunkSize), new(Nonce)
		b.SetBytes(int64(len(plain)))
		b.ReportAllocs()
		for b.Loop() {
			seg.Seal(dst, plain, 0, false, n)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	eachSuite(b, func(b *testing.B, s format.Suite) {
		seg, plain := segment(b, testKeys(b, s), 0), make([]byte, format.ChunkSize)
		dst, n := make([]byte, 0, format.ChunkSize), new(Nonce)
		sealed := seg.Seal(nil, plain, 0, false, n)
		b.SetBytes(int64(len(plain)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := seg.Open(dst, sealed, 0, false, n); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSegmentKey is what comes on top once in 8 MiB.
func BenchmarkSegmentKey(b *testing.B) {
	eachSuite(b, func(b *testing.B, s format.Suite) {
		k := testKeys(b, s)
		b.ReportAllocs()
		for b.Loop() {
			segment(b, k, 5)
		}
	})
}

func eachSuite(b *testing.B, f func(*testing.B, format.Suite)) {
	for _, s := range []format.Suite{format.AES256GCM, format.ChaCha20Poly1305} {
		b.Run(s.String(), func(b *testing.B) { f(b, s) })
	}
}

// Sealing and opening allocate nothing: that is what the Nonce is for.
func TestChunksDoNotAllocate(t *testing.T) {
	both(t, func(t *testing.T, s format.Suite) {
		seg, n := segment(t, testKeys(t, s), 0), new(Nonce)
		plain, dst, room := make([]byte, format.ChunkSize), make([]byte, 0, format.SealedChunkSize), make([]byte, 0, format.ChunkSize)
		allocs := testing.AllocsPerRun(20, func() {
			sealed := seg.Seal(dst, plain, 0, false, n)
			if _, err := seg.Open(room, sealed, 0, false, n); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
	})
}
