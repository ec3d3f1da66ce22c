package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/internal/safetext"
)

func entropyCommand(a *app) *cobra.Command {
	e := &entropyFlags{}
	cmd := &cobra.Command{
		Use:   "entropy [VERB]",
		Short: "Show the sources of randomness for new keys",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(orElse(didYouMean(args[0], []string{"test", "read"}), "bulla help entropy"), "entropy has no verb %s", safetext.Printable(args[0]))
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.entropyStatus(cmd, e) },
	}
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
