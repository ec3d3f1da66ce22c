package stream

import (
	"context"
	"errors"
	"fmt"
	"io"

	"bulla/format"
	"bulla/internal/salvage"
)

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
