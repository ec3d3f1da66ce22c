package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/parity"
)

// A parityFlag names the parity file of a file.
type parityFlag struct{ file string }

func (p *parityFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.file, "parity-file", "", "the parity file is `FILE` (default: the file's name and "+paritySuffix+")")
}

type scrubFlags struct {
	parityFlag
	sampleFlag
	workFlags
	rate string
}

func scrubCommand(a *app) *cobra.Command {
	s := &scrubFlags{}
	cmd := newVerb("scrub FILE...", "Look for damage with parity files, without a key", takes(1, 0, "the names of files", "bulla scrub backup.tar.bulla"),
		func(cmd *cobra.Command, args []string) error { return a.scrub(cmd, s, args) })
	s.parityFlag.register(cmd)
	s.sampleFlag.register(cmd)
	reword(cmd, "sample", "look at part `N/OF` alone: thirty nights of 1/30 to 30/30 cover everything")
	cmd.Flags().StringVar(&s.rate, "rate", "", "read at most `BYTES` a second, such as 50M")
	s.workFlags.register(cmd)
	return cmd
}

// scrubbed is what scrub says of a file, in JSON as it stands.
type scrubbed struct {
	safetext.FileField
	ParityFile safetext.Name `json:"parity_file"`
	Sound      bool          `json:"sound"`        // nothing of the file is damaged, as far as was looked at
	ParityOK   bool          `json:"parity_sound"` // nothing of the parity file is
	Repairable bool          `json:"repairable"`   // all that is damaged can be repaired
	*parity.Report
}

func (a *app) scrub(cmd *cobra.Command, s *scrubFlags, names []string) error {
	rate, ok := console.ParseSize(orElse(s.rate, "0"))
	if !ok || s.rate != "" && rate == 0 {
		return usage("for example 50M", "invalid --rate %s", safetext.Printable(s.rate))
	}
	if s.file != "" && len(names) > 1 {
		return usage("scrub one file at a time", "--parity-file is for one file")
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, a.scrubOne(cmd.Context(), s, rate, name))
		if cmd.Context().Err() != nil {
			return context.Cause(cmd.Context())
		}
	}
	return a.worst(errs)
}

// openParity opens a file and its parity file.
func (a *app) openParity(p *parityFlag, name string) (in, par *input, err error) {
	if in, err = a.openAnywhere(name); err != nil {
		return nil, nil, err
	}
	if par, err = a.openParityFile(p, name); err != nil {
		in.Close()
	}
	return in, par, err
}

func (a *app) openParityFile(p *parityFlag, name string) (*input, error) {
	par, err := a.openAnywhere(orElse(p.file, name+paritySuffix))
	if err != nil {
		err = withHint(err, "name the parity file with --parity-file, or make one of an intact file: bulla parity create")
	}
	return par, err
}

// openAnywhere opens what can be read at any place.
func (a *app) openAnywhere(name string) (*input, error) {
	in, err := a.openInput(name)
	if err == nil && in.size < 0 {
		in.Close()
		return nil, usage("store it as a file first", "%s cannot be read at any place", in.name)
	}
	return in, err
}

// scrubOne scrubs a file, or all parts of a set.
func (a *app) scrubOne(ctx context.Context, s *scrubFlags, rate int64, name string) error {
	in, err := a.openAnywhere(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if s.file != "" && in.isRoot() {
		return usage("leave it out: each part has its own", "--parity-file is for one file, and %s is a set", in.name)
	}
	var errs []error
	err = a.eachPart(ctx, in, func(suffix string, in *input, err error) error {
		if err == nil {
			err = a.scrubPart(ctx, s, rate, name+suffix, in)
		}
		errs = append(errs, err)
		return nil
	})
	return a.worst(append(errs, err))
}

func (a *app) scrubPart(ctx context.Context, s *scrubFlags, rate int64, name string, in *input) error {
	par, err := a.openParityFile(&s.parityFlag, name)
	if err != nil {
		return err
	}
	defer par.Close()
	opts := &parity.ScrubOptions{Part: s.slice.N, Parts: s.slice.Of, Workers: s.jobs, Done: new(atomic.Int64)}
	bar := a.startProgress(&s.workFlags, in.name, s.sampleFlag.share(in.size), opts.Done, nil)
	src := io.ReaderAt(in.At())
	if rate > 0 {
		src = &paced{ReaderAt: src, ctx: ctx, rate: rate, start: time.Now()}
	}
	r, err := parity.Scrub(ctx, src, in.size, par.At(), par.size, opts)
	bar.Finish(err)
	if err == nil {
		err = in.Recheck()
	}
	if err != nil {
		return explainParity(in, par, err)
	}
	return a.judgeScrub(in, par, r)
}

// judgeScrub says what was found, and makes of it what becomes of the exit code.
func (a *app) judgeScrub(in, par *input, r *parity.Report) error {
	if a.json {
		a.printJSON(scrubbed{in.given.AsFile(), par.given, r.Sound(), r.ParitySound(), r.Repairable(), r})
	} else {
		a.tellDamage(in, r)
	}
	if f := damage(in, par, r); f != nil {
		return f
	}
	if !a.quiet && !a.json {
		what := "all of it is"
		if r.Checked < r.Chunks {
			what = fmt.Sprintf("%d of its %s are", r.Checked, plural(int(r.Chunks), "chunk"))
		}
		a.printf("%s: ok: %s as it was; %v may be lost\n", in.given, what, strength(r.Left))
	}
	return a.outErr
}

// explainParity words why a file could not be compared with its parity file.
func explainParity(in, par *input, err error) error {
	if errors.Is(err, parity.ErrOther) {
		return &failure{exit: exitBad, err: err, what: par.name + " belongs to another file than " + in.name, hint: "name the right one with --parity-file"}
	}
	if errors.Is(err, storage.NotPatchable) {
		return withHint(err, "write the repaired file elsewhere with -o")
	}
	return withHint(about(par.name, err), "name the right one with --parity-file, or make it anew of an intact file: bulla parity create")
}

// tellDamage says where a file is damaged.
func (a *app) tellDamage(in *input, r *parity.Report) {
	for _, d := range r.Damages {
		a.printf("%s: damaged %d %d\n", in.given, d.Offset, d.Length)
	}
	for _, l := range r.Losses {
		a.printf("%s: lost %d %d\n", in.given, l.Offset, l.Length)
	}
	if !r.Head {
		a.printf("%s: head damaged\n", in.given)
	}
	if !r.Tail {
		a.printf("%s: tail damaged\n", in.given)
	}
}

// damage is the error for a file that is damaged, or whose parity file is; nil if neither.
func damage(in, par *input, r *parity.Report) error {
	f := &failure{exit: exitBad, err: r.ReadErr}
	switch {
	case !r.Sound():
		f.what = fmt.Sprintf("%s is damaged: %s in %s", in.name, plural(int(r.Damaged), "chunk"), plural(len(r.Damages), "place"))
		if r.Size != r.Whole {
			f.what += fmt.Sprintf(", and it has %d bytes instead of %d", r.Size, r.Whole)
		}
		if !r.Head || !r.Tail {
			f.what += ", and a copy of its head"
		}
		f.hint = fmt.Sprintf("bulla repair %s repairs all of it; %v may be lost before it cannot", in.pasted(), strength(r.Left))
		if !r.Repairable() {
			f.what += fmt.Sprintf("; %s of it cannot be repaired", plural(int(r.Lost), "chunk"))
			f.hint = "bulla repair " + in.pasted() + " repairs the rest; look for another copy of the file"
		}
		if r.ReadErr != nil {
			f.what += fmt.Sprintf(" (reading it failed: %v)", causeOf(r.ReadErr))
		}
	case !r.ParitySound():
		f.what = fmt.Sprintf("%s is damaged: %d of %s; %s itself is intact", par.name, r.CellsDamaged, plural(int(r.Cells), "parity chunk"), in.name)
		f.hint = "bulla parity create --force makes it anew, if bulla verify finds the file valid"
	default:
		return nil
	}
	return f
}

// paced is a source that is read no faster than so many bytes a second.
type paced struct {
	io.ReaderAt
	ctx   context.Context
	rate  int64
	start time.Time
	read  atomic.Int64
}

func (p *paced) ReadAt(b []byte, off int64) (int, error) {
	due := time.Duration(float64(p.read.Add(int64(len(b)))) / float64(p.rate) * float64(time.Second))
	select {
	case <-time.After(time.Until(p.start.Add(due))):
	case <-p.ctx.Done():
		return 0, context.Cause(p.ctx)
	}
	return p.ReaderAt.ReadAt(b, off)
}
