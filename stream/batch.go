package stream

import (
	"bulla/format"
	"bulla/internal/seal"
)

// A batch is how many chunks are worked on at a time: an implementation matter,
// never visible in the format. A segment is a whole number of batches, so that
// a batch has one key.
const (
	batchChunks = 4
	batchPlain  = batchChunks * format.ChunkSize       // 256 KiB
	batchSealed = batchChunks * format.SealedChunkSize // and four tags
)

const _ = -uint(format.SegmentChunks % batchChunks) // does not compile unless it is whole

// ringSlots is how many batches travel around a ring: two for each worker, one
// being worked on and one waiting, and one at the serial end.
func ringSlots(workers int) int { return 2*workers + 1 }

// A batch carries chunks through a ring. Its buffers are kept from one use to
// the next.
type batch struct {
	first int64         // index of the first chunk
	final bool          // the last chunk is the container's last
	seg   *seal.Segment // holds all of the batch
	nonce seal.Nonce

	in  []byte // what goes in: plaintext, or sealed chunks and what follows them
	n   int    // how much of in is chunks, when opening
	out []byte // what comes out

	err   error            // why out ends early, or what is wrong after the last chunk
	found []format.Finding // what is amiss with the copies of the head, after the last chunk

	// Where all chunks are tried, whatever becomes of those before:
	opened      int64   // how many opened
	openedBytes int64   // of plaintext
	bad         []int64 // the indices of the others
}

// plain is the plaintext to be sealed, with room for a whole batch.
func (b *batch) plain() *[]byte {
	if b.in == nil {
		b.in = make([]byte, 0, batchPlain)
	}
	return &b.in
}

// seal seals in to out.
func (b *batch) seal() {
	b.out = b.seg.Seal(grow(b.out, batchSealed)[:0], b.in, b.first, b.final, &b.nonce)
}

// open opens the chunks in in[:n] to out. It stops at the first that is not
// authentic and returns its position in the batch; -1 if all are.
func (b *batch) open() int {
	b.out = grow(b.out, batchPlain)[:0]
	for i := 0; i*format.SealedChunkSize < b.n; i++ {
		out, err := b.seg.Open(b.out, b.chunk(i), b.first+int64(i), b.isFinal(i), &b.nonce)
		if err != nil {
			return i
		}
		b.out = out
	}
	return -1
}

// chunk returns the i-th sealed chunk of the batch.
func (b *batch) chunk(i int) []byte {
	start := i * format.SealedChunkSize
	return b.in[start:min(start+format.SealedChunkSize, b.n)]
}

// isFinal reports whether the i-th chunk of the batch is the container's last.
func (b *batch) isFinal(i int) bool { return b.final && (i+1)*format.SealedChunkSize >= b.n }

// grow returns b with room for n bytes, the same one if it has it already.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
