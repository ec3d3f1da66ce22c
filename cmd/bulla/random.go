package main

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/spf13/cobra"

	"bulla/stream"
)

// RandomFlags are the flags of every verb that reads a file at any place.
type randomFlags struct {
	identityFlags
	headFlag
	workFlags
	truncated bool
}

func (f *randomFlags) register(a *app, cmd *cobra.Command) {
	f.identityFlags.register(a, cmd)
	f.headFlag.register(cmd)
	cmd.Flags().BoolVar(&f.truncated, "truncated", false, "take a file whose end is missing, too, as far as it goes")
	f.workFlags.register(cmd)
}

// A randomAccess is a file that was opened to be read at any place.
type randomAccess struct {
	*stream.ReaderAt
	in   *input
	size int64 // of the plaintext; -1 if the end is missing
	done *atomic.Int64
}

// openRandom opens the file of that name with the keys that the flags name. plan
// is called before anybody is asked for a passphrase.
func (a *app) openRandom(ctx context.Context, f *randomFlags, name string, plan func(*input) error) (*randomAccess, error) {
	if err := a.claimInput(name); err != nil {
		return nil, err
	}
	ids, err := f.find(true)
	if err != nil {
		return nil, err
	}
	in, err := a.openInput(name)
	if err != nil {
		return nil, err
	}
	r := &randomAccess{in: in, size: -1, done: new(atomic.Int64)}
	if err = plan(in); err == nil {
		r.ReaderAt, err = a.readRandom(ctx, f, ids, r)
		err = about(in.name, err)
	}
	if err != nil {
		in.Close()
		return nil, err
	}
	switch size, err := r.Size(); {
	case err == nil:
		r.size = size
	case !errors.Is(err, stream.ErrSizeUnknown):
		r.Close()
		return nil, about(in.name, err)
	}
	return r, nil
}

func (a *app) readRandom(ctx context.Context, f *randomFlags, ids *identities, r *randomAccess) (*stream.ReaderAt, error) {
	if !r.in.regular {
		return nil, usage("store it as a file first, or decrypt all of it", "%s cannot be read at any place", r.in.name)
	}
	head, err := f.headFlag.read(a, r.in)
	if err != nil {
		return nil, err
	}
	ra, err := stream.NewReaderAt(ctx, r.in.File, r.in.size, ids.all, &stream.ReaderOptions{
		Workers: f.jobs, Head: head, Done: r.done, AllowTruncated: f.truncated,
	})
	return ra, ids.explain(err)
}

// Close forgets the keys and closes the file.
func (r *randomAccess) Close() error {
	r.ReaderAt.Close()
	return r.in.Close()
}

// tellTruncated warns, once the work is done, that there would be more.
func (a *app) tellTruncated(r *randomAccess) {
	if r.size < 0 {
		a.warn(r.in.name+" is truncated: its end is missing", "what came out is authentic, and not all there was")
	}
}
