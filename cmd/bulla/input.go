package main

import (
	"errors"
	"os"

	"golang.org/x/term"

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
}

// What the standard streams are called where they are the data.
const (
	stdinName  = "standard input"
	stdoutName = "standard output"
)

// isStdio reports whether a name on the command line stands for standard input
// or output.
func isStdio(name string) bool { return name == "-" }

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
		return nil, err
	}
	if name == "" && b.Terminal() {
		return nil, usage("name a file, or - for what you type", "standard input is a terminal")
	}
	return a.newInput(b, name), nil
}

func (a *app) newInput(b *storage.Blob, name string) *input {
	in := &input{Blob: b, given: safetext.Name(name), path: b.Path(), size: b.Size(), regular: b.Regular()}
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
	case !in.regular:
		return func() (string, error) {
			return "", usage("name the output with -o FILE, or -o - for standard output", "%s is no regular file: its output has no default name", in.name)
		}
	}
	return func() (string, error) { return name(in.path) }
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

// pasted is the input as it is named in a command line that is meant to be pasted.
func (in *input) pasted() string {
	if in.path == "" {
		return "-"
	}
	return safetext.Shell(string(in.given))
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
