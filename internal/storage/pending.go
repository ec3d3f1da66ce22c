package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Options say how an output is written. The zero value replaces nothing and waits
// until everything is durable.
type Options struct {
	Force   bool        // replace a regular file that exists
	NoSync  bool        // do not wait until the output is durable
	Allow   Allow       // what Force does not cover
	Mode    fs.FileMode // of a new file, before the umask
	ModTime time.Time   // of the file, if it is not zero and the file system can hold it
	Base    string      // the name that DIR/ gets; "" if there is none
}

// A Pending is an output between its planning and its end. Abort may be called
// at any time and from any goroutine; the other methods are for one.
type Pending struct {
	run    *Run
	opts   Options
	name   string // as given, with its base
	at     place
	prefix string      // of the unfinished name
	path   string      // the final one, with links followed; "" if it is written as it comes
	device string      // what to open, if it is written as it comes and not open yet
	judged fs.FileInfo // what device was
	file   *os.File
	ours   bool // closing file is
	keeps  bool // Abort keeps what there is for the next run

	mu   sync.Mutex
	over bool // committed or aborted
	left bool // aborted, and still there under its unfinished name
}

// Plan judges whether an output of that name can be written, and changes
// nothing. "-" is standard output, and DIR/ a file in that directory with the
// name in the options. Its errors are those of the operating system, and *Error
// of the kinds Exists, Dangling, NotRegular, IsDirectory, NoBase, IsInput,
// NotAllowed, Closed, NoScheme and NoDescriptor.
func (r *Run) Plan(name string, opts Options) (*Pending, error) {
	if err := r.ended(); err != nil {
		return nil, err
	}
	at, err := locate(name, 1)
	if err != nil {
		return nil, err
	}
	p := &Pending{run: r, opts: opts, name: name, at: anywhere{}, prefix: partialPrefix}
	if at.path == "" {
		return p, p.planStream(at.fd)
	}
	if os.IsPathSeparator(name[len(name)-1]) {
		if opts.Base == "" {
			return nil, &Error{Kind: NoBase, Name: name}
		}
		p.name += opts.Base
	}
	return p, p.planPath()
}

// Create is Plan, and Begin at once.
func (r *Run) Create(name string, opts Options) (*Pending, error) {
	p, err := r.Plan(name, opts)
	if err == nil {
		err = p.Begin()
	}
	return p, err
}

// planStream plans to write to a descriptor.
func (p *Pending) planStream(fd int) (err error) {
	if p.file, p.ours, err = p.run.stream(fd); err != nil {
		return err
	}
	if fd <= 2 {
		p.name = p.file.Name()
	}
	st, err := p.file.Stat()
	if err != nil {
		return err
	}
	return p.checkInput(st)
}

// planPath plans to make a file, or to write to what is no regular file.
func (p *Pending) planPath() error {
	st, err := os.Stat(p.name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(p.name); err == nil {
			return p.fails(Dangling, nil)
		}
		p.path = p.name
		return nil
	}
	switch {
	case err != nil:
		return err
	case st.IsDir():
		return p.fails(IsDirectory, nil)
	}
	if err := p.checkInput(st); err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		p.device, p.judged = p.name, st
		return p.checkDevice(st)
	}
	if !p.opts.Force {
		return p.fails(Exists, nil)
	}
	p.path, err = filepath.EvalSymlinks(p.name)
	return err
}

// checkInput refuses to write over what this run reads.
func (p *Pending) checkInput(st fs.FileInfo) error {
	if p.run.isRead(st) {
		return p.fails(IsInput, nil)
	}
	return nil
}

// checkDevice refuses a device that may hold something, unless it is allowed.
func (p *Pending) checkDevice(st fs.FileInfo) error {
	if st.Mode()&fs.ModeDevice == 0 || p.opts.Allow&AllowDevice != 0 {
		return nil
	}
	if null, err := os.Stat(os.DevNull); err == nil && sameDevice(st, null) {
		return nil
	}
	if isTerminalDevice(st, p.device) {
		return nil
	}
	return p.fails(NotAllowed, nil)
}

// isTerminalDevice reports whether a device is a terminal, by its name: there
// are devices that do something when they are opened.
func isTerminalDevice(st fs.FileInfo, name string) bool {
	if st.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	for _, prefix := range []string{"/dev/tty", "/dev/pts/", "/dev/console"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func (p *Pending) fails(k Kind, err error) error { return &Error{Kind: k, Name: p.name, Err: err} }

// Name is what the output is called, with the base that a directory got.
func (p *Pending) Name() string { return p.name }

// Whole reports whether the output appears whole or not at all. Otherwise it is
// written as it comes.
func (p *Pending) Whole() bool { return p.path != "" }

// Partial is the path of what there is until the output is complete.
func (p *Pending) Partial() string { return partialPath(p.path, p.prefix) }

// IsStandardOutput reports whether the output is written to standard output.
func (p *Pending) IsStandardOutput() bool { return p.file != nil && p.file == p.run.Out }

// Terminal reports whether a person sees the output at once.
func (p *Pending) Terminal() bool { return p.file != nil && term.IsTerminal(int(p.file.Fd())) }

// Begin opens the output for writing. What a killed run has left of it is
// removed. Its errors are those of the operating system, and *Error of the kinds
// InUse, InTheWay and Swapped.
func (p *Pending) Begin() error {
	switch {
	case p.file != nil:
		return nil
	case p.path == "":
		return p.beginDirect()
	}
	if err := p.make(); err != nil {
		return err
	}
	return p.claim()
}

// beginDirect opens what is written as it comes, which must be what was planned.
func (p *Pending) beginDirect() error {
	f, err := os.OpenFile(p.device, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err == nil && !os.SameFile(st, p.judged) {
		err = p.fails(Swapped, nil)
	}
	if err != nil {
		f.Close()
		return err
	}
	p.file, p.ours = f, true
	return nil
}

// make creates the unfinished output.
func (p *Pending) make() error {
	partial := p.Partial()
	create := func() (*os.File, error) {
		return p.at.OpenFile(partial, os.O_RDWR|os.O_CREATE|os.O_EXCL, p.opts.Mode)
	}
	f, err := create()
	if errors.Is(err, fs.ErrExist) {
		switch err := p.run.removeStale(p.at, partial); {
		case errors.Is(err, errInUse):
			return p.fails(InUse, nil)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return &Error{Kind: InTheWay, Name: p.name, Partial: partial, Err: causeOf(err)}
		}
		f, err = create()
	}
	if errors.Is(err, fs.ErrExist) {
		return p.fails(InUse, nil) // it was quicker
	}
	if err != nil {
		return err
	}
	p.file, p.ours = f, true
	return nil
}

// claim locks what make has created. Until then another run may take it for
// something left behind, and have its own in its place: that is not removed.
func (p *Pending) claim() error {
	err := claim(p.at, p.file, p.Partial())
	if errors.Is(err, errInUse) {
		p.end(false)
		return p.fails(InUse, nil)
	}
	if err != nil {
		p.end(true)
	}
	return err
}

// Stat is what an output is that has begun.
func (p *Pending) Stat() (fs.FileInfo, error) { return p.file.Stat() }

// Write writes to the output.
func (p *Pending) Write(b []byte) (int, error) { return shared(p.file).Write(b) }

// Writer is what to write the output to, once it has begun: an *os.File if it is one, which
// some writers treat well. It is not to be closed.
func (p *Pending) Writer() io.Writer { return shared(p.file) }

// Sparse is what to write an output of that size to, so that what is zero takes no
// room where that can be. It is finished by End.
func (p *Pending) Sparse() *Sparse { return &Sparse{file: p.file} }

// ReadBack makes what was written durable and has it read from the disk, not
// from memory, as far as the system lets itself be told. Without the first there
// is no second: what is not on the disk yet comes from memory, so that NoSync
// does not hold here.
func (p *Pending) ReadBack() (io.ReaderAt, int64, error) {
	if err := p.file.Sync(); err != nil {
		return nil, 0, err
	}
	dropCache(p.file)
	st, err := p.file.Stat()
	if err != nil {
		return nil, 0, err
	}
	return p.file, st.Size(), nil
}

// Commit makes the output durable and gives it its name. If it fails, the
// output is aborted. Its errors are those of the operating system, and *Error of
// the kinds Exists, NotRegular, IsInput, Lost and Aborted, and about an output
// that has its name, of Undurable and Leftover.
func (p *Pending) Commit() error {
	if p.path == "" {
		return p.commitDirect()
	}
	err := p.settle()
	if err == nil {
		err = p.rename()
	}
	if err != nil && !errors.Is(err, Leftover) {
		p.Abort()
		return err
	}
	if p.opts.NoSync {
		p.file.Close()
		return err
	}
	if serr := p.syncDir(); err == nil && serr != nil {
		err = p.fails(Undurable, causeOf(serr))
	}
	return err
}

// settle gets everything that was written to where it is going to stay.
func (p *Pending) settle() error {
	if t := p.opts.ModTime; !t.IsZero() && t.Equal(time.Unix(0, t.UnixNano())) {
		p.at.Chtimes(p.Partial(), time.Time{}, t) // nothing to fail for
	}
	if p.opts.NoSync {
		return flush(p.file)
	}
	return p.file.Sync()
}

// rename gives the output its name, unless it was aborted meanwhile.
func (p *Pending) rename() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return p.fails(Aborted, nil)
	}
	partial := p.Partial()
	switch there, err := isAt(p.at, p.file, partial); {
	case err != nil:
		return err
	case !there:
		return p.fails(Lost, nil)
	}
	if p.opts.Force {
		if err := p.checkReplaced(); err != nil {
			return err
		}
	}
	if closeToRename {
		p.file.Close()
	}
	var err error
	if p.opts.Force {
		err = p.at.Rename(partial, p.path)
	} else {
		err = renameNew(p.at, partial, p.path)
	}
	switch {
	case errors.Is(err, Leftover):
		err = &Error{Kind: Leftover, Name: p.name, Partial: partial, Err: causeOf(errors.Unwrap(err))}
	case errors.Is(err, fs.ErrExist):
		return p.fails(Exists, nil)
	case err != nil:
		return err
	}
	p.over = true
	return err
}

// checkReplaced looks at what is about to be replaced: since it was planned,
// something else may have got the name, or this run may have begun to read it.
// Below a root, where no link is followed, a link is replaced like a file.
func (p *Pending) checkReplaced() error {
	st, err := p.at.Lstat(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !st.Mode().IsRegular() && !(p.at != anywhere{} && st.Mode().Type() == fs.ModeSymlink):
		return p.fails(NotRegular, nil)
	}
	return p.checkInput(st)
}

// syncDir makes the name durable and closes the file: with it goes the lock,
// and nothing that was written hangs on it any more.
func (p *Pending) syncDir() error {
	defer p.file.Close()
	err := syncDir(p.at, filepath.Dir(p.path))
	if errors.Is(err, fs.ErrPermission) && !closeToRename {
		// A directory may be writable and not readable. The file systems that have a
		// journal bring a name to the disk with the file.
		return p.file.Sync()
	}
	return err
}

// commitDirect ends an output that has been written where it is.
func (p *Pending) commitDirect() error {
	st, err := p.file.Stat()
	if err != nil {
		return err
	}
	switch {
	case st.Mode().IsRegular():
		err = flush(p.file)
	case isBlockDevice(st.Mode()) && !p.opts.NoSync:
		err = p.file.Sync()
	}
	if p.ours {
		err = errors.Join(err, p.file.Close())
	}
	return err
}

// Abort removes the output, unless it is committed. What was written as it
// came stays written. It may be called at any time, also twice.
func (p *Pending) Abort() {
	p.mu.Lock()
	keep := p.keeps && (p.opts.Force || !p.finished())
	p.mu.Unlock()
	p.end(!keep)
}

// Remains reports whether an output that was aborted is still there under its
// unfinished name: kept for a run that goes on with it, or not to be removed.
func (p *Pending) Remains() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// finished reports whether another run has made the output meanwhile.
func (p *Pending) finished() bool {
	_, err := p.at.Lstat(p.path)
	return err == nil
}

// end closes the output, and removes it if it is under its unfinished name.
func (p *Pending) end(remove bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.path == "" || p.file == nil {
		return
	}
	p.over = true
	partial := p.Partial()
	there, err := isAt(p.at, p.file, partial)
	st, serr := p.file.Stat()
	p.left = there && err == nil
	if closeToRename {
		p.file.Close()
	}
	if remove && p.left && serr == nil && !p.run.isRead(st) {
		p.left = p.at.Remove(partial) != nil
	}
	if !closeToRename {
		p.file.Close() // after the removal: until then the lock says that it is ours
	}
}

// Same reports whether what is written to p would be written over, or go between,
// what is written to q, whatever their names.
func (p *Pending) Same(q *Pending) bool {
	if p.file != nil && p.file == q.file || p.name == q.name {
		return true
	}
	a, errA := p.lies()
	b, errB := q.lies()
	if errA == nil && errB == nil {
		return os.SameFile(a, b) && a.Mode()&fs.ModeCharDevice == 0 // which takes both
	}
	// One is not there yet, or both: then it is a name in a directory, of which some
	// systems do not mind the case.
	a, errA = os.Stat(filepath.Dir(p.name))
	b, errB = os.Stat(filepath.Dir(q.name))
	return errA == nil && errB == nil && os.SameFile(a, b) && sameBase(p.name, q.name)
}

// lies is the file that an output is going to write to or to replace.
func (p *Pending) lies() (fs.FileInfo, error) {
	if p.file != nil {
		return p.file.Stat()
	}
	return os.Stat(p.name)
}
