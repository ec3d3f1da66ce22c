package set

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"

	"bulla/format"
	"bulla/internal/parallel"
	"bulla/stream"
)

// RecoverOptions are the options of [Recover]. The zero value, and a nil pointer, are right
// for most uses.
type RecoverOptions struct {
	Head    []byte    // a detached head of the root
	Content io.Writer // gets the plaintext of the volumes, if it is not nil: to be compared with a source
	Workers int
}

// Recover finds out, with the root of size bytes in src and an identity that opens it, which
// volumes of a set are there: from number 0 on, up to the one that is the last because it has less than V
// bytes, or before the first that is missing. The index is not looked at. What it returns
// serves to go on with the set, or to make its index anew: see [Resume].
//
// It opens every volume up to its last chunk, and reads the rest only for opts.Content. Its errors are those of [NewReaderAt]: a volume that is
// there and does not open is one.
func Recover(ctx context.Context, src io.ReaderAt, size int64, open Opener, identities []stream.Identity, opts *RecoverOptions) (*Unfinished, error) {
	opts = cmp.Or(opts, new(RecoverOptions))
	s, err := openRoot(ctx, src, size, identities, opts.Head)
	if err != nil {
		return nil, err
	}
	u := s.Unfinished
	for i := 0; i < MaxVolumes && !u.Ended(); i++ {
		v, err := s.openVolume(ctx, open, i, opts.Workers, nil) // which the index says nothing of
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		n, err := v.ReaderAt.Size()
		if err == nil && n > u.VolumeSize {
			err = inPart(VolumeSuffix(i), bad(format.SET18, "size", 0, format.ErrMalformed, "it has more content than a volume of this set"))
		}
		if err == nil && opts.Content != nil {
			_, err = v.WriteRange(ctx, opts.Content, 0, n)
			err = inPart(VolumeSuffix(i), err)
		}
		u.Volumes = append(u.Volumes, Volume{v.Head().Identity(), v.file.Size(), n})
		v.Close()
		if err != nil {
			return nil, err
		}
	}
	return u, nil
}

// Check looks whether the root of u is there, and the volumes, as [WriterOptions.Record] had
// them: the containers that they were, of the same size. It takes no key. The last volume may be
// missing, if the run that recorded it was killed: it is then dropped from u.
func (u *Unfinished) Check(ctx context.Context, open Opener) error {
	if err := (&expected{Part: u.part(format.RoleRoot, 0)}).isAt(ctx, open, ""); err != nil {
		return inPart("", err)
	}
	n := len(u.Volumes)
	errs := make([]error, n)
	parallel.Do(checksAtOnce, n, func(_, i int) error {
		errs[i] = (&expected{u.part(format.RoleVolume, i), u.Coding, &u.Volumes[i]}).isAt(ctx, open, VolumeSuffix(i))
		return errs[i]
	})
	for i, err := range errs {
		if errors.Is(err, fs.ErrNotExist) && i == n-1 {
			u.Volumes = u.Volumes[:i]
		} else if err != nil {
			return inPart(VolumeSuffix(i), err)
		}
	}
	return nil
}

// checksAtOnce is how many volumes are looked at at a time: they may be far away.
const checksAtOnce = 16

// isAt fails if the part with that suffix is another.
func (x *expected) isAt(ctx context.Context, open Opener, suffix string) error {
	f, err := openPart(ctx, open, suffix)
	if err != nil {
		return err
	}
	defer f.Close()
	c := format.ReadCopies(f, f.Size())
	usable := c.Usable()
	if err := c.Conflict(nil); err != nil || len(usable) == 0 {
		return cmp.Or(err, c.HeadErr)
	}
	if err := x.judge(usable[0].Head); err != nil || x.listed == nil || f.Size() == x.listed.Size {
		return err
	}
	return bad(format.SET18, "size", 0, format.ErrMalformed, "it has not the size that it had")
}
