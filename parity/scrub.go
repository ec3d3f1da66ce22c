package parity

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/bits"
	"slices"
	"sync/atomic"

	"bulla/format"
)

// ErrOther is the error for a parity file that was made of another container (PAR-5).
var ErrOther = errors.New("the parity file belongs to another container")

// ScrubOptions say how a container is looked at. Nil means the zero value.
type ScrubOptions struct {
	Part, Parts int           // only part 1..Parts is looked at; 0 for everything
	Windows     bool          // the parts are of whole windows, so that [Merge] can make one report of theirs
	Workers     int           // 0 for as many as there are processors
	Done        *atomic.Int64 // counts the bytes of the container that were read; may be nil
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

	Damaged int64   `json:"chunks_damaged"` // that are not in their places
	Moved   int64   `json:"chunks_moved"`   // of these: found elsewhere, as bytes were inserted or are missing
	Lost    int64   `json:"chunks_lost"`    // of these: cannot be repaired
	Damages []Range `json:"damaged"`
	Losses  []Range `json:"lost"`
	Head    bool    `json:"head_intact"`
	Tail    bool    `json:"tail_intact"`

	ParitySize   int64    `json:"parity_size"`
	Cells        int64    `json:"parity_cells"` // that were looked at
	CellsDamaged int64    `json:"parity_cells_damaged"`
	Blocks       int64    `json:"parity_blocks_damaged"` // of its headers and tables
	CopyIntact   bool     `json:"parity_head_intact"`    // the copy of the head in it is
	Strength     Strength `json:"strength"`              // while nothing is damaged
	Left         Strength `json:"left"`                  // what may be lost beyond what is

	// ReadErr is a read of the container that failed. What could not be read counts as
	// damaged.
	ReadErr error `json:"-"`

	Restorable bool `json:"-"` // there is a copy of the head to restore from, in the container or the parity file

	head  []byte       // to restore from, if there is a copy anywhere
	saved *format.Copy // the copy in the parity file
	alone bool         // and that is the only one
}

// Sound reports whether nothing of the container is damaged, as far as was looked at.
func (r *Report) Sound() bool { return r.Damaged == 0 && r.Head && r.Tail && r.Size == r.Whole }

// ParitySound reports whether nothing of the parity file is.
func (r *Report) ParitySound() bool { return r.CellsDamaged+r.Blocks == 0 && r.CopyIntact }

// Repairable reports whether all that is damaged of the container can be repaired.
func (r *Report) Repairable() bool { return r.Lost == 0 && (r.Head && r.Tail || r.Restorable) }

// Alone returns the head in the parity file, if the container has none and that is sound; else nil.
func (r *Report) Alone() *format.Head {
	if r.alone && r.saved != nil {
		return r.saved.Head
	}
	return nil
}

// Scrub compares a container of size bytes with its parity file of length bytes. It
// writes nothing. Its errors are a [*format.ParseError] if the parity file cannot be
// used or the container's copies belong to two containers, [ErrOther], those of reading
// the parity file's first header, and the cause of ctx's end.
func Scrub(ctx context.Context, container io.ReaderAt, size int64, par io.ReaderAt, length int64, opts *ScrubOptions) (*Report, error) {
	if opts == nil {
		opts = &ScrubOptions{}
	}
	c, err := inspect(ctx, container, size, par, length, opts.Workers, opts.Done)
	if err != nil {
		return nil, err
	}
	low, high := int64(0), c.chunks
	if p, n := opts.Part, opts.Parts; n > 0 && opts.Windows {
		low, high = share(c.windows(), p-1, n)*c.window(), min(share(c.windows(), p, n)*c.window(), c.chunks)
	} else if n > 0 {
		low, high = share(c.chunks, p-1, n), share(c.chunks, p, n)
	}
	return c.scan(low, high, opts.Windows, func(*survey) {})
}

// share is floor(all k / n), for k up to n.
func share(all int64, k, n int) int64 {
	high, low := bits.Mul64(uint64(all), uint64(k))
	at, _ := bits.Div64(high, low, uint64(n))
	return int64(at)
}

// Look returns in how many windows a container of size bytes is looked at, and what it
// survives.
func Look(size int64, par io.ReaderAt, length int64) (windows int, s Strength, err error) {
	f, err := open(par, length, size)
	if err != nil {
		return 0, s, err
	}
	return int(f.windows()), f.strength(f.m), nil
}

// Merge makes one report of those on all parts of a container, in their order: what Scrub says of
// all of it. Parts must be of whole windows, and not more than there are.
func Merge(parts []*Report) *Report {
	r := *parts[0]
	r.Damages, r.Losses = slices.Clone(r.Damages), slices.Clone(r.Losses)
	for _, p := range parts[1:] {
		r.add(p)
		for _, d := range p.Damages {
			r.Damages = appendRange(r.Damages, d)
		}
		for _, l := range p.Losses {
			r.Losses = appendRange(r.Losses, l)
		}
	}
	return &r
}

// Total is one report on several containers, the parts of a set: how much of them is damaged,
// and not where. Its Strength and Left are those of the weakest.
func Total(parts []*Report) *Report {
	r := *parts[0]
	r.Damages, r.Losses = []Range{}, []Range{}
	for _, p := range parts[1:] {
		r.add(p)
		r.Size += p.Size
		r.Whole += p.Whole
		r.Chunks += p.Chunks
		r.ParitySize += p.ParitySize
		r.CopyIntact = r.CopyIntact && p.CopyIntact
		r.Restorable = r.Restorable && (p.Restorable || p.Head && p.Tail)
		if p.Strength.WeakerThan(r.Strength) {
			r.Strength = p.Strength
		}
	}
	return &r
}

// add adds what was found elsewhere.
func (r *Report) add(p *Report) {
	r.Checked += p.Checked
	r.Damaged += p.Damaged
	r.Moved += p.Moved
	r.Lost += p.Lost
	r.Cells += p.Cells
	r.CellsDamaged += p.CellsDamaged
	r.Blocks += p.Blocks
	if p.Left.WeakerThan(r.Left) {
		r.Left = p.Left
	}
	if p.ReadErr != nil {
		r.ReadErr = p.ReadErr
	}
	r.Head, r.Tail = r.Head && p.Head, r.Tail && p.Tail
}

// scan surveys the windows that hold the chunks low..high-1, has visit look at each
// survey, and sums them up. If the report is to be merged, whole, only the first has what
// all would.
func (c *inspector) scan(low, high int64, whole bool, visit func(*survey)) (*Report, error) {
	r := &Report{Size: c.was, Whole: c.geometry.size(), Chunks: c.chunks, Damages: []Range{}, Losses: []Range{}, ParitySize: c.length, Strength: c.strength(c.m)}
	if err := c.copies(r); err != nil {
		return nil, err
	}
	first := make([]byte, blockSize)
	if readAt(c.par, first, 0, blockSize); (low == 0 || !whole) && !bytes.Equal(first, c.geometry.header(start, 0)) {
		r.Blocks++
	}
	margin := c.m
	for w := low / c.window(); w*c.window() < high; w++ {
		from, to := max(0, low-w*c.window()), min(int64(c.chunksIn(w)), high-w*c.window())
		s, err := c.survey(w, int(from), int(to))
		if err != nil {
			return nil, err
		}
		r.Checked += to - from
		r.count(c, s)
		for _, left := range s.margin {
			margin = min(margin, left)
		}
		visit(s)
	}
	r.Left, r.ReadErr = c.strength(max(0, margin)), c.readErr
	return r, nil
}

// count adds a window to the report.
func (r *Report) count(c *inspector, s *survey) {
	r.Cells += int64(s.high - s.low)
	for _, good := range s.cell[s.low:s.high] {
		if !good {
			r.CellsDamaged++
		}
	}
	r.Blocks += s.damaged
	for q := range s.shift {
		i := s.first + int64(q)
		at := Range{c.chunkAt(i), int64(c.chunkLen(i))}
		gone := !s.found(q) && s.group(q) < 0
		switch {
		case s.good[q] || s.shift[q] == unchecked || !s.knows(q) && !gone: // what there is no entry for is damage of the parity file
			continue
		case gone:
			r.Lost++
			r.Losses = appendRange(r.Losses, at)
		case s.found(q):
			r.Moved++
		}
		r.Damaged++
		r.Damages = appendRange(r.Damages, at)
	}
}

// appendRange appends a range, to the one before it if that ends where it begins.
func appendRange(all []Range, r Range) []Range {
	if n := len(all); n > 0 && all[n-1].Offset+all[n-1].Length == r.Offset {
		all[n-1].Length += r.Length
		return all
	}
	return append(all, r)
}

// copies looks at the head and the tail, and for a copy of the head to restore them from.
// It fails with ErrOther if an intact one is of another container (PAR-5).
func (c *inspector) copies(r *Report) error {
	here := format.ReadCopies(c.src, c.geometry.size()) // in their places
	var usable []*format.Copy
	for _, found := range []*format.Copies{here, format.ReadCopies(c.src, c.size), format.ReadCopies(c.before, c.was)} {
		if err := found.Conflict(nil); err != nil {
			return err
		}
		usable = append(usable, found.Usable()...)
	}
	for _, u := range usable {
		if !bytes.Equal(u.Raw[:format.IdentitySize], c.identity[:]) {
			return ErrOther
		}
	}
	r.saved = c.headCopy()
	r.Head, r.Tail, r.CopyIntact, r.alone = here.Head != nil, here.Tail != nil, r.saved != nil, len(usable) == 0
	if !r.alone {
		r.head = usable[0].Raw
	} else if r.CopyIntact { // PAR-21
		r.head = r.saved.Raw
	}
	r.Restorable = r.head != nil
	return nil
}
