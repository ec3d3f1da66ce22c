package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bulla/format"
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
	pace *pace // nil: as fast as can be
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
	ofSet[scrubbed]
}

// ofSet is what is said of a set, too.
type ofSet[T any] struct {
	Volumes int  `json:"volumes,omitempty"`
	Missing int  `json:"parts_not_compared,omitempty"` // they cannot be opened, or their parity files
	Parts   []*T `json:"parts,omitempty"`              // of which there is something to say
}

func scrubbedOf(in, par *input, r *parity.Report) *scrubbed {
	return &scrubbed{FileField: in.given.AsFile(), ParityFile: par.given, Sound: r.Sound(), ParityOK: r.ParitySound(), Repairable: r.Repairable(), Report: r}
}

func (a *app) scrub(cmd *cobra.Command, s *scrubFlags, names []string) error {
	rate, ok := console.ParseSize(orElse(s.rate, "0"))
	if !ok || s.rate != "" && rate == 0 {
		return usage("for example 50M", "invalid --rate %s", safetext.Printable(s.rate))
	}
	if s.file != "" && len(names) > 1 {
		return usage("scrub one file at a time", "--parity-file is for one file")
	}
	if err := a.claimBoth(&s.parityFlag, names...); err != nil {
		return err
	}
	if rate > 0 {
		s.pace = &pace{ctx: cmd.Context(), rate: rate, start: time.Now()}
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, a.scrubOne(cmd.Context(), s, name))
		if cmd.Context().Err() != nil {
			return context.Cause(cmd.Context())
		}
	}
	return a.worst(errs)
}

// claimBoth claims files and their parity file: one stream cannot be both.
func (a *app) claimBoth(p *parityFlag, names ...string) error {
	err := a.claimInput(names...)
	if err == nil && p.file != "" {
		err = a.claim(p.file, "the parity file")
	}
	return err
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
	if p.file == "" && storage.IsPipe(name+paritySuffix) {
		return nil, usage("put the parity file itself there, or name it with --parity-file", "%s is a pipe", safetext.Printable(name+paritySuffix))
	}
	par, err := a.openAnywhere(orElse(p.file, name+paritySuffix))
	if errors.Is(err, fs.ErrNotExist) {
		err = withHint(err, "name the parity file with --parity-file, or make one of an intact file: bulla parity create")
	}
	return par, err
}

// openAnywhere opens what can be read at any place.
func (a *app) openAnywhere(name string) (*input, error) {
	if storage.IsPipe(name) && !a.readsStdin(name) {
		return nil, notAnywhere(printable(name))
	}
	in, err := a.openInput(name)
	if err == nil && in.size < 0 {
		in.Close()
		return nil, notAnywhere(in.name)
	}
	return in, err
}

func notAnywhere(name string) error {
	return usage("store it as a file first", "%s cannot be read at any place", name)
}

// scrubOne scrubs a file, or all parts of a set.
func (a *app) scrubOne(ctx context.Context, s *scrubFlags, name string) error {
	in, err := a.openAnywhere(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if s.file != "" && in.isRoot() {
		return usage("leave it out: each part has its own", "--parity-file is for one file, and %s is a set", in.name)
	}
	var (
		bar   *console.Progress
		done  atomic.Int64
		mu    sync.Mutex
		parts = make([]*scrubbed, 1)
		errs  = make([]error, 1)
		each  = s.jobs // workers on each part
	)
	begin := func(others int, total int64) {
		bar.Finish(nil) // of the root alone, whose parity file has said that it is one
		bar = a.startProgress(&s.workFlags, in.name, s.sampleFlag.share(total), &done, nil)
		parts, errs = append(parts, make([]*scrubbed, others)...), append(errs, make([]error, others)...)
		each = workersEach(s.jobs, others-1) // the others are the volumes and the index, which is small
	}
	if !in.isRoot() {
		begin(0, in.size)
	}
	err = a.eachPart(ctx, in, s.jobs, begin, func(i int, suffix string, in *input, err error) error {
		var r *scrubbed
		if err == nil {
			r, err = a.scrubPart(ctx, s, name+suffix, in, each, &done)
		}
		mu.Lock()
		defer mu.Unlock()
		parts[i], errs[i] = r, err
		return nil
	})
	bar.Finish(err)
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	r := parts[0]
	if in.isRoot() {
		r = scrubbedSet(in, parts)
	}
	if r != nil {
		errs = append(errs, a.judgeScrub(r))
	}
	return a.worst(errs)
}

// workersEach is how many workers each of so many parts has, of which jobs are worked on at once.
func workersEach(jobs, parts int) int {
	parts = max(1, min(parts, jobs))
	return (jobs + parts - 1) / parts
}

// scrubPart compares a file, or a part of a set, with its parity file.
func (a *app) scrubPart(ctx context.Context, s *scrubFlags, name string, in *input, workers int, done *atomic.Int64) (*scrubbed, error) {
	par, err := a.openParityFile(&s.parityFlag, name)
	if err != nil {
		return nil, err
	}
	defer par.Close()
	src := io.ReaderAt(in.At())
	if s.pace != nil {
		src = paced{src, s.pace}
	}
	if c := format.ReadCopies(in.At(), in.size); errors.Is(c.HeadErr, format.ForeignShredded) && c.Tail == nil {
		return nil, about(in.name, c.HeadErr)
	}
	r, err := parity.Scrub(ctx, src, in.size, par.At(), par.size, &parity.ScrubOptions{Part: s.slice.N, Parts: s.slice.Of, Workers: workers, Done: done})
	if err == nil {
		err = in.Recheck()
	}
	if err != nil {
		return nil, explainParity(in, par, err)
	}
	if s.file == "" {
		in.saved = r.Alone()
	}
	return scrubbedOf(in, par, r), nil
}

// scrubbedSet sums up the parts of a set; of those that were not compared there is nil.
func scrubbedSet(in *input, parts []*scrubbed) *scrubbed {
	s := &scrubbed{FileField: in.given.AsFile(), ParityFile: in.given + paritySuffix}
	s.Volumes = max(0, len(parts)-2)
	var all []*parity.Report
	for _, p := range parts {
		if p == nil {
			s.Missing++
			continue
		}
		if all = append(all, p.Report); !p.Sound || !p.ParityOK {
			s.Parts = append(s.Parts, p)
		}
	}
	if all == nil {
		return nil
	}
	r := parity.Total(all)
	s.Report, s.ParityOK = r, r.ParitySound()
	s.Sound, s.Repairable = r.Sound() && s.Missing == 0, r.Repairable() && s.Missing == 0
	return s
}

// judgeScrub says what was found, and makes of it what becomes of the exit code.
func (a *app) judgeScrub(s *scrubbed) error {
	if a.json {
		a.printJSON(s)
	} else if s.tell(a); s.Volumes > 0 {
		for _, p := range s.Parts {
			p.tell(a)
		}
	}
	if err := s.failure(); err != nil {
		return err
	}
	if !a.quiet && !a.json {
		what := "ok: all of it is as it was"
		if s.Missing > 0 {
			what = fmt.Sprintf("%d of its %s are as they were", s.Volumes+2-s.Missing, plural(s.Volumes+2, "part"))
		} else if s.Checked < s.Chunks {
			what = fmt.Sprintf("ok: %d of its %s are as they were", s.Checked, plural(int(s.Chunks), "chunk"))
		}
		a.printf("%s: %s; %v may be lost\n", s.File, what, strength(s.Left))
	}
	return a.outErr
}

// explainParity words why a file could not be compared with its parity file.
func explainParity(in, par *input, err error) error {
	switch {
	case errors.Is(err, parity.ErrOther):
		f := &failure{exit: exitBad, err: err, what: par.name + " belongs to another file than " + in.name, hint: "one of the two was exchanged: put the right one in its place; or if bulla verify finds the file valid, bulla parity create --force makes another parity file"}
		if len(format.ReadCopies(in.At(), in.size).Usable()) == 0 { // and -o does not refuse it
			f.hint = "one of the two was exchanged, or nothing of the file is left; bulla repair -o OUTPUT makes of them what it can"
		}
		return f
	case errors.Is(err, storage.NotPatchable):
		return withHint(err, "write the repaired file elsewhere with -o")
	case errors.As(err, new(*format.ParseError)):
		return withHint(about(par.name, err), "name the right one with --parity-file, or make it anew of an intact file: bulla parity create")
	}
	return err
}

// tell says where a file is damaged.
func (s *scrubbed) tell(a *app) {
	for _, d := range s.Damages {
		a.printf("%s: damaged %d %d\n", s.File, d.Offset, d.Length)
	}
	for _, l := range s.Losses {
		a.printf("%s: lost %d %d\n", s.File, l.Offset, l.Length)
	}
	if s.Volumes > 0 { // its parts say that
		return
	}
	if !s.Head {
		a.printf("%s: head damaged\n", s.File)
	}
	if !s.Tail {
		a.printf("%s: tail damaged\n", s.File)
	}
	if !s.ParityOK {
		a.printf("%s: damaged\n", s.ParityFile)
	}
}

// failure is the error for a file that is damaged, or whose parity file is; nil if neither.
func (s *scrubbed) failure() error {
	f := &failure{exit: exitBad, err: s.ReadErr}
	name, repair := s.File.String(), "bulla repair "
	if s.ParityFile != s.File+paritySuffix {
		repair += "--parity-file " + safetext.Shell(string(s.ParityFile)) + " "
	}
	repair += safetext.Shell(string(s.File))
	switch {
	case !s.Report.Sound():
		places, of := len(s.Damages), ""
		if s.Volumes > 0 {
			damaged := 0
			for _, p := range s.Parts {
				places += len(p.Damages)
				if !p.Sound {
					damaged++
				}
			}
			of = fmt.Sprintf(" of %d of its %s", damaged, plural(s.Volumes+2, "part"))
		}
		var what []string
		if s.Damaged > 0 {
			what = append(what, fmt.Sprintf("%s in %s%s", plural(int(s.Damaged), "chunk"), plural(places, "place"), of))
		}
		if s.Size != s.Whole {
			what = append(what, fmt.Sprintf("it has %d bytes instead of %d", s.Size, s.Whole))
		}
		switch {
		case !s.Head && !s.Tail && s.Volumes == 0:
			what = append(what, "both copies of its head")
		case !s.Head || !s.Tail:
			what = append(what, "a copy of its head")
		}
		f.what = name + " is damaged: " + strings.Join(what, ", and ")
		if s.Damaged == 0 {
			f.what += of
		}
		f.hint = fmt.Sprintf("%s repairs all of it; %v may be lost before it cannot", repair, strength(s.Left))
		if !s.Report.Repairable() {
			if f.hint = "look for another copy of the file; bulla salvage recovers what is still authentic"; s.Lost > 0 {
				f.what += fmt.Sprintf("; %s of it cannot be repaired", plural(int(s.Lost), "chunk"))
			} else {
				f.what += ", of which none is left"
				f.hint = hintRestore
			}
			if s.Lost < s.Damaged {
				f.hint = repair + " repairs the rest; " + f.hint
			}
		}
		if s.ReadErr != nil {
			f.what += fmt.Sprintf(" (reading it failed: %v)", causeOf(s.ReadErr))
		}
	case !s.ParityOK:
		what := s.ParityFile.String()
		if s.Volumes > 0 {
			what = fmt.Sprintf("the parity of %d of the %s of %s", len(s.Parts), plural(s.Volumes+2, "part"), name)
		}
		of := fmt.Sprintf("%d of %s", s.CellsDamaged, plural(int(s.Cells), "parity chunk"))
		if s.CellsDamaged == 0 {
			of = "its tables"
		}
		f.what = fmt.Sprintf("%s is damaged: %s; %s itself is intact", what, of, name)
		f.hint = hintParityAnew
	default:
		return nil
	}
	return f
}

// A pace is so many bytes a second, of all that is read.
type pace struct {
	ctx   context.Context
	rate  int64
	start time.Time
	read  atomic.Int64
}

// paced is a source that is read at that pace.
type paced struct {
	io.ReaderAt
	*pace
}

func (p paced) ReadAt(b []byte, off int64) (int, error) {
	due := time.Duration(float64(p.read.Add(int64(len(b)))) / float64(p.rate) * float64(time.Second))
	select {
	case <-time.After(time.Until(p.start.Add(due))):
	case <-p.ctx.Done():
		return 0, context.Cause(p.ctx)
	}
	return p.ReaderAt.ReadAt(b, off)
}
