package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"bulla/format"
	"bulla/internal/safetext"
	"bulla/set"
	"bulla/stream"
)

// A plaintext is what is in a file, or in a set of which the file is the root, at any
// place.
type plaintext interface {
	io.ReaderAt
	opened
	WriteRange(ctx context.Context, w io.Writer, off, n int64) (int64, error)
	Size() (int64, error)
	Truncated() error
	EndMissing(err error) bool
	OpenedSlot() int
}

// openPlaintext opens a regular file: the one place where verbs do that, so that none of them
// knows of sets and grants.
func (a *app) openPlaintext(ctx context.Context, in *input, ids *identities, opts *stream.ReaderAtOptions) (plaintext, error) {
	ids.near(in)
	if in.grant != "" {
		return a.openGranted(ctx, in, ids, opts)
	}
	src, err := in.signed.at(in, opts.Workers)
	if err != nil {
		return nil, err
	}
	r, err := stream.NewReaderAt(ctx, src, in.size, ids.all, opts)
	if err == nil {
		if err = a.checkSigner(in, r.Head()); err != nil {
			r.Close()
		}
	}
	if !isRoot(err) {
		return r, ids.explain(err)
	}
	open, err := a.partsOf(in)
	switch {
	case err != nil:
		return nil, err
	case opts.Raw:
		return nil, usage("leave out --raw", "%s is a set, whose volumes are compressed one by one", in.name)
	case opts.AllowTruncated:
		return nil, usage("without --truncated a set is read up to what is missing; bulla salvage gets out the rest", "%s is a set", in.name)
	}
	so := &set.ReaderOptions{Workers: opts.Workers, Head: opts.Head, Done: opts.Done}
	if in.signed != nil {
		open, so.MaxOpen = in.signed.Opener(open, opts.Workers), 2 // each holds segments
	}
	s, err := set.NewReaderAt(ctx, src, in.size, open, ids.all, so)
	if err == nil {
		if err = a.checkSigner(in, s.Head()); err != nil {
			s.Close()
		}
	}
	return setPlaintext{s}, ids.explain(err)
}

// isRoot reports whether err says that a container is the root of a set.
func isRoot(err error) bool {
	e, ok := errors.AsType[*stream.RoleError](err)
	return ok && e.Role == format.RoleRoot
}

// role is what in is for, as far as that shows without a key.
func (in *input) role() format.Role {
	if !in.regular {
		return format.RoleFile
	}
	h, err := format.Check(in.At(), in.size).Newest(nil)
	if err != nil {
		return format.RoleFile
	}
	return h.Role
}

func (in *input) isRoot() bool { return in.role() == format.RoleRoot }

// partsOf opens the other parts of the set whose root is in: they lie beside it.
func (a *app) partsOf(in *input) (set.Opener, error) {
	if in.path == "" {
		return nil, usage("name the file, as a path, with its volumes beside it", "%s is the root of a set, and the other parts are found by its name", in.name)
	}
	return a.parts(in.path), nil
}

// eachPart calls do for the input, and if that is the root of a set for all its other
// parts, too, as far as they show without a key: with what keeps one from being opened,
// if something does. An error of do ends it.
func (a *app) eachPart(ctx context.Context, in *input, do func(suffix string, in *input, err error) error) error {
	if err := do("", in, nil); err != nil || !in.isRoot() {
		return err
	}
	open, err := a.partsOf(in)
	if err != nil {
		return err
	}
	suffixes, err := set.Parts(ctx, open)
	if err != nil {
		return err
	}
	for _, suffix := range suffixes[1:] {
		f, err := open(ctx, suffix)
		var part *input
		if err == nil {
			f.Close()
			part, err = a.openInput(in.path + suffix)
		}
		if err != nil {
			err = withHint(err, hintParts)
		}
		if err = do(suffix, part, err); err == nil {
			err = context.Cause(ctx)
		}
		if part != nil {
			part.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) parts(root string) set.Opener {
	return func(_ context.Context, suffix string) (set.File, error) {
		if isPipe(root + suffix) {
			return nil, usage("put the part itself beside the root", "%s is a pipe", safetext.Printable(root+suffix))
		}
		b, err := a.files.Open(root + suffix)
		if err != nil {
			return nil, err
		}
		if b.Size() < 0 {
			b.Close()
			return nil, &fs.PathError{Op: "open", Path: root + suffix, Err: errors.New("it cannot be read at any place")}
		}
		return part{b.At(), b, b.Size()}, nil
	}
}

// isPipe reports whether a file that nobody named is a named pipe: to open it could
// take for ever.
func isPipe(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode()&fs.ModeNamedPipe != 0
}

// A part is a file of a set.
type part struct {
	io.ReaderAt
	io.Closer
	size int64
}

func (p part) Size() int64 { return p.size }

// A setPlaintext is a set that reads like a file.
type setPlaintext struct{ *set.ReaderAt }

func (s setPlaintext) Warnings() (all []format.Finding) {
	for _, f := range s.ReaderAt.Warnings() {
		all = append(all, inPart(f))
	}
	return all
}

// inPart is a finding about a part, which the message says.
func inPart(f set.Finding) format.Finding {
	if f.Suffix != "" {
		f.Message = set.PartName(f.Suffix) + ": " + f.Message
	}
	return f.Finding
}

func (s setPlaintext) Truncated() error      { return nil }
func (s setPlaintext) EndMissing(error) bool { return false }
