package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/parallel"
	"bulla/internal/safetext"
	"bulla/internal/storage"
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

// preamble is what in says that it is, without a key: zero, as of a file, if that does not show.
func (in *input) preamble() (p format.Preamble) {
	if in.saved != nil {
		return in.saved.Preamble
	}
	if in.regular {
		if h, err := format.Check(in.At(), in.size).Newest(nil); err == nil {
			p = h.Preamble
		}
	}
	return p
}

func (in *input) role() format.Role { return in.preamble().Role }

func (in *input) isRoot() bool { return in.role() == format.RoleRoot }

// partsOf opens the other parts of the set whose root is in: they lie beside it, and not beside what
// a link leads to.
func (a *app) partsOf(in *input) (set.Opener, error) {
	if in.path == "" {
		return nil, usage("name the file, as a path, with its volumes beside it", "%s is the root of a set, and the other parts are found by its name", in.name)
	}
	if to := followed(in.path); to != in.path && errors.Is(a.probe(in.path+set.IndexSuffix), fs.ErrNotExist) && a.probe(to+set.IndexSuffix) == nil {
		return nil, usage("name "+safetext.Shell(to), "%s is a link, and the other parts of the set lie elsewhere", in.name)
	}
	return a.parts(in.path), nil
}

// eachPart calls do for the input, and if that is the root of a set for all its other
// parts, too, as far as they show without a key, several at a time: with what keeps one from
// being opened, if something does. An error of do ends it. Part 0 is the input. What begin
// is told, after that, is how many others there are, and how many bytes all have; it may be nil.
func (a *app) eachPart(ctx context.Context, in *input, workers int, begin func(others int, total int64), do func(i int, suffix string, in *input, err error) error) error {
	if in.isRoot() {
		if _, err := a.partsOf(in); err != nil { // before anything is done about the root
			return err
		}
	}
	if err := do(0, "", in, nil); err != nil || !in.isRoot() { // which may have shown that it is one
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
	if begin != nil {
		var total atomic.Int64
		total.Store(in.size)
		if err := parallel.Do(workers, len(suffixes)-1, func(_, i int) error {
			if f, err := open(ctx, suffixes[i+1]); err == nil {
				total.Add(f.Size())
				f.Close()
			}
			return context.Cause(ctx)
		}); err != nil {
			return err
		}
		begin(len(suffixes)-1, total.Load())
	}
	id := in.preamble().Set
	return parallel.Do(workers, len(suffixes)-1, func(_, i int) error {
		there, err := a.openPart(ctx, id, in.path, suffixes[i+1])
		if err == nil {
			defer there.Close()
		}
		if err = do(i+1, suffixes[i+1], there, err); err == nil {
			err = context.Cause(ctx)
		}
		return err
	})
}

// openPart opens a part of a set, which lies beside path. It refuses one of another set, or that
// is another part.
func (a *app) openPart(ctx context.Context, id format.SetID, path, suffix string) (*input, error) {
	f, err := a.parts(path)(ctx, suffix)
	if errors.Is(err, fs.ErrNotExist) {
		err = withHint(err, hintMissing(suffix))
	}
	if err != nil {
		return nil, err
	}
	if err := set.CheckPart(f, id, suffix); err != nil {
		f.Close()
		return nil, about(safetext.Printable(path), err)
	}
	return a.newInput(f.(*storage.Blob), path+suffix), nil
}

func (a *app) parts(root string) set.Opener {
	return func(_ context.Context, suffix string) (set.File, error) {
		if storage.IsPipe(root + suffix) {
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
		return b, nil
	}
}

// probe looks whether a file or an object of that name is there, to be read at any place. Only an
// error that is fs.ErrNotExist says that it is not: a store may be out of reach.
func (a *app) probe(name string) error {
	f, err := a.parts(name)(context.Background(), "")
	if err == nil {
		f.Close()
	}
	return err
}

// openBeside opens a file that nobody named. A named pipe is none.
func (a *app) openBeside(path string) (*storage.Blob, error) {
	if storage.IsPipe(path) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return a.files.Open(path)
}

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
