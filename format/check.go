package format

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
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

	alone *Head // the file is this copy and nothing more
}

// Valid reports whether no clause was found violated.
func (r *Report) Valid() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Violation })
}

// Check reads what can be checked of a container without a key: both copies of
// the head, whether they agree, and whether the size is one a container can
// have. It reads at most 1 MiB of src.
func Check(src io.ReaderAt, size int64) *Report {
	c := ReadCopies(src, size)
	r := &Report{Size: size, Copies: c, Err: cmp.Or(unread(c.HeadErr), unread(c.TailErr))}
	r.judge(c.HeadErr)
	if size <= MaxHeadSize && c.Tail == nil {
		raw, _ := ReadHead(io.NewSectionReader(src, 0, size))
		if h, err := ParseDetachedHead(raw); err == nil && int64(len(raw)) == size {
			r.alone = h
		}
	}
	usable := c.Usable()
	if len(usable) > 0 {
		var err error
		r.Layout, err = NewLayout(size, int64(usable[0].Head.HeadSize()))
		r.judge(err)
	}
	if c.Conflict(nil) != nil { // the copies say nothing of each other
		r.Findings = append(r.Findings, Finding{COPY1, Violation, c.tailAt, int64(len(c.tail)), conflictReason})
	} else if len(usable) > 0 {
		r.Findings = append(r.Findings, c.Compare(usable[0], size, nil)...)
	}
	return r
}

// judge adds the finding that an error of a parser is.
func (r *Report) judge(err error) {
	var pe *ParseError
	if errors.As(err, &pe) {
		r.Findings = append(r.Findings, pe.Finding())
	}
}

// unread returns err if it is about reading bytes and not about the bytes.
func unread(err error) error {
	if errors.As(err, new(*ParseError)) {
		return nil
	}
	return err
}
