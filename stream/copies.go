package stream

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// own is the copy that the container's places are judged by: the one that counts
// of those that stand in it. A newer detached head does not make them stale.
func (op *opened) own() *format.Copy {
	if op.stored == nil {
		return op.head
	}
	return op.stored
}

// checkCopies says what is wrong with the container's two copies by a good one,
// now that one has opened (HEAD-13, TAIL-1, TAIL-2). Damage to the tail of a
// container that is cut off is not told apart from the cut here.
func (op *opened) checkCopies(good *format.Copy, c *format.Copies, size int64) (found []format.Finding) {
	var pe *format.ParseError
	if c.Head != nil {
		found = op.compare(found, good, c.Head, "head")
	} else if errors.As(c.HeadErr, &pe) {
		found = append(found, pe.Finding())
	}
	if c.Tail != nil {
		found = op.compare(found, good, c.Tail, "tail")
	} else if errors.As(c.TailErr, &pe) {
		n := int64(good.Head.HeadSize())
		found = append(found, format.Finding{Clause: format.TAIL1, Severity: format.Violation,
			Offset: max(0, size-n), Length: min(n, size), Message: fmt.Sprintf("the tail is no copy of the head: %v", c.TailErr)})
	}
	return found
}

// atEnd judges the copies of a container that came as a stream, now that its tail
// is there, too, which begins at an offset. They may be of two containers (COPY-1,
// READ-4) or the tail forged: then what came before is only what one side says.
func (op *opened) atEnd(c *format.Copies, detached []byte, tail int64) ([]format.Finding, error) {
	if detached != nil {
		detached = detached[:op.head.Head.HeadSize()]
	}
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
	return op.checkCopies(good, c, tail+int64(op.head.Head.HeadSize())), nil
}

// compare adds to found what is wrong with the copy in one place by a good one
// of the same container.
func (op *opened) compare(found []format.Finding, good, c *format.Copy, place string) []format.Finding {
	f := format.Finding{Clause: format.TAIL2, Severity: format.Violation, Offset: c.Offset, Length: int64(len(c.Raw))}
	switch {
	case bytes.Equal(c.Raw, good.Raw):
		return found
	case !op.keys.VerifyHead(c.Head, c.Raw):
		f.Clause, f.Message = format.HEAD13, fmt.Sprintf("the %s was changed by someone who cannot open it", place)
	case c.Head.Generation == good.Head.Generation:
		f.Message = "the copies of the head are of the same generation and differ" + stillOpen(c.Head, good.Head)
	default:
		f.Message = fmt.Sprintf("the %s is stale: of generation %d, not %d, as an interrupted change of recipients leaves it%s",
			place, c.Head.Generation, good.Head.Generation, stillOpen(c.Head, good.Head))
	}
	return append(found, f)
}

// stillOpen says how many slots an old copy has that the good one does not.
func stillOpen(old, good *format.Head) string {
	slots := old.SlotsNotIn(good)
	if len(slots) == 0 {
		return ""
	}
	number := make(map[format.SlotType]int)
	for _, i := range slots {
		number[old.Slots[i].Type]++
	}
	var census []string
	for _, t := range slices.Sorted(maps.Keys(number)) {
		census = append(census, fmt.Sprintf("%d %v", number[t], t))
	}
	return fmt.Sprintf("; recipients that were removed still open the file by it: %s", strings.Join(census, ", "))
}

// asWarnings returns a copy of what was found, as warnings (TAIL-3).
func asWarnings(found []format.Finding) []format.Finding {
	found = slices.Clone(found)
	for i := range found {
		found[i].Severity = format.Warning
	}
	return found
}
