package parity

import (
	"bytes"
	"context"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"bulla/internal/parallel"
)

// An Opener tells, with a key, whether sealed is chunk i of the container, which is its
// last one or not. It keeps nothing of sealed, and is safe for concurrent use.
type Opener func(i int64, sealed []byte, last bool) bool

// An inspector compares a container with its parity file.
type inspector struct {
	*file
	ctx     context.Context
	src     io.ReaderAt // the container as it is
	size    int64       // of it
	before  io.ReaderAt // as it was before a repair, or where it was copied from; usually src
	was     int64       // the size of that
	opener  Opener      // may be nil
	workers int
	done    *atomic.Int64
	shift   int64 // by how much the last chunk had moved that was found

	mu      sync.Mutex
	readErr error // the first read of the container that failed
}

func inspect(ctx context.Context, src io.ReaderAt, size int64, par io.ReaderAt, length int64, workers int, done *atomic.Int64) (*inspector, error) {
	f, err := open(par, length, size)
	if err != nil {
		return nil, err
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if done == nil {
		done = new(atomic.Int64)
	}
	return &inspector{file: f, ctx: ctx, src: src, size: size, before: src, was: size, workers: workers, done: done}, nil
}

// A survey is what an inspector has found in a window.
type survey struct {
	*table
	w, first  int64   // window, and its first chunk
	good      []bool  // by chunk: it is in its place, and is not to be touched
	shut      []bool  // by chunk: it fits its entry, and does not open
	shift     []int64 // by other chunk: how far from its place it was found, or one of the below
	cell      []bool  // by cell: it is good
	low, high int     // the cells that were looked at
	margin    []int   // by group: how many good cells it has beyond the chunks that it lost
}

const (
	lost      = math.MinInt64 + iota
	unchecked // not in the sample
)

// found reports whether chunk r is somewhere.
func (s *survey) found(r int) bool { return s.good[r] || s.shift[r] > unchecked }

// group returns the margin of chunk r's group.
func (s *survey) group(r int) int { return s.margin[r%len(s.margin)] }

// survey looks at the chunks low..high-1 of window w, and at as large a part of its cells.
func (c *inspector) survey(w int64, low, high int) (*survey, error) {
	n, cells := c.chunksIn(w), c.cellsIn(w)
	s := &survey{table: c.table(w), w: w, first: w * c.window(), good: make([]bool, n), shut: make([]bool, n), shift: make([]int64, n),
		cell: make([]bool, cells), low: cells * low / n, high: cells * high / n, margin: make([]int, c.groupsIn(w))}
	for r := range s.shift {
		s.shift[r] = unchecked
	}
	err := c.inPlace(s, low, high)
	if err == nil {
		err = c.locate(s)
	}
	if err == nil {
		err = c.each(s.high-s.low, func(buf []byte, k int) { // the cells
			k += s.low
			buf = buf[:c.cellSize()]
			readAt(c.par, buf, c.cellAt(w, k), blockSize)
			s.cell[k] = s.fits(n+k, buf)
		})
	}
	for k := range s.cell {
		if s.cell[k] || k < s.low || k >= s.high {
			s.margin[k%len(s.margin)]++
		}
	}
	for r := range s.shift {
		if !s.found(r) && s.shift[r] != unchecked {
			s.margin[r%len(s.margin)]--
		}
	}
	return s, err
}

// readRun is how many chunks are read at once.
const readRun = 16

// each calls do for 0..n-1 in parallel, with room for readRun chunks, until ctx ends.
func (c *inspector) each(n int, do func(buf []byte, i int)) error {
	bufs := make([][]byte, c.workers)
	return parallel.Do(c.workers, n, func(worker, i int) error {
		if bufs[worker] == nil {
			bufs[worker] = make([]byte, readRun*chunkSize)
		}
		do(bufs[worker], i)
		return context.Cause(c.ctx)
	})
}

// inPlace looks for chunks where they belong (PAR-15).
func (c *inspector) inPlace(s *survey, low, high int) error {
	return c.each((high-low+readRun-1)/readRun, func(buf []byte, run int) {
		from := low + run*readRun
		to := min(from+readRun, high)
		i := s.first + int64(from)
		buf = buf[:(to-from-1)*chunkSize+c.chunkLen(s.first+int64(to-1))]
		if err := readAt(c.src, buf, c.chunkAt(i), chunkSize); err != nil {
			c.mu.Lock()
			c.readErr = err
			c.mu.Unlock()
		}
		c.done.Add(int64(len(buf)))
		for r := from; r < to; r, i = r+1, i+1 {
			chunk := buf[:c.chunkLen(i)]
			buf = buf[len(chunk):]
			s.shift[r] = lost
			fits, opens := s.fits(r, chunk), c.opens(i, chunk)
			s.good[r], s.shut[r] = fits || c.opener != nil && opens, fits && !opens // PAR-20
		}
	})
}

// opens reports whether chunk is chunk i, as far as there is a key to tell.
func (c *inspector) opens(i int64, chunk []byte) bool {
	return c.opener == nil || c.opener(i, chunk, i == c.chunks-1)
}

const (
	reach         = 64 << 10 // how far around a guess a chunk that moved is looked for
	maxCandidates = 16       // places that end as the chunk does; a hostile file has many
)

// locate looks for chunks that have moved (PAR-16): forwards, each by as much as the one
// before it or else anywhere, and then backwards, each by as much as the one after it.
func (c *inspector) locate(s *survey) error {
	buf := make([]byte, chunkSize)
	for r := range 2 * len(s.shift) {
		forwards := r < len(s.shift)
		if !forwards {
			r = 2*len(s.shift) - 1 - r
		}
		if !s.found(r) && s.shift[r] != unchecked && s.knows(r) {
			if c.ctx.Err() != nil {
				return context.Cause(c.ctx)
			}
			for _, by := range []int64{c.shift, 0} { // in its place, but before a repair
				if c.at(s, r, by, buf) {
					s.shift[r] = by
					break
				}
			}
			if by, ok := int64(0), false; forwards && !s.found(r) {
				if by, ok = c.search(s, r, buf); ok {
					s.shift[r] = by
				}
			}
		}
		if !s.good[r] && s.found(r) {
			c.shift = s.shift[r]
		}
	}
	return nil
}

// at reads chunk r as if it had moved by that much, and reports whether it has.
func (c *inspector) at(s *survey, r int, by int64, buf []byte) bool {
	i := s.first + int64(r)
	buf = buf[:c.chunkLen(i)]
	readAt(c.before, buf, c.chunkAt(i)+by, chunkSize)
	return s.fits(r, buf) && c.opens(i, buf)
}

// search looks for chunk r near the places where it may be expected. A chunk next to it
// has to be there, too, if the window has one.
func (c *inspector) search(s *survey, r int, buf []byte) (by int64, ok bool) {
	i := s.first + int64(r)
	guesses := []int64{0, c.was - c.geometry.size(), c.shift}
	slices.Sort(guesses)
	around, end := make([]byte, 2*reach+4), s.entry(r)[4:]
	for _, guess := range slices.Compact(guesses) {
		readAt(c.before, around, c.chunkAt(i)+int64(c.chunkLen(i)-len(end))+guess-reach, chunkSize)
		for tried, at := 0, 0; tried < maxCandidates; tried++ {
			k := bytes.Index(around[at:], end)
			if k < 0 {
				break
			}
			by := guess - reach + int64(at+k)
			if at += k + 1; c.at(s, r, by, buf) && (len(s.shift) == 1 ||
				r > 0 && c.at(s, r-1, by, buf) || r < len(s.shift)-1 && c.at(s, r+1, by, buf)) {
				return by, true
			}
		}
	}
	return 0, false
}
