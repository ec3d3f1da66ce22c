package main

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"bulla/internal/console"
	"bulla/stream"
)

// checkReadBack refuses to verify what cannot be read again.
func (o *output) checkReadBack() error {
	if !o.Whole() {
		return usage("name a file with -o, or leave out --verify", "--verify reads the output back, and %s is written only once", o.name)
	}
	return nil
}

// closeVerified ends the output and reads it back. It shows how far that has
// come until the progress it returns is finished.
func (a *app) closeVerified(ctx context.Context, sw *stream.Writer, out *output, w *workFlags) (bar *console.Progress, err error) {
	done := new(atomic.Int64)
	err = sw.CloseVerified(ctx, func() (io.ReaderAt, int64, error) {
		src, size, err := out.ReadBack()
		if err == nil {
			bar = a.startProgress(w, out.name+", read back", size, done, out)
		}
		return src, size, err
	}, done)
	return bar, explainReadBack(out, err)
}

// explainReadBack words what reading back has found.
func explainReadBack(out *output, err error) error {
	if !errors.Is(err, stream.ErrNotAsWritten) {
		return err
	}
	return &failure{exit: exitIO, err: err, what: "reading " + out.name + " back: " + firstLine(err.Error()),
		hint: "the disk, or the memory, does not keep what it is given; the output was thrown away"}
}
