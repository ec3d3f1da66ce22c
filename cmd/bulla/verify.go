package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/origin"
	"bulla/set"
	"bulla/spec"
	"bulla/stream"
)

type verifyFlags struct {
	identityFlags
	headFlag
	signerFlags
	sampleFlag
	workFlags
	explain string
	noKey   bool
	hash    bool
	page    outputFlags // --report
	checked []*verdict  // for the page
	lost    *failure    // why the default key cannot be looked for
}

func verifyCommand(a *app) *cobra.Command {
	v := &verifyFlags{}
	cmd := newVerb("verify [FILE...]", "Check files against the specification, writing nothing", notEmpty,
		func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("explain") {
				return a.explainClauses(v.explain)
			}
			return a.verify(cmd, v, args)
		})
	v.identityFlags.register(a, cmd)
	f := cmd.Flags()
	f.BoolVar(&v.noKey, "no-key", false, "check the structure alone, without a key: the content is NOT checked")
	v.headFlag.register(cmd)
	v.signerFlags.register(cmd)
	v.sampleFlag.register(cmd)
	f.BoolVar(&v.hash, "hash", false, "report the SHA-256 of each file, too")
	f.StringVar(&v.page.name, "report", "", "write a page to `FILE.html`, for a browser and for paper")
	f.BoolVar(&v.page.force, "force", false, "replace an existing report")
	f.StringVar(&v.explain, "explain", "", "explain `CLAUSE` of the specification, or all of them, and check nothing")
	complete(cmd, "explain", append(spec.Clauses(), "all"))
	v.workFlags.register(cmd)
	return cmd
}

// A verdict is what verify says of one file, in JSON as it stands.
type verdict struct {
	safetext.FileField
	Bulla      string            `json:"bulla_version"`
	Time       time.Time         `json:"time"`    // when the check began
	Command    []safetext.String `json:"command"` // without secrets
	Size       int64             `json:"size"`
	SHA256     *string           `json:"sha256"` // of the file; null without --hash
	Detached   bool              `json:"detached_head,omitempty"`
	Keyed      bool              `json:"keyed"`           // a key opened it, so that everything was checked, or the sample
	NoKey      bool              `json:"no_key"`          // nothing else was asked for than the structure
	Valid      bool              `json:"valid"`           // everything was checked, or the sample, and nothing is violated; with --signed-by it is signed
	Structure  bool              `json:"structure_valid"` // nothing is violated that was checked, be it without a key
	Generation uint32            `json:"generation,omitempty"`
	Authentic  int64             `json:"chunks_authentic"`
	Failed     int64             `json:"chunks_failed"`
	Volumes    int               `json:"volumes,omitempty"` // of a set
	Findings   []found           `json:"findings"`
	Checks     []stream.Outcome  `json:"checks"`
	Sample     *sample           `json:"sample,omitempty"` // what was authenticated, if that was not all
	Signature  *signatureCheck   `json:"signature"`        // null if there is none that can be read

	report *stream.Report
	sizes  []int64 // of volumes
	beside bool    // a detached head was given, so that it is no question what the file is
}

// A found thing is a finding, of a set with the part that it is about.
type found struct {
	Part safetext.Name `json:"part,omitempty"` // a file beside the root
	format.Finding
}

func (v *verifyFlags) check(cmd *cobra.Command) error {
	switch {
	case v.noKey && (v.given() || v.sampleFlag.wanted()):
		return usage("leave out --no-key", "--no-key checks what needs no key")
	case v.allowed != "" && v.sampleFlag.wanted():
		return usage("leave out one of them", "--signed-by checks all of a file, --sample a part")
	case v.hash && v.sampleFlag.wanted():
		return usage("leave out one of them", "--hash reads all of a file, --sample a part")
	}
	return nil
}

func (a *app) verify(cmd *cobra.Command, v *verifyFlags, names []string) error {
	if err := v.check(cmd); err != nil {
		return err
	}
	if len(names) == 0 {
		names = []string{""}
	}
	if err := a.claimInput(names...); err != nil {
		return err
	}
	ids := &identities{}
	if _, err := configDir(); err != nil && !v.noKey && !v.given() {
		v.lost = explain(err) // the structure is checked all the same
	} else if !v.noKey {
		if ids, err = v.find(false); err != nil {
			return err
		}
	}
	var page *output
	if v.page.name != "" {
		var err error
		page, err = a.planOutput(outputPlan{outputFlags: v.page, mode: 0o644})
		if err != nil {
			return pageError(err)
		}
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, a.verifyOne(cmd.Context(), v, ids, name))
		if cmd.Context().Err() != nil {
			return context.Cause(cmd.Context())
		}
	}
	if page != nil {
		errs = append(errs, pageError(a.writePage(page, v.checked)))
	}
	return a.worst(errs)
}

// pageError gives an error about the page hints that name flags of verify.
func pageError(err error) error {
	switch {
	case errors.Is(err, storage.Exists):
		return withHint(err, "--force replaces it; --report names another")
	case errors.Is(err, storage.NotAllowed), errors.Is(err, storage.IsInput):
		return withHint(err, "name another page with --report")
	}
	return err
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
			a.fail(explain(err))
		}
	}
	return worst
}

// verifyOne checks one file, or the set of which it is the root, and says what it found. Its error
// is what becomes of the exit code.
func (a *app) verifyOne(ctx context.Context, v *verifyFlags, ids *identities, name string) error {
	in, err := a.openInput(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := v.sampleFlag.check(in); err != nil {
		return err
	}
	refused := v.signerFlags.read(a, in) // the file is checked all the same
	if refused != nil && !slices.Contains([]int{exitBad, exitUnsupported}, explain(refused).exit) {
		return refused
	}
	head, err := v.headFlag.read(a, in)
	if err != nil {
		return err
	}
	var open set.Opener // of its parts; nil if it is no set
	if in.isRoot() {
		if open, err = a.partsOf(in); err == nil && v.hash {
			err = usage("leave out --hash", "%s is a set, which is many files", in.name)
		}
		if err != nil {
			return err
		}
	}
	began := time.Now().UTC().Truncate(time.Second)
	opts := &set.VerifyOptions{Workers: v.jobs, Head: head, Done: new(atomic.Int64), Slice: v.slice}
	var bar *console.Progress
	opts.Opened = func(size int64) {
		bar = a.startProgress(&v.workFlags, in.name, v.sampleFlag.share(size), opts.Done, nil)
	}
	src, sum := in.Stream(), func() (*string, error) { return nil, nil }
	if v.hash {
		src, sum = in.hashed(ctx)
	}
	ids.near(in)
	var rep *set.Report
	if in.regular {
		rep, err = set.VerifyAny(ctx, in.At(), in.size, open, ids.all, opts)
	} else {
		opts.Opened(in.size)
		var r *stream.Report
		r, err = stream.VerifyReader(ctx, in.signed.stream(src, v.jobs), ids.all, &stream.VerifyOptions{Workers: v.jobs, Head: head, Done: opts.Done})
		rep = set.ReportOn(r)
	}
	var digest *string
	if in.regular || !errors.As(err, new(*origin.Error)) { // else not all of it was read
		var herr error
		if digest, herr = sum(); herr != nil && (err == nil || isNoKey(err)) {
			err = herr
		}
	}
	bar.Finish(err)
	checks, signature := rep.Outcomes(), v.signatureOf(a, in, refused)
	if h, herr := rep.Root.Newest(head); herr == nil {
		a.tellOlder(in.name, head, h)
		if serr := a.verifySigner(ctx, v, in, open, h, rep, signature, err); err == nil || isNoKey(err) && serr != nil {
			err = serr
		}
	}
	if v.allowed != "" {
		checks = append(checks, signature.outcomes(rep.Findings, open != nil)...)
	}
	d := &verdict{
		FileField: in.given.AsFile(), Bulla: buildVersion(), Time: began, Command: a.commandLine(),
		Size: rep.Size, SHA256: digest, Detached: rep.Root.IsDetachedHead(), NoKey: v.noKey, Keyed: rep.Root.Keyed,
		Generation: rep.Root.Generation, Authentic: rep.Authentic, Failed: rep.Failed, Volumes: len(rep.Volumes),
		Checks: checks, Sample: v.sampleFlag.of(rep), Signature: signature,
		report: rep.Root, sizes: rep.Volumes, beside: v.headFlag.file != "",
	}
	d.found(in, rep.Findings)
	if err = a.judge(v, ids, in, d, err); refused != nil {
		err = a.worst([]error{refused, err})
	}
	return err
}

// found notes what was found of in, or of the set of which it is the root.
func (d *verdict) found(in *input, all []set.Finding) {
	d.Findings, d.Structure = []found{}, true
	for _, f := range all {
		one := found{Finding: f.Finding}
		if f.Suffix != "" {
			one.Part = in.given + safetext.Name(f.Suffix)
		}
		d.Findings = append(d.Findings, one)
		d.Structure = d.Structure && !isViolation(one)
	}
	d.Valid = d.Keyed && d.Structure && !d.Signature.failed()
}

// judge says what was found, and makes of it what becomes of the exit code.
func (a *app) judge(v *verifyFlags, ids *identities, in *input, d *verdict, err error) error {
	hard := err != nil && !isNoKey(err) // the work could not be done
	if !hard || len(d.Findings) > 0 {
		v.checked = append(v.checked, d)
		a.tell(d)
	}
	if hard {
		err := about(in.name, err)
		if d.Structure {
			return err
		}
		return a.worst([]error{d.failure(), err})
	}
	switch {
	case !d.Structure:
		return d.failure()
	case err != nil && !v.noKey:
		f := explain(about(in.name, ids.explain(err)))
		if v.lost != nil {
			f.what, f.hint = "no key to open "+in.name+" with: "+v.lost.what, v.lost.hint
		}
		if r := in.role(); r == format.RoleVolume || r == format.RoleIndex {
			f.hint = roleHints[r]
		}
		f.hint += "; --no-key checks the structure alone"
		return f
	}
	return a.outErr
}

func isViolation(f found) bool { return f.Severity == format.Violation }

func isNoKey(err error) bool { return errors.As(err, new(*stream.NoKeyError)) }

// failure is the error of a file that does not hold what it should.
func (d *verdict) failure() error {
	f := &failure{exit: exitBad, hint: orSalvage("get another copy, or encrypt it again from the source", string(d.File)),
		what: d.File.String() + " is invalid: " + plural(d.violations(), "violation")}
	switch {
	case d.Detached:
		f.what = d.File.String() + " is a head alone: a detached head, or a file that was cut off after its head"
		f.hint = "a detached head is checked with its file: bulla verify --head HEAD FILE; it holds no content of its own"
	case d.breaks(format.SET1):
		i := slices.IndexFunc(d.Findings, func(f found) bool { return f.Clause == format.SET1 })
		f.hint = hintMissing(string(d.Findings[i].Part))
	case d.breaks(format.SET2), d.breaks(format.SET17):
		f.hint = hintExchanged
	case d.breaks(origin.ORIGIN7), d.breaks(origin.ORIGIN10):
		f.hint = hintNotSigned
	case d.breaks(origin.ORIGIN8):
		f.hint = hintNotAsSigned
	case d.breaks(format.FILE4) && !d.breaks(format.CHUNK1):
		f.hint = hintAppended
	case d.Keyed && d.Failed == 0 && d.onlyCopies():
		f.hint = "the content is authentic and complete: only a copy of the head is not sound, which bulla " + mender(len(d.report.Copies.Usable()) == 0) + " mends"
	case !d.beside:
		if err := unread(d.report.Copies); err != nil {
			return about(d.File.String(), err)
		}
	}
	return f
}

func (d *verdict) breaks(c format.Clause) bool {
	return slices.ContainsFunc(d.Findings, func(f found) bool { return f.Clause == c })
}

func (d *verdict) violations() int {
	n := 0
	for _, f := range d.Findings {
		if isViolation(f) {
			n++
		}
	}
	return n
}

// onlyCopies reports whether nothing but a copy of the head is wrong: all that a
// rewrap mends. A volume has no rewrap, and may be missing because of its head.
func (d *verdict) onlyCopies() bool {
	return !slices.ContainsFunc(d.Findings, func(f found) bool { return f.Part != "" || !f.Clause.AboutHead() })
}

func (a *app) tell(d *verdict) {
	if a.json {
		a.printJSON(d)
		return
	}
	a.con.End()
	for _, f := range d.Findings {
		a.printFindings(cmp.Or(f.Part, d.File), []format.Finding{f.Finding})
	}
	if a.verbose {
		a.tellChecks(d)
	}
	if d.SHA256 != nil && !a.quiet {
		a.printf("%s: sha256 %s\n", d.File, *d.SHA256)
	}
	switch {
	case a.quiet || !d.Good():
	case d.Sample != nil:
		a.printf("%s: ok: %v\n", d.File, d.Sample)
	case d.Keyed:
		a.printf("%s: ok: all of it is authentic (%s)\n", d.File, d.extent())
	default:
		a.printf("%s: structure valid; content NOT checked (no key)\n", d.File)
	}
}

// extent is how much was checked.
func (d *verdict) extent() string {
	chunks := plural(int(d.Authentic), "chunk")
	if d.Volumes > 0 {
		return plural(d.Volumes, "volume") + ", " + chunks
	}
	return chunks
}

func (a *app) printFindings(file safetext.Name, found []format.Finding) {
	for _, f := range found {
		a.printf("%s: %s %s %d %d %s\n", file, f.Clause, f.Severity, f.Offset, f.Length, f.Message)
	}
}

// tellChecks writes the table of clauses, and how many there were of each kind.
func (a *app) tellChecks(d *verdict) {
	count := make(map[stream.Result]int)
	for _, c := range d.Checks {
		a.printf("%s: %-9s %s\n", d.File, c.Clause, c.Result)
		count[c.Result]++
	}
	a.printf("%s: of %s %d passed, %d failed, %d not checked, %d not applicable\n", d.File, plural(len(d.Checks), "clause"),
		count[stream.Passed], count[stream.Failed], count[stream.NotChecked], count[stream.NotApplicable])
}

// explainClauses says what a clause of the specification demands, or all of them,
// what it means that one is broken, and what to do then.
func (a *app) explainClauses(id string) error {
	ids := []string{strings.Trim(strings.ToUpper(id), "[]")}
	if strings.EqualFold(id, "all") {
		ids = spec.Clauses()
	} else if _, ok := spec.Lookup(ids[0]); !ok {
		return usage(orElse(didYouMean(ids[0], spec.Clauses()), "a finding names one, as in HEAD-7; --explain all lists them"), "the specification has no clause %s", safetext.Printable(ids[0]))
	}
	for i, id := range ids {
		c, _ := spec.Lookup(id)
		if a.json {
			a.printJSON(c)
			continue
		}
		if i > 0 {
			a.printf("\n")
		}
		a.printf("%s (a %s of the %s), %s, section %s\n%s\n", c.ID, c.Level, c.Binds, c.Document, c.Section, c.Text)
		a.printf("If it is broken: %s\nWhat to do: %s\n", c.Means, c.Remedy)
	}
	return a.outErr
}
