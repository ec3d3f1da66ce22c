package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A signalError is the cause of a context that a signal ended.
type signalError struct{ sig syscall.Signal }

func (e *signalError) Error() string { return fmt.Sprintf("stopped by a signal (%v)", e.sig) }

// catchSignals returns a context that ends, with a *signalError as its cause,
// when a signal asks the program to end. A second signal then ends it at once.
//
// SIGPIPE is caught as well and not acted on, so that writing to a closed pipe
// fails with EPIPE, and what was begun can be tidied up.
func catchSignals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	caught := make(chan os.Signal, 1)
	for _, s := range endingSignals {
		if !signal.Ignored(s) { // nohup, or a job in the background, stays what it is
			signal.Notify(caught, s)
		}
	}
	piped := make(chan os.Signal, 1)
	signal.Notify(piped, pipeSignal)
	stop = func() {
		signal.Stop(caught)
		cancel(nil)
	}
	go func() {
		select {
		case s := <-caught:
			signal.Stop(caught)
			cancel(&signalError{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, stop
}

// grace is how long an interrupted verb may take to notice. One that waits for
// a pipe, a person or a device does not.
const grace = 250 * time.Millisecond

// interruptible runs f and returns what it returns, or the cause of ctx's end
// if f does not return soon after.
func interruptible(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(grace):
		return context.Cause(ctx)
	}
}

// Leftovers is what must be undone if the program ends early: unfinished
// outputs, a terminal without echo, a command that still runs. It is safe for
// concurrent use.
type leftovers struct {
	mu   sync.Mutex
	next int
	undo map[int]func()
}

// add has undo called when the program ends, unless done is called before.
func (l *leftovers) add(undo func()) (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.undo == nil {
		l.undo = make(map[int]func())
	}
	id := l.next
	l.next++
	l.undo[id] = undo
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.undo, id)
	}
}

// clean undoes what is left, in the order in which it came: what takes time, to
// wait for a command, comes after the output that it was for is gone.
func (l *leftovers) clean() {
	l.mu.Lock()
	undo := l.undo
	l.undo = nil
	l.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(undo)) {
		undo[id]()
	}
}
