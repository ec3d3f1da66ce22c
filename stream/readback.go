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
)

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
