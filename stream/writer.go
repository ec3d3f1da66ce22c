package stream

import (
	"context"
	"io"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/zseek"
)

// A Writer seals what is written to it into a new container, compressed first
// if its options say so. Write, ReadFrom and Close are for one goroutine at a
// time; Abort is for any.
type Writer struct {
	sealer
	z    *zseek.Writer // compresses into the sealer; nil for coding 0
	in   filler        // what takes the plaintext: z, or else the sealer
	done *atomic.Int64 // counts the plaintext taken

	detached func() bool // from its context
}

// A filler takes what is written to it, and what it reads.
type filler interface {
	io.Writer
	io.ReaderFrom
}

// NewWriter starts a container for the recipients, of which there must be at
// least one, and writes its head to dst. It draws the container's key and calls
// each recipient's Wrap with ctx. When ctx ends, the Writer fails with its
// cause, if Close has not returned yet.
//
// dst gets whole batches in order, from another goroutine if there is more than
// one worker; it must not be used otherwise before Close returns, and is never
// closed. If dst is an *os.File, writeback starts early and a pipe is enlarged.
func NewWriter(ctx context.Context, dst io.Writer, recipients []Recipient, opts *WriterOptions) (*Writer, error) {
	o := opts.orDefault()
	keys, head, err := create(ctx, recipients, &o)
	if err != nil {
		return nil, err
	}
	w := &Writer{done: o.Done}
	w.in = &w.sealer
	if o.Level != 0 {
		if w.z, err = zseek.NewWriter(&w.sealer, o.Level, o.Workers); err != nil {
			keys.Wipe()
			return nil, err
		}
		w.in = w.z
	}
	if err := w.start(dst, keys, head, o.Workers); err != nil {
		return nil, err
	}
	w.detached = context.AfterFunc(ctx, func() { w.Abort(context.Cause(ctx)) })
	return w, nil
}

// Write seals p. It copies p, and blocks while all batches are in use.
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.push.Err(); err != nil {
		return 0, err
	}
	n, err := w.in.Write(p)
	w.done.Add(int64(n))
	return n, w.push.Fail(err)
}

// ReadFrom seals what src has to give, until io.EOF, which is not an error. It
// reads straight into the buffers that are worked on. Any other error of src
// sticks, so that Close refuses to finish a container whose source failed.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	if err := w.push.Err(); err != nil {
		return 0, err
	}
	widenPipe(src)
	n, err := w.in.ReadFrom(&countingReader{src, w.done})
	return n, w.push.Fail(err)
}

// Close seals the last chunk, writes the tail and returns once dst has
// everything. After any failure it writes nothing further and returns that
// failure. It does not close dst. A second call returns that failure, or ErrClosed.
//
// Close makes the container whole. The Writer knows of a source that failed only
// if it read it itself (ReadFrom) or was aborted: a caller who gave it less than
// all, because its own source failed, must call Abort before Close. So `defer
// w.Close()` alone is wrong after Write.
func (w *Writer) Close() error {
	defer w.detached()
	if w.z != nil && !w.closed {
		if err := w.z.Close(); err != nil {
			w.push.Fail(err)
		}
	}
	return w.sealer.Close()
}

// Abort makes the Writer fail with err, or ErrAborted if err is nil: every call
// returns it from now on, and dst never gets a complete container. It does not
// wait, and may be called at any time; Close must be called nevertheless.
func (w *Writer) Abort(err error) {
	if err == nil {
		err = ErrAborted
	}
	w.push.Fail(err)
	if w.z != nil {
		w.z.Fail(err)
	}
}

// Identity returns what tells the container from every other: see
// [format.Head.Identity].
func (w *Writer) Identity() [format.IdentitySize]byte { return [format.IdentitySize]byte(w.head) }

// Size returns how many bytes long the container is, once Close has returned nil.
func (w *Writer) Size() int64 { return w.dst.written }

// A countingReader counts what is read through it.
type countingReader struct {
	src  io.Reader
	read *atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.read.Add(int64(max(0, n)))
	return n, err
}

var _ interface {
	io.WriteCloser
	io.ReaderFrom
} = (*Writer)(nil)
