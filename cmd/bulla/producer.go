package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bulla/internal/console"
	"bulla/internal/interrupt"
	"bulla/internal/safetext"
	"bulla/stream"
)

// A producer is a command whose output is encrypted. In a pipe a command that
// fails looks like one that has come to its end; the parent of one is told.
type producer struct {
	given  safetext.Name // without its arguments, which may be nobody's business
	name   string        // as shown
	cmd    *exec.Cmd
	cancel context.CancelCauseFunc
	ctx    context.Context
	out    *os.File // where its output is read
	ended  chan struct{}
	err    error  // how it has ended, once it has
	done   func() // tells that it need not be waited for any more
}

const (
	// producerDelay is how long a command that is told to end may take before it
	// is killed.
	producerDelay = 5 * time.Second

	// signalDelay is how much later than the command this program may see a signal
	// that was meant for both.
	signalDelay = 100 * time.Millisecond
)

// checkProducer refuses command lines from which it cannot be told where the
// command begins.
func checkProducer(cmd *cobra.Command, args []string) error {
	const example = "for example: bulla encrypt -o db.sql.bulla --from-command -- pg_dump shop"
	switch at := cmd.ArgsLenAtDash(); {
	case at < 0:
		return usage(example, "--from-command needs -- before the command")
	case at > 0:
		return usage(example, "--from-command takes its input from the command, not from %s", safetext.Printable(args[0]))
	case len(args) == 0 || args[0] == "":
		return usage(example, "--from-command needs a command")
	}
	return nil
}

// newProducer finds the command.
func newProducer(ctx context.Context, args []string) (*producer, error) {
	given := safetext.Name(filepath.Base(args[0]))
	p := &producer{given: given, name: given.String()}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	p.cmd = exec.CommandContext(p.ctx, args[0], args[1:]...)
	if p.cmd.Err != nil {
		return nil, p.cannotStart(p.cmd.Err)
	}
	p.cmd.Cancel = p.interrupt
	p.cmd.WaitDelay = producerDelay
	return p, nil
}

func (p *producer) cannotStart(err error) error {
	f := &failure{exit: exitSource, err: err, what: fmt.Sprintf("cannot run %s: %v", p.name, causeOf(err)), hint: "check the name of the command, and that it may be run"}
	if errors.Is(err, exec.ErrNotFound) {
		f.what = fmt.Sprintf("cannot run %s: there is no such command", p.name)
	}
	return f
}

// interrupt passes on the signal that this program got, or asks the command to
// end. Ctrl-C has reached it already: to many a second one says to drop whatever
// they are tidying up.
func (p *producer) interrupt() error {
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

// start runs the command. Its standard input is ours, unless that is taken for
// something else; its standard error is ours. However this program ends, it does
// not before the command has.
func (p *producer) start(a *app) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if a.claimDescriptor(0, "the command's input") == nil {
		p.cmd.Stdin = a.in
	}
	p.cmd.Stdout, p.cmd.Stderr = w, a.err
	err = p.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		if cause := context.Cause(p.ctx); cause != nil {
			return cause // it was not even tried
		}
		return p.cannotStart(err)
	}
	p.out, p.ended = r, make(chan struct{})
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	p.done = a.left.Add(func() { <-p.ended })
	return nil
}

// end waits for the command, whose output was read to the end, or until err. It
// returns err, or what became of the command.
func (p *producer) end(err error) error {
	defer p.done()
	defer p.cancel(nil)
	p.out.Close()
	if err != nil {
		p.cancel(err) // nobody wants the rest
		<-p.ended
		return err
	}
	<-p.ended
	if err = p.err; err != nil {
		// It may have ended of what is going to end this program as well.
		select {
		case <-p.ctx.Done():
		case <-time.After(signalDelay):
		}
	}
	if cause := context.Cause(p.ctx); cause != nil {
		return cause
	}
	if err == nil {
		return nil
	}
	f := &failure{exit: exitSource, err: err, hint: "it may have said why; run it by itself to see", what: fmt.Sprintf("%s failed: %v", p.name, err)}
	if e, ok := errors.AsType[*exec.ExitError](err); ok && e.Exited() {
		f.what = fmt.Sprintf("%s ended with exit code %d", p.name, e.ExitCode())
	} else if ok {
		f.what = fmt.Sprintf("%s was ended by a %v", p.name, e)
	}
	return f
}

// feed has w take the input: a file, or what a command makes.
func (a *app) feed(w *stream.Writer, in *input, from *producer) (int64, error) {
	if from == nil {
		n, err := w.ReadFrom(in.Stream())
		if err == nil {
			err = a.unchanged(in, n)
		}
		if err != nil {
			w.Abort(err)
		}
		return n, err
	}
	if err := from.start(a); err != nil {
		w.Abort(err)
		return 0, err
	}
	n, err := w.ReadFrom(from.out)
	if err = from.end(err); err != nil {
		w.Abort(err) // or it would be finished as if this were all
	}
	return n, err
}

// spoiled adds to the failure of a command, if that is what err is, what has
// become of the output.
func (p *producer) spoiled(err error, out *output) error {
	f, ok := errors.AsType[*failure](err)
	if !ok || f.exit != exitSource {
		return err
	}
	said := *f
	if !out.Whole() {
		said.what += "; what came out is not complete and does not open as whole"
	} else {
		said.what += "; " + out.name + " was not made"
	}
	return &said
}
