package entropy

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// State says how a source takes part.
type State string

const (
	Active   State = "active"   // contributes to every draw
	Excluded State = "excluded" // here, but not drawn on: not chosen, not permitted, or known to be faulty
	Absent   State = "absent"   // not on this machine
	Failed   State = "failed"   // failed, and is off for the rest of the process
)

// off is the error of a source that is not drawn on.
type off struct {
	state  State
	reason string
	hint   string
}

func (o *off) Error() string { return o.reason }

// asOff makes an *off of any error: one that does not say its state is a
// failure.
func asOff(err error) *off {
	if o, ok := errors.AsType[*off](err); ok {
		return o
	}
	o := &off{state: Failed, reason: err.Error()}
	if _, ok := errors.AsType[*stuckError](err); ok {
		o.hint = "a firmware or microcode update may mend it; until then the machine does without"
	}
	return o
}

// verdict is what became of the start-up test.
type verdict string

const (
	notRun verdict = "not run"
	passed verdict = "passed"
	failed verdict = "failed"
)

// A tap is a source under guard: found and tested before its first draw,
// watched on every draw, and shut for good once it fails.
type tap struct {
	kind

	mu       sync.Mutex
	probed   bool
	startup  verdict
	src      Source // nil if there is none
	off      *off   // why the source is not drawn on; nil while it is
	detector detector
	pins     []string // pin files that the source has not been checked against

	draws    uint64        // draws that contributed
	failures uint64        // draws and tests that failed: 0 or 1
	latency  time.Duration // of the last draw
}

// machine gives this machine's taps. That a tap, once shut, stays shut for
// every mixer of the process is the one piece of global state in the program:
// a source that has failed must not come back because another mixer is made.
var machine = sync.OnceValue(func() []*tap {
	var taps []*tap
	for _, k := range kinds() {
		taps = append(taps, newTap(k))
	}
	return taps
})

func newTap(k kind) *tap { return &tap{kind: k, startup: notRun} }

// A pinner is a source with an identity that can be kept in a file.
type pinner interface{ pin(path string) error }

// pin has the source's identity, if it has one, checked against the file before
// the next draw.
func (t *tap) pin(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pins = append(t.pins, path)
}

// find looks for the source, once, without drawing on it. It returns why the
// source is not drawn on, or nil.
func (t *tap) find() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.findLocked()
}

func (t *tap) findLocked() error {
	if !t.probed {
		t.probed = true
		src, err := t.probe()
		if err != nil {
			t.off = asOff(err)
		} else {
			t.src = src
		}
	}
	if t.off != nil {
		return t.off // never a nil *off, which would be no nil error
	}
	return nil
}

// start finds the source and tests it, once. It returns why the source is not
// drawn on, or nil.
func (t *tap) start() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.startLocked()
}

func (t *tap) startLocked() error {
	if err := t.findLocked(); err != nil {
		return err
	}
	for _, path := range t.pins {
		if p, ok := t.src.(pinner); ok {
			if err := p.pin(path); err != nil {
				return t.shut(err)
			}
		}
	}
	t.pins = nil
	if t.startup == notRun && t.random() {
		return t.test()
	}
	return nil
}

// test runs the start-up test. What it draws is used for nothing else.
func (t *tap) test() error {
	var p [drawSize]byte
	defer wipe(p[:])
	for range t.proof / drawSize {
		if err := t.fill(p[:]); err != nil {
			t.startup = failed
			return t.shut(fmt.Errorf("start-up test: %w", err))
		}
	}
	t.startup = passed
	return nil
}

// draw fills p, or shuts the tap, wipes p and says why. The length of p is the
// tap's size or, if the source is random, any whole number of blocks.
func (t *tap) draw(p []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.startLocked(); err != nil {
		return err
	}
	began := time.Now()
	err := t.fill(p)
	t.latency = time.Since(began)
	if err != nil {
		wipe(p)
		return t.shut(err)
	}
	t.draws++
	return nil
}

// fill draws on the source and looks at what comes.
func (t *tap) fill(p []byte) error {
	if err := t.src.Fill(p); err != nil || !t.random() {
		return err
	}
	return t.detector.check(p)
}

// shut shuts the tap for good.
func (t *tap) shut(err error) error {
	t.failures++
	t.off = asOff(err)
	return t.off
}

// condemn shuts the tap for what a test outside it has found.
func (t *tap) condemn(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut(err)
}
