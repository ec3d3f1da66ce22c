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

// A side is a copy of the head in one place.
type side struct {
	place format.Place
	copy  *format.Copy // nil if it is not usable
	err   error        // why not
}

// sidesOf returns the copies of the head: that at the beginning first, then the
// tail, of whatever length, and the detached head if there is one. There is a
// conflict if they are not all of one container.
func sidesOf(src io.ReaderAt, size int64, detached []byte) (sides []side, conflict bool, err error) {
	c := format.ReadCopies(src, size)
	tail := side{format.AtTail, c.Tail, c.TailErr}
	if c.Head != nil && c.Tail == nil {
		if other := format.ReadTail(src, size); other.Tail != nil {
			tail.copy, tail.err = other.Tail, nil
		}
	}
	sides = []side{{format.AtHead, c.Head, c.HeadErr}, tail}
	if detached != nil {
		h, err := format.ParseHead(detached)
		if err != nil {
			return nil, false, fmt.Errorf("detached head: %w", err)
		}
		sides = append(sides, side{format.Detached, &format.Copy{Offset: detachedAt, Raw: detached[:h.HeadSize()], Head: h}, nil})
	}
	conflict = c.Conflict(detached) != nil // as far as they are where they should be
	var first *format.Copy
	for _, x := range sides {
		if x.copy != nil && first != nil && !x.copy.Head.SameContainer(first.Head) {
			conflict = true
		}
		if first == nil {
			first = x.copy
		}
	}
	return sides, conflict, nil
}

// noSide is the error for a place where there is no usable copy.
func noSide(sides []side, from format.Place) error {
	for _, x := range sides {
		if x.place == from {
			return fmt.Errorf("%s: %w", from, x.err)
		}
	}
	return fmt.Errorf("there is no copy of the head of the kind %q", string(from))
}

// countSides returns a ConflictError, or why the chunks could not be counted.
func countSides(ctx context.Context, src io.ReaderAt, size int64, ids []Identity, o *opening, sides []side) error {
	e := &ConflictError{}
	for _, x := range sides {
		n, err := int64(0), x.err
		if x.copy != nil {
			n, err = countSide(ctx, src, size, ids, o, x.copy, sides)
		} else if !errors.Is(err, format.ErrMalformed) && !errors.Is(err, format.ErrUnsupported) {
			continue // it is damaged, or none
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e.Sides = append(e.Sides, Side{x.place, n, err})
	}
	return e
}

func countSide(ctx context.Context, src io.ReaderAt, size int64, ids []Identity, o *opening, c *format.Copy, sides []side) (int64, error) {
	op, err := open(ctx, []*format.Copy{c}, ids, false)
	if err != nil {
		return 0, err
	}
	defer op.wipe()
	return salvage.Count(ctx, container(src, size, op, sides), salvage.Options{Workers: o.workers, Done: o.done})
}

// container is what was opened, with its tail if that is one of some sides.
func container(src io.ReaderAt, size int64, op *opened, sides []side) *salvage.Container {
	c := &salvage.Container{Src: src, Size: size, Head: op.head.Head, Keys: op.keys, Tail: -1}
	for _, x := range sides {
		if x.place == format.AtTail && x.copy != nil && x.copy.Head.SameContainer(c.Head) {
			c.Tail = x.copy.Offset
		}
	}
	return c
}
