package parity

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/parallel"
)

// A Place is a container that is repaired in place. An [*os.File] is one.
type Place interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
}

// RepairOptions say how a container is repaired.
type RepairOptions struct {
	Workers int           // 0 for as many as there are processors
	Done    *atomic.Int64 // counts the bytes of the container that were read; may be nil

	// Open opens the container by a copy of its head; nil without a key.
	Open func(head []byte) (Opener, error)

	// Undo is what an earlier repair has saved, finished or not; nil if there is none.
	Undo *Undo

	// Save has write write an undo file, makes that durable, whole, and reads it with [ReadUndo].
	Save func(write func(io.Writer) error) (*Undo, error)

	// Source is the container, if it is to be repaired in a copy: that is then made of it,
	// with zeros for what cannot be read, and nothing is saved. Nil to repair in place.
	Source io.ReaderAt
}

// ErrUndo is the error for a container that was repaired, and is damaged at other places:
// the earlier repair has to be accepted or undone first.
var ErrUndo = errors.New("an earlier repair was neither accepted nor undone")

// ErrOtherUndo is the error for what an earlier repair has saved of another container.
var ErrOtherUndo = errors.New("what a repair has saved is of another container")

// A Result is what became of a container.
type Result struct {
	*Report           // of what was found before
	Repaired    int64 `json:"chunks_repaired"`     // that were written
	Unrepaired  int64 `json:"chunks_not_repaired"` // that stay as they were; with a key, also those that do not open
	CopyWritten bool  `json:"head_restored"`       // head or tail were
	CutOff      int64 `json:"bytes_cut_off"`       // from behind its end
}

// Complete reports whether nothing of the container is damaged any more.
func (r *Result) Complete() bool { return r.Unrepaired == 0 && (r.Head && r.Tail || r.CopyWritten) }

// Saved returns the head that was restored from the parity file, as the container had no
// other; else nil. Nothing tells whether it is the newest: its generation, and for whom
// it is, are to be told (PAR-21).
func (r *Result) Saved() *format.Head {
	if r.CopyWritten {
		return r.Alone()
	}
	return nil
}

// Repair repairs a container of size bytes in place, as far as its parity file of length
// bytes serves.
//
// It first saves every byte that it is going to overwrite, with opts.Save. Whenever it is
// interrupted, the next Repair, which is given the [Undo], finishes, and the Undo has Ended. It
// never changes a chunk that is good, or that opens with a key that is at hand; what it cannot
// repair stays as it is. What has neither a head nor a chunk of the container, and is not empty,
// it refuses with [ErrOther]. Its other errors are those of [Scrub], of Save, and of writing,
// [ErrUndo] and [ErrOtherUndo].
func Repair(ctx context.Context, place Place, size int64, par io.ReaderAt, length int64, opts *RepairOptions) (*Result, error) {
	buf := make([]byte, undoPiece)
	for off := int64(0); opts.Source != nil && off < size; off += undoPiece {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		part := buf[:min(undoPiece, size-off)]
		readAt(opts.Source, part, off, blockSize)
		if _, err := place.WriteAt(part, off); err != nil {
			return nil, err
		}
	}
	c, err := inspect(ctx, place, size, par, length, opts.Workers, opts.Done)
	if err != nil {
		return nil, err
	}
	switch u := opts.Undo; {
	case u != nil && !bytes.Equal(u.Identity, c.identity[:]):
		return nil, ErrOtherUndo
	case u != nil:
		c.before, c.was = &past{u, place}, u.Size
	case opts.Source != nil:
		c.before = opts.Source
	}
	if opts.Open != nil {
		r := &Report{}
		if err = c.copies(r); err == nil {
			c.opener, err = opts.Open(r.head)
		}
		if err != nil {
			return nil, err
		}
	}
	var windows []int64 // where something is amiss
	var ranges []Range  // that are going to be overwritten
	ours := false       // a chunk of it is there
	shut := int64(0)    // chunks that whoever made the parity file had, and the key does not open
	r, err := c.scan(0, c.chunks, false, func(s *survey) {
		if slices.Contains(s.good, false) {
			windows = append(windows, s.w)
		}
		for r, good := range s.good {
			ours = ours || s.found(r)
			if s.shut[r] {
				shut++
			}
			if i := s.first + int64(r); !good && (s.found(r) || s.group(r) >= 0) {
				ranges = appendRange(ranges, Range{c.chunkAt(i), int64(c.chunkLen(i))})
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if r.alone && !ours && opts.Source == nil && opts.Undo == nil && !c.blank() { // it may be anything
		return nil, ErrOther
	}
	var ends []int64 // where the head is going to be written: never over an intact copy
	if r.head != nil && !r.Head {
		ends = append(ends, 0)
	}
	if r.head != nil && !r.Tail {
		ends = append(ends, c.tailAt())
	}
	for _, at := range ends {
		ranges = append(ranges, Range{at, c.headSize()})
	}
	ranges = append(ranges, Range{r.Whole, c.was - r.Whole}) // cut off
	undo, err := c.save(ranges, opts)
	if err != nil {
		return nil, err
	}
	res := &Result{Report: r, Unrepaired: shut}
	for _, w := range windows {
		s, err := c.survey(w, 0, c.chunksIn(w))
		if err == nil {
			err = c.fix(s, place, res)
		}
		if err != nil {
			return res, err
		}
	}
	last := make([]byte, c.chunkLen(c.chunks-1))
	readAt(place, last, c.chunkAt(c.chunks-1), chunkSize)
	sure := c.opens(c.chunks-1, last) // else it may not be the last, and the tail not there (PAR-20)
	if !sure {
		res.Unrepaired = max(1, res.Unrepaired)
	}
	for _, at := range ends {
		if at == 0 || sure {
			_, err = place.WriteAt(r.head, at)
			res.CopyWritten = true
		}
		if err != nil {
			return res, err
		}
	}
	if r.Whole != size && sure {
		if err := place.Truncate(r.Whole); err != nil {
			return res, err
		}
		res.CutOff = max(0, size-r.Whole)
	}
	if err := place.Sync(); err != nil {
		return res, err
	}
	return res, undo.note(true)
}

// blank reports whether there is nothing but zeros, as is left of what was erased.
func (c *inspector) blank() bool {
	buf := make([]byte, undoPiece)
	for off := int64(0); off < c.size; off += undoPiece {
		part := buf[:min(undoPiece, c.size-off)]
		clear(part)
		readAt(c.src, part, off, blockSize)
		if len(bytes.TrimLeft(part, "\x00")) > 0 {
			return false
		}
	}
	return true
}

// save saves what stands in the ranges, and has the inspector see it from then on (PAR-19). It
// returns where, or what was saved before; nil for nothing.
func (c *inspector) save(ranges []Range, opts *RepairOptions) (*Undo, error) {
	for i := range ranges { // what is after the end is not there
		ranges[i].Length = min(ranges[i].Length, c.was-ranges[i].Offset)
	}
	ranges = slices.DeleteFunc(ranges, func(r Range) bool { return r.Length <= 0 })
	slices.SortFunc(ranges, func(a, b Range) int { return cmp.Compare(a.Offset, b.Offset) })
	switch {
	case opts.Source != nil, len(ranges) == 0 && c.geometry.size() == c.size:
		return opts.Undo, nil
	case opts.Undo != nil:
		if c.size > max(c.was, c.geometry.size()) || slices.ContainsFunc(ranges, func(r Range) bool { return !opts.Undo.covers(r) }) {
			return nil, ErrUndo
		}
		return opts.Undo, opts.Undo.note(false)
	}
	saving := &Undo{Identity: c.identity[:], Size: c.was, Ranges: ranges}
	u, err := opts.Save(func(w io.Writer) error { return saving.write(w, c.before) })
	if err == nil {
		c.before = &past{u, c.src}
	}
	return u, err
}

// fix writes what can be repaired of a window (PAR-18).
func (c *inspector) fix(s *survey, place Place, res *Result) error {
	got, err := c.recover(s)
	if err != nil {
		return err
	}
	buf, there := make([]byte, chunkSize), make([]byte, chunkSize)
	for r, good := range s.good {
		i := s.first + int64(r)
		chunk := got[r]
		if !good && s.found(r) && c.at(s, r, s.shift[r], buf) {
			chunk = buf[:c.chunkLen(i)]
		}
		switch {
		case good:
			continue
		case chunk == nil:
			res.Unrepaired++
			continue
		}
		readAt(place, there[:len(chunk)], c.chunkAt(i), blockSize)
		if bytes.Equal(there[:len(chunk)], chunk) { // only its entry was lost
			continue
		}
		if _, err := place.WriteAt(chunk, c.chunkAt(i)); err != nil {
			return err
		}
		res.Repaired++
	}
	return nil
}

// batchGroups is how many groups are recovered at a time; all of their chunks are held,
// 8 MiB of each.
const batchGroups = 8

// recover computes the chunks of a window that were not found, as far as their groups
// have cells enough. It returns, by their numbers, those that are what they should be.
func (c *inspector) recover(s *survey) (got map[int][]byte, err error) {
	var todo []int
	for q, left := range s.margin {
		for r := q; r < len(s.good) && left >= 0; r += len(s.margin) {
			if !s.found(r) {
				todo = append(todo, q)
				break
			}
		}
	}
	if len(todo) == 0 {
		return nil, nil
	}
	code, err := newCode(c.m)
	if err != nil {
		return nil, err
	}
	got = make(map[int][]byte)
	one := (groupChunks + 1) * c.cellSize()
	room := make([]byte, min(batchGroups, len(todo))*one)
	for batch := range slices.Chunk(todo, batchGroups) {
		shards := make([][][]byte, len(batch))
		for b := range shards {
			shards[b] = make([][]byte, groupChunks+c.m)
		}
		if err := parallel.Do(c.workers, len(batch), func(_, b int) error {
			c.load(s, batch[b], shards[b], room[b*one:][:one])
			return code.ReconstructData(shards[b])
		}); err != nil {
			return nil, err
		}
		for b, q := range batch {
			for r := q; r < len(s.good); r += len(s.margin) {
				i := s.first + int64(r)
				chunk := shards[b][c.position(r)][:c.chunkLen(i)]
				if !s.found(r) && (s.fits(r, chunk) || !s.knows(r)) && c.opens(i, chunk) { // PAR-20
					got[r] = chunk
				}
			}
		}
		if err := context.Cause(c.ctx); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// load reads a group: its chunks by their positions, nil for what is lost, and as many
// cells as are needed. All fit into room.
func (c *inspector) load(s *survey, q int, shards [][]byte, room []byte) {
	size := c.cellSize()
	next := func() (b []byte) {
		b, room = room[:size:size], room[size:]
		clear(b)
		return b
	}
	missing := 0
	absent := next()
	for p := range groupChunks {
		shards[p] = absent
	}
	for r := q; r < len(s.good); r += len(s.margin) {
		i := s.first + int64(r)
		switch p := c.position(r); {
		case s.good[r]:
			shards[p] = next()
			readAt(c.src, shards[p][:c.chunkLen(i)], c.chunkAt(i), chunkSize)
		case s.found(r):
			shards[p] = next()
			c.at(s, r, s.shift[r], shards[p])
		default:
			shards[p] = nil
			missing++
		}
	}
	for j := 0; missing > 0; j++ {
		if k := j*len(s.margin) + q; s.cell[k] {
			shards[groupChunks+j] = next()
			readAt(c.par, shards[groupChunks+j], c.cellAt(s.w, k), chunkSize)
			missing--
		}
	}
}
