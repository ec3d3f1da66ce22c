package format

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"bulla/internal/fullio"
)

// A Copy is one of a container's two copies of the head, as found.
type Copy struct {
	Offset int64 // in the container
	Raw    []byte
	Head   *Head // what Raw parses to
}

// Copies is what a container's two copies look like without a key.
type Copies struct {
	Head, Tail       *Copy // nil where the copy is not usable
	HeadErr, TailErr error // why: a *ParseError with offsets in the container, or an I/O error

	// The bytes of the copies that are intact, usable or not, and where the tail is.
	head, tail []byte
	tailAt     int64
}

// A Place is where a copy of the head stands.
type Place string

const (
	AtHead   Place = "head"
	AtTail   Place = "tail"
	Detached Place = "detached"
)

// IdentitySize is how many bytes from its beginning on all intact copies of one
// container have in common: the preamble, with the version, and the commitment.
const IdentitySize = PreambleSize + CommitmentSize

// Conflict enforces COPY-1 and READ-4: that the intact copies, those of the
// container and a detached head if that is not nil, are all of one container. It
// fails with a [*ParseError].
//
// Intact is less than usable: magic, lengths and checksum hold, so that no damage
// made the copy what it is. What a reader knows or supports makes no difference.
func (c *Copies) Conflict(detached []byte) error {
	if differ(c.head, c.tail) {
		return &ParseError{COPY1, "tail", c.tailAt, ErrForged, conflictReason}
	}
	if differ(c.head, detached) || differ(c.tail, detached) {
		return &ParseError{READ4, "detached head", 0, ErrMalformed, "it belongs to another container"}
	}
	return nil
}

const conflictReason = "the head and the tail belong to two different containers"

func differ(a, b []byte) bool {
	return a != nil && b != nil && !bytes.Equal(a[:IdentitySize], b[:IdentitySize])
}

// Usable returns the usable copies in the order in which a reader tries them
// (READ-1): the newest first, and of equals the head.
func (c *Copies) Usable() []*Copy {
	usable := slices.DeleteFunc([]*Copy{c.Head, c.Tail}, func(c *Copy) bool { return c == nil })
	if len(usable) == 2 && c.Tail.Head.SameContainer(c.Head.Head) && c.Tail.Head.Generation > c.Head.Head.Generation {
		slices.Reverse(usable)
	}
	return usable
}

// ReadCopies reads the head and the tail of a container of size bytes. It never
// fails: what cannot be read or parsed is said in HeadErr and TailErr. It holds
// at most 1 MiB.
func ReadCopies(src io.ReaderAt, size int64) *Copies {
	size = max(0, size)
	raw, err := ReadHead(io.NewSectionReader(src, 0, size))
	c := ParseCopies(raw)
	if err != nil {
		c.HeadErr = err
	}
	n := int64(len(c.head))
	switch {
	case n == 0:
		c.findTail(src, size)
		c.nameLost(src, size, raw)
	case size-n < n:
		c.TailErr = &ParseError{FILE1, "tail", size, ErrTruncated, "no room for a payload and a tail"}
	default:
		raw, err := fullio.ReadUpTo(io.NewSectionReader(src, size-n, n), nil, int(n))
		if err != nil {
			c.TailErr = err
			break
		}
		c.AddTail(raw, size-n)
	}
	return c
}

// ReadHead reads the bytes of the copy of a head that src begins with, and
// nothing after them: as many as the copy says that it has, detached or not, fewer
// only where src ends. [ParseHead] and the other parsers tell whether they are one.
// Its errors are those of src.
func ReadHead(src io.Reader) ([]byte, error) {
	raw, err := fullio.ReadUpTo(src, nil, CopySize(nil))
	if err == nil {
		raw, err = fullio.ReadUpTo(src, raw, CopySize(raw))
	}
	return raw, err
}

// ReadTail is ReadCopies as if the head were not intact: it looks for a tail of any
// length (READ-2). A head that was written over says how long another's tail is.
func ReadTail(src io.ReaderAt, size int64) *Copies {
	c := &Copies{HeadErr: &ParseError{COPY1, "head", 0, ErrForged, "this copy was left out"}}
	c.findTail(src, max(0, size))
	return c
}

// nameLost says of what has no copy that it is another file, by more of its start
// than a preamble, or may be a container all the same.
func (c *Copies) nameLost(src io.ReaderAt, size int64, first []byte) {
	if c.tail != nil || !errors.Is(c.HeadErr, ForeignUnknown) {
		return
	}
	start, _ := fullio.ReadUpTo(io.NewSectionReader(src, 0, size), nil, foreignStart)
	c.HeadErr = foreignError(start)
	if errors.Is(c.HeadErr, ForeignUnknown) && mayHaveLost(src, size, first) {
		c.HeadErr = &ParseError{HEAD1, "magic", 0, ForeignLost, "no copy of a head is left in it, if there was one"}
	}
}

// ParseCopies returns the copies of a container of which there is only the head
// so far: raw begins with it, and has all of it if it is not cut off. It keeps
// nothing of raw.
func ParseCopies(raw []byte) *Copies {
	c := &Copies{TailErr: &ParseError{TAIL1, "tail", 0, ErrTruncated, "no tail was read"}}
	if n, err := CheckCopy(raw); err == nil {
		c.head = bytes.Clone(raw[:n])
	}
	h, err := ParseHead(raw)
	if err != nil {
		c.HeadErr = err
		return c
	}
	c.Head = &Copy{0, c.head, h}
	return c
}

// AddTail adds what stands at off in the place of the tail: as many bytes as a
// tail must have, if the source is not cut off. c keeps nothing of raw.
func (c *Copies) AddTail(raw []byte, off int64) {
	c.tailAt = off
	h, err := ParseHead(raw)
	if isCopy(raw) {
		c.tail = bytes.Clone(raw)
	} else if err == nil {
		err = &ParseError{TAIL1, "pages", offPages, ErrMalformed, "the copies differ in length"}
	}
	if err != nil {
		c.Tail, c.TailErr = nil, within(err, off, "")
		return
	}
	c.Tail, c.TailErr = &Copy{off, c.tail, h}, nil
}

// isCopy reports whether b is an intact copy and no more.
func isCopy(b []byte) bool {
	n, err := CheckCopy(b)
	return err == nil && n == len(b)
}

// findTail looks for a copy at the end of a container whose head is not intact,
// fewest pages first (READ-2). It is not the one at the start, whose place is there.
func (c *Copies) findTail(src io.ReaderAt, size int64) {
	end := make([]byte, MaxHeadSize)
	for pages := MinPages; pages <= MaxPages && int64(pages*PageSize) < size; pages++ {
		// A page at a time, from the end: a bad sector further in hides no copy.
		b := end[len(end)-pages*PageSize:]
		off := size - int64(len(b))
		if n, err := src.ReadAt(b[:PageSize], off); n < PageSize {
			if err == nil || err == io.EOF { // the source ends before the size that it is said to have
				break
			}
			c.TailErr = err
			return
		}
		if isCopy(b) {
			c.AddTail(b, off)
			return
		}
	}
	c.TailErr = &ParseError{TAIL1, "tail", size, ErrDamaged, "no copy of the head ends here"}
}
