// Package interrupt is how a program ends early, and tidily: a signal ends a context,
// the work notices or is left alone, and what was begun is undone.
//
//	ctx, stop := interrupt.Catch(context.Background())
//	defer stop()
//	err := interrupt.Run(ctx, work) // in which left.Add(undo) is called
//	left.Clean()
package interrupt

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Signals ask a program to end. Left to the Go runtime, SIGQUIT (Ctrl-\) would
// print every goroutine and leave behind what was begun.
var Signals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// An Error is the cause of a context that a signal ended.
type Error struct{ Signal syscall.Signal }

func (e *Error) Error() string { return fmt.Sprintf("stopped by a signal (%v)", e.Signal) }

// Catch returns a context that ends, with an [*Error] as its cause, when a signal
// asks the program to end. A second signal then ends the program at once.
//
// SIGPIPE is caught as well and not acted on, so that writing to a closed pipe
// fails with EPIPE, and what was begun can be tidied up.
func Catch(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	caught := make(chan os.Signal, 1)
	for _, s := range Signals {
		if !signal.Ignored(s) { // nohup, or a job in the background, stays what it is
			signal.Notify(caught, s)
		}
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	stop = func() {
		signal.Stop(caught)
		cancel(nil)
	}
	go func() {
		select {
		case s := <-caught:
			signal.Stop(caught)
			cancel(&Error{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, stop
}

// grace is how long interrupted work may take to notice. What waits for a pipe, a
// person or a device does not.
const grace = 250 * time.Millisecond

// Run runs f and returns what it returns, or the cause of ctx's end if f does not
// return soon after that; f then goes on until the program ends.
func Run(ctx context.Context, f func() error) error {
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

// Leftovers is what must be undone if the program ends early: a command that still
// runs, a mount. (Package storage knows of unfinished outputs.) It is safe for concurrent use.
type Leftovers struct {
	mu   sync.Mutex
	undo []*func()
}

// Add has undo called when the program ends, unless done is called before.
func (l *Leftovers) Add(undo func()) (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.undo = append(l.undo, &undo)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.undo = slices.DeleteFunc(l.undo, func(u *func()) bool { return u == &undo })
	}
}

// Clean undoes what is left, in the order in which it came: what takes time, to
// wait for a command, comes after the output that it was for is gone.
func (l *Leftovers) Clean() {
	l.mu.Lock()
	left := l.undo
	l.undo = nil
	l.mu.Unlock()
	for _, undo := range left {
		(*undo)()
	}
}

// Die ends the program as SIGINT does when it is not caught. A shell ends a loop on
// Ctrl-C only if the command in it died that way; one that exits with 130 would
// have it start on the next file. It returns where programs do not die of signals.
func Die() {
	signal.Reset(os.Interrupt)
	if p, err := os.FindProcess(os.Getpid()); err == nil && p.Signal(os.Interrupt) == nil {
		time.Sleep(time.Second)
	}
}
