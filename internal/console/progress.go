package console

import (
	"fmt"
	"sync/atomic"
	"time"
)

// ProgressStep is how often progress is shown.
const ProgressStep = 200 * time.Millisecond

const (
	progressDelay = time.Second      // what is over sooner needs none
	logStep       = 10 * time.Second // where lines cannot be overwritten
	rateWindow    = 25               // steps that the rate is taken over: five seconds
	usualColumns  = 79
)

// Work is what a Progress shows.
type Work struct {
	Name  string
	Total int64         // bytes; -1 if unknown
	Done  *atomic.Int64 // bytes so far
	Log   bool          // whole lines, and few of them: they cannot be overwritten
	Final bool          // a last line even if it is over at once
}

// A Progress shows how far a piece of work has come. Nil shows nothing.
type Progress struct {
	con *Console
	Work

	start time.Time
	seen  [rateWindow]int64 // bytes at the last steps, in a ring
	steps int
	shown bool

	stop, ended chan struct{}
}

// Progress shows how w.Done grows to w.Total until the result is told to finish.
func (c *Console) Progress(w Work) *Progress {
	p := &Progress{con: c, Work: w, start: time.Now(), shown: w.Final, stop: make(chan struct{}), ended: make(chan struct{})}
	go p.run()
	return p
}

func (p *Progress) run() {
	defer close(p.ended)
	tick := time.NewTicker(ProgressStep)
	defer tick.Stop()
	last := p.start
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			done := p.Done.Load()
			if done == 0 { // somebody may be typing a passphrase
				p.start, last = now, now
				continue
			}
			r := p.rate(done)
			switch {
			case now.Sub(p.start) < progressDelay:
			case !p.Log:
				p.con.Status(p.line(p.con.Columns(usualColumns), done, r), false)
				p.shown = true
			case now.Sub(last) >= logStep:
				last = now
				p.con.Line(p.line(logColumns, done, r))
				p.shown = true
			}
		}
	}
}

// logColumns is what a line of a log has room for: everything.
const logColumns = 1 << 20

// rate is the bytes a second over the last steps; it counts one step.
func (p *Progress) rate(done int64) float64 {
	slot := p.steps % rateWindow
	before, steps := p.seen[slot], rateWindow
	if p.steps < rateWindow {
		before, steps = 0, p.steps+1
	}
	p.seen[slot] = done
	p.steps++
	return float64(done-before) / (float64(steps) * ProgressStep.Seconds())
}

// Finish ends the showing. What was shown ends with a complete line if the work
// is complete, and is left as it is if err says that it is not.
func (p *Progress) Finish(err error) {
	if p == nil {
		return
	}
	close(p.stop)
	<-p.ended
	switch {
	case !p.shown:
	case err != nil:
		p.con.End()
	case p.Log:
		p.con.Line(p.last(logColumns))
	default:
		p.con.Status(p.last(p.con.Columns(usualColumns)), true)
	}
}

// last is the line of work that is complete.
func (p *Progress) last(columns int) string {
	done, took := p.Done.Load(), time.Since(p.start)
	return fit(columns, p.Name, Bytes(done), rate(float64(done)/max(took.Seconds(), 1e-9))+" in "+took.Round(time.Millisecond).String())
}

// line is one state of the work, at r bytes a second.
func (p *Progress) line(columns int, done int64, r float64) string {
	if p.Total <= 0 {
		return fit(columns, p.Name, Bytes(done), rate(r))
	}
	left := "stalled"
	if r > 0 {
		left = wait(float64(max(0, p.Total-done))/r) + " left"
	}
	// What grows while it is read may have become more than it was.
	percent := min(99, done*100/p.Total)
	return fit(columns, p.Name, fmt.Sprintf("%2d%%", percent), Bytes(done)+" of "+Bytes(p.Total), rate(r), left)
}
