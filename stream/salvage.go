package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"bulla/format"
	"bulla/internal/salvage"
)

// A Range is a part of the plaintext: Offset and Length, in bytes.
type Range = salvage.Range

// A Shift is a place from which on chunks were found away from where they
// belong, after bytes that were inserted or lost, or in their places again: the
// first Chunk that was found so, its Offset in the container, and the bytes that
// it has moved By: positive if it is too far back, negative if too far ahead.
type Shift = salvage.Shift

// Salvaged is what Salvage got back, as JSON has it.
type Salvaged struct {
	salvage.Report
	PlacesKnown bool         `json:"places_known"`      // nothing is uncertain
	Written     bool         `json:"uncertain_written"` // as the options asked
	From        format.Place `json:"from,omitempty"`    // the copy of the head that they chose
	Head        *format.Head `json:"-"`                 // the copy that was used
	Conflict    bool         `json:"-"`                 // the copies are of different containers, and one was chosen

	warnings []format.Finding
}

// Warnings returns what is wrong with the copies of the head (TAIL-3), as that of
// a [ReaderAt]: nothing if one was chosen, the container's end is missing, or the
// copy that served stands in neither of its places.
func (s *Salvaged) Warnings() []format.Finding { return slices.Clone(s.warnings) }

// ErrNoHead is what Salvage returns, with what is wrong with the one at the
// beginning, if there is no usable copy of the head anywhere.
var ErrNoHead = errors.New("no copy of the head is left")

// Salvage writes to dst the plaintext of the container of size bytes in src, as
// far as its chunks authenticate: each in its place, and zeros where one is lost.
// Nothing else reaches dst. It reads src twice: to find the chunks, and to open
// them; opts.Done grows by about twice the payload's size.
//
// The container may have lost its head (the tail, a copy anywhere in src or a
// detached head in opts serves), its end, or sectors in the middle (a read error
// is a hole like any other), and lie inside something larger. Where its bytes have
// slipped they are looked for at every byte up to 512 away, and at every sector of
// 512 bytes up to 16 MiB away.
//
// A compressed payload is decompressed frame by frame, and a frame of 2 MiB that
// touches a lost chunk is lost whole. The table at the end says where the frames
// are. Without it they are found one after the other up to the first lost chunk.
// What looks like a frame after that may belong some frames further on, or be
// content: it is listed as uncertain, and zeros are written for it unless
// opts.Uncertain is set. With opts.Raw the payload is written as it is.
//
// Copies of two containers are a [*ConflictError], unless opts.From chooses one. A
// copy that is forged is left out, if another is good.
//
// Its errors are these, ErrNoHead, those of [NewReaderAt] when no head opens, those of
// dst, and the cause of ctx's end. Loss is not an error.
func Salvage(ctx context.Context, dst io.Writer, src io.ReaderAt, size int64, identities []Identity, opts *SalvageOptions) (*Salvaged, error) {
	return salvageWithin(ctx, dst, src, size, identities, opts, salvage.Limits{})
}

func salvageWithin(ctx context.Context, dst io.Writer, src io.ReaderAt, size int64, identities []Identity, opts *SalvageOptions, limits salvage.Limits) (*Salvaged, error) {
	if opts == nil {
		opts = new(SalvageOptions)
	}
	o := opts.orDefault()
	src = salvage.Medium{Src: src}
	places := format.ReadCopies(src, size)
	all, conflict, err := sidesOf(places, src, size, o.head)
	if err != nil {
		return nil, err
	}
	p := &patient{src, size, identities, all, salvage.Options{
		Workers: o.workers, Done: o.done, Raw: o.raw, Uncertain: opts.Uncertain, Limits: limits,
	}, &o}
	if opts.From == "" && conflict {
		return nil, p.contradiction(ctx)
	}
	chosen := all[:]
	if opts.From != "" {
		i := slices.IndexFunc(chosen, func(x side) bool { return x.Place == opts.From })
		if i < 0 {
			return nil, fmt.Errorf("no copy of the head has the place %q", string(opts.From))
		}
		if chosen = chosen[i : i+1]; chosen[0].copy == nil {
			return nil, fmt.Errorf("%s: %w", opts.From, chosen[0].Err)
		}
	}
	var copies []*format.Copy
	for _, x := range chosen {
		if x.copy != nil {
			copies = append(copies, x.copy)
		}
	}
	inPlace := len(copies) > 0
	if !inPlace {
		c, err := salvage.FindCopy(ctx, src, size, []byte(format.Magic))
		if err != nil {
			return nil, err
		}
		if c == nil {
			return nil, fmt.Errorf("%w: %w", ErrNoHead, all[0].Err)
		}
		copies = append(copies, c)
	}
	result := &Salvaged{Written: opts.Uncertain, From: opts.From, Conflict: conflict}
	err = p.with(ctx, copies, func(c *salvage.Container, op *opened) error {
		r, err := salvage.Write(ctx, newSink(dst), c, p.opts)
		if err != nil {
			return err
		}
		result.Report, result.Head, result.PlacesKnown = *r, c.Head, len(r.Uncertain) == 0
		if inPlace && r.SizeKnown && opts.From == "" {
			result.warnings = asWarnings(newPayload(src, size, op, places, &o).faults(op.own()))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// A ConflictError says that the copies of a container's head are of different
// containers (COPY-1, READ-4), and what each of them opens. It matches
// format.ErrForged.
type ConflictError struct{ Sides []Side }

// A Side is what a container is by one copy of its head.
type Side struct {
	Place  format.Place
	Chunks int64 // that open where they belong
	Err    error // why none does, if the copy cannot be opened or is not usable
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("the copies of the head are of different containers [%s]", format.COPY1)
}

func (e *ConflictError) Unwrap() error { return format.ErrForged }

// A side is a Side with its copy of the head, nil if that is not usable.
type side struct {
	Side
	copy *format.Copy
}

var errNoDetached = errors.New("no detached head was given")

// sidesOf returns the copies of the head: that at the beginning, the tail, of
// whatever length, and the detached head. There is a conflict if they are not all
// of one container.
func sidesOf(c *format.Copies, src io.ReaderAt, size int64, detached []byte) (all [3]side, conflict bool, err error) {
	all = [3]side{
		{Side{format.AtHead, 0, c.HeadErr}, c.Head},
		{Side{format.AtTail, 0, c.TailErr}, c.Tail},
		{Side{format.Detached, 0, errNoDetached}, nil},
	}
	if c.Head != nil && c.Tail == nil {
		if other := format.ReadTail(src, size); other.Tail != nil {
			all[1].copy = other.Tail
		}
	}
	if detached != nil {
		if all[2].copy, err = parseDetached(detached); err != nil {
			return all, false, err
		}
	}
	conflict = c.Conflict(detached) != nil // as far as they are where they should be
	for _, x := range all {
		for _, y := range all {
			conflict = conflict || x.copy != nil && y.copy != nil && !x.copy.Head.SameContainer(y.copy.Head)
		}
	}
	return all, conflict, nil
}

// A patient is what is to be salvaged.
type patient struct {
	src  io.ReaderAt
	size int64
	ids  []Identity
	all  [3]side
	opts salvage.Options
	o    *opening
}

// with opens the container by one of some copies of its head, and calls f with it.
func (p *patient) with(ctx context.Context, copies []*format.Copy, f func(*salvage.Container, *opened) error) error {
	if err := p.o.mayGive(copies); err != nil {
		return err
	}
	op, err := open(ctx, copies, p.ids, false)
	if err != nil {
		return err
	}
	defer op.wipe()
	c := &salvage.Container{Src: p.src, Size: p.size, Head: op.head.Head, Keys: op.keys, Tail: -1}
	if tail := p.all[1].copy; tail != nil && tail.Head.SameContainer(c.Head) {
		c.Tail = tail.Offset
	}
	return f(c, op)
}

// contradiction returns a ConflictError, or the cause of ctx's end.
func (p *patient) contradiction(ctx context.Context) error {
	e := &ConflictError{}
	for _, x := range p.all {
		if x.copy != nil {
			x.Err = p.with(ctx, []*format.Copy{x.copy}, func(c *salvage.Container, _ *opened) (err error) {
				x.Chunks, err = salvage.Count(ctx, c, p.opts)
				return err
			})
		} else if !errors.Is(x.Err, format.ErrMalformed) && !errors.Is(x.Err, format.ErrUnsupported) {
			continue // it is damaged, or none
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e.Sides = append(e.Sides, x.Side)
	}
	return e
}
