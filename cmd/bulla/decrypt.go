package main

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/fullio"
	"bulla/internal/safetext"
	"bulla/stream"
)

type decryptFlags struct {
	identityFlags
	headFlag
	signerFlags
	grantFlag
	outputFlags
	workFlags
	raw    bool
	resume bool
}

func decryptCommand(a *app) *cobra.Command {
	d := &decryptFlags{}
	cmd := newVerb("decrypt [FILE.bulla]", "Decrypt a file or a stream", atMostOne,
		func(cmd *cobra.Command, args []string) error { return a.decrypt(cmd, d, first(args)) })
	d.identityFlags.register(a, cmd)
	d.headFlag.register(cmd)
	d.signerFlags.register(cmd)
	d.grantFlag.register(cmd)
	d.outputFlags.register(cmd, "write to `FILE` (default FILE without "+containerSuffix+"; - is standard output)")
	cmd.Flags().BoolVar(&d.raw, "raw", false, "write what was compressed with -z as it is, for zstd (default output FILE"+zstdSuffix+")")
	cmd.Flags().BoolVar(&d.resume, "resume", false, "continue where an earlier run ended, and keep the output if this one ends early")
	d.workFlags.register(cmd)
	return cmd
}

// plainOf is the name of what the container of that name is to be decrypted to.
func (d *decryptFlags) plainOf(path string) (string, error) {
	name, ok := strings.CutSuffix(path, containerSuffix)
	if !ok || name == "" || strings.HasSuffix(name, "/") {
		return "", usage("name the output with -o FILE, or -o - for standard output",
			"cannot tell a name for the output: %s does not end in %s", safetext.Printable(path), containerSuffix)
	}
	if d.raw {
		name += zstdSuffix
	}
	return name, nil
}

// decrypt carries out the verb. The output is created only once a key has
// fitted.
func (a *app) decrypt(cmd *cobra.Command, d *decryptFlags, name string) error {
	in, ids, err := a.openKeyed(&d.identityFlags, name)
	if err != nil {
		return err
	}
	defer in.Close()
	in.grant = d.grant
	out, err := a.planOutput(outputPlan{outputFlags: d.outputFlags, mode: 0o600, text: true, byDefault: in.named(d.plainOf)})
	if err != nil {
		return err
	}
	if d.resume {
		if err := checkResume(in, out); err != nil {
			return err
		}
	}
	head, err := d.headFlag.read(a, in)
	if err == nil {
		err = d.signerFlags.read(a, in)
	}
	if err != nil {
		return err
	}
	opts := &stream.ReaderOptions{Workers: d.jobs, Head: head, Raw: d.raw, Done: new(atomic.Int64)}
	r, total, err := a.open(cmd.Context(), in, ids, opts)
	if err != nil {
		return about(in.name, err)
	}
	defer r.Close()
	if d.raw && r.Head().Coding == format.Plain {
		return usage("leave out --raw", "%s is not compressed", in.name)
	}
	if d.resume {
		return a.resume(cmd.Context(), r.(plaintext), in, out, total, opts, &d.workFlags)
	}
	return a.unseal(cmd.Context(), r, in, out, total, opts, &d.workFlags)
}

// openKeyed opens the input of that name, and finds the keys to open it with.
func (a *app) openKeyed(k *identityFlags, name string) (*input, *identities, error) {
	if err := a.claimInput(name); err != nil {
		return nil, nil, err
	}
	ids, err := k.find(true)
	if err != nil {
		return nil, nil, err
	}
	in, err := a.openInput(name)
	return in, ids, err
}

// An opened container gives its plaintext.
type opened interface {
	io.WriterTo
	io.Closer
	Head() *format.Head
	Warnings() []format.Finding
}

// open opens a container. In a file it authenticates the end first, so that
// nothing is released of one that is cut off; total is then the size of the
// plaintext, and otherwise -1.
func (a *app) open(ctx context.Context, in *input, ids *identities, opts *stream.ReaderOptions) (r opened, total int64, err error) {
	ids.near(in)
	if !in.regular {
		if in.grant != "" {
			return nil, 0, usage("store it as a file first", "%s cannot be read at any place, as a grant needs", in.name)
		}
		r, err := stream.NewReader(ctx, in.signed.stream(in.Stream(), opts.Workers), ids.all, opts)
		if err == nil {
			if err = a.checkSigner(in, r.Head()); err != nil {
				r.Close()
			}
		}
		return r, -1, ids.explain(err)
	}
	p, err := a.openPlaintext(ctx, in, ids, &stream.ReaderAtOptions{ReaderOptions: *opts})
	if err != nil {
		return nil, 0, err
	}
	if g, ok := p.(grantedPlaintext); ok {
		err = g.whole()
	}
	if err == nil {
		total, err = p.Size()
	}
	if err != nil {
		p.Close()
	}
	return p, total, err
}

func (a *app) unseal(ctx context.Context, r opened, in *input, out *output, total int64, opts *stream.ReaderOptions, w *workFlags) error {
	start, n := time.Now(), int64(0)
	a.warnFull(out, total)
	show := func() *console.Progress { return a.startProgress(w, in.name, total, opts.Done, out) }
	err := a.produce(out, show, func(w io.Writer) (err error) {
		n, err = writeAll(ctx, r, w)
		return about(in.name, err)
	})
	if err != nil {
		return unfinished(err, out, n)
	}
	a.tellCopies(in.name, r.Warnings(), opts.Head, r.Head())
	a.note("%s: %s decrypted to %s in %v", in.name, console.Bytes(n), out.name, time.Since(start).Round(time.Millisecond))
	return a.result(out, written{InputField: in.given.AsInput(), OutputField: out.given.AsOutput(), Plaintext: n})
}

// writeAll writes the plaintext to w until ctx, with which r was opened, ends.
func writeAll(ctx context.Context, r opened, w io.Writer) (int64, error) {
	if ra, ok := r.(plaintext); ok {
		return ra.WriteRange(ctx, w, 0, math.MaxInt64)
	}
	return r.WriteTo(w)
}

// unfinished adds to an error what has been let out before it.
func unfinished(err error, out *output, n int64) error {
	f := explain(err)
	if f.exit != exitBad || out.Whole() || n == 0 {
		return f
	}
	return withHint(f, "the "+console.Bytes(n)+" written so far are authentic but incomplete: discard them; "+f.hint)
}

// checkResume refuses to go on with what cannot be gone on with.
func checkResume(in *input, out *output) error {
	switch {
	case !in.regular:
		return usage("name the file", "--resume needs a regular file as input, and %s is not one", in.name)
	case !out.Whole() || out.InStore():
		return usage("name a file with -o", "--resume needs an output file, and %s is not one", out.name)
	}
	return nil
}

// resume writes the plaintext and goes on where an earlier run has ended, killed
// or interrupted or out of space. What that has left under the output's
// preliminary name proves nothing by itself, and after a power failure may not
// be what was written: it is compared, all of it, with the plaintext as the
// container gives it, and kept as far as it is equal.
//
// If it does not come to the end, what there is stays for the next run.
func (a *app) resume(ctx context.Context, r plaintext, in *input, out *output, total int64, opts *stream.ReaderOptions, w *workFlags) error {
	there, err := out.Reopen()
	if err != nil {
		return err
	}
	kept := a.left.Add(func() {
		a.warn(out.name+" is not complete: the part written so far is kept as "+safetext.Printable(out.Partial()), "rerun the same command to continue")
	})
	start := time.Now()
	bar := a.startProgress(w, in.name, total, opts.Done, out)
	old := out.Kept()
	_, err = r.WriteRange(ctx, old, 0, min(there, total))
	if err == nil || errors.Is(err, fullio.ErrDiffers) {
		err = old.Cut()
	}
	n := old.Same
	if err == nil {
		var k int64
		k, err = r.WriteRange(ctx, out.writer(), n, total-n)
		n += k
	}
	if err == nil {
		err = out.Commit()
	}
	bar.Finish(err)
	if err == nil || ctx.Err() == nil { // of an interrupted run err is not said
		kept()
	}
	if err != nil {
		return unresumed(about(in.name, err), out)
	}
	a.tellCopies(in.name, r.Warnings(), opts.Head, r.Head())
	a.note("%s: %s decrypted to %s in %v, %s of it by an earlier run", in.name, console.Bytes(n), out.name, time.Since(start).Round(time.Millisecond), console.Bytes(old.Same))
	return a.result(out, written{InputField: in.given.AsInput(), OutputField: out.given.AsOutput(), Plaintext: n})
}

// unresumed says of an error that not all is lost, if that is so.
func unresumed(err error, out *output) error {
	out.Abort()
	if !out.Remains() {
		return out.fails(err)
	}
	f := explain(err)
	if f.silent {
		return err
	}
	return withHint(f, "the part written so far is kept as "+safetext.Printable(out.Partial())+": rerun the same command to continue, once this is solved")
}
