package main

import (
	"math"
	"strings"

	"bulla/internal/console"
	"bulla/internal/safetext"
)

// A byteRange is what a user says of the bytes wanted. What counts from the end
// takes a size to be resolved.
type byteRange struct {
	text    string // as given
	offset  int64
	fromEnd bool  // offset counts back from the end
	length  int64 // math.MaxInt64: to the end
	clamp   bool  // an offset before the beginning means the beginning
}

const rangeHint = "OFFSET+LENGTH, or FIRST-LAST, FIRST- or -LENGTH as in HTTP; with K, M, G, T, P or E for powers of 1024"

// parseRange reads a range:
//
//	OFFSET+LENGTH   that many bytes from there on
//	-OFFSET+LENGTH  the same, counted back from the end
//	FIRST-LAST      LAST included, as in HTTP
//	FIRST-          to the end
//	-LENGTH         the last so many bytes
func parseRange(s string) (byteRange, error) {
	bad := usage(rangeHint, "invalid range %s", safetext.Printable(s))
	r := byteRange{text: s, length: math.MaxInt64}
	if i := strings.LastIndexByte(s, '+'); i >= 0 {
		from, negative := strings.CutPrefix(s[:i], "-")
		offset, ok1 := console.ParseSize(from)
		length, ok2 := console.ParseSize(s[i+1:])
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
	from, ok := console.ParseSize(orElse(first, "0"))
	if !ok {
		return r, bad
	}
	if last == "" {
		r.offset = from
		return r, nil
	}
	to, ok := console.ParseSize(last)
	switch {
	case !ok:
		return r, bad
	case first == "":
		r.offset, r.fromEnd, r.clamp = to, true, true
	case to < from:
		return r, usage(rangeHint, "the range %s ends before it begins", safetext.Printable(s))
	default:
		r.offset = from
		if n := to - from; n < math.MaxInt64 {
			r.length = n + 1
		}
	}
	return r, nil
}

// resolve makes an offset and a length of the range, for content of size bytes,
// or of unknown size, -1. A range that ends behind the end gives what there is.
func (r byteRange) resolve(size int64) (offset, length int64, err error) {
	offset = r.offset
	if size < 0 {
		if r.fromEnd {
			return 0, 0, usage("count from the beginning", "the range %s counts from an end that is missing", safetext.Printable(r.text))
		}
		return offset, min(r.length, math.MaxInt64-offset), nil
	}
	if r.fromEnd {
		offset = size - r.offset
		if offset < 0 && r.clamp {
			offset = 0
		}
	}
	const hint = "a range must begin before the end; it may end after it"
	switch {
	case offset < 0:
		return 0, 0, usage(hint, "the range %s begins before the beginning: there are %d bytes", safetext.Printable(r.text), size)
	case offset > size:
		return 0, 0, usage(hint, "the range %s begins after the end: there are %d bytes", safetext.Printable(r.text), size)
	}
	return offset, min(r.length, size-offset), nil
}
