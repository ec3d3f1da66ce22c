package stream

import (
	"context"
	"io"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/zseek"
)

// A Reader opens a container that comes as a stream, and decompresses it where
// it is compressed. It is for one goroutine at a time, Close excepted.
//
// It gives the plaintext up to the first chunk that is not authentic, then an
// error: the data is all there, and all authentic, only when Read has returned
// io.EOF or WriteTo nil. That the tail is forged, or another container's, shows
// only there, and is an error, too (HEAD-13, COPY-1).
type Reader struct {
	unsealer
	z     *zseek.Reader // decompresses what comes from the unsealer; nil if there is no need
	given *atomic.Int64 // counts the plaintext given, when z is not nil
}

// NewReader reads the head of the container in src and opens it with one of the
// identities, calling Unwrap with ctx. When ctx ends, the Reader fails with its
// cause.
//
// It fails with a *format.ParseError if there is no usable head, a *RoleError if
// the container is not of the role in opts, a *NoKeyError if no identity fits, and
// a *LimitError if finding out would cost too much. It
// reads only from the front; a container whose head is damaged can be opened by
// [NewReaderAt], or with a detached head in opts.
//
// src is read from another goroutine if there is more than one worker, and not
// beyond the container's end except to see that there is nothing. It is never
// closed. A pipe is enlarged.
func NewReader(ctx context.Context, src io.Reader, identities []Identity, opts *ReaderOptions) (*Reader, error) {
	o := opts.orDefault()
	widenPipe(src)
	op, f, err := openStream(ctx, src, identities, &o, false)
	if err != nil {
		return nil, err
	}
	return newReader(ctx, op, f, &o), nil
}

// openStream reads the head of the container in src and opens it. A forged copy
// is an error, or with detachedOnly a forged detached head alone.
func openStream(ctx context.Context, src io.Reader, identities []Identity, o *opening, detachedOnly bool) (op *opened, f fetcher, err error) {
	if f, err = readHead(src, o.head); err != nil {
		return nil, f, err
	}
	copies, err := usable(f.copies, o.head)
	if err != nil {
		return nil, f, err
	}
	if err := o.mayGive(copies); err != nil {
		return nil, f, err
	}
	if op, err = open(ctx, copies, identities, false); err != nil {
		return nil, f, err
	}
	if err := op.genuine(detachedOnly); err != nil {
		op.wipe()
		return nil, f, err
	}
	return op, f, nil
}

// newReader reads the payload of a container whose head has been read.
func newReader(ctx context.Context, op *opened, f fetcher, o *opening) *Reader {
	r := new(Reader)
	done := o.done
	if op.head.Head.Coding == format.Zstd && !o.raw {
		r.given, done = o.done, new(atomic.Int64)
		r.z = zseek.NewReader(&r.unsealer, o.workers)
	}
	r.start(ctx, op, f, o.workers, done)
	return r
}

// Read gives plaintext that is authentic. An error that the payload is no valid
// coding is a *format.ParseError with an offset in what was sealed.
func (r *Reader) Read(p []byte) (int, error) {
	if r.z == nil {
		return r.unsealer.Read(p)
	}
	n, err := r.z.Read(p)
	r.given.Add(int64(n))
	return n, err
}

// WriteTo writes the plaintext to w, straight from the buffers it was opened or
// decompressed into, until the end (nil) or an error. If w is an *os.File,
// writeback starts early and a pipe is enlarged. If w has a method Abort(error),
// as a [Writer] has, it is called with any error that is not w's own.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	if r.z == nil {
		return r.unsealer.WriteTo(w)
	}
	dst := newSink(w)
	n, err := r.z.WriteTo(&meter{r.ctx, dst, r.given})
	return n, dst.end(err)
}

// Head returns the copy of the head that counts (READ-1). It must not be changed.
func (r *Reader) Head() *format.Head { return r.op.head.Head }

// OpenedSlot returns the position in Head().Slots of the slot that was opened,
// from 0; -1 if only an older copy has it.
func (r *Reader) OpenedSlot() int { return r.op.openedSlot() }

// Warnings returns what was found amiss that does not touch the plaintext: a
// damaged or stale copy of the head (TAIL-3). They are there once the end was
// reached. Who still opens the container by a stale copy, the message says.
func (r *Reader) Warnings() []format.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return asWarnings(r.found)
}

// Close ends the Reader and forgets its keys. It waits for a Read of src that
// is under way, so that src is the caller's again; to end that early, make src
// fail. It returns nil.
func (r *Reader) Close() error {
	r.stop()
	r.op.wipe()
	return nil
}

// stop ends all reading, and leaves the keys.
func (r *Reader) stop() {
	r.detached()
	r.read.Fail(ErrClosed)
	if r.z != nil {
		r.z.Fail(ErrClosed)
		r.z.Close()
	}
	r.read.Close()
}

var _ interface {
	io.ReadCloser
	io.WriterTo
} = (*Reader)(nil)
