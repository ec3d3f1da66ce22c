package stream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/fullio"
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
// closed. If dst is an *os.File, writeback starts early and a pipe is enlarged. If it has
// a method Keep([]byte) ([]byte, error), that gets whole batches instead of Write: it may
// keep the buffer, and returns one of that length to be used for it.
func NewWriter(ctx context.Context, dst io.Writer, recipients []Recipient, opts *WriterOptions) (*Writer, error) {
	o := opts.orDefault()
	keys, head, err := create(ctx, recipients, &o)
	if err != nil {
		return nil, err
	}
	w := &Writer{done: o.Done, sealer: sealer{seen: o.Observer}}
	if w.seen != nil {
		w.seen.Head(head)
	}
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
	n, err := w.in.ReadFrom(fullio.Counted{Src: src, Done: w.done, Ctx: context.Background()})
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

var _ interface {
	io.WriteCloser
	io.ReaderFrom
} = (*Writer)(nil)

// ErrNotAsWritten is what CloseVerified returns, wrapped, if what it reads back
// is not what was written: the medium, or what is between it and the program,
// has changed it.
var ErrNotAsWritten = errors.New("what was written does not read back")

// CloseVerified does what Close does, and then reads the container back from
// what open returns, which is called once everything is written, and
// authenticates all of it with the keys that it was sealed with: no identity is
// needed. What was compressed is decompressed, so that a fault of the codec or of
// the memory shows, too: the frames have checksums of their content. open may see
// to it that it is read from the medium and not from a cache. done, if not nil,
// grows by the bytes of plaintext that were authenticated.
//
// Its errors are those of Close, of open, of the source and of ctx's end, and
// ErrNotAsWritten, with the reason: the container must then be thrown away.
func (w *Writer) CloseVerified(ctx context.Context, open func() (src io.ReaderAt, size int64, err error), done *atomic.Int64) error {
	if w.closed {
		return w.push.Err()
	}
	o := (&ReaderOptions{Workers: w.workers, Done: done}).orDefault()
	w.keepKeys = true
	defer w.keys.Wipe()
	if err := w.Close(); err != nil {
		return err
	}
	src, size, err := open()
	if err != nil {
		return err
	}
	return w.readBack(ctx, src, size, &o)
}

func (w *sealer) readBack(ctx context.Context, src io.ReaderAt, size int64, o *opening) error {
	c := format.ReadCopies(src, size)
	if err := cmp.Or(c.HeadErr, c.TailErr); err != nil {
		return notAsWritten(err)
	}
	if !bytes.Equal(c.Head.Raw, w.head) || !bytes.Equal(c.Tail.Raw, w.head) {
		return notAsWritten(&format.ParseError{Clause: format.TAIL2, Kind: format.ErrDamaged, Reason: "a copy of the head differs"})
	}
	r := newPayload(src, size, &opened{keys: w.keys, head: c.Head}, c, o)
	if r.partial {
		return notAsWritten(&TruncatedError{Offset: size})
	}
	rep := &Report{Report: &format.Report{Size: size}}
	err := rep.checkSlice(ctx, r, Slice{})
	if err == nil && rep.Failed == 0 {
		err = rep.checkCoding(ctx, r)
	}
	if len(rep.Findings) > 0 { // whatever else, this is certain
		return fmt.Errorf("%w: %s", ErrNotAsWritten, rep.Findings[0].Message)
	}
	return notAsWritten(err)
}

// notAsWritten is for errors about bytes; those of the source stay what they are.
func notAsWritten(err error) error {
	if errors.As(err, new(*format.ParseError)) || errors.As(err, new(*TruncatedError)) {
		return fmt.Errorf("%w: %w", ErrNotAsWritten, err)
	}
	return err
}
