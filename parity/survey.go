package parity

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// An Opener tells whether a chunk is authentic, where a key is at hand. It is safe for
// concurrent use.
type Opener interface {
	// Opens reports whether sealed is chunk i of the container, which is its last one
	// or not. It keeps nothing of sealed.
	Opens(i int64, sealed []byte, last bool) bool
}

// An inspector compares a container with its parity file.
type inspector struct {
	*file
	ctx     context.Context
	src     io.ReaderAt // the container as it is
	now     int64       // its size
	before  io.ReaderAt // as it was before an earlier repair, or where it was copied from; else src
	was     int64       // the size of that
	opener  Opener      // may be nil
	workers int
	done    *atomic.Int64
	shifts  []int64 // by how much chunks were found to have moved, the last one first

	mu      sync.Mutex
	readErr error // the first read of the container that failed
}

// Where a chunk is, instead of a shift. What is beyond lost is as good as lost.
const (
	lost      = math.MinInt64 + iota
	unknown   // no entry says what it was
	unchecked // it is not in the sample
)

// A survey is what an inspector has found in one window.
type survey struct {
	*table
	w     int64
	first int64   // chunk of the container
	good  []bool  // by chunk: it is in its place, and is not to be touched
	shift []int64 // by chunk that is not: how far from its place it was found, or one of the above
	cell  []bool  // by cell: it is good
	low   int     // cells that were looked at
	high  int
	stray int64 // chunks that open, though their entries do not fit
}

// has reports whether the bytes of chunk r were found.
func (s *survey) has(r int) bool { return s.good[r] || s.shift[r] > unchecked }

// survey looks at the chunks low..high-1 of window w, and at as large a part of its cells.
func (c *inspector) survey(w int64, low, high int) (*survey, error) {
	n, cells := c.chunksIn(w), c.cellsIn(w)
	s := &survey{table: c.table(w), w: w, first: w * c.window(), good: make([]bool, n), shift: make([]int64, n), cell: make([]bool, cells)}
	s.low, s.high = cells*low/n, cells*high/n
	for r := range s.shift {
		s.shift[r] = unchecked
	}
	err := c.inPlace(s, low, high)
	if err == nil {
		err = c.cells(s)
	}
	if err == nil {
		err = c.locate(s)
	}
	return s, err
}

// readRun is how many chunks are read at once.
const readRun = 16

// inPlace looks for chunks where they belong (PAR-15).
func (c *inspector) inPlace(s *survey, low, high int) error {
	bufs := make([][]byte, c.workers)
	return parallel(c.workers, (high-low+readRun-1)/readRun, func(worker, job int) error {
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		if bufs[worker] == nil {
			bufs[worker] = make([]byte, readRun*chunkSize)
		}
		from := low + job*readRun
		to := min(from+readRun, high)
		off := c.chunkAt(s.first + int64(from))
		buf := bufs[worker][:c.chunkAt(s.first+int64(to-1))+int64(c.chunkLen(s.first+int64(to-1)))-off]
		if err := readWhole(c.src, buf, off, chunkSize); err != nil {
			c.mu.Lock()
			c.readErr = cmp.Or(c.readErr, err)
			c.mu.Unlock()
		}
		for r := from; r < to; r++ {
			chunk := buf[(r-from)*chunkSize:]
			chunk = chunk[:min(len(chunk), chunkSize)]
			switch {
			case s.fits(r, chunk):
				s.good[r] = true
			case c.opens(s.first+int64(r), chunk): // PAR-20
				s.good[r] = true
				atomic.AddInt64(&s.stray, 1)
			case s.knows(r):
				s.shift[r] = lost
			default:
				s.shift[r] = unknown
			}
		}
		c.done.Add(int64(len(buf)))
		return nil
	})
}

// opens reports whether there is a key, and the chunk opens with it.
func (c *inspector) opens(i int64, chunk []byte) bool {
	return c.opener != nil && c.opener.Opens(i, chunk, i == c.chunks-1)
}

// cells looks at the parity cells.
func (c *inspector) cells(s *survey) error {
	bufs := make([][]byte, c.workers)
	return parallel(c.workers, s.high-s.low, func(worker, k int) error {
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		if bufs[worker] == nil {
			bufs[worker] = make([]byte, c.cellSize())
		}
		k += s.low
		n, _ := readFull(c.file.src, bufs[worker], c.cellAt(s.w, k))
		s.cell[k] = s.fits(len(s.shift)+k, bufs[worker][:n])
		return nil
	})
}

const (
	reach         = 64 << 10 // how far around a guess a chunk that moved is looked for
	maxCandidates = 16       // places that end as a chunk does; a hostile file has many
	maxShifts     = 16
)

// locate looks for chunks that have moved (PAR-16): something was inserted, or went
// missing, before them.
func (c *inspector) locate(s *survey) error {
	buf := make([]byte, chunkSize)
	for _, search := range []bool{true, false} { // what is found late may help with what came before
		for r := range s.shift {
			if s.good[r] || s.shift[r] != lost {
				continue
			}
			if c.ctx.Err() != nil {
				return context.Cause(c.ctx)
			}
			by, ok := c.known(s, r, buf)
			if !ok && search {
				by, ok = c.search(s, r, buf)
			}
			if ok {
				s.shift[r] = by
				c.shifts = slices.DeleteFunc(c.shifts, func(x int64) bool { return x == by })
				c.shifts = slices.Insert(c.shifts, 0, by)
				c.shifts = c.shifts[:min(len(c.shifts), maxShifts)]
			}
		}
	}
	return nil
}

// at reports whether chunk r has moved by that much.
func (c *inspector) at(s *survey, r int, by int64, buf []byte) bool {
	i := s.first + int64(r)
	buf = buf[:c.chunkLen(i)]
	n, _ := readFull(c.before, buf, c.chunkAt(i)+by)
	return n == len(buf) && s.fits(r, buf) && (c.opener == nil || c.opens(i, buf))
}

// known tries what other chunks have moved by, and the place in the file as it was.
func (c *inspector) known(s *survey, r int, buf []byte) (by int64, ok bool) {
	for _, by := range c.shifts {
		if c.at(s, r, by, buf) {
			return by, true
		}
	}
	return 0, c.before != c.src && c.at(s, r, 0, buf)
}

// search looks for chunk r around the places where it may be expected.
func (c *inspector) search(s *survey, r int, buf []byte) (by int64, ok bool) {
	guesses := []int64{0, c.was - c.size()}
	if len(c.shifts) > 0 {
		guesses = append(guesses, c.shifts[0])
	}
	slices.Sort(guesses)
	around := make([]byte, 2*reach+4)
	end := s.entries[r].end()
	for _, guess := range slices.Compact(guesses) {
		i := s.first + int64(r)
		from := c.chunkAt(i) + int64(c.chunkLen(i)) - int64(len(end)) + guess - reach // where its end may be
		skip := max(0, -from)
		n, _ := readFull(c.before, around[min(skip, int64(len(around))):], from+skip)
		found := around[:min(skip+int64(n), int64(len(around)))]
		clear(found[:min(skip, int64(len(found)))])
		for tried, at := 0, 0; tried < maxCandidates; tried++ {
			k := bytes.Index(found[at:], end)
			if k < 0 {
				break
			}
			by := guess - reach + int64(at+k)
			if at += k + 1; c.at(s, r, by, buf) && c.neighbor(s, r, by, buf) {
				return by, true
			}
		}
	}
	return 0, false
}

// neighbor reports whether a chunk next to r is there, too, if the window has another.
func (c *inspector) neighbor(s *survey, r int, by int64, buf []byte) bool {
	n := len(s.shift)
	return n == 1 || r > 0 && c.at(s, r-1, by, buf) || r < n-1 && c.at(s, r+1, by, buf)
}

// read fills buf with chunk r, which was found, and what is beyond it with zeros.
func (c *inspector) read(s *survey, r int, buf []byte) error {
	i := s.first + int64(r)
	src, by := c.src, int64(0)
	if !s.good[r] {
		src, by = c.before, s.shift[r]
	}
	n := c.chunkLen(i)
	clear(buf[n:])
	k, err := readFull(src, buf[:n], c.chunkAt(i)+by)
	if k < n && err == nil {
		err = io.ErrUnexpectedEOF // it was there a moment ago
	}
	return err
}
