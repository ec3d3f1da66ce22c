package format

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Compare says what is wrong with the copies of a container of size bytes by a
// good one: the tail is not usable (TAIL-1), one is not the same as the good one
// (TAIL-2), or forged (HEAD-13). The last is for forged to say, by the copy's MAC;
// nil means that there is no key. Of a head that is not usable c.HeadErr says it.
//
// A tail that could not be read is not judged. Damage to the tail of a container
// that is cut off is not told apart from the cut here.
func (c *Copies) Compare(good *Copy, size int64, forged func(*Copy) bool) (found []Finding) {
	if c.Head != nil {
		found = c.Head.compare(found, AtHead, good, forged)
	}
	if c.Tail != nil {
		found = c.Tail.compare(found, AtTail, good, forged)
	} else if errors.As(c.TailErr, new(*ParseError)) {
		n := min(size, int64(good.Head.HeadSize()))
		found = append(found, Finding{TAIL1, Violation, size - n, n, fmt.Sprintf("the tail is not a copy of the head: %v", c.TailErr)})
	}
	return found
}

// compare adds to found what is wrong with the copy in one place by a good one
// of the same container.
func (c *Copy) compare(found []Finding, at Place, good *Copy, forged func(*Copy) bool) []Finding {
	f := Finding{TAIL2, Violation, c.Offset, int64(len(c.Raw)), ""}
	switch {
	case bytes.Equal(c.Raw, good.Raw):
		return found
	case forged != nil && forged(c):
		f.Clause, f.Message = HEAD13, fmt.Sprintf("the %s was changed by someone who cannot open it", at)
	case c.Head.Generation == good.Head.Generation:
		f.Message = "the copies of the head are of the same generation and differ" + stillOpen(c.Head, good.Head)
	default:
		f.Message = fmt.Sprintf("the %s is stale: of generation %d, not %d, as an interrupted change of recipients leaves it%s",
			at, c.Head.Generation, good.Head.Generation, stillOpen(c.Head, good.Head))
	}
	return append(found, f)
}

// Older says that h is of a lower generation than the head of its container that
// counts (READ-1), and which slots only h has; it is "" if h is not older.
func (h *Head) Older(counts *Head) string {
	if h.Generation >= counts.Generation {
		return ""
	}
	return fmt.Sprintf("of generation %d, not %d%s", h.Generation, counts.Generation, stillOpen(h, counts))
}

// stillOpen says how many slots an old copy has that the good one does not.
func stillOpen(old, good *Head) string {
	number := make(map[SlotType]int)
	for _, i := range old.SlotsNotIn(good) {
		number[old.Slots[i].Type]++
	}
	if len(number) == 0 {
		return ""
	}
	var census []string
	for _, t := range slices.Sorted(maps.Keys(number)) {
		census = append(census, fmt.Sprintf("%d %v", number[t], t))
	}
	return "; recipients that were removed still open the file by it: " + strings.Join(census, ", ")
}
