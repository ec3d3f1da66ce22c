package stream

import (
	"context"
	"errors"
	"io"
	"slices"

	"bulla/format"
	"bulla/internal/zseek"
)

// A ReaderAt opens any range of a container whose size is known, and
// decompresses it where it is compressed. All methods but Close are safe for
// concurrent use.
type ReaderAt struct {
	*payloadAt
	z        *zseek.ReaderAt // decompresses what the payload gives; nil if there is no need
	warnings []format.Finding
}

// NewReaderAt opens the container of size bytes in src with one of the
// identities, calling Unwrap with ctx, and authenticates its last chunk, so
// that the size of the plaintext is known from the start. ctx is for opening
// alone.
//
// A head that is damaged or stale is made up for by the tail, and by a detached
// head in opts (READ-1, READ-2). A copy that is forged, or another container's,
// is an error, whatever the others are (HEAD-13, COPY-1).
//
// It fails with a *format.ParseError if there is no usable head, the size is
// impossible or the payload is no valid coding, a *RoleError if the container is
// not of the role in opts, a *NoKeyError if no identity fits, a *LimitError if finding out would cost too much, and a
// *TruncatedError, *TrailingError or *ChunkError if the last chunk is not
// authentic. With opts.AllowTruncated the last three and the size are no
// errors, unless the payload is compressed, as then the end has the table that
// ranges are found by. src is never closed. If it has a method ReadAhead(off, n int64),
// that is called before n bytes from off on are read in order.
func NewReaderAt(ctx context.Context, src io.ReaderAt, size int64, identities []Identity, opts *ReaderAtOptions) (*ReaderAt, error) {
	o := opts.orDefault()
	p, err := openPayload(ctx, src, size, identities, &o, false)
	if err != nil {
		return nil, err
	}
	r := &ReaderAt{payloadAt: p, warnings: asWarnings(p.faults(p.op.own()))}
	if p.op.head.Head.Coding == format.Plain || o.raw {
		return r, nil
	}
	if p.partial {
		err = p.cut
	} else {
		r.z, err = zseek.NewReaderAt(frameSource{p}, p.layout.PlainSize, o.workers)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return r, nil
}

// Size returns the length of the plaintext in bytes, which is authentic. It
// returns ErrSizeUnknown if the container is truncated and that is allowed:
// Truncated says why.
func (r *ReaderAt) Size() (int64, error) {
	switch {
	case r.partial:
		return 0, ErrSizeUnknown
	case r.z != nil:
		return r.z.Size(), nil
	}
	return r.layout.PlainSize, nil
}

// Truncated returns why the container's end is missing, and so its size unknown:
// what NewReaderAt would have failed with. It returns nil if the end is there.
func (r *ReaderAt) Truncated() error { return r.cut }

// EndMissing reports whether err, of a read, comes of the container's end that is
// missing, and not of damage before it: then there is nothing to be read after it.
func (r *ReaderAt) EndMissing(err error) bool {
	if !r.partial {
		return false
	}
	if e, ok := errors.AsType[*ChunkError](err); ok && !errors.Is(err, r.cut) {
		_, err = r.ReadAt(make([]byte, 1), (e.Index+1)*format.ChunkSize)
	}
	return errors.Is(err, r.cut) || errors.As(err, new(*TruncatedError)) || errors.As(err, new(*TrailingError))
}

// ReadAt gives len(p) bytes of plaintext from offset off on, fewer only with an
// error: io.EOF at the end of the plaintext, a *ChunkError where a chunk is not
// authentic, or an error of the source. What it gives before an error is good.
// It costs the reading and opening of every chunk that the range touches, and
// where the payload is compressed the decompressing of every frame.
func (r *ReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if r.closed.Load() {
		return 0, ErrClosed
	}
	if r.z != nil {
		return r.z.ReadAt(p, off)
	}
	return r.payloadAt.ReadAt(p, off)
}

// WriteTo writes all of the plaintext to w, in order, reading and opening in
// parallel, until the end (nil) or an error. If w is an *os.File, writeback
// starts early and a pipe is enlarged. If w has a method Abort(error), as a
// [Writer] has, it is called with any error that is not w's own.
func (r *ReaderAt) WriteTo(w io.Writer) (int64, error) {
	return r.WriteRange(context.Background(), w, 0, 1<<63-1)
}

// WriteRange is WriteTo for the n bytes of plaintext from offset off on, or as
// many as there are before its end, until ctx ends: it then fails with the
// cause. If the container's end is missing, that is an error when the range is
// not all there.
func (r *ReaderAt) WriteRange(ctx context.Context, w io.Writer, off, n int64) (int64, error) {
	if off < 0 || n < 0 {
		return 0, errors.New("negative offset or length")
	}
	dst := newSink(w)
	if r.closed.Load() {
		return 0, dst.end(ErrClosed)
	}
	n = min(n, 1<<63-1-off)
	var written int64
	var err error
	if r.z != nil {
		written, err = r.z.WriteRange(&meter{ctx, dst, r.done}, off, n)
	} else if written, err = r.writeRange(ctx, dst, off, n); err == nil && written < n && r.partial {
		err = r.cut
	}
	return written, dst.end(err)
}

// Head returns the copy of the head that counts (READ-1). It must not be changed.
func (r *ReaderAt) Head() *format.Head { return r.op.head.Head }

// OpenedSlot returns the position in Head().Slots of the slot that was opened,
// from 0; -1 if only an older copy has it.
func (r *ReaderAt) OpenedSlot() int { return r.op.openedSlot() }

// Warnings returns what was found amiss that does not touch the plaintext: a
// copy of the head that is damaged or stale (TAIL-3) or cannot be read. Who still
// opens the container by a stale copy, the message says.
func (r *ReaderAt) Warnings() []format.Finding { return slices.Clone(r.warnings) }

// Close forgets the keys: ReadAt and the others then return ErrClosed. None of
// them may be running. It returns nil.
func (r *ReaderAt) Close() error { return r.payloadAt.Close() }

var _ interface {
	io.ReaderAt
	io.WriterTo
	io.Closer
} = (*ReaderAt)(nil)
