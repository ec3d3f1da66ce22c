package main

import (
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
	n, ok := a.descriptor(orElse(name, "-"))
	return ok && n == 0
}

// openInput opens the file of that name: "" stands for standard input, unless
// that is a terminal, and "-" for standard input, whatever it is.
func (a *app) openInput(name string) (*input, error) {
	b, err := a.open(orElse(name, "-"))
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

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
