package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"bulla/internal/safetext"

	"github.com/spf13/cobra"
	"golang.org/x/term"
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
	f.IntVarP(&w.jobs, "jobs", "j", 0, "work on `N` pieces at a time (default: as many as there are processors)")
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
			return usage("a number, or leave it unset", "$%s is %s", envJobs, safetext.Printable(s))
		}
		w.jobs = n
	}
	if w.jobs < 0 {
		return usage("leave it out to use all processors", "-j %d: no number of pieces", w.jobs)
	}
	if w.jobs == 0 {
		w.jobs = runtime.GOMAXPROCS(0)
	}
	return nil
}

// How often progress is shown, and for how long it may take before it is shown
// at all: what is over at once needs none.
const (
	progressStep  = 200 * time.Millisecond
	progressDelay = time.Second
	logStep       = 10 * time.Second // where lines cannot be overwritten
	rateWindow    = 25               // steps that the rate is taken over: five seconds
)

// A progress shows how far a piece of work has come. Nil shows nothing.
type progress struct {
	con   *console
	name  string
	total int64 // bytes; -1 if unknown
	done  *atomic.Int64

	log   bool // standard error is no terminal: whole lines, and few
	start time.Time
	seen  [rateWindow]int64 // bytes at the last steps, in a ring
	steps int
	shown bool

	stop, ended chan struct{}
}

// startProgress shows how done grows to total, -1 if unknown, until finish is
// called. data is where the work's result goes.
func (a *app) startProgress(w *workFlags, name string, total int64, done *atomic.Int64, data *output) *progress {
	tty := isTerminal(a.err)
	switch {
	case a.json || w.progress == "never":
		return nil
	case w.progress == "auto" && (a.quiet || !tty || data != nil && data.toTerminal()):
		return nil
	}
	p := &progress{con: a.con, name: name, total: total, done: done, log: !tty, start: time.Now(),
		stop: make(chan struct{}), ended: make(chan struct{})}
	p.shown = w.progress == "always" // even if it is over at once
	go p.run()
	return p
}

func (p *progress) run() {
	defer close(p.ended)
	tick := time.NewTicker(progressStep)
	defer tick.Stop()
	last := p.start
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			done := p.done.Load()
			if done == 0 { // somebody may be typing a passphrase
				p.start, last = now, now
				continue
			}
			rate := p.rate(done)
			switch {
			case now.Sub(p.start) < progressDelay:
			case !p.log:
				p.con.status(clip(p.line(done, rate), p.columns()), false)
				p.shown = true
			case now.Sub(last) >= logStep:
				last = now
				p.con.line(p.line(done, rate))
				p.shown = true
			}
		}
	}
}

// rate is the bytes a second over the last steps; it counts one step.
func (p *progress) rate(done int64) float64 {
	slot := p.steps % rateWindow
	before, steps := p.seen[slot], rateWindow
	if p.steps < rateWindow {
		before, steps = 0, p.steps+1
	}
	p.seen[slot] = done
	p.steps++
	return float64(done-before) / (float64(steps) * progressStep.Seconds())
}

// finish ends the showing. What was shown ends with a complete line if the work
// is complete, and is left as it is if not.
func (p *progress) finish(err error) {
	if p == nil {
		return
	}
	close(p.stop)
	<-p.ended
	if !p.shown {
		return
	}
	if err != nil {
		p.con.end()
		return
	}
	done, took := p.done.Load(), time.Since(p.start)
	line := fmt.Sprintf("%s  %s  %s in %s", p.name, bytesText(done), rateText(float64(done)/max(took.Seconds(), 1e-9)), took.Round(time.Millisecond))
	if p.log {
		p.con.line(line)
	} else {
		p.con.status(clip(line, p.columns()), true)
	}
}

// line is one state of the work.
func (p *progress) line(done int64, rate float64) string {
	if p.total <= 0 {
		return fmt.Sprintf("%s  %s  %s", p.name, bytesText(done), rateText(rate))
	}
	left := "stalled"
	if rate > 0 {
		left = durationText(float64(max(0, p.total-done))/rate) + " left"
	}
	// What grows while it is read may have become more than it was.
	percent := min(99, done*100/p.total)
	return fmt.Sprintf("%s  %2d%%  %s of %s  %s  %s", p.name, percent, bytesText(done), bytesText(p.total), rateText(rate), left)
}

func (p *progress) columns() int {
	if w, _, err := term.GetSize(int(p.con.w.Fd())); err == nil && w > 0 {
		return w - 1 // in the last column some terminals wrap
	}
	return 79
}

// clip shortens a line that is too long at the front, where the name is.
func clip(s string, columns int) string {
	r := []rune(s)
	if len(r) <= columns || columns < 1 {
		return s
	}
	return "…" + string(r[len(r)-columns+1:])
}

func rateText(rate float64) string { return bytesText(int64(rate)) + "/s" }

// durationText is a number of seconds for people who wait: "1h02m", "3m20s", "7s".
func durationText(seconds float64) string {
	const tooLong = 100 * 3600
	if seconds >= tooLong {
		return "days"
	}
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	s := d.String()
	if d >= time.Hour {
		s = strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return s
}
