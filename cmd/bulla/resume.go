package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/stream"
)

// checkResume refuses to go on with what cannot be gone on with.
func checkResume(in *input, out *output) error {
	switch {
	case !in.regular:
		return usage("name the file", "--resume reads the input at any place, and %s cannot be read so", in.name)
	case !out.Whole():
		return usage("name a file with -o", "--resume goes on with an output file, and %s is none", out.name)
	}
	return nil
}

// resume writes the plaintext and goes on where an earlier run has ended, killed
// or interrupted or out of space. What that has left under the output's
// preliminary name proves nothing by itself, and after a power failure may not
// be what was written: it is compared, all of it, with the plaintext as the
// container gives it, and kept as far as it is equal.
//
// If it does not come to the end, what there is stays for the next run.
func (a *app) resume(ctx context.Context, r *stream.ReaderAt, in *input, out *output, total int64, opts *stream.ReaderOptions, w *workFlags) error {
	there, err := out.Reopen()
	if err != nil {
		return err
	}
	kept := a.left.Add(func() {
		a.warn(out.name+" is not complete: what there is of it is kept as "+safetext.Printable(out.Partial()), "rerun the same command to continue")
	})
	start := time.Now()
	bar := a.startProgress(w, in.name, total, opts.Done, out)
	old := &comparison{file: out}
	_, err = r.WriteRange(ctx, old, 0, min(there, total))
	if errors.Is(err, errDiffers) {
		err = nil
	}
	if err == nil {
		err = out.CutAt(old.same)
	}
	n := old.same
	if err == nil {
		var k int64
		k, err = r.WriteRange(ctx, out.writer(), n, total-n)
		n += k
	}
	if err == nil {
		err = out.Commit()
	}
	bar.Finish(err)
	if err == nil || ctx.Err() == nil { // of an interrupted run err is not said
		kept()
	}
	if err != nil {
		return unresumed(about(in.name, err), out)
	}
	a.tellCopies(in.name, r.Warnings(), opts.Head, r.Head())
	a.note("%s: %s decrypted to %s in %v, %s of it by an earlier run", in.name, console.Bytes(n), out.name, time.Since(start).Round(time.Millisecond), console.Bytes(old.same))
	return a.result(out, written{InputField: in.given.AsInput(), OutputField: out.given.AsOutput(), Plaintext: n})
}

// unresumed says of an error that not all is lost, if that is so.
func unresumed(err error, out *output) error {
	out.Abort()
	if !out.Remains() {
		return out.fails(err)
	}
	f := explain(err)
	if f.silent {
		return err
	}
	return withHint(f, "what there is of it is kept as "+safetext.Printable(out.Partial())+": rerun the same command to continue, once this is solved")
}

var errDiffers = errors.New("the output has something else")

// A comparison compares what is written to it with what a file has, from its
// beginning on.
type comparison struct {
	file io.ReaderAt
	same int64 // bytes that were equal
	buf  []byte
}

func (c *comparison) Write(p []byte) (int, error) {
	if len(c.buf) < len(p) {
		c.buf = make([]byte, len(p))
	}
	n, err := c.file.ReadAt(c.buf[:len(p)], c.same)
	if err != nil && err != io.EOF {
		return 0, err
	}
	if n == len(p) && bytes.Equal(c.buf[:n], p) {
		c.same += int64(n)
		return n, nil
	}
	k := 0
	for k < n && c.buf[k] == p[k] {
		k++
	}
	c.same += int64(k)
	return k, errDiffers
}
