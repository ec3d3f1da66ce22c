package salvage

import (
	"context"

	"bulla/format"
	"bulla/internal/ring"
	"bulla/internal/seal"
)

// A room has place for one chunk, sealed and opened, and keeps the segment that
// it was last used for.
type room struct {
	seg    *seal.Segment
	nonce  seal.Nonce
	sealed [format.SealedChunkSize]byte
	plain  [format.ChunkSize]byte
}

// open returns the plaintext, in b, of what may be chunk i.
func (s *search) open(b *room, sealed []byte, i int64, final bool) (plain []byte, ok bool) {
	if len(sealed) < format.TagSize {
		return nil, false
	}
	if [format.TagSize]byte(sealed[len(sealed)-format.TagSize:]) == [format.TagSize]byte{} {
		return nil, false // a hole, most likely: no tag is all zeros
	}
	if !b.seg.Holds(i) {
		seg, err := s.Keys.Segment(seal.Of(i))
		if err != nil {
			return nil, false
		}
		b.seg = seg
	}
	plain, err := b.seg.Open(b.plain[:0], sealed, i, final, &b.nonce)
	return plain, err == nil
}

// read returns the plaintext, in b, of chunk i of a placement.
func (s *search) read(b *room, i int64, p placement) (plain []byte, ok bool) {
	off := s.at(i, p.by)
	if off < 0 || off+p.length > s.Size {
		return nil, false
	}
	sealed := b.sealed[:p.length]
	if n, _ := s.Src.ReadAt(sealed, off); n < len(sealed) {
		return nil, false
	}
	return s.open(b, sealed, i, p.final)
}

// batchChunks is how many chunks a sweep reads at a time.
const batchChunks = 4

// A batch is what a worker of a sweep does at a time.
type batch struct {
	run
	room
	in [batchChunks * format.SealedChunkSize]byte
	ok [batchChunks]bool // which of them authenticate
}

// sweep tries the chunks of a run, in parallel, where they are if they have
// moved by that much, and notes those that authenticate. It tries each as a whole
// one that is not the last.
func (s *search) sweep(r run, by int64) error {
	r.end = min(r.end, (s.Size-s.at(0, by))/format.SealedChunkSize) // that lie in the container
	for r.first < r.end && s.at(r.first, by) < 0 {
		r.first++
	}
	if r.len() == 0 {
		return nil
	}
	next := r.first
	feed := func(b *batch) (more bool) {
		b.run = run{next, min(next+batchChunks, r.end)}
		next = b.end
		return next < r.end
	}
	work := func(b *batch) {
		n, _ := s.Src.ReadAt(b.in[:b.len()*format.SealedChunkSize], s.at(b.first, by))
		for k := range b.len() {
			from, to := k*format.SealedChunkSize, (k+1)*format.SealedChunkSize
			b.ok[k] = false
			if int(to) <= n {
				_, b.ok[k] = s.open(&b.room, b.in[from:to], b.first+k, false)
			}
		}
	}
	pull := ring.NewPuller(s.Workers, 2*s.Workers+1, feed, work)
	defer pull.Close()
	last := -1 // the placement that chunks are added to
	for b := pull.Next(); b != nil; b = pull.Next() {
		for k := range b.len() {
			if b.ok[k] {
				s.note(&last, b.first+k, by)
			}
		}
		s.Done.Add(b.len() * format.SealedChunkSize)
		if err := context.Cause(s.ctx); err != nil {
			return err
		}
	}
	return nil
}

// note adds chunk i to the last placement of a sweep, or to a new one.
func (s *search) note(last *int, i, by int64) {
	s.opened++
	if *last < 0 || s.places[*last].end != i && len(s.places) < s.Limits.Holes {
		s.places = append(s.places, placement{run: run{i, i}, by: by, length: format.SealedChunkSize})
		*last = len(s.places) - 1
	}
	s.places[*last].end = i + 1
}
