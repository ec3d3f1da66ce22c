package main

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/spf13/cobra"

	"bulla/internal/archive"
	"bulla/stream"
)

// RandomFlags are the flags of every verb that reads a file at any place.
type randomFlags struct {
	identityFlags
	headFlag
	signerFlags
	workFlags
	grantFlag
	truncated bool
}

func (f *randomFlags) register(a *app, cmd *cobra.Command) {
	f.identityFlags.register(a, cmd)
	f.headFlag.register(cmd)
	f.signerFlags.register(cmd)
	cmd.Flags().BoolVar(&f.truncated, "truncated", false, "take a file whose end is missing, too, as far as it goes (not if it was compressed with -z); exit code 6 if not all that was asked for is there")
	f.workFlags.register(cmd)
}

// A randomAccess is a file that was opened to be read at any place.
type randomAccess struct {
	plaintext
	in   *input
	ctx  context.Context // of the verb, for what writes from it
	size int64           // of the plaintext; -1 if the end is missing
	done *atomic.Int64
	cut  error  // why the end is missing; nil if it is not
	buf  []byte // for what is small
}

// openRandom opens the file of that name with the keys that the flags name. plan
// is called before anybody is asked for a passphrase.
func (a *app) openRandom(ctx context.Context, f *randomFlags, name string, plan func(*input) error) (*randomAccess, error) {
	in, ids, err := a.openKeyed(&f.identityFlags, name)
	if err != nil {
		return nil, err
	}
	in.grant = f.grant
	r := &randomAccess{in: in, ctx: ctx, size: -1, done: new(atomic.Int64)}
	if err = plan(in); err == nil {
		r.plaintext, err = a.readRandom(ctx, f, ids, r)
		err = about(in.name, err)
	}
	if err != nil {
		in.Close()
		return nil, err
	}
	switch size, err := r.Size(); {
	case err == nil:
		r.size = size
		a.tellFound(in.name, r.Warnings(), f.headFlag.file != "")
	case errors.Is(err, stream.ErrSizeUnknown):
		r.cut = r.Truncated()
	default:
		r.Close()
		return nil, about(in.name, err)
	}
	return r, nil
}

func (a *app) readRandom(ctx context.Context, f *randomFlags, ids *identities, r *randomAccess) (plaintext, error) {
	if !r.in.regular {
		return nil, usage("store it as a file first, or decrypt all of it", "%s cannot be read at any place", r.in.name)
	}
	head, err := f.headFlag.read(a, r.in)
	if err == nil {
		err = f.signerFlags.read(a, r.in)
	}
	if err != nil {
		return nil, err
	}
	opts := &stream.ReaderAtOptions{
		ReaderOptions:  stream.ReaderOptions{Workers: f.jobs, Head: head, Done: r.done},
		AllowTruncated: f.truncated,
	}
	p, err := a.openPlaintext(ctx, r.in, ids, opts)
	if f.truncated && isEnd(err) { // which only one that is compressed cannot do without
		return nil, withHint(about(r.in.name, err),
			"it is compressed, and its end has the table that places in it are found by: --truncated does not help, bulla salvage does")
	}
	if err == nil {
		a.tellOlder(r.in.name, head, p.Head())
	}
	return p, err
}

// isEnd reports whether err says that the end of a container is not as it should be.
func isEnd(err error) bool {
	return errors.As(err, new(*stream.TruncatedError)) || errors.As(err, new(*stream.TrailingError)) || errors.As(err, new(*stream.ChunkError))
}

// Close forgets the keys and closes the file.
func (r *randomAccess) Close() error {
	r.plaintext.Close()
	return r.in.Close()
}

// breaksOff reports whether err is about the end that is missing, of the file or of
// the archive in it, or about a member. The others are as good as ever.
func (r *randomAccess) breaksOff(err error) bool {
	return r.EndMissing(err) || errors.Is(err, archive.ErrDamaged) || errors.As(err, new(*archive.UnsupportedError))
}

// loss is the error when all is done that can be, of a file whose end is missing
// because of err. What was asked for, and is not there, is lost.
func (r *randomAccess) loss(err error, came string) error {
	f := explain(about(r.in.name, err))
	f.exit, f.hint = exitLoss, came+"; bulla salvage gets out all that is left of the file"
	return f
}

// tellTruncated warns, once the work is done, that there would be more.
func (a *app) tellTruncated(r *randomAccess) {
	if r.cut != nil {
		a.warn(explain(about(r.in.name, r.cut)).what, "what came out is authentic, and not all there was")
	}
}
