package main

import (
	"io"
	"io/fs"
	"os"

	"bulla/internal/safetext"

	"golang.org/x/term"
)

// An input is what a verb reads: a file or standard input.
type input struct {
	*os.File
	name    string // as shown
	given   safetext.Name
	path    string // "" for standard input
	stat    fs.FileInfo
	size    int64 // bytes there are to read; -1 if only reading tells
	regular bool  // a file that lies still: it can be read at any place, from its beginning
}

// stdinName is what standard input is called where it is the data.
const stdinName = "standard input"

// A directoryError is a directory where a file is to be read.
type directoryError struct{ name string }

func (e *directoryError) Error() string { return e.name + " is a directory" }

func newInput(f *os.File, given safetext.Name) *input {
	return &input{File: f, given: given, name: given.String(), size: -1}
}

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
	in := newInput(a.in, stdinName)
	if a.readsStdin(name) {
		if name == "" && isTerminal(a.in) {
			return nil, usage("name a file, or - for what you type", "standard input is a terminal")
		}
	} else {
		r, err := a.open(name)
		if err != nil {
			return nil, err
		}
		in = newInput(r.(*os.File), safetext.Name(name))
		in.path = name
	}
	if err := in.look(); err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// look finds out what kind of file the input is.
func (in *input) look() error {
	st, err := in.Stat()
	if err != nil {
		return err
	}
	in.stat = st
	switch {
	case st.IsDir():
		return &directoryError{in.name}
	case st.Mode().IsRegular():
		at, err := in.Seek(0, io.SeekCurrent)
		if err == nil {
			in.size = max(0, st.Size()-at)
			in.regular = at == 0
		}
	case isBlockDevice(st.Mode()):
		if end, err := in.Seek(0, io.SeekEnd); err == nil {
			in.size = end
		}
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	return nil
}

// Close closes a file; standard input stays open.
func (in *input) Close() error {
	if in.path == "" {
		return nil
	}
	return in.File.Close()
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func isBlockDevice(m fs.FileMode) bool {
	return m&fs.ModeDevice != 0 && m&fs.ModeCharDevice == 0
}
