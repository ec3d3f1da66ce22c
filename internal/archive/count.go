package archive

import (
	"archive/tar"
	"errors"
	"io"
	"iter"
	"math"
)

// A Counter counts the members of the tar that is written to it. It looks at headers
// alone, and costs next to nothing where files are large. What is no tar is passed over.
//
// The tar is read by the same code as any other, which asks for what it wants at any
// place: a coroutine, which waits while that has not been written. Only what it waits
// for is kept.
type Counter struct {
	IsTar   bool
	Members int64
	Bytes   int64 // of the members' data
	Early   bool  // it breaks off: within a member, or without the blocks that end a tar

	resume, stop func()
	wait         func() bool // for more to be written; false if no more is wanted
	begin        int64       // where window begins, among all that was written
	window       []byte
	want         int64 // the coroutine waits for the byte before this,
	from         int64 // and what is from here on
	ended        bool
}

// NewCounter returns a Counter that nothing was written to. End must be called.
func NewCounter() *Counter {
	c := &Counter{want: 1}
	next, stop := iter.Pull(func(yield func(bool) bool) {
		c.wait = func() bool { return yield(true) }
		c.count(&tarArchive{io.NewSectionReader(c, 0, beyond-1)})
		c.want, c.from = math.MaxInt64, math.MaxInt64
	})
	c.resume, c.stop = func() { next() }, stop
	return c
}

// count goes through the tar.
func (c *Counter) count(t *tarArchive) {
	b, err := t.block(0)
	if err != nil || !b.valid() && !b.zero() {
		return
	}
	if b.zero() { // an empty tar, if there is nothing else
		for at := int64(tarBlock); at <= maxEmptyTar; at += tarBlock {
			if b, err = t.block(at); err == io.EOF {
				c.IsTar = at > tarBlock
				return
			} else if err != nil || !b.zero() {
				return
			}
		}
		return
	}
	c.IsTar = true
	for at := int64(0); at >= 0; {
		if b := c.peek(at); b.isPlain() { // as most are: what read does for them, at a tenth of the cost
			size := b.number(124, 12)
			c.Members, c.Bytes, at = c.Members+1, c.Bytes+size, t.after(at+tarBlock, size)
			continue
		}
		m, next, err := t.read(at, &extended{})
		if m != nil {
			c.Members, c.Bytes = c.Members+1, c.Bytes+m.Size
		}
		if err == io.EOF || err != nil && !isOwn(err) {
			break
		}
		at = next
	}
	c.Early = c.ended
}

// peek is the block at a place, as long as nothing else is waited for; nil if there is none.
func (c *Counter) peek(at int64) tarHeader {
	if c.awaits(at, at+tarBlock); at < c.begin || c.want > c.begin+int64(len(c.window)) {
		return nil
	}
	return c.window[at-c.begin:][:tarBlock]
}

// isPlain reports whether a header is that of a file, and says all there is to say of it.
func (b tarHeader) isPlain() bool {
	return b != nil && b[atType] == tar.TypeReg && b.valid() && b.number(124, 12) >= 0
}

// Write counts on. It keeps nothing of p, and never fails.
func (c *Counter) Write(p []byte) (int, error) {
	end := c.begin + int64(len(c.window)+len(p))
	if c.want > end && c.from >= end {
		c.begin, c.window = end, nil
		return len(p), nil
	}
	owned := len(c.window) > 0
	if owned {
		c.window = append(c.window, p...)
	} else {
		c.window = p
	}
	if c.want <= end {
		c.resume()
	}
	passed := min(max(0, c.from-c.begin), int64(len(c.window)))
	c.begin += passed
	if c.window = c.window[passed:]; len(c.window) > 0 && !owned {
		c.window = append([]byte(nil), c.window...)
	}
	return len(p), nil
}

// End says that all was written. It counts what is left.
func (c *Counter) End() {
	c.ended = true
	c.resume()
	c.stop()
}

var errPassed = errors.New("passed over")

// ReadAt is what the coroutine reads the tar by.
func (c *Counter) ReadAt(p []byte, off int64) (int, error) {
	if c.awaits(off, off+int64(len(p))); off < c.begin {
		return 0, &sourceError{errPassed}
	}
	n := copy(p, c.window[min(off-c.begin, int64(len(c.window))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// awaits waits until what lies between two places was written, or no more is.
func (c *Counter) awaits(from, to int64) {
	c.from, c.want = from, to
	for to > c.begin+int64(len(c.window)) && !c.ended && c.wait() {
	}
}
