package stream

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/zseek"
)

// checkCoding checks that what is sealed in a container, all of whose chunks are
// authentic, is what its coding says (ZSTD-1 to ZSTD-6). It decompresses
// everything and keeps nothing.
func (rep *Report) checkCoding(ctx context.Context, r *payloadAt) error {
	if r.op.head.Head.Coding == format.Plain {
		return nil
	}
	z, err := zseek.NewReaderAt(r, r.layout.PlainSize, r.workers)
	if err == nil {
		_, err = z.WriteTo(&meter{ctx, io.Discard, new(atomic.Int64)})
	}
	var pe *format.ParseError
	if errors.As(err, &pe) {
		f := pe.Finding()
		f.Offset = r.layout.OffsetOf(pe.Offset)
		rep.Findings = append(rep.Findings, f)
		return nil
	}
	rep.Decoded = err == nil
	return err
}
