package stream

import (
	"sync"

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
	first int64          // index of the first chunk
	final bool           // the last chunk is the container's last
	key   *seal.ChunkKey // of all chunks but the container's last
	last  *seal.ChunkKey // of that, when final
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
		b.in = grow(nil, batchPlain)[:0:batchPlain]
	}
	return &b.in
}

// keyed gives the batch its keys, now that its first and final are known, and that
// the last of its chunks, if final, is number last. It takes the key of the batch
// before, if that is the same.
func (b *batch) keyed(keys *seal.Keys, before *seal.ChunkKey, last int64) (err error) {
	if b.key = before; !b.final || b.first < last { // of a grant, the last chunk's segment may be missing
		b.key, err = keys.Key(b.first, false, before) // FILE-3
	}
	if b.final && err == nil {
		b.last, err = keys.Key(last, true, nil)
	}
	return err
}

// seal seals in to out. What does not fill a chunk is the container's last one.
func (b *batch) seal() {
	b.out = grow(b.out, batchSealed)[:0]
	plain, i := b.in, b.first
	for ; len(plain) >= format.ChunkSize; i++ {
		b.out = b.key.Seal(b.out, plain[:format.ChunkSize], i, &b.nonce)
		plain = plain[format.ChunkSize:]
	}
	if b.final {
		b.out = b.last.Seal(b.out, plain, i, &b.nonce)
	}
}

// open opens the chunks in in[:n] to out. It stops at the first that is not
// authentic and returns its position in the batch; -1 if all are.
func (b *batch) open() int {
	b.out = grow(b.out, batchPlain)[:0]
	for i := 0; i*format.SealedChunkSize < b.n; i++ {
		out, err := b.keyOf(i).Open(b.out, b.chunk(i), b.first+int64(i), &b.nonce)
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

// keyOf is the key of the i-th chunk of the batch.
func (b *batch) keyOf(i int) *seal.ChunkKey {
	if b.isFinal(i) {
		return b.last
	}
	return b.key
}

// grow returns b with room for n bytes, the same one if it has it already.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		if p := rooms(n); p != nil {
			if r, _ := p.Get().(*[]byte); r != nil {
				return *r
			}
		}
		return make([]byte, n)
	}
	return b[:n]
}

// Buffers whose stream has ended serve the next: a set has one for each volume.
var plainRooms, sealedRooms sync.Pool // of *[]byte

// rooms is where buffers of n bytes are kept.
func rooms(n int) *sync.Pool {
	switch n {
	case batchPlain:
		return &plainRooms
	case batchSealed:
		return &sealedRooms
	}
	return nil
}

// recycle gives away the buffers of a batch that is not used any more.
func (b *batch) recycle() {
	for _, r := range []*[]byte{&b.in, &b.out} {
		if p := rooms(cap(*r)); p != nil {
			kept := (*r)[:cap(*r)]
			p.Put(&kept)
		}
		*r = nil
	}
}
