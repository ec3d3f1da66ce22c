package vectors

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bulla/format"
)

// A scenario is one vector before it is made.
type scenario struct {
	name, comment string
	file
	change []change
	keys   []Key // the key-encryption key A if nil

	// The verdicts of a reader that streams and of one with random access:
	//
	//	ok                  all of the plaintext
	//	warning CLAUSE      all of it, and a copy of the head violates CLAUSE
	//	no-key [CLAUSE]     nothing
	//	CLAUSE [N]          N bytes of plaintext, then a failure; N is 0 if not there
	want   string
	random string // as want if empty

	keyless []Finding
	verify  []Finding // as keyless if nil
	ranges  []span    // if nil and all goes well, some are chosen
	covers  []format.Clause
	stored  bool    // as bytes, whatever their number
	asked   byte    // the role that the reader is told to read
	shown   []int64 // segments whose keys are shown, of a container that does not open as a whole
}

// A span is a range of the plaintext, of which got bytes are to be had.
type span struct {
	offset, length, got int64
	clause              format.Clause
}

// storedSize is up to which size a container is stored as its bytes.
const storedSize = C

// at makes findings of clauses and offsets.
func at(pairs ...any) []Finding {
	var f []Finding
	for i := 0; i < len(pairs); i += 2 {
		var off int64
		switch n := pairs[i+1].(type) {
		case int:
			off = int64(n)
		case int64:
			off = n
		}
		f = append(f, Finding{pairs[i].(format.Clause), off})
	}
	return f
}

// none is no finding, where others would be assumed.
var none = []Finding{}

// vector makes the vector of s.
func (s scenario) vector() *Vector {
	if s.label == "" {
		s.label = s.name
	}
	x := build(s.file)
	values := x.values()
	length := x.length()
	for _, c := range s.change {
		c(x)
	}
	v := &Vector{
		Name: s.name, Comment: s.comment, Covers: s.covers, Keys: s.keys,
		Keyless: s.keyless, Verify: s.verify, Detached: x.detached, Role: format.Role(s.asked),
	}
	if s.keys == nil {
		v.Keys = []Key{withKEK(keyA)}
	}
	if s.verify == nil {
		v.Verify = s.keyless
	}
	v.Stream = x.verdict(s.want, length)
	r := x.verdict(cmp.Or(s.random, s.want), length)
	v.Stream.InUse = x.inUse(v.Stream, x.head, x.detached)
	r.InUse = x.inUse(r, x.head, x.tail, x.detached)
	if r != v.Stream {
		v.Random = &r
	}
	if x.coding == byte(format.Zstd) && x.content != nil && (v.Stream.Clause == "" || strings.HasPrefix(string(v.Stream.Clause), "ZSTD")) {
		v.Raw = &Raw{int64(len(x.content)), sha256.Sum256(x.content)}
	}
	v.Ranges = x.ranges(s.ranges, v.AtRandom())
	v.recipe, v.body = x.parts()
	sealed := slices.ContainsFunc(v.recipe.Parts, func(p Part) bool { return p.Kind == PartChunk || p.Kind == PartChunks || p.Kind == PartZeroChunks })
	if sealed || v.Stream.Outcome == Success {
		v.Values = values
		if v.Stream.Outcome != Success {
			v.Values = values[:2] // what sealing takes
			if s.shown != nil {
				v.Values = append(v.Values, x.tree(s.shown...)...)
			}
		} else if n := int(x.pages) * format.PageSize; len(x.head) == n && bytes.Equal(repair(x, bytes.Clone(x.head)), x.head) {
			i := slices.IndexFunc(values, func(v Value) bool { return v.Key == "mac" })
			values[i] = x.mac() // the change may have made a new one
		}
		if x.content == nil {
			v.Values = append(v.Values, Value{valuePlaintext, strconv.Itoa(int(x.seed))})
		}
	}
	if v.Huge() {
		return v
	}
	b := must(v.Container()).Bytes()
	sum := sha256.Sum256(b)
	v.recipe.Sum = &sum
	if len(b) <= storedSize || s.stored {
		v.recipe, v.body = Recipe{}, b
	}
	if v.Stream.Outcome != Success && v.recipe.Parts == nil {
		v.Values = nil
	}
	return v
}

// inUse is which of some copies a reader uses that comes to that verdict: the valid
// one of the highest generation, of equals the first (READ-1).
func (x *box) inUse(d Verdict, copies ...[]byte) (u InUse) {
	if d.Outcome != Success && d.Outcome != Warning || bytes.Equal(x.head, x.tail) && x.detached == nil {
		return u
	}
	identity := slices.Concat(x.pre, x.Commitment)
	for _, c := range copies {
		if !bytes.HasPrefix(c, identity) {
			continue
		}
		n := int(binary.BigEndian.Uint16(c[atCopyPages:])) * format.PageSize
		if n < int(x.pages)*format.PageSize || n > len(c) {
			continue
		}
		c = c[:n]
		valid := bytes.Equal(repair(x, bytes.Clone(c)), c) && bytes.Equal(remac(x, bytes.Clone(c)), c)
		if generation := binary.BigEndian.Uint32(c[atGeneration:]); valid && generation > u.Generation {
			u = InUse{generation, int(binary.BigEndian.Uint16(c[atSlotCount:]))}
		}
	}
	return u
}

// length is how long the plaintext is.
func (x *box) length() int64 {
	if x.content != nil {
		return int64(len(x.decoded))
	}
	return x.plain
}

// plaintext is a part of the plaintext.
func (x *box) plaintext(off, n int64) []byte {
	switch {
	case n == 0:
		return nil
	case x.content != nil:
		return x.decoded[off:][:n]
	}
	return Plaintext(x.seed, off, n)
}

// verdict makes a verdict of its text.
func (x *box) verdict(s string, all int64) Verdict {
	words := strings.Fields(s)
	d := Verdict{}
	switch words[0] {
	case "ok":
		d = Verdict{Outcome: Success, Length: all}
	case "warning":
		d = Verdict{Outcome: Warning, Clause: format.Clause(words[1]), Length: all}
	case "no-key":
		d.Outcome = NoKey
		if len(words) > 1 {
			d.Clause = format.Clause(words[1])
		}
	default:
		d.Clause = format.Clause(words[0])
		d.Outcome = FailureOf(d.Clause)
		if d.Outcome == "" {
			panic(fmt.Sprintf("%s: no reader fails with %q", x.label, d.Clause))
		}
		if len(words) > 1 {
			d.Length = must(strconv.ParseInt(words[1], 10, 64))
		}
	}
	d.Payload = sha256.Sum256(x.plaintext(0, d.Length))
	return d
}

// ranges makes the ranges of a vector, or chooses some: the beginning, what lies
// on both sides of boundaries, the end and what is after it.
func (x *box) ranges(spans []span, d Verdict) []Range {
	if spans == nil && (d.Outcome == Success || d.Outcome == Warning) {
		n := d.Length
		for _, off := range []int64{0, C - 3, 2*C - 3, 2<<20 - 3, format.SegmentSize - 3, n - 1, n, n + C} {
			if off >= 0 && (off <= n || off == n+C) && !slices.ContainsFunc(spans, func(s span) bool { return s.offset == off }) {
				spans = append(spans, span{offset: off, length: 7, got: max(0, min(7, n-off))})
			}
		}
	}
	var all []Range
	for _, s := range spans {
		all = append(all, Range{s.offset, s.length, s.got, sha256.Sum256(x.plaintext(s.offset, s.got)), s.clause})
	}
	return all
}
