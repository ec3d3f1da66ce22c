package main

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/spf13/cobra"

	"bulla/internal/console"
	"bulla/internal/safetext"
)

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
