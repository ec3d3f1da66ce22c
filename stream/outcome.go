package stream

import (
	"errors"
	"slices"
	"strings"

	"bulla/format"
)

// A Result says how a clause came out for one container.
type Result string

const (
	Passed        Result = "passed"
	Failed        Result = "failed"
	NotChecked    Result = "not checked"    // it takes a key, or what comes before it failed
	NotApplicable Result = "not applicable" // the container has nothing that it is about
)

// An Outcome is a clause of the specification that a container can break, with
// how it came out for one.
type Outcome struct {
	Clause format.Clause `json:"clause"`
	Result Result        `json:"result"`
}

// Outcomes says of each of [format.FileClauses] how it came out. One that
// nothing was found against has passed if what it looks at was looked at.
func (rep *Report) Outcomes() []Outcome {
	all := make([]Outcome, len(format.FileClauses))
	for i, c := range format.FileClauses {
		all[i] = Outcome{c, rep.resultOf(c)}
	}
	return all
}

func (rep *Report) resultOf(c format.Clause) Result {
	if slices.ContainsFunc(rep.Findings, func(f format.Finding) bool { return f.Clause == c && f.Severity == format.Violation }) {
		return Failed
	}
	copies := rep.Copies.Usable()
	if len(copies) == 0 {
		return rep.beforeFailure(c)
	}
	h := copies[0].Head
	if t, ok := format.SlotTypeOf(c); ok {
		has := slices.ContainsFunc(h.Slots, func(s format.Slot) bool { return s.Type == t })
		switch {
		case !has:
			return NotApplicable
		case c == format.AGE3: // takes the key of every such slot
			return NotChecked
		}
		return Passed
	}
	zstd := strings.HasPrefix(string(c), "ZSTD-")
	switch {
	case zstd && h.Coding != format.Zstd:
		return NotApplicable
	case zstd && !rep.Decoded,
		c == format.CHUNK1 && rep.Slice != Slice{}, // not every chunk was
		slices.Contains(keyedClauses, c) && !rep.Keyed:
		return NotChecked
	}
	return Passed
}

// keyedClauses are those that nobody can check without a key.
var keyedClauses = []format.Clause{format.KEY1, format.HEAD13, format.CHUNK1, format.FILE4}

// beforeFailure is how a clause came out in a container without a usable copy:
// those on a copy are checked in their order, up to the one that fails.
func (rep *Report) beforeFailure(c format.Clause) Result {
	var pe *format.ParseError
	if !errors.As(rep.Copies.HeadErr, &pe) {
		return NotChecked
	}
	at := func(c format.Clause) int { return slices.Index(format.FileClauses, c) }
	if at(format.HEAD1) <= at(c) && at(c) < at(pe.Clause) && at(c) <= at(format.HEAD12) {
		return Passed
	}
	return NotChecked
}
