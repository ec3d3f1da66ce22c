package parity

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync/atomic"

	"bulla/format"
)

// ErrOther is the error for a parity file that was made of another container (PAR-5).
var ErrOther = errors.New("the parity file belongs to another container")

// ScrubOptions say how a container is looked at. Nil means the zero value.
type ScrubOptions struct {
	// Part of Parts, 1..Parts, is all that is looked at. Both are 0 for everything.
	Part, Parts int

	Workers int           // 0 for as many as there are processors
	Done    *atomic.Int64 // counts the bytes of the container that were read; may be nil
}

// A Range is some bytes of a container.
type Range struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// A Report is what was found. Sizes are in bytes.
type Report struct {
	Size    int64 `json:"size"`
	Whole   int64 `json:"whole_size"` // that the container should have
	Chunks  int64 `json:"chunks"`
	Checked int64 `json:"chunks_checked"`

	Damaged    int64   `json:"chunks_damaged"` // that are not in their places
	Moved      int64   `json:"chunks_moved"`   // of them: found elsewhere, where bytes were inserted or are missing
	Unknown    int64   `json:"chunks_unknown"` // whose checksums the parity file has lost
	Stray      int64   `json:"chunks_stray"`   // that open, though the parity file has other checksums
	Lost       int64   `json:"chunks_lost"`    // that cannot be repaired
	Damages    []Range `json:"damaged"`
	Losses     []Range `json:"lost"`
	Head       bool    `json:"head_intact"`
	Tail       bool    `json:"tail_intact"`
	Differ     bool    `json:"copies_differ"` // head and tail are intact, and not equal
	HeadSource string  `json:"head_source"`   // what a head or tail that is not intact is restored from: "container" (the other one), "parity file" or ""

	ParitySize   int64    `json:"parity_size"`
	Cells        int64    `json:"parity_cells"` // that were looked at
	CellsDamaged int64    `json:"parity_cells_damaged"`
	Blocks       int64    `json:"parity_blocks_damaged"` // of its headers and tables
	CopyIntact   bool     `json:"parity_head_intact"`    // the copy of the head in it is
	Strength     Strength `json:"strength"`              // while nothing is damaged
	Left         Strength `json:"left"`                  // what may be lost beyond what is

	// ReadErr is the first read of the container that failed. What could not be read
	// counts as damaged.
	ReadErr error `json:"-"`

	copy *format.Head // in the parity file
	head []byte       // that a repaired container has at both ends, if one is not intact
}

// Intact reports whether nothing of the container or of the parity file is damaged, as
// far as was looked at.
func (r *Report) Intact() bool {
	return r.Sound() && r.CellsDamaged+r.Blocks+r.Unknown == 0 && r.CopyIntact
}

// Sound reports whether nothing of the container is damaged.
func (r *Report) Sound() bool {
	return r.Damaged == 0 && r.Head && r.Tail && r.Size == r.Whole
}

// Repairable reports whether all of the container that is damaged can be repaired.
func (r *Report) Repairable() bool {
	return r.Lost == 0 && (r.Head && r.Tail || r.HeadSource != "")
}

// Scrub compares a container of size bytes with its parity file. It writes nothing. Its
// errors are a [*format.ParseError] if the parity file cannot be used, [ErrOther], and the
// cause of ctx's end. What cannot be read of the container counts as damaged.
func Scrub(ctx context.Context, container io.ReaderAt, size int64, parity io.ReaderAt, paritySize int64, opts *ScrubOptions) (*Report, error) {
	if opts == nil {
		opts = &ScrubOptions{}
	}
	c, err := inspect(ctx, container, size, parity, paritySize, opts.Workers, opts.Done)
	if err != nil {
		return nil, err
	}
	low, high := int64(0), c.chunks
	if opts.Parts > 0 {
		low, high = c.chunks*int64(opts.Part-1)/int64(opts.Parts), c.chunks*int64(opts.Part)/int64(opts.Parts)
	}
	return c.scan(low, high, nil)
}

// inspect returns an inspector of a container.
func inspect(ctx context.Context, container io.ReaderAt, size int64, parity io.ReaderAt, paritySize int64, workers int, done *atomic.Int64) (*inspector, error) {
	f, err := open(parity, paritySize, size)
	if err != nil {
		return nil, err
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if done == nil {
		done = new(atomic.Int64)
	}
	return &inspector{file: f, ctx: ctx, src: container, now: size, before: container, was: size, workers: workers, done: done}, nil
}

// scan surveys the windows that hold the chunks low..high-1, gives each survey to visit,
// and sums them up.
func (c *inspector) scan(low, high int64, visit func(*survey) error) (*Report, error) {
	r := &Report{Size: c.was, Whole: c.size(), Chunks: c.chunks, ParitySize: c.length, Strength: c.strength(c.m)}
	if err := c.copies(r); err != nil {
		return nil, err
	}
	r.Blocks = int64(c.headersDamaged())
	margin := c.m
	for w := range c.windows() {
		first := w * c.window()
		from, to := max(0, low-first), min(int64(c.chunksIn(w)), high-first)
		if from >= to {
			continue
		}
		s, err := c.survey(w, int(from), int(to))
		if err != nil {
			return nil, err
		}
		r.Checked += to - from
		margin = min(margin, r.add(c, s))
		if visit != nil {
			if err := visit(s); err != nil {
				return nil, err
			}
		}
	}
	r.Left = c.strength(max(0, margin))
	r.ReadErr = c.readErr
	return r, nil
}

// add adds a window to the report, and returns the least margin of its groups (PAR-17).
func (r *Report) add(c *inspector, s *survey) (margin int) {
	short := c.short(s)
	r.Cells += int64(s.high - s.low)
	for k := s.low; k < s.high; k++ {
		if !s.cell[k] {
			r.CellsDamaged++
		}
	}
	r.Blocks += int64(s.damaged)
	r.Stray += s.stray
	for q := range s.shift {
		if s.good[q] || s.shift[q] == unchecked {
			continue
		}
		i := s.first + int64(q)
		at := Range{c.chunkAt(i), int64(c.chunkLen(i))}
		gone := !s.has(q) && short[q%len(short)] < 0
		switch {
		case s.has(q):
			r.Moved++
		case gone:
			r.Lost++
			r.Losses = appendRange(r.Losses, at)
		}
		if s.shift[q] == unknown && !gone {
			r.Unknown++
			continue
		}
		r.Damaged++
		r.Damages = appendRange(r.Damages, at)
	}
	margin = c.m
	for _, left := range short {
		margin = min(margin, left)
	}
	return margin
}

// short is how many cells each group of a window has more than it needs.
func (c *inspector) short(s *survey) []int {
	groups := c.groupsIn(s.w)
	left := make([]int, groups)
	for k, good := range s.cell {
		if good || k < s.low || k >= s.high {
			left[k%groups]++
		}
	}
	for r := range s.shift {
		if !s.has(r) && s.shift[r] != unchecked {
			left[r%groups]--
		}
	}
	return left
}

// appendRange appends a range, to the one before it if that ends where it begins.
func appendRange(all []Range, r Range) []Range {
	if n := len(all); n > 0 && all[n-1].Offset+all[n-1].Length == r.Offset {
		all[n-1].Length += r.Length
		return all
	}
	return append(all, r)
}

// copies looks at the head and the tail, and at the copy of the head in the parity file.
// It fails with ErrOther if an intact copy is of another container (PAR-5).
func (c *inspector) copies(r *Report) error {
	r.Damages, r.Losses = []Range{}, []Range{}
	here := format.ReadCopies(c.src, c.size()) // in their places
	var usable []*format.Copy
	for _, found := range []*format.Copies{here, format.ReadCopies(c.src, c.now), format.ReadCopies(c.before, c.was)} {
		if err := found.Conflict(nil); err != nil {
			return err
		}
		usable = append(usable, found.Usable()...)
	}
	for _, u := range usable {
		if [format.IdentitySize]byte(u.Raw) != c.identity {
			return ErrOther
		}
	}
	r.copy = c.headCopy()
	r.Head, r.Tail, r.CopyIntact = here.Head != nil, here.Tail != nil, r.copy != nil
	r.Differ = r.Head && r.Tail && string(here.Head.Raw) != string(here.Tail.Raw)
	if len(usable) > 0 {
		r.head, r.HeadSource = usable[0].Raw, "container"
	} else if r.CopyIntact { // PAR-21
		r.head, r.HeadSource = make([]byte, c.headSize()), "parity file"
		readWhole(c.file.src, r.head, blockSize, blockSize)
	}
	return nil
}
