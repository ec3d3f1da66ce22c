package zseek

import (
	"errors"
	"fmt"
	"io"

	"bulla/format"
)

// ErrClosed is returned by calls on a stream that has been closed.
var ErrClosed = errors.New("compressed stream is closed")

// violation makes the error for a stream, frame or table that violates c at
// offset off, counted from its start.
func violation(c format.Clause, kind error, off int64, field, reason string, args ...any) error {
	return &format.ParseError{Clause: c, Kind: kind, Offset: off, Field: field, Reason: fmt.Sprintf(reason, args...)}
}

// inFrame returns err, whose offset counts from the start of a frame, as seen
// from the stream.
func inFrame(err error, index, offset int64) error {
	var pe *format.ParseError
	if !errors.As(err, &pe) {
		return err
	}
	moved := *pe
	moved.Offset += offset
	moved.Field = fmt.Sprintf("frame %d, %s", index, pe.Field)
	return &moved
}

// tooShort is the error for a frame of less than FrameContent that is not the
// last (ZSTD-1).
func tooShort(content int) error {
	return violation(format.ZSTD1, format.ErrMalformed, 0, "content size", "%d bytes, not %d, and it is not the last", content, FrameContent)
}

// ended turns the end of a source at offset off, in the middle of something,
// into the violation that it is: the table is missing, or a part of it. An error
// of the source stays one, io.ErrUnexpectedEOF too: that is what a connection
// that breaks may give.
func ended(err error, off int64) error {
	if err == nil || err == io.EOF {
		return violation(format.ZSTD4, format.ErrTruncated, off, "stream", "it ends without a seek table")
	}
	return err
}
