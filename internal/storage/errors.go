package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"bulla/internal/safetext"
)

// A Kind is why an act was refused, or how it failed. Errors of this package
// that a caller branches on are [*Error] with a Kind, which errors.Is finds.
type Kind int

const (
	Exists       Kind = iota + 1 // the output exists, and Force was not given
	Dangling                     // the output is a symbolic link that leads to nothing
	NotRegular                   // Force would replace what is no regular file
	IsDirectory                  // a directory, where a file is read or written
	NoBase                       // the output is DIR/, and there is no name to take in it
	IsInput                      // the output is a file that this run reads
	NotAllowed                   // a device, without Allow
	InUse                        // another run writes it
	Locked                       // another run changes it
	InTheWay                     // what stands under the unfinished output's name is no unfinished output
	Reserved                     // a name of the form that unfinished files have
	Lost                         // the unfinished output was removed, or replaced by another run
	Aborted                      // the output was aborted before
	Undurable                    // the output is complete, and its directory could not be synchronized
	Leftover                     // the output is complete, and its unfinished name could not be removed
	Swapped                      // what is written as it comes is not what was planned
	Changed                      // not what it was when it was judged, or read
	Shrunk                       // it became shorter while it was read
	HalfPatched                  // a patch failed after it began to write
	NotPatchable                 // no regular file
	NoScheme                     // a URL of a scheme that is not supported
	NoDescriptor                 // a name such as /dev/fd/x
	Closed                       // a standard stream that the caller closed
)

var kindText = map[Kind]string{
	Exists:       "exists",
	Dangling:     "exists and is a symbolic link that leads to nothing",
	NotRegular:   "is no regular file",
	IsDirectory:  "is a directory",
	NoBase:       "is a directory, and the output has no default name",
	IsInput:      "is read by this run",
	NotAllowed:   "is a device",
	InUse:        "is being written by another run",
	Locked:       "is being changed by another run",
	InTheWay:     "is in the way",
	Reserved:     "has a name that is reserved for unfinished files",
	Lost:         "was removed, or replaced by another run",
	Aborted:      "was aborted",
	Undurable:    "is complete, but its directory could not be synchronized",
	Leftover:     "is complete, but its unfinished name could not be removed",
	Swapped:      "is not what it was when this run began",
	Changed:      "changed meanwhile",
	Shrunk:       "became shorter while it was read",
	HalfPatched:  "could not be changed completely",
	NotPatchable: "cannot be changed in place",
	NoScheme:     "is a URL of a kind that is not supported",
	NoDescriptor: "is not a file descriptor",
	Closed:       "is closed",
}

func (k Kind) Error() string {
	if s, ok := kindText[k]; ok {
		return s
	}
	return "storage error " + strconv.Itoa(int(k))
}

// An Error says which name an error of one Kind is about. Its text has no
// control characters.
type Error struct {
	Kind Kind
	Name string // as the user gave it
	// Partial is the name of the unfinished output, where the error is about
	// that: InTheWay and Leftover.
	Partial string
	Err     error // the cause; may be nil
}

func (e *Error) Error() string { return e.Text(safetext.Printable(e.Name)) }

// Text is the error about what is shown as name.
func (e *Error) Text(name string) string {
	if e.Kind == InTheWay {
		name = safetext.Printable(e.Partial)
	}
	s := name + " " + e.Kind.Error()
	if e.Err != nil {
		s = fmt.Sprintf("%s: %v", s, e.Err)
	}
	return s
}

// Is makes errors.Is(err, kind) true.
func (e *Error) Is(target error) bool { return target == error(e.Kind) }

func (e *Error) Unwrap() error { return e.Err }

// causeOf is err without what an *fs.PathError says besides.
func causeOf(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
