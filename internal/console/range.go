package console

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"bulla/internal/safetext"
)

// A Range is what a person says of the bytes wanted. What counts from the end
// takes a size to be resolved.
type Range struct {
	text    string // as given
	offset  int64
	fromEnd bool  // offset counts back from the end
	length  int64 // math.MaxInt64: to the end
	clamp   bool  // an offset before the beginning means the beginning
}

// RangeForms is what a range looks like.
const RangeForms = "OFFSET+LENGTH, or FIRST-LAST, FIRST- or -LENGTH as in HTTP; with K, M, G, T, P or E for powers of 1024"

// ParseRange reads a range:
//
//	OFFSET+LENGTH   that many bytes from there on
//	-OFFSET+LENGTH  the same, counted back from the end
//	FIRST-LAST      LAST included, as in HTTP
//	FIRST-          to the end
//	-LENGTH         the last so many bytes
func ParseRange(s string) (Range, error) {
	bad := fmt.Errorf("invalid range %s", safetext.Printable(s))
	r := Range{text: s, length: math.MaxInt64}
	if i := strings.LastIndexByte(s, '+'); i >= 0 {
		from, negative := strings.CutPrefix(s[:i], "-")
		offset, ok1 := ParseSize(from)
		length, ok2 := ParseSize(s[i+1:])
		if !ok1 || !ok2 {
			return r, bad
		}
		r.offset, r.fromEnd, r.length = offset, negative, length
		return r, nil
	}
	first, last, ok := strings.Cut(s, "-")
	if !ok || first == "" && last == "" {
		return r, bad
	}
	from, ok := ParseSize(cmp.Or(first, "0"))
	if !ok {
		return r, bad
	}
	if last == "" {
		r.offset = from
		return r, nil
	}
	to, ok := ParseSize(last)
	switch {
	case !ok:
		return r, bad
	case first == "":
		r.offset, r.fromEnd, r.clamp = to, true, true
	case to < from:
		return r, fmt.Errorf("the range %s ends before it begins", s)
	default:
		r.offset = from
		if n := to - from; n < math.MaxInt64 {
			r.length = n + 1
		}
	}
	return r, nil
}

// RangeOf is the range of length bytes from an offset on.
func RangeOf(offset, length int64) Range { return Range{offset: offset, length: length} }

// Resolve makes an offset and a length of the range, for content of size bytes,
// or of unknown size, -1. A range that ends behind the end gives what there is.
func (r Range) Resolve(size int64) (offset, length int64, err error) {
	offset = r.offset
	if size < 0 {
		if r.fromEnd {
			return 0, 0, fmt.Errorf("the range %s counts from an end that is missing", r.text)
		}
		return offset, min(r.length, math.MaxInt64-offset), nil
	}
	if r.fromEnd {
		offset = size - r.offset
		if offset < 0 && r.clamp {
			offset = 0
		}
	}
	switch {
	case offset < 0:
		return 0, 0, fmt.Errorf("the range %s begins before the beginning: there are %d bytes", r.text, size)
	case offset > size:
		return 0, 0, fmt.Errorf("the range %s begins after the end: there are %d bytes", r.text, size)
	}
	return offset, min(r.length, size-offset), nil
}
