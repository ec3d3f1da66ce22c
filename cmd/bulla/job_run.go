package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/job"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/stream"
)

// attempts is how often a part is tried if reading or writing fails, and pause how long the first
// wait is: engines cannot tell such a failure from one that stays.
const (
	attempts = 3
	pause    = time.Second
)

type jobRunFlags struct {
	jobKeyFlag
	workFlags
	entropyFlags
	part  int
	again bool
}

// jobVerb is a verb about a job that was planned.
func jobVerb(use, short string, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	cmd := newVerb(use, short, takes(1, 1, "a job", "bulla job status /shared/verify.job"), run)
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return cmd
}

func jobRunCommand(a *app) *cobra.Command {
	f := &jobRunFlags{}
	cmd := jobVerb("run JOB", "Do one part of a job", func(cmd *cobra.Command, args []string) error { return a.jobRun(cmd, f, args[0]) })
	cmd.Flags().IntVar(&f.part, "part", 0, "do part `K`, from 0 on (default: the number that the engine gives to the task)")
	cmd.Flags().BoolVar(&f.again, "again", false, "try a part again that failed for good")
	f.jobKeyFlag.register(cmd)
	f.entropyFlags.register(cmd)
	f.workFlags.register(cmd)
	return cmd
}

// ran is what job run says, in JSON as it stands.
type ran struct {
	Job  safetext.Name `json:"job"`
	Part int           `json:"part"`
}

func (a *app) jobRun(cmd *cobra.Command, f *jobRunFlags, name string) error {
	mixer, err := f.mixer(a, cmd)
	if err != nil {
		return err
	}
	j, err := job.Open(a.files, name)
	if err != nil {
		return err
	}
	if !cmd.Flags().Changed("part") {
		if f.part, err = job.PartOf(os.Getenv); err != nil {
			return usage("--part K names it", "which part of %s to do: %v", safetext.Printable(name), err)
		}
	}
	opts := &job.RunOptions{Workers: f.jobs, Done: new(atomic.Int64), Entropy: mixer, Again: f.again}
	if j.NeedsKey() {
		if opts.Secret, err = f.jobKeyFlag.read(a, name); err != nil {
			return err
		}
	}
	if err := j.Has(f.part); err != nil {
		return err
	}
	label := fmt.Sprintf("part %d of %s", f.part, safetext.Printable(name))
	start := time.Now()
	bar := a.startProgress(&f.workFlags, label, j.Share(f.part), opts.Done, nil)
	err = a.persist(cmd.Context(), func() error {
		opts.Done.Store(0)
		return j.Run(cmd.Context(), f.part, opts)
	})
	bar.Finish(err)
	if err != nil {
		return a.jobFailed(cmd.Context(), j, f.part, about(safetext.Printable(j.Source.Name), err))
	}
	a.note("%s: done in %v", label, time.Since(start).Round(time.Millisecond))
	if a.json {
		a.printJSON(ran{safetext.Name(j.Name), f.part})
	}
	return a.outErr
}

// persist tries again what fails as a disk or a network does, a few times.
func (a *app) persist(ctx context.Context, do func() error) error {
	for try, wait := 1, pause; ; try, wait = try+1, 3*wait {
		err := do()
		if err == nil || ctx.Err() != nil || try == attempts || explain(err).exit != exitIO || isComplete(err) {
			return err
		}
		a.warn(explain(err).what, fmt.Sprintf("attempt %d of %d follows in %v", try+1, attempts, wait))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// jobFailed notes in the job that a part failed, if another attempt cannot do better.
func (a *app) jobFailed(ctx context.Context, j *job.Job, part int, err error) error {
	f := a.hinted(err)
	if !job.ForGood(err) || ctx.Err() != nil {
		return err
	}
	switch f.exit {
	case exitBad, exitNoKey, exitRefused, exitUnsupported:
		if err := j.Fail(part, &job.Failure{Exit: f.exit, What: firstLine(f.what), Hint: f.hint}); err != nil {
			a.warn("it cannot be noted in the job: "+explain(err).what, explain(err).hint)
		}
	}
	return err
}

func jobStatusCommand(a *app) *cobra.Command {
	return jobVerb("status JOB", "Show which parts of a job are done", func(cmd *cobra.Command, args []string) error {
		j, err := job.Open(a.files, args[0])
		if err != nil {
			return err
		}
		s, err := j.Status(cmd.Context())
		if err != nil {
			return err
		}
		return a.tellStatus(j, s)
	})
}

// jobStatus is what job status says, in JSON as it stands.
type jobStatus struct {
	planned
	Done     int          `json:"parts_done"`
	Failures int          `json:"parts_failed"`
	Failed   []failedPart `json:"failed"` // the first of them
	Missing  []int        `json:"missing"`
	Left     int64        `json:"work_left_bytes"`
	Finished bool         `json:"finished"`
}

// A failedPart is one that failed for good.
type failedPart struct {
	Part  int             `json:"part"`
	Exit  int             `json:"exit"`
	Error safetext.String `json:"error"`
	Hint  safetext.String `json:"hint,omitempty"`
}

func (a *app) tellStatus(j *job.Job, s *job.Status) error {
	t := jobStatus{planned{Job: safetext.Name(j.Name), ID: j.ID, Kind: string(j.Kind), InputField: safetext.Name(storage.Shown(j.Source.Name)).AsInput(), Parts: j.Parts, Work: j.Work},
		s.Done, s.Failures, []failedPart{}, s.Missing, 0, s.Finished}
	for _, f := range s.Failed {
		t.Failed = append(t.Failed, failedPart{f.Part, f.Exit, safetext.String(f.What), safetext.String(f.Hint)})
	}
	if t.Missing == nil {
		t.Missing = []int{}
	}
	for _, i := range s.Missing {
		t.Left += j.Share(i)
	}
	if a.json {
		return a.printJSON(t)
	}
	a.printf("%s: %s of %s: %d of %s done, %d failed, %s left\n", t.Job, t.Kind, t.Input, t.Done, plural(t.Parts, "part"), t.Failures, console.Bytes(t.Left))
	for _, f := range t.Failed {
		a.printf("%s: part %d failed (exit code %d): %s\n", t.Job, f.Part, f.Exit, safetext.Printable(string(f.Error)))
	}
	if n := t.Failures - len(t.Failed); n > 0 {
		a.printf("%s: and %s more\n", t.Job, plural(n, "failure"))
	}
	switch {
	case t.Finished:
		a.printf("%s: finished\n", t.Job)
	case len(t.Missing) > 0:
		a.printf("%s: missing: %s\n", t.Job, job.List(t.Missing))
	default:
		a.printf("%s: bulla job finish makes the result\n", t.Job)
	}
	return a.outErr
}

type jobFinishFlags struct {
	jobKeyFlag
	entropyFlags
}

func jobFinishCommand(a *app) *cobra.Command {
	f := &jobFinishFlags{}
	cmd := jobVerb("finish JOB", "Make the result of a job whose parts are done", func(cmd *cobra.Command, args []string) error { return a.jobFinish(cmd, f, args[0]) })
	f.jobKeyFlag.register(cmd)
	f.entropyFlags.register(cmd)
	return cmd
}

func (a *app) jobFinish(cmd *cobra.Command, f *jobFinishFlags, name string) error {
	mixer, err := f.mixer(a, cmd)
	if err != nil {
		return err
	}
	j, err := job.Open(a.files, name)
	if err != nil {
		return err
	}
	var secret *job.Secret
	if j.Kind == job.Encrypt {
		if secret, err = f.jobKeyFlag.read(a, name); err != nil {
			return err
		}
	}
	began := time.Now().UTC().Truncate(time.Second)
	r, err := j.Finish(cmd.Context(), secret, mixer)
	if errors.Is(err, storage.Exists) {
		err = withHint(err, "move it away, and run bulla job finish again")
	}
	if err != nil {
		return about(safetext.Printable(j.Source.Name), err)
	}
	switch {
	case r.Report != nil:
		return a.finishedVerify(j, r.Report, began)
	case r.Scrub != nil:
		in, par, err := a.openParity(&parityFlag{j.Scrub.Name}, j.Source.Name)
		if err != nil {
			return err
		}
		defer in.Close()
		defer par.Close()
		return a.judgeScrub(scrubbedOf(in, par, r.Scrub))
	}
	done := written{InputField: safetext.Name(storage.Shown(j.Source.Name)).AsInput(), Plaintext: r.Size, Volumes: r.Volumes}
	done.OutputField = safetext.Name(storage.Shown(r.Output)).AsOutput()
	a.note("%s: %s done: %s", safetext.Printable(name), plural(j.Parts, "part"), done.Output)
	if a.json {
		a.printJSON(done)
	}
	return a.outErr
}

// finishedVerify says what verify does.
func (a *app) finishedVerify(j *job.Job, r *job.Report, began time.Time) error {
	in, err := a.openInput(j.Source.Name)
	if err != nil {
		return err
	}
	defer in.Close()
	d := &verdict{FileField: in.given.AsFile(), Bulla: buildVersion(), Time: began, Command: a.commandLine(), Size: r.Size, Keyed: r.Keyed,
		Generation: r.Generation, Authentic: r.Authentic, Failed: r.Failed, Volumes: r.Volumes, Checks: r.Checks,
		Signature: new(verifyFlags).signatureOf(a, in, nil), report: &stream.Report{Report: format.Check(in.At(), in.size)}}
	d.found(in, r.Findings)
	d.Detached = d.report.IsDetachedHead()
	return a.judge(&verifyFlags{}, &identities{}, in, d, nil)
}

// jobHints is what becomes of problems with jobs.
var jobHints = map[job.Problem]struct {
	exit int
	hint string
}{
	job.NotThere: {exitUsage, "bulla job encrypt, verify, decrypt or scrub --into JOB plans one; check the name"},
	job.Taken:    {exitRefused, "name another place with --into, or remove the old job"},
	job.Damaged:  {exitBad, "plan the job anew, in another place"},
	job.Newer:    {exitUnsupported, hintNewer},
	job.NoPart:   {exitUsage, "parts are numbered from 0; bulla job status JOB says how many there are"},
	job.Changed:  {exitRefused, "plan the job anew, in another place"},
	job.OtherKey: {exitNoKey, "--job-key names the file that was made with the job"},
	job.Missing:  {exitRefused, "bulla job run JOB --part K does part K"},
	job.Finished: {exitRefused, "there is nothing left to do"},
	job.Unended:  {exitIO, "bulla job finish JOB ends it"},
}

// explainJob explains a problem with a job; nil if err is none.
func explainJob(err error) *failure {
	if e, ok := errors.AsType[*job.Error](err); ok {
		t := jobHints[e.Problem]
		f := &failure{exit: t.exit, what: e.Error(), hint: t.hint}
		if e.Problem == job.Unended {
			f.what += ": " + explain(e.Err).what
		}
		if p, ok := e.Err.(*job.Failure); ok {
			f.what += fmt.Sprintf("; part %d failed: %s", p.Part, safetext.Printable(p.What))
			f.hint = "bulla job run --again JOB --part K tries part K again, once this is solved"
		}
		return f
	}
	if p, ok := errors.AsType[*job.Failure](err); ok {
		return &failure{exit: p.Exit, what: fmt.Sprintf("part %d failed before, for good: %s", p.Part, safetext.Printable(p.What)),
			hint: "--again tries it again, once this is solved"}
	}
	return nil
}
