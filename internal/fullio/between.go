package fullio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
)

// A Counted reader counts what is read of Src, until Ctx ends.
type Counted struct {
	Src  io.Reader
	Done *atomic.Int64
	Ctx  context.Context
}

// Read implements io.Reader.
func (c Counted) Read(p []byte) (int, error) {
	if c.Ctx.Err() != nil {
		return 0, context.Cause(c.Ctx)
	}
	n, err := c.Src.Read(p)
	c.Done.Add(int64(max(0, n)))
	return n, err
}

// ErrDiffers is what a [Comparer] ends with where something else is written to it.
var ErrDiffers = errors.New("it has something else")

// A Comparer compares what is written to it with what From has.
type Comparer struct {
	From io.ReaderAt
	Same int64 // how many bytes from the beginning on were equal
	Err  error // what Write failed with: ErrDiffers, or an error of From

	buf []byte
}

// Write fails with ErrDiffers at the first byte that is not what there is.
func (c *Comparer) Write(p []byte) (n int, err error) {
	c.buf = slices.Grow(c.buf[:0], len(p))[:len(p)]
	n, c.Err = c.From.ReadAt(c.buf, c.Same)
	switch {
	case bytes.Equal(c.buf[:n], p):
		c.Err = nil
	case c.Err == nil || c.Err == io.EOF:
		there := c.buf[:n]
		for n = 0; n < len(there) && there[n] == p[n]; n++ {
		}
		c.Err = ErrDiffers
	default:
		return 0, c.Err
	}
	c.Same += int64(n)
	return n, c.Err
}
