package stream

import (
	"io"

	"bulla/format"
	"bulla/internal/ring"
	"bulla/internal/seal"
)

// scan returns a puller over the chunks first to end-1: batches are numbered in
// order, then read and worked on in parallel. Work gets the sealed chunks in
// in[:n], unless err says that they could not be read.
func (r *payloadAt) scan(first, end int64, work func(*batch)) *ring.Puller[batch] {
	next := first
	var segment *seal.Segment
	number := func(b *batch) (more bool) {
		b.first, b.err, b.bad = next, nil, b.bad[:0]
		next = min((next/batchChunks+1)*batchChunks, end) // within a segment
		b.final = next == r.layout.Chunks && !r.partial
		b.n = 0
		for i := b.first; i < next; i++ {
			_, length := r.chunk(i)
			b.n += int(length)
		}
		if b.first < next && !segment.Holds(b.first) {
			if segment, b.err = r.op.keys.Segment(seal.Of(b.first)); b.err != nil { // FILE-3
				b.n, next = 0, end
			}
		}
		b.seg = segment
		return next < end
	}
	read := func(b *batch) {
		b.out = b.out[:0]
		if b.err != nil {
			return
		}
		b.in = grow(b.in, batchSealed)
		offset := format.ChunkOffset(r.layout.HeadSize, b.first)
		if n, err := readAt(r.src, b.in[:b.n], offset); err != nil {
			if err == io.EOF {
				err = &TruncatedError{Chunks: b.first, Offset: offset + int64(n)} // it became shorter
			}
			b.n, b.err = 0, err
			return
		}
		work(b)
	}
	return ring.NewPuller(r.workers, ringSlots(r.workers), number, read)
}
