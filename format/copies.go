package format

import "io"

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
}

// Usable returns the usable copies in the order in which a reader tries them
// (READ-1): the head first, unless the tail is a newer copy of the same container.
func (c *Copies) Usable() []*Copy {
	switch {
	case c.Head == nil && c.Tail == nil:
		return nil
	case c.Tail == nil:
		return []*Copy{c.Head}
	case c.Head == nil:
		return []*Copy{c.Tail}
	case c.Tail.Head.SameContainer(c.Head.Head) && c.Tail.Head.Generation > c.Head.Head.Generation:
		return []*Copy{c.Tail, c.Head}
	}
	return []*Copy{c.Head, c.Tail}
}

// ReadCopies reads the head and the tail of a container of size bytes. It never
// fails: what cannot be read or parsed is said in HeadErr and TailErr. It holds
// at most 1 MiB.
func ReadCopies(src io.ReaderAt, size int64) *Copies {
	c := &Copies{}
	size = max(0, size)
	c.Head, c.HeadErr = readHead(src, size)
	if c.Head != nil {
		at := size - int64(c.Head.Head.HeadSize())
		if at < int64(c.Head.Head.HeadSize()) {
			c.TailErr = &ParseError{FILE1, "tail", size, ErrTruncated, "no room for a payload and a tail"}
			return c
		}
		c.Tail, c.TailErr = readCopy(src, at, c.Head.Head.HeadSize())
		if c.Tail != nil {
			return c
		}
	}
	// Without a head, or with a tail of another length, the tail says itself how long it is.
	t, err := findTail(src, size)
	if t != nil || c.TailErr == nil {
		c.Tail, c.TailErr = t, err
	}
	return c
}

// readHead reads the copy at the start of a container.
func readHead(src io.ReaderAt, size int64) (*Copy, error) {
	pre, err := readAtMost(src, 0, min(size, PreambleSize))
	if err != nil {
		return nil, err
	}
	n, err := PeekHeadSize(pre)
	if err != nil {
		return nil, err
	}
	return readCopy(src, 0, int(min(size, int64(n))))
}

// readCopy reads and parses the copy of n bytes at off.
func readCopy(src io.ReaderAt, off int64, n int) (*Copy, error) {
	raw, err := readAtMost(src, off, int64(n))
	if err != nil {
		return nil, err
	}
	h, err := ParseHead(raw)
	if err != nil {
		return nil, within(err, off, "")
	}
	if h.HeadSize() != n {
		return nil, &ParseError{TAIL1, "pages", off + offPages, ErrMalformed, "the copies differ in length"}
	}
	return &Copy{off, raw, h}, nil
}

// findTail looks for a copy at the end of a container, fewest pages first
// (READ-2). It is not the one at the start, whose place is there.
func findTail(src io.ReaderAt, size int64) (*Copy, error) {
	end := make([]byte, MaxHeadSize)
	for pages := MinPages; pages <= MaxPages && int64(pages*PageSize) < size; pages++ {
		// A page at a time, from the end: a bad sector further in hides no copy.
		b := end[len(end)-pages*PageSize:]
		off := size - int64(len(b))
		if n, err := src.ReadAt(b[:PageSize], off); n < PageSize {
			if err == nil || err == io.EOF { // the source ends before the size that it is said to have
				break
			}
			return nil, err
		}
		if n, err := CheckCopy(b); err != nil || n != len(b) {
			continue
		}
		h, err := ParseHead(b)
		if err != nil {
			return nil, within(err, off, "tail")
		}
		return &Copy{off, b, h}, nil
	}
	return nil, &ParseError{TAIL1, "tail", size, ErrDamaged, "no copy of the head ends here"}
}

// readAtMost reads n bytes at off, fewer only where src ends before.
func readAtMost(src io.ReaderAt, off, n int64) ([]byte, error) {
	b := make([]byte, n)
	got, err := src.ReadAt(b, off)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return b[:got], nil
}
