package stream

import (
	"context"
	"fmt"
	"math/bits"

	"bulla/format"
)

// A Slice is one of Of parts of a container, number N, counted from 1. Checking
// one of thirty each night has checked everything after thirty nights.
//
// The parts are runs of whole segments, as equal as that allows, and always the
// same for a container: segments floor((N-1) * S / Of) to floor(N * S / Of) - 1
// of its S. Of a container with fewer segments than parts some are empty.
type Slice struct{ N, Of int }

func (s Slice) check() error {
	if s != (Slice{}) && (s.N < 1 || s.N > s.Of) {
		return fmt.Errorf("there is no slice %d of %d", s.N, s.Of)
	}
	return nil
}

// Chunks are the chunks, first to end-1, that the slice has of that many. The
// slice must be the zero Slice or have 1 <= N <= Of.
func (s Slice) Chunks(all int64) (first, end int64) {
	if s == (Slice{}) {
		return 0, all
	}
	segments := (all + format.SegmentChunks - 1) / format.SegmentChunks
	bound := func(n int) int64 {
		high, low := bits.Mul64(uint64(n), uint64(segments))
		at, _ := bits.Div64(high, low, uint64(s.Of))
		return min(int64(at)*format.SegmentChunks, all)
	}
	return bound(s.N - 1), bound(s.N)
}

// checkSlice authenticates the chunks of a slice, and the last chunk, which says
// whether the container is cut off.
func (rep *Report) checkSlice(ctx context.Context, r *payloadAt, s Slice) error {
	all := r.layout.Chunks
	first, end := s.Chunks(all)
	if first < end {
		if ended, err := rep.checkChunks(ctx, r, first, end); ended || err != nil {
			return err
		}
	}
	if end == all || all == 0 {
		return nil
	}
	_, err := rep.checkChunks(ctx, r, all-1, all)
	return err
}
