package stream

import (
	"context"
	"errors"
	"io"
	"slices"
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
	rep := &Report{Report: new(format.Report)}
	err := rep.readAll(ctx, once, identities, &o)
	if once.err == nil && ctx.Err() == nil {
		if _, rerr := io.Copy(&meter{ctx, io.Discard, new(atomic.Int64)}, once); rerr != nil {
			err = rerr
		}
	}
	found := rep.Findings
	rep.Report = format.Check(ends, ends.Size())
	if once.err != nil && once.err != io.EOF || ctx.Err() != nil { // where it ends says nothing
		rep.Findings = found
		return rep, err
	}
	if rep.Keyed { // what a key has told about the tail counts
		rep.Findings = slices.DeleteFunc(rep.Findings, func(f format.Finding) bool {
			return f.Clause == format.TAIL1 || f.Clause == format.TAIL2
		})
	}
	for _, f := range found {
		same := func(g format.Finding) bool { return g.Clause == f.Clause && g.Offset == f.Offset }
		if !slices.ContainsFunc(rep.Findings, same) {
			rep.Findings = append(rep.Findings, f)
		}
	}
	conflict := rep.Copies.Conflict(o.head) // which a stream may tell late
	var pe *format.ParseError
	if errors.As(conflict, &pe) {
		rep.Keyed, rep.Generation, rep.Authentic, rep.Failed, rep.Decoded = false, 0, 0, 0, false
		if err = nil; pe.Clause == format.READ4 {
			err = conflict
		}
	}
	return rep, err
}

// readAll authenticates a stream and finds what a key is needed for. An error is
// about something other than the container's bytes.
func (rep *Report) readAll(ctx context.Context, src io.Reader, identities []Identity, o *opening) error {
	op, f, err := openStream(ctx, src, identities, o, true)
	var pe *format.ParseError
	switch {
	case errors.As(err, &pe) && pe.Clause == format.HEAD13 && o.head == nil:
		rep.Findings = append(rep.Findings, pe.Finding())
		return nil
	case pe != nil && o.head == nil:
		return nil // what is wrong with the copies shows without a key
	case err != nil:
		return err
	}
	r := newReader(ctx, op, f, o)
	before := r.done.Load()
	_, err = r.WriteTo(io.Discard)
	r.Close()
	rep.Keyed, rep.Generation = true, op.head.Head.Generation
	rep.Authentic = (r.done.Load() - before) / format.ChunkSize
	for _, f := range r.Warnings() {
		f.Severity = format.Violation // TAIL-3
		rep.Findings = append(rep.Findings, f)
	}
	if err == nil {
		rep.Authentic++ // the last is always short
		rep.Decoded = op.head.Head.Coding == format.Zstd
		return nil
	}
	return rep.addFault(err, int64(op.head.Head.HeadSize()))
}

// addFault adds the finding that ended the reading of a stream.
func (rep *Report) addFault(err error, head int64) error {
	f, ok := findingOf(err)
	if !ok || f.Clause == format.READ4 {
		return err
	}
	switch f.Clause {
	case format.CHUNK1:
		f.Message += "; the checking of the stream ended there"
		rep.Failed = 1
	case format.FILE1, format.FILE2, format.FILE4:
		rep.Failed = 1
	case format.HEAD13: // of the tail: everything before it was authentic
		rep.Authentic++
	case format.COPY1:
	default: // coding 1, with a place in what was sealed
		f.Offset = format.Layout{HeadSize: head}.OffsetOf(f.Offset)
	}
	rep.Findings = append(rep.Findings, f)
	return nil
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
	var e interface {
		error
		Finding() format.Finding
	}
	if !errors.As(err, &e) {
		return f, false
	}
	return e.Finding(), true
}
