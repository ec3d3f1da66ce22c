package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"golang.org/x/term"

	"bulla/format"
	"bulla/internal/fullio"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

// An input is what a verb reads: a file or a stream.
type input struct {
	*storage.Blob
	name    string // as shown
	given   safetext.Name
	path    string // "" for a stream that the caller opened
	size    int64  // bytes there are to read; -1 if only reading tells
	regular bool   // a file that lies still: it can be read at any place, from its beginning
	signed  *signedInput
	saved   *format.Head // of a file that has lost both, the head in its parity file; nil: unknown
	grant   string       // the name of one, to read what it gives
}

// What the standard streams are called where they are the data.
const (
	stdinName  = "standard input"
	stdoutName = "standard output"
)

// readsStdin reports whether an input of that name is standard input.
func (a *app) readsStdin(name string) bool {
	n, ok := a.files.Descriptor(orElse(name, "-"))
	return ok && n == 0
}

// openInput opens the file of that name: "" stands for standard input, unless
// that is a terminal, and "-" for standard input, whatever it is.
func (a *app) openInput(name string) (*input, error) {
	b, err := a.files.Open(orElse(name, "-"))
	if err != nil {
		return nil, a.unreadable(name, err)
	}
	if name == "" && b.Terminal() {
		return nil, usage("name a file, or - for what you type", "standard input is a terminal")
	}
	return a.newInput(b, name), nil
}

// unreadable adds a hint to an error of opening an input, for which no output is
// the way out.
func (a *app) unreadable(name string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return withHint(err, "check who may read it, and search the directories that lead to it")
	}
	return a.remake(name, err)
}

// remake adds a hint to an error of opening a file that is lost, if its parity file is there.
func (a *app) remake(name string, err error) error {
	if a.lost(&parityFlag{}, name, err) {
		return withHint(err, "its parity file is there: bulla repair "+safetext.Shell(name)+" makes it anew, if that has enough; or "+hintCopy)
	}
	return err
}

func (a *app) newInput(b *storage.Blob, name string) *input {
	in := &input{Blob: b, given: safetext.Name(storage.Shown(name)), path: b.Path(), size: b.Size(), regular: b.Regular()}
	if a.readsStdin(name) {
		in.given = stdinName
	}
	in.name = in.given.String()
	return in
}

// named is the default name of an output that is made of the input, for a plan: a
// stream's is nil, and only a regular file's can be told.
func (in *input) named(name func(path string) (string, error)) func() (string, error) {
	switch {
	case in.path == "":
		return nil
	case in.InStore(): // no plaintext lands in a bucket, and no copy of an object here, by default
		return func() (string, error) {
			return "", usage("name the output with -o FILE, or -o - for standard output", "what is made of %s has no default name", in.name)
		}
	case !in.regular:
		return func() (string, error) {
			return "", usage("name the output with -o FILE, or -o - for standard output", "%s is not a regular file: its output has no default name", in.name)
		}
	}
	return func() (string, error) { return name(in.path) }
}

// beside is the default name of an output that is no plaintext, for a plan: it lies beside the
// input, in a store, too.
func (in *input) beside(suffix string) func() (string, error) {
	name := func(path string) (string, error) { return path + suffix, nil }
	if in.InStore() {
		return func() (string, error) { return name(in.path) }
	}
	return in.named(name)
}

// unchanged looks whether an input that was read to its end is what it was when
// that began. If it has become shorter, what was read is not all of it.
func (a *app) unchanged(in *input, n int64) error {
	err := in.Recheck()
	if err == nil && in.regular && n < in.size {
		err = &storage.Error{Kind: storage.Shrunk, Name: in.path}
	}
	if errors.Is(err, storage.Changed) {
		a.warn(in.name+" changed while it was read", "what was read may be a mixture of before and after; do it again if that matters")
		return nil
	}
	return err
}

// copyTo writes all of an input to w; done counts what was read. Until the input is closed,
// no run can then change it: what is made of it fits it when it gets its name.
func (a *app) copyTo(ctx context.Context, w io.Writer, in *input, done *atomic.Int64) error {
	n, err := io.CopyBuffer(w, fullio.Counted{Src: in.Stream(), Done: done, Ctx: ctx}, make([]byte, 1<<20))
	if err == nil {
		err = in.Hold()
	}
	if err == nil && in.regular && n < in.size {
		err = &storage.Error{Kind: storage.Shrunk, Name: in.path}
	}
	return err
}

// pasted is the input as it is named in a command line that is meant to be pasted.
func (in *input) pasted() string {
	if in.path == "" {
		return "-"
	}
	return safetext.Shell(string(in.given))
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Claims are what the descriptors that the caller passed on are taken for.
// What has been read from one is gone, so each serves one use.
type claims map[int]string

// claim takes what a name stands for, if that is standard input or another
// descriptor. What counts is what it is, whatever the name says.
func (a *app) claim(name, what string) error {
	if n, ok := a.files.Descriptor(name); ok {
		return a.claimDescriptor(n, what)
	}
	return nil
}

// claimInput claims the inputs of these names, before keys and passphrases can
// be read from the same place.
func (a *app) claimInput(names ...string) error {
	for _, name := range names {
		if err := a.claim(orElse(name, "-"), "the data"); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) claimDescriptor(n int, what string) error {
	name := "standard input"
	if n > 0 {
		name = fmt.Sprint("file descriptor ", n)
	}
	switch before := a.claimed[n]; before {
	case "":
	case what:
		return usage("name a file instead of one of them", "%s is named twice for %s", name, what)
	default:
		return usage("name a file for one of them", "%s cannot be both %s and %s", name, before, what)
	}
	if a.claimed == nil {
		a.claimed = make(claims)
	}
	a.claimed[n] = what
	return nil
}

func (a *app) openFor(name, what string) (*storage.Blob, error) {
	if err := a.claim(name, what); err != nil {
		return nil, err
	}
	return a.files.Open(name)
}
