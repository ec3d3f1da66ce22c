package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/safetext"
	"bulla/spec"
	"bulla/stream"
)

type verifyFlags struct {
	identityFlags
	headFlag
	sampleFlag
	workFlags
	explain string
}

func verifyCommand(a *app) *cobra.Command {
	v := &verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify [FILE...]",
		Short: "Check files against the specification, writing nothing",
		Long: `Check every FILE, or standard input, against the specification, writing nothing.

With a key (as for decrypt: -i, -p, --kek, or the default identity) every byte is
authenticated. Without one, everything is checked that a stranger can check: both
copies of the head, their checksums, whether they agree, and the size. It is said
which of the two it was.

Each finding is one line on standard output:

  FILE: CLAUSE SEVERITY OFFSET LENGTH what is wrong

CLAUSE is the sentence of the specification that is violated; OFFSET and LENGTH are
the bytes of the file concerned. With -v a table says of every clause that a file can
break whether it passed, failed, was not checked, or is not applicable, and --explain
CLAUSE says what one demands.

With --sample 3/30 the third of thirty parts of the file is authenticated, and its
end. The parts are always the same: after 1/30 to 30/30 everything has been.

Exit code 3 if anything is violated, 0 if nothing is. Of several files the worst
counts: 3, then 1, 7, 4, 0.`,
		Example: `  bulla verify backup.tar.bulla
  bulla verify -v -i key.txt /mnt/backups/*.bulla
  bulla verify --json -i key.txt backup.tar.bulla
  bulla verify --sample $(date +%-d)/31 /mnt/backups/*.bulla   each night a part
  bulla verify --explain CHUNK-1
  ssh host cat backup.tar.bulla | bulla verify -i key.txt`,
		Args:              notEmpty,
		ValidArgsFunction: completeContainers,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("explain") {
				return a.explainClause(v.explain)
			}
			return a.verify(cmd, v, args)
		},
	}
	v.identityFlags.register(a, cmd)
	v.headFlag.register(cmd)
	v.sampleFlag.register(cmd)
	cmd.Flags().StringVar(&v.explain, "explain", "", "say what `CLAUSE` of the specification demands, and check nothing")
	complete(cmd, "explain", spec.Clauses())
	v.workFlags.register(cmd)
	return cmd
}

// A verdict is what verify says of one file, in JSON as it stands.
type verdict struct {
	safetext.FileField
	Size       int64            `json:"size"`
	Keyed      bool             `json:"keyed"` // a key opened it, so that everything could be checked
	Valid      bool             `json:"valid"` // nothing that was checked is violated
	Generation uint32           `json:"generation,omitempty"`
	Authentic  int64            `json:"chunks_authentic"`
	Failed     int64            `json:"chunks_failed"`
	Findings   []format.Finding `json:"findings"`
	Checks     []check          `json:"checks"`
	Sample     *sample          `json:"sample,omitempty"` // what was authenticated, if that was not all

	chunks  int64 // that there are, as far as is known
	decoded bool  // a compressed payload was decompressed
	copies  *format.Copies
	err     error // why the work could not be done, or not with a key
}

// verify carries out the verb.
func (a *app) verify(cmd *cobra.Command, v *verifyFlags, names []string) error {
	if err := v.workFlags.check(cmd); err != nil {
		return err
	}
	if err := v.sampleFlag.parse(cmd); err != nil {
		return err
	}
	if len(names) == 0 {
		names = []string{""}
	}
	if err := a.claimInput(names...); err != nil {
		return err
	}
	ids, err := v.find(false)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, a.verifyOne(cmd.Context(), v, ids, name))
		if cmd.Context().Err() != nil {
			return context.Cause(cmd.Context())
		}
	}
	return a.worst(errs)
}

// worst says all errors but the worst, the first of its kind, and returns that.
func (a *app) worst(errs []error) error {
	order := []int{exitBad, exitIO, exitUnsupported, exitNoKey}
	rank := func(err error) int {
		if err == nil {
			return len(order) + 1
		}
		if i := slices.Index(order, explain(err).exit); i >= 0 {
			return i
		}
		return len(order)
	}
	worst := slices.MinFunc(errs, func(x, y error) int { return rank(x) - rank(y) })
	said := worst == nil
	for _, err := range errs {
		if err == worst && !said {
			said = true
			continue
		}
		if err != nil {
			a.fail(err)
		}
	}
	return worst
}

// verifyOne checks one file and says what it found. Its error is what becomes
// of the exit code.
func (a *app) verifyOne(ctx context.Context, v *verifyFlags, ids *identities, name string) error {
	in, err := a.openInput(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := v.sampleFlag.check(in, ids); err != nil {
		return err
	}
	head, err := v.headFlag.read(a, in)
	if err != nil {
		return err
	}
	opts := &stream.VerifyOptions{Workers: v.jobs, Head: head, Done: new(atomic.Int64)}
	bar := a.startProgress(&v.workFlags, in.name, v.sampleFlag.share(in.size), opts.Done, nil)
	var d *verdict
	if in.regular {
		d = verifyFile(ctx, in, v.slice, ids, opts)
	} else {
		d = verifyStream(ctx, in.File, ids, opts)
	}
	bar.Finish(d.err)
	d.Sample = v.sampleFlag.of(d)
	d.FileField, d.Valid = in.given.AsFile(), !slices.ContainsFunc(d.Findings, isViolation)
	d.Checks = checksOf(d)
	hard := d.err != nil && !isNoKey(d.err) // the work could not be done
	if !hard || len(d.Findings) > 0 {
		a.tell(d)
	}
	if hard {
		err := about(in.name, d.err)
		if d.Valid {
			return err
		}
		return a.worst([]error{d.failure(), err})
	}
	switch {
	case !d.Valid:
		return d.failure()
	case d.err != nil && (v.given() || v.sampleFlag.wanted()): // a key was named, and is of no use
		return about(in.name, ids.explain(d.err))
	}
	return a.outErr
}

func isViolation(f format.Finding) bool { return f.Severity == format.Violation }

func isNoKey(err error) bool {
	_, ok := errors.AsType[*stream.NoKeyError](err)
	return ok
}

// verifyFile checks a file that can be read at any place.
func verifyFile(ctx context.Context, in *input, slice stream.Slice, ids *identities, opts *stream.VerifyOptions) *verdict {
	var report *stream.Report
	var err error
	if len(ids.all) == 0 {
		report = &stream.Report{Report: format.Check(in.File, in.size)}
	} else {
		report, err = stream.VerifySlice(ctx, in.File, in.size, slice, ids.all, opts)
	}
	if report.Err != nil {
		err = report.Err
	}
	return &verdict{Size: report.Size, Keyed: report.Keyed, Generation: report.Generation, Authentic: report.Authentic,
		Failed: report.Failed, Findings: report.Findings, chunks: report.Layout.Chunks, decoded: report.Decoded, copies: report.Copies, err: err}
}

// verifyStream checks what can be read only once. With a key it ends at the
// first chunk that is not authentic.
func verifyStream(ctx context.Context, src io.Reader, ids *identities, opts *stream.VerifyOptions) *verdict {
	kept := &ends{}
	src = io.TeeReader(src, kept)
	var d verdict
	var finding *format.Finding
	if len(ids.all) > 0 {
		finding = d.readAll(ctx, src, ids, opts)
	}
	if _, err := io.Copy(io.Discard, src); err != nil && (d.err == nil || isNoKey(d.err)) {
		d.err = err
	}
	report := format.Check(kept, kept.size)
	d.Size, d.copies = report.Size, report.Copies
	for _, f := range report.Findings {
		// What a key has told about the tail and the rest goes before.
		if d.Keyed && (f.Clause == format.TAIL1 || f.Clause == format.TAIL2) {
			continue
		}
		d.Findings = append(d.Findings, f)
	}
	if finding != nil && !slices.ContainsFunc(d.Findings, func(f format.Finding) bool { return f.Clause == finding.Clause && f.Offset == finding.Offset }) {
		d.Findings = append(d.Findings, *finding)
	}
	if d.Keyed && report.Copies.Head != nil {
		d.Generation = report.Copies.Head.Head.Generation
	}
	if d.Keyed && finding == nil {
		d.Authentic = max(1, report.Layout.Chunks)
	}
	return &d
}

// readAll authenticates a stream and returns what is wrong with it, if anything.
func (d *verdict) readAll(ctx context.Context, src io.Reader, ids *identities, opts *stream.VerifyOptions) *format.Finding {
	r, err := stream.NewReader(ctx, src, ids.all, &stream.ReaderOptions{Workers: opts.Workers, Head: opts.Head, Done: opts.Done})
	if err == nil {
		d.Keyed = true
		defer r.Close()
		_, err = r.WriteTo(io.Discard)
		d.decoded = err == nil
		for _, f := range r.Warnings() {
			f.Severity = format.Violation // TAIL-3
			d.Findings = append(d.Findings, f)
		}
	}
	f := findingOf(err)
	if f == nil {
		d.err = err
	} else if d.Keyed {
		d.count(err, opts.Done.Load(), r.Head().Coding)
	}
	return f
}

// count says how many chunks of a stream were authentic when it ended with err,
// having given that many bytes. Of a payload that does not decode it is not known.
func (d *verdict) count(err error, given int64, coding format.Coding) {
	if e, ok := errors.AsType[*stream.ChunkError](err); ok {
		d.Authentic, d.Failed = e.Index, 1
	} else if e, ok := errors.AsType[*stream.TruncatedError](err); ok {
		d.Authentic, d.Failed = e.Chunks, 1
	} else if coding == format.Plain {
		d.Authentic, d.Failed = given/format.ChunkSize, 1
	}
}

// findingOf is the finding that an error of a stream stands for; nil if it is
// about something other than the container's bytes.
func findingOf(err error) *format.Finding {
	f := &format.Finding{Severity: format.Violation}
	if e, ok := errors.AsType[*stream.NoKeyError](err); ok && e != nil {
		return nil
	} else if e, ok := errors.AsType[*stream.ChunkError](err); ok {
		f.Clause, f.Offset, f.Length = format.CHUNK1, e.Offset, e.Length
		f.Message = fmt.Sprintf("chunk %d failed authentication; the checking of the stream ended there", e.Index)
	} else if e, ok := errors.AsType[*stream.TruncatedError](err); ok {
		f.Clause, f.Offset, f.Message = format.FILE1, e.Offset, e.Error()
	} else if e, ok := errors.AsType[*stream.TrailingError](err); ok {
		f.Clause, f.Offset, f.Message = format.FILE4, e.Offset, e.Error()
	} else if e, ok := errors.AsType[*format.ParseError](err); ok {
		*f = format.NewFinding(e)
	} else {
		return nil
	}
	return f
}

// failure is the error of a file that does not hold what it should.
func (d *verdict) failure() error {
	n := 0
	for _, f := range d.Findings {
		if isViolation(f) {
			n++
		}
	}
	f := &failure{exit: exitBad, hint: orSalvage("get another copy, or encrypt it again from the source", string(d.File)),
		what: fmt.Sprintf("%s is not as the specification wants it: %s", d.File, plural(n, "violation"))}
	switch {
	case d.Keyed && d.Failed == 0 && d.onlyCopies():
		f.hint = "the content is authentic and complete: only a copy of the head is not sound, which bulla " + mender(len(d.copies.Usable()) == 0) + " mends"
	case d.copies.Head == nil && d.copies.Tail == nil:
		if err := d.copies.HeadErr; errors.Is(err, format.ErrUnsupported) || errors.Is(err, format.ErrNotBulla) {
			return about(d.File.String(), err)
		}
	}
	return f
}

// onlyCopies reports whether nothing but a copy of the head is wrong: all that a
// rewrap mends.
func (d *verdict) onlyCopies() bool {
	return !slices.ContainsFunc(d.Findings, func(f format.Finding) bool {
		family, _, _ := strings.Cut(string(f.Clause), "-")
		_, ofSlot := format.SlotTypeOf(f.Clause)
		return !slices.Contains([]string{"HEAD", "KEY", "TAIL"}, family) && !ofSlot
	})
}

// tell writes a verdict to standard output.
func (a *app) tell(d *verdict) {
	if d.Findings == nil {
		d.Findings = []format.Finding{}
	}
	if a.json {
		a.printJSON(d)
		return
	}
	a.con.End()
	for _, f := range d.Findings {
		a.printf("%s: %s %s %d %d %s\n", d.File, f.Clause, f.Severity, f.Offset, f.Length, f.Message)
	}
	if a.verbose {
		a.tellChecks(d)
	}
	switch {
	case a.quiet || !d.Valid:
	case d.Sample != nil:
		a.printf("%s: ok: %v\n", d.File, d.Sample)
	case d.Keyed:
		a.printf("%s: ok: all of it is authentic (%s)\n", d.File, plural(int(d.Authentic), "chunk"))
	default:
		a.printf("%s: ok as far as can be told without a key: the content and who made it were not checked\n", d.File)
	}
}
