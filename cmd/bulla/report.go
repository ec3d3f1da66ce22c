package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

// warn says what is amiss and does not keep the program from its work.
func (a *app) warn(what, hint string) {
	switch {
	case a.quiet:
	case a.json:
		a.con.Line(encodeJSON(struct {
			Warning string `json:"warning"`
			Hint    string `json:"hint,omitempty"`
		}{what, hint}))
	default:
		a.con.Line("bulla: warning: " + what)
		if hint != "" {
			a.con.Line("bulla: hint: " + hint)
		}
	}
}

// note says, with -v, what was done.
func (a *app) note(format string, args ...any) {
	if a.verbose && !a.json {
		a.con.Line("bulla: " + fmt.Sprintf(format, args...))
	}
}

// hinted explains err with a hint that fits the verb.
func (a *app) hinted(err error) *failure {
	f := explain(err)
	if !a.hasOutput {
		f.hint = strings.Replace(f.hint, elsewhere, "", 1)
	}
	return f
}

// fail says what went wrong and returns the exit code.
func (a *app) fail(err error) int {
	f := a.hinted(err)
	a.con.End()
	switch {
	case a.json:
		a.con.Line(encodeJSON(struct {
			Error string `json:"error"`
			Hint  string `json:"hint,omitempty"`
			Exit  int    `json:"exit"`
		}{f.what, f.hint, f.exit}))
	case !f.silent:
		a.con.Line("bulla: error: " + firstLine(f.what))
		if f.hint != "" {
			a.con.Line("bulla: hint: " + f.hint)
		}
	case a.verbose:
		a.con.Line("bulla: " + f.what)
	}
	return f.exit
}

// printf writes to standard output. An error sticks and becomes the run's, when
// all else is done.
func (a *app) printf(format string, args ...any) {
	if a.outErr != nil {
		return
	}
	if _, err := fmt.Fprintf(storage.Patient(a.out), format, args...); err != nil {
		if a.outErr = err; !isClosedPipe(err) {
			a.outErr = withHint(err, "make room where standard output goes; only this report is missing, files that were written are complete")
		}
	}
}

// Results is standard output for cobra, which does not look whether help could be
// written: errors stick.
type results struct{ *app }

func (r results) Write(p []byte) (int, error) {
	r.printf("%s", p)
	return len(p), r.outErr
}

// printJSON writes v as one line to standard output.
func (a *app) printJSON(v any) error {
	a.printf("%s\n", encodeJSON(v))
	return a.outErr
}

func encodeJSON(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("internal error: " + err.Error()) // only of types that are ours
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// plural is a number of things: "1 key", "2 days", "3 identities", "4 passes".
func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	if stem, ok := strings.CutSuffix(word, "y"); ok && word != "key" && word != "day" {
		word = stem + "ie"
	} else if strings.HasSuffix(word, "s") {
		word += "e"
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// result says with --json what was done, unless the data went where it would be said.
func (a *app) result(out *output, v any) error {
	if a.json && !out.IsStandardOutput() {
		a.printJSON(v)
	}
	return a.outErr
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// WorkFlags are the flags of every verb that goes through a whole file.
type workFlags struct {
	jobs     int
	progress string
}

const envJobs = "BULLA_JOBS"

var progressModes = []string{"auto", "always", "never"}

func (w *workFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVarP(&w.jobs, "jobs", "j", 0, "work on `N` pieces at a time (default: the number of processors)")
	f.StringVar(&w.progress, "progress", "auto", "show progress on stderr: `WHEN` is auto, always or never")
	complete(cmd, "progress", progressModes)
	before(cmd, w.check)
}

// check refuses values that mean nothing, and looks for a default in the
// environment.
func (w *workFlags) check(cmd *cobra.Command) error {
	if !slices.Contains(progressModes, w.progress) {
		return usage("there are auto, always and never", "there is no --progress %s", safetext.Printable(w.progress))
	}
	if s := os.Getenv(envJobs); s != "" && !cmd.Flags().Changed("jobs") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return usage("set it to a number, or unset it", "invalid $%s: %s", envJobs, safetext.Printable(s))
		}
		w.jobs = n
	}
	if w.jobs < 0 {
		return usage("leave it out to use all processors", "invalid -j %d: must be at least 1", w.jobs)
	}
	if w.jobs == 0 {
		w.jobs = runtime.GOMAXPROCS(0)
	}
	return nil
}

// startProgress shows how done grows to total, -1 if unknown, until the result is
// told to finish. data is where the work's result goes.
func (a *app) startProgress(w *workFlags, name string, total int64, done *atomic.Int64, data *output) *console.Progress {
	switch {
	case a.json || w.progress == "never":
		return nil
	case w.progress == "auto" && (a.quiet || !a.con.IsTerminal() || data != nil && data.Terminal()):
		return nil
	}
	return a.con.Progress(console.Work{Name: name, Total: total, Done: done, Log: !a.con.IsTerminal(), Final: w.progress == "always"})
}
