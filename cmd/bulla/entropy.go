package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/internal/console"
	"bulla/internal/fullio"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

func entropyCommand(a *app) *cobra.Command {
	e := &entropyFlags{}
	cmd := newVerb("entropy [VERB]", "Show the sources of randomness for new keys",
		func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(orElse(didYouMean(args[0], []string{"test", "read"}), "bulla help entropy"), "entropy has no verb %s", safetext.Printable(args[0]))
			}
			return nil
		},
		func(cmd *cobra.Command, _ []string) error { return a.entropyStatus(cmd, e) })
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	e.register(cmd)
	cmd.AddCommand(entropyTestCommand(a), entropyReadCommand(a))
	return cmd
}

// entropyReport is what entropy --json says.
type entropyReport struct {
	Sources  []entropy.Status `json:"sources"`
	Uses     []string         `json:"uses"`     // the sources that are in a new key
	Required []string         `json:"required"` // those without which none is made
}

func (a *app) entropyStatus(cmd *cobra.Command, e *entropyFlags) error {
	m, err := e.mixer(a, cmd)
	if err != nil {
		return err
	}
	var draw [32]byte
	err = m.Fill("status", draw[:])
	clear(draw[:])
	if err != nil {
		return err
	}
	a.mixer = nil // the report says what was left out
	r := entropyReport{Sources: m.Status(), Uses: []string{}, Required: []string{}}
	for _, s := range r.Sources {
		if s.State == entropy.Active {
			r.Uses = append(r.Uses, s.Name)
		}
		if s.Required {
			r.Required = append(r.Required, s.Name)
		}
	}
	switch {
	case a.json:
		a.printJSON(r)
	case !a.quiet:
		a.showSources(r)
	}
	return a.outErr
}

func (a *app) showSources(r entropyReport) {
	table := tabwriter.NewWriter(results{a}, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SOURCE\tSTATE\tSTART-UP TEST\tONE DRAW\tDETAIL")
	for _, s := range r.Sources {
		took := "-"
		if s.Draws > 0 {
			took = latencyText(s.Latency)
		}
		startup := s.Startup
		if startup == "none" || s.State == entropy.Absent || s.State == entropy.Excluded {
			startup = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.State, startup, took, sourceDetail(s))
	}
	table.Flush()
	for _, s := range r.Sources {
		if s.Hint != "" {
			a.printf("%s: hint: %s\n", s.Name, s.Hint)
		}
	}
	for _, s := range r.Sources {
		if t := s.TPM; t != nil && s.State == entropy.Active {
			a.printf("tpm: %s %s, firmware %s\n", t.Manufacturer, t.Vendor, t.Firmware)
			a.printf("tpm: session %s\n", t.Session)
			a.printf("tpm: storage root key %s\n", t.SRKName)
		}
	}
	a.printf("New keys use: %s. Required: %s.\n", strings.Join(r.Uses, " + "), orElse(strings.Join(r.Required, ", "), "none"))
}

// sourceDetail says what a source is, or why it does not take part, and what it
// has cost.
func sourceDetail(s entropy.Status) string {
	text := s.Detail
	if s.State != entropy.Active {
		text = s.Reason
	}
	if s.Retries > 0 {
		text += fmt.Sprintf("; %d retried", s.Retries)
	}
	if s.Failures > 0 {
		text += fmt.Sprintf("; %d failed", s.Failures)
	}
	return text
}

// latencyText is a short time for people.
func latencyText(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return d.Round(100 * time.Nanosecond).String()
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// completeSources completes arguments to the names of random sources.
func completeSources(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	used := func(name string) bool { return slices.Contains(args, name) }
	return slices.DeleteFunc(randomSources(), used), cobra.ShellCompDirectiveNoFileComp
}

// randomSources is the names of the sources whose bytes are meant to look
// random: all but one.
func randomSources() []string {
	return slices.DeleteFunc(entropy.Names(), func(name string) bool { return name == "unique" })
}

// EntropyFlags say what new keys are made of.
type entropyFlags struct {
	sources, require []string
}

func (e *entropyFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&e.sources, "entropy", nil, "mix only these `SOURCES` with the operating system's (default: all)")
	f.StringSliceVar(&e.require, "require", nil, "fail unless entropy `SOURCE` works (repeatable)")
	complete(cmd, "entropy", entropy.Names())
	complete(cmd, "require", entropy.Names())
}

// tpmPinFile, in the configuration directory, keeps which TPM random bytes come
// from: once it is there, they come from no other.
const tpmPinFile = "tpm-pin"

// tpmPinPath is the path of the file that pins the TPM.
func tpmPinPath() (string, error) {
	dir, err := configDir()
	return filepath.Join(dir, tpmPinFile), err
}

// mixer makes the mixer that the flags ask for. Without a configuration directory
// the TPM is pinned for this run only, and is refused if it is asked for by name.
func (e *entropyFlags) mixer(a *app, cmd *cobra.Command) (*entropy.Mixer, error) {
	o := &entropy.Options{Require: e.require}
	pin, err := tpmPinPath()
	switch {
	case err == nil:
		o.TPMPinFile = pin
	case slices.Contains(slices.Concat(e.sources, e.require), "tpm"):
		return nil, err
	}
	if cmd.Flags().Changed("entropy") {
		o.Sources = append([]string{}, e.sources...) // not nil: "os" alone is a choice
	}
	a.mixer, err = entropy.New(o)
	return a.mixer, err
}

// tellLeftOut warns of sources that should have been in the new keys. What was
// required has ended the run instead.
func (a *app) tellLeftOut() {
	if a.mixer == nil {
		return
	}
	for _, s := range a.mixer.LeftOut() {
		a.warn("the entropy source "+s.Name+" was left out: "+s.Reason, s.Hint)
	}
}

type entropyReadFlags struct {
	entropyFlags
	source string
}

func entropyReadCommand(a *app) *cobra.Command {
	e := &entropyReadFlags{}
	cmd := newVerb("read N", "Write random bytes to a pipe or a file", takes(1, 1, "the number of bytes", "bulla entropy read 32"),
		func(cmd *cobra.Command, args []string) error { return a.entropyRead(cmd, e, args[0]) })
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	e.register(cmd)
	cmd.Flags().StringVar(&e.source, "source", "", "write the bytes of `SOURCE` alone, for statistics")
	complete(cmd, "source", randomSources())
	return cmd
}

func (a *app) entropyRead(cmd *cobra.Command, e *entropyReadFlags, count string) error {
	n, ok := console.ParseSize(count)
	if !ok {
		return usage("for example 32, 100K, 8M or 1G", "invalid number of bytes: %s", safetext.Printable(count))
	}
	out, err := a.files.Create("-", storage.Options{})
	if err != nil {
		return err
	}
	if out.Terminal() {
		return refuse("send them to a file or a pipe: bulla entropy read 32 | xxd", "random bytes would go to the terminal")
	}
	src, err := e.open(a, cmd)
	if err != nil {
		return err
	}
	if e.source != "" {
		a.warn("these are the bytes of "+e.source+" alone: for statistics, never for keys", "leave --source out for bytes to use")
	}
	done := new(atomic.Int64)
	bar := a.startProgress(&workFlags{progress: "auto"}, "random bytes", n, done, nil)
	buf := make([]byte, entropy.MaxFill)
	defer clear(buf)
	copied, err := io.CopyBuffer(struct{ io.Writer }{out}, fullio.Counted{Src: io.LimitReader(src, n), Done: done, Ctx: cmd.Context()}, buf)
	if err == nil && copied < n {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = out.Commit()
	}
	bar.Finish(err)
	return err
}

func (e *entropyReadFlags) open(a *app, cmd *cobra.Command) (io.Reader, error) {
	if e.source == "" {
		m, err := e.mixer(a, cmd)
		return mixed(m.Fill), err
	}
	if cmd.Flags().Changed("entropy") || len(e.require) > 0 {
		return nil, usage("leave --source out, or the others", "--source is one source, unmixed: --entropy and --require are about mixing")
	}
	return entropy.Raw(e.source)
}

// mixed reads what a mixer fills.
type mixed func(purpose string, out []byte) error

func (m mixed) Read(p []byte) (int, error) {
	p = p[:min(len(p), entropy.MaxFill)]
	if err := m("entropy read", p); err != nil {
		return 0, err // what is in p is no output
	}
	return len(p), nil
}

func entropyTestCommand(a *app) *cobra.Command {
	cmd := newVerb("test [SOURCE...]", "Test each source by itself", nil,
		func(cmd *cobra.Command, args []string) error { return a.entropyTest(cmd.Context(), args) })
	cmd.ValidArgsFunction = completeSources
	return cmd
}

func (a *app) entropyTest(ctx context.Context, names []string) error {
	if len(names) == 0 {
		names = nil // all
	}
	results, err := entropy.Test(ctx, &entropy.TestOptions{Sources: names, Progress: a.testProgress()})
	a.con.End()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	switch {
	case a.json:
		a.printJSON(struct {
			Results []entropy.TestResult `json:"results"`
		}{results})
	case !a.quiet:
		a.showResults(results)
	}
	return errors.Join(a.outErr, verdictOf(results, names))
}

// testProgress shows how far a test has come, on a terminal.
func (a *app) testProgress() func(entropy.TestProgress) {
	if a.quiet || a.json || !isTerminal(a.err) {
		return nil
	}
	var shown time.Time
	return func(p entropy.TestProgress) {
		if now := time.Now(); p.Done == p.Total || now.Sub(shown) >= console.ProgressStep {
			shown = now
			a.con.Status(fmt.Sprintf("%s  %2d%%", p.Source, 100*p.Done/max(p.Total, 1)), false)
		}
	}
}

func (a *app) showResults(all []entropy.TestResult) {
	table := tabwriter.NewWriter(results{a}, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SOURCE\tRESULT\tLOOKED AT\tIN\tDETAIL")
	for _, r := range all {
		if r.Tested == 0 {
			fmt.Fprintf(table, "%s\t%s\t-\t-\t%s\n", r.Name, resultText(r), r.Reason)
			continue
		}
		detail := fmt.Sprintf("a byte value at most %d times in 512; %d would fail", r.Most, r.Cutoff)
		if !r.Passed {
			detail = r.Reason
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%v\t%s\n", r.Name, resultText(r), console.Bytes(int64(r.Tested)), latencyText(r.Elapsed), detail)
	}
	table.Flush()
	a.printf("A source that passes is not stuck. Whether its bytes can be guessed, no test of them can say.\n")
}

func resultText(r entropy.TestResult) string {
	switch {
	case r.Passed:
		return "passed"
	case r.State == entropy.Failed:
		return "FAILED"
	}
	return string(r.State)
}

// verdictOf is the error that results come to: of sources that failed, and of
// those that were named and are not there.
func verdictOf(results []entropy.TestResult, named []string) error {
	for _, r := range results {
		if r.Passed || r.State != entropy.Failed && named == nil {
			continue
		}
		what := "the source %s failed its test: %s"
		if r.State != entropy.Failed {
			what = "the source %s cannot be tested: %s"
		}
		return &failure{exit: exitEntropy, what: fmt.Sprintf(what, r.Name, r.Reason), hint: orElse(r.Hint, "bulla entropy shows the state of all sources")}
	}
	return nil
}
