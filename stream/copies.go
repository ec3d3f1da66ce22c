package stream

import (
	"errors"
	"fmt"
	"slices"

	"bulla/format"
)

// faults is what is amiss with the copies of the head that stand in the
// container, by a good one: for those who go on with that, so that a copy which
// cannot be read is one of the faults.
func (r *payloadAt) faults(good *format.Copy) (found []format.Finding) {
	unread := func(err error, c format.Clause, off int64, place format.Place) {
		if err != nil && !errors.As(err, new(*format.ParseError)) {
			found = append(found, format.Finding{Clause: c, Severity: format.Violation, Offset: off, Length: r.layout.HeadSize,
				Message: fmt.Sprintf("the %s cannot be read: %v", place, err)})
		}
	}
	unread(r.copies.HeadErr, format.HEAD4, 0, format.AtHead)
	unread(r.copies.TailErr, format.TAIL1, max(0, r.layout.TailOffset()), format.AtTail)
	return append(found, r.op.compare(good, r.copies, r.layout.Size)...)
}

// own is the copy that the container's places are judged by: the one that counts
// of those that stand in it. A newer detached head does not make them stale.
func (op *opened) own() *format.Copy {
	if op.stored == nil {
		return op.head
	}
	return op.stored
}

// compare says what is wrong with the container's two copies by a good one.
func (op *opened) compare(good *format.Copy, c *format.Copies, size int64) (found []format.Finding) {
	if pe, ok := errors.AsType[*format.ParseError](c.HeadErr); ok {
		found = append(found, pe.Finding())
	}
	forged := func(c *format.Copy) bool { return !op.keys.VerifyHead(c.Head, c.Raw) }
	return append(found, c.Compare(good, size, forged)...)
}

// atEnd judges the copies of a container that came as a stream, now that its tail
// is there, too, which begins at an offset. They may be of two containers (COPY-1,
// READ-4) or the tail forged: then what came before is only what one side says.
func (op *opened) atEnd(c *format.Copies, detached []byte, tail int64) ([]format.Finding, error) {
	if err := c.Conflict(detached); err != nil {
		return nil, err
	}
	good := op.own()
	if t := c.Tail; t != nil {
		if !op.keys.VerifyHead(t.Head, t.Raw) { // HEAD-13
			return nil, forgery(t)
		}
		if op.stored == nil || t.Head.Generation > good.Head.Generation {
			good = t
		}
	}
	return op.compare(good, c, tail+int64(op.head.Head.HeadSize())), nil
}

// asWarnings returns a copy of what was found, as warnings (TAIL-3).
func asWarnings(found []format.Finding) []format.Finding {
	found = slices.Clone(found)
	for i := range found {
		found[i].Severity = format.Warning
	}
	return found
}
