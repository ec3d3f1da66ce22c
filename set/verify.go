package set

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/parallel"
	"bulla/internal/ring"
	"bulla/stream"
)

// VerifyOptions are the options of [Verify]. The zero value, and a nil pointer, are right
// for most uses.
type VerifyOptions struct {
	Workers int    // how many batches are opened at a time, of all volumes
	Head    []byte // a detached head of the root
	Done    *atomic.Int64
	Slice   stream.Slice // what of every volume is authenticated; zero for all
	Ends    bool         // of volumes that [ReaderAt.Volume] opens: see [stream.VerifyOptions]

	// Opened, if not nil, is called once the size of the plaintext is known, before volumes are
	// read; of what is no set with its own size.
	Opened func(size int64)
}

// A Report is what Verify found of a set.
type Report struct {
	Root      *stream.Report // on the root as a container
	Volumes   []int64        // sizes of the volumes that the index lists; without a key, that were found
	Size      int64          // of all containers that were looked at, in bytes
	Chunks    int64          // of all parts that were looked at
	Authentic int64          // chunks of all parts that opened
	Failed    int64          // and that did not
	Findings  []Finding      // the root's, the index's, then those of the volumes in their order

	file       bool // it is on a file
	compressed bool // the volumes are
	checked    bool // everything was looked at
}

// ReportOn is a report on a container that is no set, which is its Root.
func ReportOn(rep *stream.Report) *Report {
	r := &Report{Root: rep, Size: rep.Size, Chunks: rep.Layout.Chunks, Authentic: rep.Authentic, Failed: rep.Failed, file: true}
	for _, f := range rep.Findings {
		r.Findings = append(r.Findings, Finding{"", f})
	}
	return r
}

// Outcomes says of each clause that a part or a set can break how it came out for all parts:
// see [stream.Report.Outcomes].
func (r *Report) Outcomes() (all []stream.Outcome) {
	if r.file {
		return r.Root.Outcomes()
	}
	for _, o := range r.Root.Outcomes() {
		if o.Result == stream.NotApplicable && strings.HasPrefix(string(o.Clause), "ZSTD-") && r.compressed {
			o.Result = stream.Passed
		}
		all = append(all, o)
	}
	for _, c := range format.SetClauses {
		all = append(all, stream.Outcome{Clause: c, Result: stream.Passed})
	}
	for i := range all {
		switch c := all[i].Clause; {
		case slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Clause == c && f.Severity == format.Violation }):
			all[i].Result = stream.Failed
		case all[i].Result == stream.Passed && !r.checked:
			all[i].Result = stream.NotChecked
		}
	}
	return all
}

// maxFindings bounds a report on a set that is damaged all over.
const maxFindings = 10000

// Verify checks the set whose root of size bytes is src against the specification, and
// authenticates every chunk of every part, several volumes at a time, releasing nothing.
// What is wrong is in the report's findings, with the name of the part: a bad volume does
// not end the work. If the root is not sound enough, nothing is said of the other parts,
// and if the index is not, nothing of the volumes.
//
// Without a key each part that [Parts] names is checked as a container by itself.
//
// An error means that the work could not be done, as with [stream.Verify].
func Verify(ctx context.Context, src io.ReaderAt, size int64, open Opener, identities []stream.Identity, opts *VerifyOptions) (*Report, error) {
	v := &verifier{ctx: ctx, open: open, opts: *cmp.Or(opts, new(VerifyOptions))}
	v.opts.Workers = ring.Workers(v.opts.Workers)
	err := v.verify(src, size, identities)
	slices.SortStableFunc(v.rep.Findings, func(f, g Finding) int { return cmp.Compare(order(f.Suffix), order(g.Suffix)) })
	return &v.rep, err
}

// VerifyAny is [Verify] for a set and [stream.VerifySlice] for any other container, of which the
// report is as that of [ReportOn].
func VerifyAny(ctx context.Context, src io.ReaderAt, size int64, open Opener, identities []stream.Identity, opts *VerifyOptions) (*Report, error) {
	if h, err := format.Check(src, size).Newest(nil); err == nil && h.Role == format.RoleRoot {
		return Verify(ctx, src, size, open, identities, opts)
	}
	v := &verifier{ctx: ctx, opts: *cmp.Or(opts, new(VerifyOptions))}
	if v.opts.Opened != nil {
		v.opts.Opened(size)
	}
	rep, err := v.container(src, size, identities, v.opts.Workers, v.opts.Head, v.opts.Ends)
	return ReportOn(rep), err
}

type verifier struct {
	ctx  context.Context
	open Opener
	opts VerifyOptions
	set  *opened // nil without a key

	mu       sync.Mutex
	rep      Report
	violated bool  // a finding is a violation
	err      error // the first that is about something other than the set's bytes
}

func (v *verifier) verify(src io.ReaderAt, size int64, identities []stream.Identity) error {
	rep, err := v.container(src, size, identities, v.opts.Workers, v.opts.Head, false)
	v.rep.Root = rep
	if shape := judgeRoot(src, size, v.opts.Head); shape != nil {
		err = shape
	}
	noKey, isNoKey := errors.AsType[*stream.NoKeyError](err)
	if err == nil {
		if v.set, err = openRoot(v.ctx, src, size, identities, v.opts.Head); err == nil {
			v.rep.compressed = v.set.Coding == format.Zstd
		}
	}
	v.add("", rep, err)
	switch {
	case v.err != nil && !isNoKey:
		return v.err
	case isNoKey:
		parts, err := Parts(v.ctx, v.open)
		v.err = err
		for _, suffix := range parts[min(1, len(parts)):] { // after the root
			if n := v.part(suffix, v.opts.Workers, nil); suffix != IndexSuffix {
				v.rep.Volumes = append(v.rep.Volumes, n)
			}
		}
		return cmp.Or(v.err, error(inPart("", noKey)))
	case err != nil: // which is among the findings
		return nil
	}
	v.part(IndexSuffix, v.opts.Workers, func(File) error { return v.set.openIndex(v.ctx, v.open) })
	if v.set.Volumes == nil {
		return v.err
	}
	if v.opts.Opened != nil {
		v.opts.Opened(v.set.Size())
	}
	v.volumes()
	v.rep.checked = v.err == nil
	return v.err
}

// volumes verifies all volumes, as many at a time as there are workers for.
func (v *verifier) volumes() {
	n := len(v.set.Volumes)
	for _, x := range v.set.Volumes {
		v.rep.Volumes = append(v.rep.Volumes, x.Size)
	}
	atOnce := min(v.opts.Workers, n)
	parallel.Do(atOnce, n, func(_, i int) error {
		if v.ctx.Err() == nil {
			v.part(VolumeSuffix(i), (v.opts.Workers+atOnce-1)/atOnce, func(f File) error {
				r, err := v.set.readVolume(v.ctx, f, i, 1, nil)
				if err == nil {
					r.Close()
				}
				return err
			})
		}
		return v.ctx.Err()
	})
	if v.ctx.Err() != nil {
		v.err = context.Cause(v.ctx)
	}
}

// part verifies a part as a container, and with check as a part of the set. It returns its
// size, 0 if it is not there.
func (v *verifier) part(suffix string, workers int, check func(File) error) (size int64) {
	f, err := openPart(v.ctx, v.open, suffix)
	if err != nil {
		v.add(suffix, nil, err)
		return 0
	}
	defer f.Close()
	var ids []stream.Identity
	if check != nil {
		ids = append(ids, v.set.key)
	}
	ends := v.opts.Ends && suffix != IndexSuffix && check != nil && check(f) == nil
	rep, err := v.container(f, f.Size(), ids, workers, nil, ends)
	if errors.As(err, new(*stream.NoKeyError)) {
		err = nil // with a key check says why
	}
	if err == nil && check != nil {
		err = check(f)
	}
	v.add(suffix, rep, err)
	return f.Size()
}

// container verifies a part as a container by itself.
func (v *verifier) container(src io.ReaderAt, size int64, ids []stream.Identity, workers int, head []byte, ends bool) (*stream.Report, error) {
	return stream.VerifySlice(v.ctx, src, size, v.opts.Slice, ids, &stream.VerifyOptions{Workers: workers, Head: head, Done: v.opts.Done, Ends: ends})
}

// add adds what was found of a part: in its report, if there is one, and err, which is a
// finding that the report may have already, or something else.
func (v *verifier) add(suffix string, rep *stream.Report, err error) {
	var found []format.Finding
	v.mu.Lock()
	defer v.mu.Unlock()
	if rep != nil {
		found = rep.Findings
		v.rep.Size += rep.Size
		v.rep.Chunks += rep.Layout.Chunks
		v.rep.Authentic += rep.Authentic
		v.rep.Failed += rep.Failed
	}
	f, ok := findingOf(err)
	switch {
	case !ok:
		v.err = cmp.Or(v.err, inPart(suffix, err))
	case !slices.ContainsFunc(found, func(g format.Finding) bool { return g.Clause == f.Clause }):
		found = append(slices.Clip(found), f)
	}
	for _, f := range found {
		first := f.Severity == format.Violation && !v.violated // is there whatever warnings were before it
		if v.violated = v.violated || first; first || len(v.rep.Findings) < maxFindings {
			v.rep.Findings = append(v.rep.Findings, Finding{suffix, f})
		}
	}
}
