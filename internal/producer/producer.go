// Package producer runs a command whose output is taken for data. In a pipe, a
// command that fails looks like one that has come to its end; its parent is told
// which of the two it was.
//
//	p, err := producer.New(ctx, args)
//	err = p.Start(stdin, stderr)
//	n, err := w.ReadFrom(p.Out)
//	err = p.End(err) // nil only if all of it was read, and the command is content
package producer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"bulla/internal/console"
	"bulla/internal/interrupt"
	"bulla/internal/safetext"
)

const (
	// killDelay is how long a command that is told to end may take before it is
	// killed.
	killDelay = 5 * time.Second

	// signalDelay is how much later than the command this program may see a signal
	// that was meant for both.
	signalDelay = 100 * time.Millisecond
)

// A Producer is a command.
type Producer struct {
	Name safetext.Name // without its arguments, which may be nobody's business
	Out  *os.File      // where its output is read, once it runs

	cmd    *exec.Cmd
	ctx    context.Context
	cancel context.CancelCauseFunc
	ended  chan struct{}
	err    error // how it has ended, once it has
}

// An Error is a command that could not be run, or that failed.
type Error struct {
	Text, Advice string
	Err          error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// New finds a command, which is told to end when ctx does. The error is an [*Error].
func New(ctx context.Context, args []string) (*Producer, error) {
	p := &Producer{Name: safetext.Name(filepath.Base(args[0]))}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	p.cmd = exec.CommandContext(p.ctx, args[0], args[1:]...)
	if p.cmd.Err != nil {
		return nil, p.cannotStart(p.cmd.Err)
	}
	p.cmd.Cancel = p.interrupt
	p.cmd.WaitDelay = killDelay
	return p, nil
}

func (p *Producer) cannotStart(err error) error {
	cause := err
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		cause = fmt.Errorf("%s: %w", safetext.Printable(pe.Path), pe.Err)
	}
	if errors.Is(err, exec.ErrNotFound) {
		cause = errors.New("there is no such command")
	}
	return &Error{fmt.Sprintf("cannot run %s: %v", p.Name, cause), "check the name of the command, and that it may be run", err}
}

// interrupt passes on the signal that this program got, or asks the command to
// end. Ctrl-C has reached it already: to many a second one says to drop whatever
// they are tidying up.
func (p *Producer) interrupt() error {
	sig := syscall.SIGTERM
	if s, ok := errors.AsType[*interrupt.Error](context.Cause(p.ctx)); ok {
		sig = s.Signal
		if sig == syscall.SIGINT && console.InForeground() {
			return nil
		}
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return p.cmd.Process.Kill()
	}
	return nil
}

// Start runs the command. Its standard input is empty if in is nil. The error is an
// [*Error], the cause of the context's end or one of the system.
func (p *Producer) Start(in, stderr *os.File) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if in != nil {
		p.cmd.Stdin = in
	}
	p.cmd.Stdout, p.cmd.Stderr = w, stderr
	err = p.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		if cause := context.Cause(p.ctx); cause != nil {
			return cause // it was not even tried
		}
		return p.cannotStart(err)
	}
	p.Out, p.ended = r, make(chan struct{})
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return nil
}

// Wait returns when the command has ended.
func (p *Producer) Wait() { <-p.ended }

// End waits for the command, whose output was read to the end, or until err. It
// returns err, the cause of the context's end or, if the command failed, an [*Error].
func (p *Producer) End(err error) error {
	defer p.cancel(nil)
	p.Out.Close()
	if err != nil {
		p.cancel(err) // the rest is of no use
		p.Wait()
		return err
	}
	p.Wait()
	if p.err != nil {
		// It may have ended of what is going to end this program as well.
		select {
		case <-p.ctx.Done():
		case <-time.After(signalDelay):
		}
	}
	if cause := context.Cause(p.ctx); cause != nil || p.err == nil {
		return cause
	}
	text := fmt.Sprintf("%s failed: %v", p.Name, p.err)
	if e, ok := errors.AsType[*exec.ExitError](p.err); ok && e.Exited() {
		text = fmt.Sprintf("%s ended with exit code %d", p.Name, e.ExitCode())
	} else if ok {
		text = fmt.Sprintf("%s was ended by a %v", p.Name, e)
	}
	return &Error{text, "it may have said why; run it by itself to see", p.err}
}
