package seal

import (
	"testing"

	"bulla/format"
)

func BenchmarkSeal(b *testing.B) {
	eachSuite(b, func(b *testing.B, s format.Suite) {
		key, plain := segment(b, testKeys(b, s), 0), make([]byte, format.ChunkSize)
		dst, n := make([]byte, 0, format.SealedChunkSize), new(Nonce)
		b.SetBytes(int64(len(plain)))
		b.ReportAllocs()
		for b.Loop() {
			key.Seal(dst, plain, 0, n)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	eachSuite(b, func(b *testing.B, s format.Suite) {
		key, plain := segment(b, testKeys(b, s), 0), make([]byte, format.ChunkSize)
		dst, n := make([]byte, 0, format.ChunkSize), new(Nonce)
		sealed := key.Seal(nil, plain, 0, n)
		b.SetBytes(int64(len(plain)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := key.Open(dst, sealed, 0, n); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSegmentKey is what comes on top once in 8 MiB: near the last one, at
// random in 1 TiB, and in 4 EiB, where no node is at hand. At random in 1 TiB it is
// to cost no more than 3 µs above a derivation from the PRK itself.
func BenchmarkSegmentKey(b *testing.B) {
	for _, c := range []struct {
		name string
		next func(i int64) int64
	}{
		{"near", func(i int64) int64 { return i % 1024 }},
		{"in 1 TiB", func(i int64) int64 { return i * 1_000_003 % (1 << 40 / format.SegmentSize) }},
		{"in 4 EiB", func(i int64) int64 { return i * 1_000_003 % (format.MaxChunks / format.SegmentChunks) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			k, i := testKeys(b, format.AES256GCM), int64(0)
			b.ReportAllocs()
			for b.Loop() {
				segment(b, k, c.next(i))
				i++
			}
		})
	}
	b.Run("without a tree", func(b *testing.B) {
		k := testKeys(b, format.AES256GCM)
		b.ReportAllocs()
		for b.Loop() {
			final(b, k, 5)
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
		key, n := segment(t, testKeys(t, s), 0), new(Nonce)
		plain, dst, room := make([]byte, format.ChunkSize), make([]byte, 0, format.SealedChunkSize), make([]byte, 0, format.ChunkSize)
		allocs := testing.AllocsPerRun(20, func() {
			sealed := key.Seal(dst, plain, 0, n)
			if _, err := key.Open(room, sealed, 0, n); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
	})
}
