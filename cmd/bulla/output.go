package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"bulla/internal/safetext"

	"github.com/spf13/cobra"
)

// An output appears whole or not at all:
//
//	.NAME.partial  created, never opened; locked while a run writes to it
//	               written, then fsync
//	NAME           renamed to, in one step that replaces nothing, unless forced
//	               fsync of the directory
//
// A run that fails or is interrupted removes it. A run that is killed leaves a
// .NAME.partial that nobody holds a lock on: the next one replaces it.
//
// What cannot appear whole is written directly: standard output, pipes, devices
// and open file descriptors.
type output struct {
	*os.File
	name   string // as shown
	given  safetext.Name
	path   string // the final one; "" if it is written directly
	plan   outputPlan
	opened bool // by create, which makes closing it ours

	mu   sync.Mutex
	over bool   // committed or discarded
	done func() // tells that there is nothing left to remove
}

// OutputFlags are the flags of every verb that writes a file.
type outputFlags struct {
	name   string // -o
	force  bool
	noSync bool
}

func (o *outputFlags) register(cmd *cobra.Command, usage string) {
	f := cmd.Flags()
	f.StringVarP(&o.name, "output", "o", "", usage)
	f.BoolVar(&o.force, "force", false, "replace an existing output")
	f.BoolVar(&o.noSync, "no-sync", false, "do not wait until the output is safe on the disk")
}

// An outputPlan says what is to be written where.
type outputPlan struct {
	outputFlags
	from   *input      // what it is made of: it must not be the output; may be nil
	mode   fs.FileMode // of a new file, before the umask
	binary bool        // it would do harm to a terminal
	text   bool        // it may be shown on a terminal as far as it is text
}

// planOutput checks that p can be carried out, and creates nothing yet.
func (a *app) planOutput(p outputPlan) (*output, error) {
	o := &output{name: safetext.Printable(p.name), given: safetext.Name(p.name), plan: p}
	f, err := a.direct(p.name)
	if err != nil {
		return nil, err
	}
	if f != nil {
		o.File, o.given = f, safetext.Name(streamName(f.Name()))
		o.name = o.given.String()
		return o, o.checkDirect()
	}
	st, err := os.Stat(p.name)
	switch {
	case err == nil && st.IsDir():
		return nil, usage("name a file in it", "the output %s is a directory", o.name)
	case err == nil && !st.Mode().IsRegular(): // create opens it
		return o, o.checkSame(st)
	case err == nil:
		if err := o.checkSame(st); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	o.path = p.name
	if _, err := os.Lstat(p.name); err == nil && !p.force {
		return nil, errExists(o.name)
	}
	return o, nil
}

func errExists(name string) error {
	return refuse("--force replaces it; -o names another", "%s exists", name)
}

// direct returns the open file that a name stands for, nil if it does not.
func (a *app) direct(name string) (*os.File, error) {
	if name == "" || isStdio(name) || name == "/dev/stdout" {
		return a.out, nil
	}
	for _, dir := range []string{"/dev/fd/", "/proc/self/fd/"} {
		number, ok := strings.CutPrefix(name, dir)
		if !ok {
			continue
		}
		fd, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return nil, usage("for example /dev/fd/3", "%s is no file descriptor", safetext.Printable(name))
		}
		if f := os.NewFile(uintptr(fd), name); f != nil {
			return f, nil
		}
	}
	return nil, nil
}

// checkDirect refuses what should not go to an open file.
func (o *output) checkDirect() error {
	st, err := o.Stat()
	if err != nil {
		return err
	}
	if o.plan.binary && o.plan.name == "" && isTerminal(o.File) {
		return refuse("name a file with -o FILE, or force it with -o -", "the output is binary and would go to the terminal")
	}
	if st.Mode().IsRegular() {
		return o.checkSame(st)
	}
	return nil
}

// checkSame refuses to write over what is read, whatever its names.
func (o *output) checkSame(st fs.FileInfo) error {
	if from := o.plan.from; from != nil && os.SameFile(from.stat, st) && (st.Mode().IsRegular() || isBlockDevice(st.Mode())) {
		return refuse("name another output with -o", "%s is both the input and the output", o.name)
	}
	return nil
}

// toTerminal reports whether the output is seen by a person at once.
func (o *output) toTerminal() bool { return o.File != nil && isTerminal(o.File) }

// writer is what to write the output to, once it is created.
func (o *output) writer() io.Writer {
	if o.plan.text && o.plan.name == "" && o.toTerminal() {
		return &textOnly{terminal: o.File}
	}
	return o.File // as it is: package stream treats files and pipes well
}

// create opens the output for writing.
func (o *output) create(left *leftovers) error {
	if o.File != nil {
		return nil
	}
	if o.path == "" {
		f, err := os.OpenFile(o.plan.name, os.O_WRONLY, 0)
		o.File, o.opened = f, true
		return err
	}
	if err := o.begin(); err != nil {
		return err
	}
	return o.claim(left)
}

// begin creates the output under its preliminary name. What a run which is no
// more has left there is removed.
func (o *output) begin() error {
	partial := partialPath(o.path)
	open := func() (*os.File, error) { return os.OpenFile(partial, os.O_RDWR|os.O_CREATE|os.O_EXCL, o.plan.mode) }
	f, err := open()
	if errors.Is(err, fs.ErrExist) {
		switch err := removeStale(partial); {
		case errors.Is(err, errInUse):
			return o.inUse()
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			if pe, ok := errors.AsType[*fs.PathError](err); ok {
				err = pe.Err // which is about this name, not about the output's
			}
			return refuse("remove it if it is not needed, or name another output with -o", "%s is in the way: %v", safetext.Printable(partial), err)
		}
		f, err = open()
	}
	if errors.Is(err, fs.ErrExist) {
		return o.inUse() // it was quicker
	}
	if err != nil {
		return err
	}
	o.File, o.opened = f, true
	return nil
}

// claim takes what begin has created. Until then another run may take it for
// something left behind, and have its own in its place: that is not removed.
func (o *output) claim(left *leftovers) error {
	if err := claim(o.File, partialPath(o.path)); err != nil {
		o.keep()
		return o.inUse()
	}
	o.done = left.add(o.Discard)
	return nil
}

func (o *output) inUse() error {
	return refuse("wait for it, or name another output with -o", "another run is writing %s", o.name)
}

// Commit makes the output durable and gives it its final name. If it fails, the
// output is discarded.
func (o *output) Commit() error {
	if err := o.commit(); err != nil {
		o.Discard()
		return err
	}
	if o.done != nil {
		o.done()
	}
	return nil
}

func (o *output) commit() error {
	if o.path == "" {
		return o.commitDirect()
	}
	if err := o.settle(); err != nil {
		return err
	}
	if err := o.rename(); err != nil {
		return err
	}
	if o.plan.noSync {
		return nil
	}
	if err := syncDir(filepath.Dir(o.path)); err != nil {
		return &failure{exit: exitIO, what: fmt.Sprintf("%s is complete, but a power failure now may lose it: %v", o.name, causeOf(err)),
			hint: "check the disk; --no-sync leaves this step out"}
	}
	return nil
}

// settle gets everything that was written to where it is going to stay.
func (o *output) settle() error {
	if o.plan.noSync {
		return flush(o.File)
	}
	return o.Sync()
}

// rename gives the output its final name, unless it was discarded meanwhile.
func (o *output) rename() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return errors.New("the output was discarded")
	}
	partial := partialPath(o.path)
	if !isAt(o.File, partial) {
		return refuse("run it again, and no other with the same output meanwhile", "%s is not made: what was written was removed, or replaced by another run", o.name)
	}
	if closeToRename {
		o.File.Close()
	}
	rename := renameNew
	if o.plan.force {
		rename = os.Rename
	}
	switch err := rename(partial, o.path); {
	case errors.Is(err, fs.ErrExist):
		return errExists(o.name)
	case err != nil:
		return err
	}
	o.over = true
	o.File.Close() // and with it the lock; nothing that was written hangs on it any more
	return nil
}

// commitDirect ends an output that has been written where it is.
func (o *output) commitDirect() error {
	st, err := o.Stat()
	if err != nil {
		return err
	}
	switch {
	case st.Mode().IsRegular():
		err = flush(o.File)
	case isBlockDevice(st.Mode()) && !o.plan.noSync:
		err = o.Sync()
	}
	if o.opened {
		err = errors.Join(err, o.File.Close())
	}
	return err
}

// Discard removes the output, unless it is committed. It may be called at any
// time, also twice.
func (o *output) Discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over || o.path == "" || o.File == nil {
		return
	}
	o.over = true
	partial := partialPath(o.path)
	ours := isAt(o.File, partial)
	if closeToRename {
		o.File.Close()
	}
	if ours {
		os.Remove(partial)
	}
	if !closeToRename {
		o.File.Close() // after the removal: until then the lock says that it is ours
	}
}

// keep closes the output and leaves alone what there is under its preliminary
// name.
func (o *output) keep() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.over {
		o.over = true
		o.File.Close()
	}
}

// textOnly is a terminal that only text may reach: by Write alone, as the other
// methods of a file, such as ReadFrom, would go past it.
type textOnly struct {
	terminal *os.File
	filter   safetext.Filter
}

func (t *textOnly) Write(p []byte) (int, error) {
	if !t.filter.Accept(p) {
		return 0, refuse("name a file with -o FILE, or force it with -o -", "the output is not text and would go to the terminal")
	}
	return t.terminal.Write(p)
}
