package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/internal/console"
)

func entropyTestCommand(a *app) *cobra.Command {
	histogram := false
	cmd := &cobra.Command{
		Use:               "test [SOURCE...]",
		Short:             "Test each source by itself",
		ValidArgsFunction: completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.entropyTest(cmd.Context(), args, histogram)
		},
	}
	cmd.Flags().BoolVar(&histogram, "histogram", false, "draw a histogram of the byte values")
	return cmd
}

func (a *app) entropyTest(ctx context.Context, names []string, histogram bool) error {
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
		for _, r := range results {
			if histogram && r.Tested > 0 {
				a.printf("\n%s", console.Histogram(r.Name, &r.Histogram))
			}
		}
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
