package stream

import (
	"errors"
	"fmt"

	"bulla/format"
)

var (
	// ErrClosed is returned by calls on a stream that has been closed.
	ErrClosed = errors.New("stream is closed")

	// ErrAborted is returned by calls on a Writer after Abort(nil).
	ErrAborted = errors.New("stream was aborted")

	// ErrSizeUnknown is returned by calls that need the size of a container
	// whose end is missing.
	ErrSizeUnknown = errors.New("size unknown: the end of the container is missing")
)

// A ChunkError is a chunk that is not authentic: the container was damaged or
// changed there (CHUNK-1). It matches format.ErrDamaged.
type ChunkError struct {
	Index  int64 // of the chunk
	Offset int64 // of the chunk in the container, in bytes
	Length int64 // of the chunk with its tag, in bytes
}

func (e *ChunkError) Error() string {
	return fmt.Sprintf("chunk %d (bytes %d to %d) failed authentication [%s]", e.Index, e.Offset, e.Offset+e.Length-1, format.CHUNK1)
}

func (e *ChunkError) Unwrap() error { return format.ErrDamaged }

// Finding returns the violation that e is.
func (e *ChunkError) Finding() format.Finding {
	return format.Finding{Clause: format.CHUNK1, Severity: format.Violation, Offset: e.Offset, Length: e.Length,
		Message: fmt.Sprintf("chunk %d failed authentication", e.Index)}
}

// A TruncatedError is a container whose end is missing (FILE-1). It matches
// format.ErrTruncated.
type TruncatedError struct {
	Chunks int64 // that stand whole before the end; a Reader has released them
	Offset int64 // where the container ends, in bytes
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("truncated: the container ends at byte %d, after %d whole chunks, without its last chunk and tail [%s]", e.Offset, e.Chunks, format.FILE1)
}

func (e *TruncatedError) Unwrap() error { return format.ErrTruncated }

// Finding returns the violation that e is.
func (e *TruncatedError) Finding() format.Finding {
	return format.Finding{Clause: format.FILE1, Severity: format.Violation, Offset: e.Offset, Message: e.Error()}
}

// A TrailingError is data behind the end of a container (FILE-4). It matches
// format.ErrMalformed.
type TrailingError struct {
	Offset int64 // of the first byte that does not belong
}

func (e *TrailingError) Error() string {
	return fmt.Sprintf("data follows the container's end at byte %d [%s]", e.Offset, format.FILE4)
}

func (e *TrailingError) Unwrap() error { return format.ErrMalformed }

// Finding returns the violation that e is, 1 byte long: an error does not know
// how much there is.
func (e *TrailingError) Finding() format.Finding {
	return format.Finding{Clause: format.FILE4, Severity: format.Violation, Offset: e.Offset, Length: 1, Message: e.Error()}
}

// A NoKeyError says that none of the identities opens the container (SLOT-3).
// It does not wrap its causes: a slot that is no good does not make the
// container damaged.
type NoKeyError struct {
	Slots      []format.SlotType // in the container
	Identities int               // that were given
	Tried      []format.SlotType // of the slots on which an identity was tried
	Causes     []error           // why an identity could not be tried, or failed
}

func (e *NoKeyError) Error() string {
	s := fmt.Sprintf("none of %d keys opens any of %d slots (%s)", e.Identities, len(e.Slots), format.CountTypes(e.Slots))
	for _, c := range e.Causes {
		s += "; " + c.Error()
	}
	return s
}

// A RoleError says that a container is a part of a set or a grant, and was to be
// read as something else, such as a file of its own (ROLE-2). It matches
// format.ErrMalformed.
type RoleError struct {
	format.Part             // what it is
	Want        format.Role // what was wanted
}

func (e *RoleError) Error() string {
	return fmt.Sprintf("the container is a %v, not a %v [%s]", e.Role, e.Want, format.ROLE2)
}

func (e *RoleError) Unwrap() error { return format.ErrMalformed }

// Finding returns the violation that e is.
func (e *RoleError) Finding() format.Finding {
	return format.Finding{Clause: format.ROLE2, Severity: format.Violation, Offset: format.RoleOffset, Length: 1, Message: e.Error()}
}

// A LimitError says that opening a container would exceed a limit of the
// specification (PASS-5, AGE-4). It matches format.ErrUnsupported.
type LimitError struct {
	Clause format.Clause
	Reason string
}

func (e *LimitError) Error() string { return fmt.Sprintf("%s [%s]", e.Reason, e.Clause) }

func (e *LimitError) Unwrap() error { return format.ErrUnsupported }
