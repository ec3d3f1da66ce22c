package stream

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"

	"bulla/format"
)

// VerifyReader is [Verify] for a container that can be read only once: it reads
// src to its end. Of a payload that is damaged it reports the first fault, and
// does not try the chunks behind it.
//
// An error means that the work could not be done, as with Verify. If no identity
// opens the container, the report has what can be checked without.
func VerifyReader(ctx context.Context, src io.Reader, identities []Identity, opts *VerifyOptions) (*Report, error) {
	o := opts.orDefault()
	widenPipe(src)
	ends := new(format.Ends)
	once := &onceReader{src: io.TeeReader(src, ends)}
	rep := new(Report)
	op, f, err := openStream(ctx, once, identities, &o, true)
	var fault []format.Finding
	if err == nil {
		defer op.wipe()
		fault, err = rep.readAll(ctx, op, f, &o)
	}
	if once.err == nil && ctx.Err() == nil {
		_, cut := io.Copy(&meter{ctx, io.Discard, new(atomic.Int64)}, once)
		err = cmp.Or(cut, err)
	}
	rep.Report = format.Check(ends, ends.Size())
	if once.err != io.EOF || ctx.Err() != nil { // where it ends says nothing
		rep.Findings = fault
		return rep, cmp.Or(err, context.Cause(ctx), once.err) // the reading may have failed ahead of the fault
	}

	// Both ends are there: the copies are judged as those of a file.
	copies, conflict := usable(rep.Copies, o.head)
	pe, _ := errors.AsType[*format.ParseError](cmp.Or(conflict, err))
	switch {
	case conflict != nil && pe.Clause == format.COPY1: // which is among the findings
		return &Report{Report: rep.Report}, nil
	case conflict != nil:
		return &Report{Report: rep.Report}, conflict
	case pe != nil && o.head == nil: // what is wrong with the head shows without a key, its MAC excepted
		if pe.Clause == format.HEAD13 {
			rep.add(pe.Finding())
		}
		return rep, nil
	case err != nil:
		return rep, err
	}
	if op, err = authentic(op.keys, newestFirst(copies)); err != nil {
		return rep, err
	}
	rep.opened(op)
	for _, f := range fault {
		rep.add(f)
	}
	return rep, nil
}

// readAll authenticates a stream up to its end or its first fault. What is wrong
// with the copies of the head is no fault here. An error is about something other
// than the container's bytes.
func (rep *Report) readAll(ctx context.Context, op *opened, fetch fetcher, o *opening) (fault []format.Finding, err error) {
	r := newReader(ctx, op, fetch, o)
	before := r.done.Load()
	_, err = r.WriteTo(io.Discard)
	r.stop()
	rep.Keyed, rep.Generation = true, op.head.Head.Generation
	rep.Authentic = (r.done.Load() - before) / format.ChunkSize
	f, ok := findingOf(err)
	switch {
	case err == nil:
		rep.Authentic++ // the last is always short
		rep.Decoded = op.head.Head.Coding == format.Zstd
		return nil, nil
	case !ok:
		return nil, err
	case f.Clause == format.HEAD13: // of the tail: everything before it was authentic
		rep.Authentic++
		return nil, nil
	case f.Clause == format.COPY1 || f.Clause == format.READ4:
		return nil, nil
	case f.Clause == format.CHUNK1:
		f.Message += "; the checking of the stream ended there"
		rep.Failed = 1
	case f.Clause == format.FILE1 || f.Clause == format.FILE2 || f.Clause == format.FILE4:
		rep.Failed = 1
	case !strings.HasPrefix(string(f.Clause), "ZSTD-"): // of the source, with a place in it
	default: // coding 1, with a place in what was sealed
		f.Offset = format.Layout{HeadSize: int64(op.head.Head.HeadSize())}.OffsetOf(f.Offset)
	}
	return []format.Finding{f}, nil
}

// A onceReader does not read on where its source has ended or failed.
type onceReader struct {
	src io.Reader
	err error
}

func (r *onceReader) Read(p []byte) (n int, err error) {
	if r.err == nil {
		n, r.err = r.src.Read(p)
	}
	return n, r.err
}

// findingOf returns the finding that err is; ok is false if it is about something
// other than a container's bytes.
func findingOf(err error) (f format.Finding, ok bool) {
	e, ok := errors.AsType[interface {
		error
		Finding() format.Finding
	}](err)
	if !ok {
		return f, false
	}
	return e.Finding(), true
}
