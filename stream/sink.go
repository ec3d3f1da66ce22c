package stream

import (
	"context"
	"io"
	"sync/atomic"
	"syscall"

	"bulla/internal/fullio"
)

// A sink is a destination that stays written to in order.
type sink struct {
	w       io.Writer
	back    fullio.Writeback
	keeper  fullio.Keeper // w, if it is one
	written int64         // bytes
	failed  bool          // w did
}

func newSink(w io.Writer) *sink {
	s := &sink{w: w}
	s.keeper, _ = w.(fullio.Keeper)
	widenPipe(w)
	s.back.Start(w)
	return s
}

// Write writes all of p or fails.
func (s *sink) Write(p []byte) (int, error) {
	n, err := fullio.WriteAll(s.w, p)
	return n, s.wrote(n, err)
}

// keep is Write of a buffer that w may keep, and returns the one to go on with.
func (s *sink) keep(p []byte) (instead []byte, err error) {
	if s.keeper == nil {
		_, err = s.Write(p)
		return p, err
	}
	if instead, err = s.keeper.Keep(p); err != nil {
		return p, s.wrote(0, err)
	}
	return instead, s.wrote(len(p), nil)
}

// wrote notes that w took n bytes, or failed.
func (s *sink) wrote(n int, err error) error {
	s.written += int64(n)
	if err != nil {
		s.failed = true
		return err
	}
	s.back.Wrote(n)
	return nil
}

// end returns err, with which the writing ended. A destination that can be
// aborted and has not failed itself is: io.Copy into a [Writer] hands the work to
// the source, so the Writer would otherwise not learn that the source failed.
func (s *sink) end(err error) error {
	if a, ok := s.w.(interface{ Abort(error) }); ok && err != nil && !s.failed {
		a.Abort(err)
	}
	return err
}

// write is Write for those who need no count.
func (s *sink) write(p []byte) error {
	_, err := s.Write(p)
	return err
}

// A meter counts what is written through it, until ctx ends: then it fails with
// the cause.
type meter struct {
	ctx     context.Context
	dst     io.Writer
	written *atomic.Int64
}

func (m *meter) Write(p []byte) (int, error) {
	if m.ctx.Err() != nil {
		return 0, context.Cause(m.ctx)
	}
	n, err := m.dst.Write(p)
	m.written.Add(int64(n))
	return n, err
}

// widenPipe makes the pipe that v may be hold as much as an unprivileged
// process may ask for. Streams through a pipe run up to three times as fast
// when its ends wake each other less often.
func widenPipe(v any) {
	if f, ok := v.(syscall.Conn); ok {
		setPipeSize(f, pipeSize)
	}
}

// pipeSize is the kernel's default limit for unprivileged processes on Linux.
const pipeSize = 1 << 20
