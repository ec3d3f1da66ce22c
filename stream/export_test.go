package stream

import (
	"io"

	"bulla/internal/zseek"
)

// What the tests need to know of the inside: where its edges are.
const (
	BatchSize      = batchPlain
	MaxInteractive = maxRuns
)

// RingSlots is how many batches with two buffers each a stream may hold.
func RingSlots(workers int) int { return ringSlots(workers) }

// SkipTo makes the next batch that w seals begin with that chunk, which must be
// the first of a batch.
func (w *Writer) SkipTo(chunk int64) { w.next = chunk }

// SkipTo makes the next batch that r opens begin with that chunk.
func (r *Reader) SkipTo(chunk int64) { r.next = chunk }

// Between puts a writer between the codec and the sealer of w, which compresses
// and must be new.
func (w *Writer) Between(wrap func(io.Writer) io.Writer) {
	w.z, _ = zseek.NewWriter(wrap(&w.sealer), zseek.MinLevel, 1)
	w.in = w.z
}
