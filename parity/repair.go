package parity

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync/atomic"

	"bulla/format"
)

// A Place is a container that is repaired in place. An [*os.File] is one.
type Place interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
}

// RepairOptions say how a container is repaired. Nil means the zero value.
type RepairOptions struct {
	Opener  Opener        // tells which chunks are authentic; nil without a key
	Workers int           // 0 for as many as there are processors
	Done    *atomic.Int64 // counts the bytes of the container that were read; may be nil

	// What an earlier repair has saved, finished or not; nil if there is none.
	Undo *Undo

	// Save has write write an undo file, makes that durable, whole, in the place of an
	// earlier one, and reads it. It is not called where Source is given.
	Save func(write func(io.Writer) error) (*Undo, error)

	// Source is what the container is a new copy of, with zeros for what cannot be read
	// there. Then nothing needs to be saved. Nil if there is none.
	Source io.ReaderAt
}

// A Result is what became of a container.
type Result struct {
	*Report           // of what was found before
	Repaired    int64 `json:"chunks_repaired"`     // that were written
	Unrepaired  int64 `json:"chunks_not_repaired"` // that stay as they were: lost, or what was computed for them is not what they should be
	CopyWritten bool  `json:"head_restored"`       // head or tail were
}

// Whole reports whether nothing is damaged any more.
func (r *Result) Whole() bool {
	return r.Unrepaired == 0 && (r.Head && r.Tail || r.CopyWritten)
}

// SavedHead returns the copy of the head that came out of the parity file, or nil if it
// was not needed. Nothing tells whether it is the newest: its generation and for whom it
// is are to be told (PAR-21).
func (r *Result) SavedHead() *format.Head {
	if r.CopyWritten && !r.Head && !r.Tail {
		return r.copy
	}
	return nil
}

// Repair repairs a container of size bytes in place, as far as its parity file serves.
//
// It first saves every byte that it is going to overwrite, with opts.Save. Whenever it is
// interrupted, the next Repair, which is given the [Undo], finishes. It never changes a
// chunk that is good, nor one that opens with a key that is at hand; what it cannot repair
// stays as it is. Its errors are those of [Scrub] and of reading and writing.
func Repair(ctx context.Context, place Place, size int64, parity io.ReaderAt, paritySize int64, opts *RepairOptions) (*Result, error) {
	c, err := inspect(ctx, place, size, parity, paritySize, opts.Workers, opts.Done)
	if err != nil {
		return nil, err
	}
	c.opener = opts.Opener
	if u := opts.Undo; u != nil {
		if u.identity != c.identity {
			return nil, ErrOther
		}
		c.before, c.was = &past{u, place}, u.Size
	} else if opts.Source != nil {
		c.before = opts.Source
	}
	var windows []int64
	var ranges []Range
	r, err := c.scan(0, c.chunks, func(s *survey) error {
		if these := c.toWrite(s); len(these) > 0 {
			windows, ranges = append(windows, s.w), append(ranges, these...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	res := &Result{Report: r, Unrepaired: r.Lost}
	copies := r.copiesToWrite(c)
	if r.Whole < c.was {
		ranges = append(ranges, Range{r.Whole, c.was - r.Whole})
	}
	for _, at := range copies {
		ranges = append(ranges, Range{at, int64(len(r.head))})
	}
	if len(ranges) == 0 && r.Whole == size {
		return res, nil
	}
	if opts.Source == nil {
		if err := c.save(ranges, opts); err != nil {
			return nil, err
		}
	}
	for _, w := range windows {
		s, err := c.survey(w, 0, c.chunksIn(w))
		if err != nil {
			return res, err
		}
		if err := c.fix(s, place, res); err != nil {
			return res, err
		}
	}
	for _, at := range copies {
		if err := writeAt(place, r.head, at); err != nil {
			return res, err
		}
		res.CopyWritten = true
	}
	if r.Whole != size {
		if err := place.Truncate(r.Whole); err != nil {
			return res, err
		}
	}
	return res, place.Sync()
}

// toWrite is where chunks of a window are going to be written.
func (c *inspector) toWrite(s *survey) (ranges []Range) {
	left := c.short(s)
	for r := range s.shift {
		if i := s.first + int64(r); !s.good[r] && (s.has(r) || left[r%len(left)] >= 0) {
			ranges = appendRange(ranges, Range{c.chunkAt(i), int64(c.chunkLen(i))})
		}
	}
	return ranges
}

// copiesToWrite is where the head is going to be written: never over an intact copy.
func (r *Report) copiesToWrite(c *inspector) (at []int64) {
	if r.head != nil && !r.Head {
		at = append(at, 0)
	}
	if r.head != nil && !r.Tail {
		at = append(at, c.tailAt())
	}
	return at
}

// save saves what stands in the ranges, and has the inspector see it from then on.
func (c *inspector) save(ranges []Range, opts *RepairOptions) error {
	if u := opts.Undo; u != nil {
		ranges = append(ranges, u.extents...)
	}
	ranges = union(ranges)
	for i := range ranges { // what is after the end is not there
		ranges[i].Length = min(ranges[i].Length, c.was-ranges[i].Offset)
	}
	ranges = slices.DeleteFunc(ranges, func(r Range) bool { return r.Length <= 0 })
	if u := opts.Undo; u != nil && !slices.ContainsFunc(ranges, func(r Range) bool { return !u.covers(r) }) {
		return nil
	}
	u, err := opts.Save(func(w io.Writer) error { return writeUndo(w, c.identity, c.before, c.was, ranges) })
	if err == nil {
		c.before = &past{u, c.src}
	}
	return err
}

// fix writes what can be repaired of a window.
func (c *inspector) fix(s *survey, place Place, res *Result) error {
	got, err := c.recover(s)
	if err != nil {
		return err
	}
	left := c.short(s)
	buf := make([]byte, chunkSize)
	for r := range s.shift {
		i := s.first + int64(r)
		chunk := got[r]
		switch {
		case s.good[r]:
			continue
		case s.has(r):
			if err := c.read(s, r, buf); err != nil {
				return err
			}
			chunk = buf[:c.chunkLen(i)]
		case chunk == nil:
			if left[r%len(left)] >= 0 { // else it is counted as lost
				res.Unrepaired++
			}
			continue
		case s.shift[r] == unknown:
			if readWhole(place, buf, c.chunkAt(i), blockSize); bytes.Equal(buf[:len(chunk)], chunk) {
				continue
			}
		}
		if err := writeAt(place, chunk, c.chunkAt(i)); err != nil {
			return err
		}
		res.Repaired++
	}
	return nil
}

func writeAt(w io.WriterAt, b []byte, off int64) error {
	n, err := w.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}
