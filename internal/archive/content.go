package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"bulla/internal/fullio"
)

// A RangeWriter writes ranges of what it stands for to w, until ctx ends. If a range
// ends after the end, it writes what there is.
type RangeWriter interface {
	WriteRange(ctx context.Context, w io.Writer, offset, length int64) (int64, error)
}

// A Content writes ranges of a file's data: from where they lie in the archive's
// source if they lie there as they are, or else by reading from the beginning.
type Content struct {
	fs     *FS
	m      *Member
	random *RandomFile // nil if the data is not in the source as it is
	src    RangeWriter
	done   *atomic.Int64
}

// Content opens a file's data as OpenMember does, with the same errors. src writes
// what the archive was opened on; done counts what is read in any other way.
func (f *FS) Content(m *Member, src RangeWriter, done *atomic.Int64) (*Content, error) {
	file, err := f.OpenMember(m)
	if err != nil {
		return nil, err
	}
	random, _ := file.(*RandomFile)
	return &Content{fs: f, m: m, random: random, src: src, done: done}, nil
}

// WriteRange writes a range that ends before the end of the file, or at it. All of a
// file that has a checksum is checked. It fails with ErrDamaged, or an error of the
// source, of w or of ctx.
func (c *Content) WriteRange(ctx context.Context, w io.Writer, offset, length int64) (n int64, err error) {
	if c.random != nil && !(c.m.Checked && length == c.m.Size) {
		n, err = c.writeParts(ctx, w, offset, length)
	} else {
		n, err = c.writeFrom(ctx, w, offset, length)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%w: it ends within %q", ErrDamaged, c.m.Name)
	}
	return n, err
}

// writeParts writes a range of what lies in the source, and skips the holes in it if w can.
func (c *Content) writeParts(ctx context.Context, w io.Writer, offset, length int64) (n int64, err error) {
	skipper, _ := w.(interface{ Skip(int64) error })
	for p := range c.random.pieces.parts(offset, length) {
		k := p.Length
		switch {
		case ctx.Err() != nil:
			return n, context.Cause(ctx)
		case p.At == hole && skipper != nil:
			err = skipper.Skip(k)
		case p.At == hole:
			k, err = io.CopyN(w, fullio.Counted{Src: zeros{}, Done: new(atomic.Int64), Ctx: ctx}, k)
		default:
			k, err = c.src.WriteRange(ctx, w, p.At, p.Length)
		}
		if n += k; err == nil && k < p.Length {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// writeFrom writes a range of what is read from its beginning. If it is read to its
// end, its checksum is checked there.
func (c *Content) writeFrom(ctx context.Context, w io.Writer, offset, length int64) (int64, error) {
	file, err := c.fs.OpenMember(c.m)
	if err != nil {
		return 0, err
	}
	src := fullio.Counted{Src: file, Done: c.done, Ctx: ctx}
	n, err := io.CopyN(io.Discard, src, offset)
	if err == nil {
		n, err = io.CopyN(w, src, length)
	}
	if err == nil && offset+length == c.m.Size {
		if _, err = io.ReadFull(src, make([]byte, 1)); err == io.EOF {
			err = nil
		}
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
