package format

import (
	"errors"
	"fmt"
)

// What is wrong with bytes that do not parse; a [ParseError] wraps one of these.
var (
	ErrNotBulla    = errors.New("not a bulla container")
	ErrTruncated   = errors.New("truncated")
	ErrDamaged     = errors.New("damaged")
	ErrMalformed   = errors.New("malformed")
	ErrUnsupported = errors.New("unsupported")
	ErrForged      = errors.New("forged")
)

// A ParseError says which clause some bytes violate, and where.
type ParseError struct {
	Clause Clause
	Field  string // the field of the layout that is wrong
	Offset int64  // of the field, in bytes, from the start of what was parsed
	Kind   error  // one of the errors above, a Foreign or an UnknownVersion
	Reason string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("%v: %s (offset %d): %s [%s]", e.Kind, e.Field, e.Offset, e.Reason, e.Clause)
}

// Unwrap returns e.Kind.
func (e *ParseError) Unwrap() error { return e.Kind }

// Finding returns the violation that e is.
func (e *ParseError) Finding() Finding {
	return Finding{e.Clause, Violation, e.Offset, 1, e.Error()}
}

// An UnknownVersion is the version of an intact copy that this package does not
// read: the Kind of a [ParseError] (HEAD-2). It matches [ErrUnsupported].
type UnknownVersion byte

func (UnknownVersion) Error() string { return ErrUnsupported.Error() }

func (UnknownVersion) Unwrap() error { return ErrUnsupported }

// within returns err as it is for the whole of what a nested parser saw a part
// of: a ParseError's offset moved by the n bytes before the part, and the name
// of the part, if it has one, before the field's.
func within(err error, n int64, part string) error {
	var pe *ParseError
	if !errors.As(err, &pe) {
		return err
	}
	moved := *pe
	moved.Offset += n
	if part != "" {
		moved.Field = part + ": " + moved.Field
	}
	return &moved
}
