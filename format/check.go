package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// A Severity says how much a [Finding] weighs.
type Severity string

const (
	Violation Severity = "violation" // a MUST is broken
	Warning   Severity = "warning"   // a SHOULD is not met, or something a user should know
)

// A Finding is one thing that is wrong with a container.
type Finding struct {
	Clause   Clause   `json:"clause"`
	Severity Severity `json:"severity"`
	Offset   int64    `json:"offset"` // of the bytes concerned, in the container
	Length   int64    `json:"length"`
	Message  string   `json:"message"`
}

func (f Finding) String() string {
	return fmt.Sprintf("%s %s at %d+%d: %s", f.Clause, f.Severity, f.Offset, f.Length, f.Message)
}

// A Report is what a stranger can say about a container.
type Report struct {
	Size     int64
	Copies   *Copies
	Layout   Layout // zero unless a copy is usable and the size fits it
	Findings []Finding
	Err      error // why a copy could not be read, the head before the tail: it is not judged then
}

// Valid reports whether no clause was found violated.
func (r *Report) Valid() bool {
	for _, f := range r.Findings {
		if f.Severity == Violation {
			return false
		}
	}
	return true
}

func (r *Report) add(c Clause, off, n int64, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{c, Violation, off, n, fmt.Sprintf(format, args...)})
}

// Check reads what can be checked of a container without a key: both copies of
// the head, whether they agree, and whether the size is one a container can
// have. It reads at most 1 MiB of src.
func Check(src io.ReaderAt, size int64) *Report {
	c := ReadCopies(src, size)
	r := &Report{Size: size, Copies: c}
	r.judge(c.HeadErr)
	conflict := c.Conflict(nil)
	usable := c.Usable()
	if len(usable) == 0 {
		r.unread(c.TailErr)
		if conflict != nil {
			r.addConflict(c)
		}
		return r
	}
	h := usable[0].Head
	layout, err := NewLayout(size, int64(h.HeadSize()))
	r.Layout = layout
	r.judge(err)
	switch {
	case r.unread(c.TailErr):
	case conflict != nil:
		r.addConflict(c)
	case c.TailErr != nil:
		r.add(TAIL1, max(0, size-int64(h.HeadSize())), min(size, int64(h.HeadSize())), "the tail is not a copy of the head: %v", c.TailErr)
	case c.Head != nil:
		r.compare(c.Head, c.Tail)
	}
	return r
}

func (r *Report) addConflict(c *Copies) {
	r.add(COPY1, c.tailAt, int64(len(c.tail)), conflictReason)
}

// judge adds a finding for an error of a parser, and keeps any other.
func (r *Report) judge(err error) {
	var pe *ParseError
	if !r.unread(err) && errors.As(err, &pe) {
		r.Findings = append(r.Findings, pe.Finding())
	}
}

// unread reports whether err is no error of a parser, and keeps it then.
func (r *Report) unread(err error) bool {
	if err == nil || errors.As(err, new(*ParseError)) {
		return false
	}
	if r.Err == nil {
		r.Err = err
	}
	return true
}

// compare enforces TAIL-2, as far as it needs no key, on two usable copies of one
// container.
func (r *Report) compare(head, tail *Copy) {
	switch {
	case head.Head.Generation != tail.Head.Generation:
		stale := head
		if tail.Head.Generation < head.Head.Generation {
			stale = tail
		}
		r.add(TAIL2, stale.Offset, int64(len(stale.Raw)), "the copies differ: the head is of generation %d, the tail of %d; this one is stale",
			head.Head.Generation, tail.Head.Generation)
	case !bytes.Equal(head.Raw, tail.Raw):
		r.add(TAIL2, tail.Offset, int64(len(tail.Raw)), "the copies are of the same generation and differ")
	}
}
