package main

import (
	"errors"
	"slices"
	"strings"

	"bulla/format"
	"bulla/internal/safetext"
	"bulla/spec"
)

// A check is a clause of the specification that a file can break, with how it
// came out for one file.
type check struct {
	Clause format.Clause `json:"clause"`
	Result result        `json:"result"`
}

type result string

const (
	passed        result = "passed"
	failed        result = "failed"
	notChecked    result = "not checked"    // it takes a key, or what comes before it failed
	notApplicable result = "not applicable" // the file has nothing that it is about
)

// checksOf says of each clause that binds files how it came out.
func checksOf(d *verdict) []check {
	var checks []check
	for _, id := range spec.Clauses() {
		if _, kind, _ := spec.Clause(id); kind.Binds == spec.File && kind.Level == spec.Must {
			c := format.Clause(id)
			checks = append(checks, check{c, d.resultOf(c)})
		}
	}
	return checks
}

// resultOf says how a clause came out. One that nothing was found against has
// passed if what it looks at was looked at.
func (d *verdict) resultOf(c format.Clause) result {
	if slices.ContainsFunc(d.Findings, func(f format.Finding) bool { return f.Clause == c && isViolation(f) }) {
		return failed
	}
	copies := d.copies.Usable()
	if len(copies) == 0 {
		return d.beforeFailure(c)
	}
	h := copies[0].Head
	family, _, _ := strings.Cut(string(c), "-")
	if t, ok := format.SlotTypeOf(c); ok {
		has := slices.ContainsFunc(h.Slots, func(s format.Slot) bool { return s.Type == t })
		switch {
		case !has:
			return notApplicable
		case c == format.AGE3: // takes the key of every such slot
			return notChecked
		}
		return passed
	}
	switch {
	case family == "ZSTD" && h.Coding != format.Zstd:
		return notApplicable
	case family == "ZSTD" && (!d.Keyed || !d.decoded):
		return notChecked
	case c == format.CHUNK1 && d.Sample != nil: // not every chunk was
		return notChecked
	case slices.Contains(keyedClauses, c) && !d.Keyed:
		return notChecked
	}
	return passed
}

// keyedClauses are those that nobody can check without a key.
var keyedClauses = []format.Clause{format.KEY1, format.HEAD13, format.CHUNK1, format.FILE4}

// beforeFailure is how a clause came out in a file without a usable copy: those
// on a copy are checked in their order, up to the one that fails.
func (d *verdict) beforeFailure(c format.Clause) result {
	var pe *format.ParseError
	if !errors.As(d.copies.HeadErr, &pe) {
		return notChecked
	}
	order := spec.Clauses()
	at := func(c format.Clause) int { return slices.Index(order, string(c)) }
	if first := at(format.HEAD1); first <= at(c) && at(c) < at(pe.Clause) && at(c) <= at(format.HEAD12) {
		return passed
	}
	return notChecked
}

// tellChecks writes the table of clauses, and how many there were of each kind.
func (a *app) tellChecks(d *verdict) {
	count := make(map[result]int)
	for _, c := range d.Checks {
		a.printf("%s: %-9s %s\n", d.File, c.Clause, c.Result)
		count[c.Result]++
	}
	a.printf("%s: of %s %d passed, %d failed, %d not checked, %d not applicable\n", d.File, plural(len(d.Checks), "clause"),
		count[passed], count[failed], count[notChecked], count[notApplicable])
}

// explainClause says what a clause demands.
func (a *app) explainClause(id string) error {
	id = strings.Trim(strings.ToUpper(id), "[]")
	text, kind, ok := spec.Clause(id)
	if !ok {
		return usage(orElse(didYouMean(id, spec.Clauses()), "a finding names one, as in HEAD-7"), "the specification has no clause %s", safetext.Printable(id))
	}
	if a.json {
		a.printJSON(struct {
			Clause string     `json:"clause"`
			Level  spec.Level `json:"level"`
			Binds  spec.Party `json:"binds"`
			Text   string     `json:"text"`
		}{id, kind.Level, kind.Binds, text})
		return a.outErr
	}
	a.printf("%s (a %s of the %s)\n%s\n", id, kind.Level, kind.Binds, text)
	return a.outErr
}
