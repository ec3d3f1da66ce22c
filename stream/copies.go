package stream

import (
	"errors"
	"fmt"

	"bulla/format"
)

// faults is what is amiss with the copies of the head that stand in the
// container, by a good one: for those who go on with that, so that a copy which
// cannot be read is one of the faults.
func (r *payloadAt) faults(good *format.Copy) []format.Finding {
	return append(unreadable(r.copies, r.layout), r.op.checkCopies(good, r.copies, r.layout.Size)...)
}

// unreadable says which of the copies could not be read at all.
func unreadable(c *format.Copies, l format.Layout) (found []format.Finding) {
	var pe *format.ParseError
	for _, place := range []struct {
		err    error
		clause format.Clause
		offset int64
		name   string
	}{
		{c.HeadErr, format.HEAD4, 0, "head"},
		{c.TailErr, format.TAIL1, max(0, l.TailOffset()), "tail"},
	} {
		if place.err != nil && !errors.As(place.err, &pe) {
			found = append(found, format.Finding{Clause: place.clause, Severity: format.Violation, Offset: place.offset, Length: l.HeadSize,
				Message: fmt.Sprintf("the %s cannot be read: %v", place.name, place.err)})
		}
	}
	return found
}

// checkCopies says what is wrong with the container's two copies by a good one,
// now that one has opened. Damage to the tail of a container that is cut off is not told
// apart from the cut here.
func (op *opened) checkCopies(good *format.Copy, c *format.Copies, size int64) []format.Finding {
	var found []format.Finding
	n := int64(op.head.Head.HeadSize())
	var pe *format.ParseError
	if errors.As(c.HeadErr, &pe) {
		found = append(found, format.NewFinding(pe))
	} else if c.Head != nil {
		if f := op.compare(good, c.Head.Raw, headPlace, c.Head.Offset); f != nil {
			found = append(found, *f)
		}
	}
	if errors.As(c.TailErr, &pe) {
		found = append(found, format.Finding{Clause: format.TAIL1, Severity: format.Violation,
			Offset: max(0, size-n), Length: min(n, size), Message: fmt.Sprintf("the tail is no copy of the head: %v", c.TailErr)})
	} else if c.Tail != nil {
		if f := op.compare(good, c.Tail.Raw, tailPlace, c.Tail.Offset); f != nil {
			found = append(found, *f)
		}
	}
	return found
}
