package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
)

// A RangeWriter writes ranges of what it stands for to w, until ctx ends. If a range
// ends after the end, it writes what there is.
type RangeWriter interface {
	WriteRange(ctx context.Context, w io.Writer, offset, length int64) (int64, error)
}

// A Content writes ranges of a file's data: from where they lie in the archive's
// source if they lie there as they are, or else by reading from the beginning.
type Content struct {
	// Holes says that the file is not in one piece, and may have long parts that are
	// zero: a writer with a method Skip(int64) error is told to leave them out.
	Holes bool

	fs     *FS
	m      *Member
	data   io.Reader // from the beginning; nil once it was read
	pieces []Piece   // nil if the data is not in the source as it is
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
	c := &Content{Holes: true, fs: f, m: m, data: file, src: src, done: done}
	if random, ok := file.(*RandomFile); ok {
		c.pieces = random.Pieces()
		c.Holes = len(c.pieces) != 1 || c.pieces[0].Length < m.Size
		if c.pieces == nil {
			c.pieces = []Piece{} // all of it is a hole
		}
	}
	return c, nil
}

// WriteRange writes a range that ends before the end of the file, or at it. All of a
// file that has a checksum is checked. It fails with ErrDamaged, or an error of the
// source, of w or of ctx.
func (c *Content) WriteRange(ctx context.Context, w io.Writer, offset, length int64) (n int64, err error) {
	if c.pieces != nil && !(c.m.Checked && length == c.m.Size) {
		n, err = c.writePieces(ctx, w, offset, length)
	} else {
		n, err = c.writeFrom(ctx, w, offset, length)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%w: it ends within %q", ErrDamaged, c.m.Name)
	}
	return n, err
}

// writePieces writes a range of what lies in the source, and the holes in it.
func (c *Content) writePieces(ctx context.Context, w io.Writer, offset, length int64) (n int64, err error) {
	end := offset + length
	i, _ := slices.BinarySearchFunc(c.pieces, offset, func(p Piece, at int64) int { return cmp.Compare(p.Offset+p.Length-1, at) })
	for _, p := range c.pieces[i:] {
		if p.Offset >= end {
			break
		}
		at := max(offset, p.Offset)
		k, err := writeHole(ctx, w, at-offset)
		if n += k; err != nil {
			return n, err
		}
		length := min(end, p.Offset+p.Length) - at
		k, err = c.src.WriteRange(ctx, w, p.At+at-p.Offset, length)
		if n += k; err == nil && k < length {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return n, err
		}
		offset = at + k
	}
	k, err := writeHole(ctx, w, end-offset)
	return n + k, err
}

// writeHole writes zeros, if they cannot be skipped.
func writeHole(ctx context.Context, w io.Writer, length int64) (n int64, err error) {
	if s, ok := w.(interface{ Skip(int64) error }); ok {
		return length, s.Skip(length)
	}
	const most = 256 << 10
	zeros := make([]byte, min(length, most))
	for n < length && err == nil && ctx.Err() == nil {
		var k int
		k, err = w.Write(zeros[:min(length-n, most)])
		n += int64(k)
	}
	return n, cmp.Or(err, context.Cause(ctx))
}

// writeFrom writes a range of what is read from its beginning. If it is read to its
// end, its checksum is checked there.
func (c *Content) writeFrom(ctx context.Context, w io.Writer, offset, length int64) (int64, error) {
	if c.data == nil {
		file, err := c.fs.OpenMember(c.m)
		if err != nil {
			return 0, err
		}
		c.data = file
	}
	src := &counted{c.data, c.done, ctx}
	c.data = nil
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

// A counted reader counts what is read, until ctx ends.
type counted struct {
	io.Reader
	done *atomic.Int64
	ctx  context.Context
}

func (c *counted) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.Reader.Read(p)
	c.done.Add(int64(n))
	return n, err
}
