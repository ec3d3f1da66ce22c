package storage

import (
	"errors"
	"fmt"
	"io/fs"

	"bulla/internal/safetext"
)

// A Kind is why an act was refused, or how it failed. Errors of this package
// that a caller branches on are [*Error] with a Kind, which errors.Is finds.
type Kind int

const (
	Exists Kind = iota + 1
	Dangling
	NotRegular
	IsDirectory
	NoBase
	IsInput
	NotAllowed
	InUse
	Locked
	InTheWay
	NotPrivate
	Reserved
	Damaged
	Lost
	Undurable
	Leftover
	Swapped
	Changed
	Shrunk
	HalfPatched
	NotPatchable
	NoScheme
	NoDescriptor
	Closed

	// Of stores.
	BadURL
	ReadOnly
	NotFound
	Denied
	NoCredentials
	Expired
	Skewed
	Untrusted
	Unavailable
	Refused
	PartRefused
	TooLarge
	Unsafe
	Versioned
	Retained
	Lingers
)

var kindText = [...]string{
	Exists:       "exists", // and Force was not given
	Dangling:     "exists and is a symbolic link to nothing",
	NotRegular:   "is not a regular file", // and would be replaced
	IsDirectory:  "is a directory",
	NoBase:       "is a directory, and the output has no default name", // the output is DIR/
	IsInput:      "is read by this run",
	NotAllowed:   "is a device",
	InUse:        "is being written by another run",
	Locked:       "is being changed by another run",
	InTheWay:     "is in the way",                         // under the unfinished name, and no unfinished output
	NotPrivate:   "cannot be kept from other users there", // a journal, on a file system without modes
	Reserved:     "has a name that is reserved for unfinished files",
	Damaged:      "is damaged",                              // a journal
	Lost:         "was removed, or replaced by another run", // while it was unfinished
	Undurable:    "is complete, but its directory could not be synchronized",
	Leftover:     "is complete, but its unfinished name could not be removed",
	Swapped:      "is not what it was when this run began", // and is written as it comes
	Changed:      "changed meanwhile",                      // after it was judged, or while it was read
	Shrunk:       "became shorter while it was read",
	HalfPatched:  "could not be changed completely",
	NotPatchable: "cannot be changed in place",
	NoScheme:     "is a URL of a kind that is not supported",
	NoDescriptor: "is not a file descriptor", // but called like one: /dev/fd/x
	Closed:       "is closed",                // a standard stream, by the caller

	BadURL:        "is no complete URL",
	ReadOnly:      "can only be read", // https://
	NotFound:      "does not exist",
	Denied:        "may not be accessed with these credentials",
	NoCredentials: "cannot be accessed: there are no credentials",
	Expired:       "cannot be accessed: the credentials have expired",
	Skewed:        "cannot be accessed: the clock differs from the store's",
	Untrusted:     "lies on a server that cannot be trusted", // its certificate
	Unavailable:   "cannot be reached",                       // after all attempts
	Refused:       "was refused by the store",                // for another reason
	PartRefused:   "was not written: the store takes no more parts",
	TooLarge:      "is too large for the parts that it may have",
	Unsafe:        "cannot be changed safely: the store does not keep others from changing it at the same time",
	Versioned:     "is in a bucket that keeps versions",
	Retained:      "is locked against changes", // Object Lock
	Lingers:       "is changed, but its old version could not be deleted",
}

func (k Kind) Error() string { return kindText[k] }

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

// Is makes errors.Is(err, kind) true; NotFound is fs.ErrNotExist, too, as of a file.
func (e *Error) Is(target error) bool {
	return target == error(e.Kind) || e.Kind == NotFound && target == fs.ErrNotExist
}

func (e *Error) Unwrap() error { return e.Err }

// causeOf is err without what an *fs.PathError says besides.
func causeOf(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
