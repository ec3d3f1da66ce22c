// Package salvage gets back what is left of a damaged container: every chunk
// that still authenticates, in its place in the plaintext.
//
//	sweep   0 1 2 3 x ? ? ? ? ? ?     each chunk where it belongs
//	slip    0 1 2 3 x 5 6 7 x 9       the rest, where bytes were lost or inserted
//	write   0 1 2 3 . 5 6 7 . 9       zeros where a chunk is lost
//
// It answers what media do: sectors that cannot be read, a lost head, a cut end,
// a container that lies inside a disk image, and data that has slipped, by
// sectors or by a few bytes. The tag of a chunk depends on its index, so a chunk
// that opens is the container's own and has its place, wherever it was found.
//
// A compressed payload is decompressed frame by frame. The table at its end says
// where the frames are. Without it each frame says where the next begins, up to
// the first hole; what looks like a frame after that may as well be content, and
// is called uncertain.
package salvage

import (
	"bytes"
	"context"
	"io"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/seal"
)

// A Container is what is to be salvaged: opened by one copy of its head.
type Container struct {
	Src  io.ReaderAt // see [Medium]
	Size int64       // of Src, in bytes
	Head *format.Head
	Keys *seal.Keys // the caller's, who wipes them
	Tail int64      // where the tail begins in Src; negative if there is none
}

// Options say how to work, and what to write.
type Options struct {
	Workers   int
	Done      *atomic.Int64 // grows by about twice the payload: it is read twice
	Raw       bool          // leave a compressed payload compressed
	Uncertain bool          // write uncertain frames, too
	Limits    Limits
}

// Limits bound the work and the memory; where a field is zero there is a default.
type Limits struct {
	Slip   int64 // how far a slip by sectors is looked for, in bytes: 16 MiB
	Ranges int   // how many lost ranges are told apart: 2^18
}

// A Range is a part of the plaintext, in bytes.
type Range struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// A Shift is a place from which on chunks were found away from where they
// belong, after bytes that were inserted or lost, or in their places again.
type Shift struct {
	Chunk  int64 `json:"chunk"`  // the first that was found so
	Offset int64 `json:"offset"` // where it is in the container
	By     int64 `json:"by"`     // bytes that it is too far back; negative: too far ahead; 0: in its place
}

// A Report is what [Write] got back. Its ranges are in order; of very many the
// last spans what is between them, too.
type Report struct {
	Size      int64   `json:"plaintext_bytes"` // as far as it is known
	SizeKnown bool    `json:"size_known"`      // the end of the container is there and authentic
	Intact    int64   `json:"intact_bytes"`    // authentic and in their place
	Lost      []Range `json:"lost"`
	Shifts    []Shift `json:"shifts"`       // where the container's bytes are not in their place
	Decoded   bool    `json:"decompressed"` // the payload is compressed, and sizes are of what it decompresses to

	// Uncertain are the frames found after a hole in a payload without its table:
	// each may be one of the container's, some frames of 2 MiB further on, or
	// content that looks like a frame. They are zeros, unless the options ask for
	// them.
	Uncertain      []Range `json:"uncertain"`
	UncertainBytes int64   `json:"uncertain_bytes"`
}

// Whole reports whether nothing is lost.
func (r *Report) Whole() bool { return r.SizeKnown && len(r.Lost)+len(r.Uncertain) == 0 }

// Write writes what is left of the container's plaintext to dst, and zeros for
// what is lost. Nothing reaches dst that has not authenticated. It fails with an
// error of dst or the cause of ctx's end; loss is not an error.
func Write(ctx context.Context, dst io.Writer, c *Container, o Options) (*Report, error) {
	s := newSearch(ctx, c, o)
	if err := s.locate(); err != nil {
		return nil, err
	}
	d := &delivery{search: s, Report: &Report{Lost: []Range{}, Shifts: s.moved(), Uncertain: []Range{}}, dst: dst}
	if c.Head.Coding == format.Zstd && !o.Raw {
		return d.Report, d.frames()
	}
	return d.Report, d.plain()
}

// Count returns how many chunks of the container open where they belong.
func Count(ctx context.Context, c *Container, o Options) (n int64, err error) {
	s := newSearch(ctx, c, o)
	err = s.sweep(0, farChunk, 0)
	return s.chunks() - int64(bytes.Count(s.where, []byte{0})), err
}
