package origin

import (
	"fmt"

	"bulla/format"
)

// An Error says which clause of spec/origin.md a signature file, or the container that
// it belongs to, does not satisfy.
type Error struct {
	Clause format.Clause
	Kind   error // format.ErrMalformed, ErrUnsupported, ErrForged or ErrTruncated
	Offset int64 // of what is wrong in the container, in bytes; 0 for the signature
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("%v: %s [%s]", e.Kind, e.Reason, e.Clause) }

// Unwrap returns e.Kind.
func (e *Error) Unwrap() error { return e.Kind }

// Finding returns the violation that e is.
func (e *Error) Finding() format.Finding {
	return format.Finding{Clause: e.Clause, Severity: format.Violation, Offset: e.Offset, Length: 1, Message: e.Reason}
}

func malformed(c format.Clause, reason string, args ...any) *Error {
	return &Error{c, format.ErrMalformed, 0, fmt.Sprintf(reason, args...)}
}

func unsupported(c format.Clause, reason string, args ...any) *Error {
	return &Error{c, format.ErrUnsupported, 0, fmt.Sprintf(reason, args...)}
}

func forged(c format.Clause, reason string, args ...any) *Error {
	return &Error{c, format.ErrForged, 0, fmt.Sprintf(reason, args...)}
}
