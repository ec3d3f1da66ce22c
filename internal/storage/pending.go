package storage

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"
)

// Options say how an output is written. The zero value replaces nothing and waits
// until everything is durable.
type Options struct {
	Force   bool        // replace a regular file that exists
	NoSync  bool        // do not wait until the output is durable
	Device  bool        // write to a device, over whatever it holds
	Mode    fs.FileMode // of a new file, before the umask
	ModTime time.Time   // of the file, if it is not zero and the file system can hold it
	Size    int64       // of what is going to be written, if it is known; a store plans its parts by it
	Base    string      // the name that DIR/ gets; "" if there is none
	Held    bool        // it may end with Hold instead of Commit, and several runs may write it at once
}

// A Pending is an output between its planning and its end. Abort may be called
// at any time and from any goroutine; the other methods are for one.
type Pending struct {
	run     *Run
	opts    Options
	name    string // as given, with its base
	upload  Upload // to a store; nil: it is a file
	at      place
	path    string      // the final path in at, with links followed; "" if written as the data comes
	partial string      // the path until then
	judged  fs.FileInfo // what Plan saw of a pipe or a device
	file    *os.File
	ours    bool // closing file is
	sparse  bool // it may end with a hole
	keeps   bool // Abort keeps what there is for the next run

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
	s, err := r.store(name)
	if err != nil {
		return nil, err
	}
	p := &Pending{run: r, opts: opts, name: name, at: anywhere{}}
	fd := 0
	if s == nil {
		path := ""
		if path, fd, err = r.locate(name, 1); err != nil {
			return nil, err
		}
		if path == "" {
			return p, p.planStream(fd)
		}
	}
	if name != "" && os.IsPathSeparator(name[len(name)-1]) {
		if opts.Base == "" {
			return nil, p.fails(NoBase, nil)
		}
		p.name += opts.Base
	}
	if s != nil {
		return p, p.planObject(s)
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
	if err == nil && p.run.isRead(st) {
		err = p.fails(IsInput, nil)
	}
	return err
}

// planObject plans to create an object of a store.
func (p *Pending) planObject(s Store) (err error) {
	if p.run.isReadURL(p.name) {
		return p.fails(IsInput, nil)
	}
	p.upload, err = s.Plan(p.run.context(), p.name, p.opts)
	return err
}

// planPath plans to create a file, or to write to a pipe or a device.
func (p *Pending) planPath() error {
	st, err := os.Stat(p.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if st, err := os.Lstat(p.name); err == nil && st.Mode()&fs.ModeSymlink != 0 {
			return p.fails(Dangling, nil)
		}
		p.path = p.name // what appears there meanwhile, Commit finds
	case err != nil:
		return err
	case st.IsDir():
		return p.fails(IsDirectory, nil)
	case p.run.isRead(st):
		return p.fails(IsInput, nil)
	case !st.Mode().IsRegular():
		p.judged = st
		return p.checkDevice(st)
	default:
		if err := p.mayReplace(st); err != nil {
			return err
		}
		if p.path, err = filepath.EvalSymlinks(p.name); err != nil {
			return err
		}
	}
	p.partial = PartialPath(p.path)
	if p.opts.Held {
		p.partial = heldPath(p.path)
	}
	return nil
}

// mayReplace refuses to replace a file that this run reads, any file without Force, and
// what is not a regular file.
func (p *Pending) mayReplace(st fs.FileInfo) error {
	switch {
	case p.run.isRead(st):
		return p.fails(IsInput, nil)
	case !p.opts.Force:
		return p.fails(Exists, nil)
	case !st.Mode().IsRegular() && !isLinkIn(p.at, st):
		return p.fails(NotRegular, nil)
	}
	return nil
}

// checkDevice refuses a device that may hold something, unless the options allow it.
func (p *Pending) checkDevice(st fs.FileInfo) error {
	null, err := os.Stat(os.DevNull)
	if st.Mode()&fs.ModeDevice == 0 || p.opts.Device || err == nil && os.SameFile(st, null) || isTerminal(st, p.name) {
		return nil
	}
	return p.fails(NotAllowed, nil)
}

// isTerminal reports whether a device is a terminal. It goes by the name: opening a
// device to find out may have effects.
func isTerminal(st fs.FileInfo, name string) bool {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	return st.Mode()&fs.ModeCharDevice != 0 &&
		(strings.HasPrefix(name, "/dev/tty") || strings.HasPrefix(name, "/dev/pts/") || strings.HasPrefix(name, "/dev/console"))
}

func (p *Pending) fails(k Kind, err error) error {
	e := &Error{Kind: k, Name: Shown(p.name), Err: err}
	if k == InTheWay {
		e.Partial = p.partial
	}
	return e
}

// Name is what the output is called, with the base that a directory got.
func (p *Pending) Name() string { return p.name }

// Whole reports whether the output appears whole or not at all. Otherwise it is
// written as the data comes.
func (p *Pending) Whole() bool { return p.path != "" || p.upload != nil }

// InStore reports whether the output is an object of a store. It cannot be reopened, or
// read back before it is committed.
func (p *Pending) InStore() bool { return p.upload != nil }

// Partial is the path of the output until it is complete; "" of an object.
func (p *Pending) Partial() string { return p.partial }

// IsStandardOutput reports whether the output is written to standard output.
func (p *Pending) IsStandardOutput() bool { return p.file != nil && p.file == p.run.Out }

// Terminal reports whether the output goes to a terminal.
func (p *Pending) Terminal() bool { return p.file != nil && term.IsTerminal(int(p.file.Fd())) }

// Begin opens the output for writing. It removes what a killed run has left of it.
// From then on [Run.Abort] aborts it, if it appears whole.
// Its errors are those of the operating system, and *Error of the kinds
// InUse, InTheWay, Swapped and, with the option Held, Lost.
func (p *Pending) Begin() error {
	switch {
	case p.upload != nil:
		p.run.begun.Store(p, nil)
		return p.upload.Begin()
	case p.file != nil:
		return nil
	case p.path == "":
		return p.beginDirect()
	}
	if err := p.make(); err != nil {
		return err
	}
	p.run.begun.Store(p, nil)
	return p.claim()
}

// ended says that p is committed, held or aborted. The caller has p.mu.
func (p *Pending) ended() {
	p.over = true
	p.run.begun.Delete(p)
}

// beginDirect opens a pipe or a device, which must be the one that Plan saw.
func (p *Pending) beginDirect() error {
	f, err := os.OpenFile(p.name, os.O_WRONLY, 0)
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
	return p.anew(func() (err error) {
		p.file, err = p.at.OpenFile(p.partial, os.O_RDWR|os.O_CREATE|os.O_EXCL, p.opts.Mode)
		p.ours = true
		return err
	})
}

// anew creates something under the unfinished name. It first removes what a killed run
// has left there.
func (p *Pending) anew(create func() error) error {
	err := create()
	if errors.Is(err, fs.ErrExist) {
		switch err := p.run.removeStale(p.at, p.partial); {
		case errors.Is(err, errInUse):
			return p.fails(InUse, nil)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return p.fails(InTheWay, causeOf(err))
		}
		err = create()
	}
	if errors.Is(err, fs.ErrExist) {
		return p.fails(InUse, nil) // another run was quicker
	}
	return err
}

// claim locks what make has created. Until then another run may take it for the remains
// of a killed one, and put its own in its place: claim does not remove that.
func (p *Pending) claim() error {
	err := claim(p.at, p.file, p.partial)
	if errors.Is(err, errInUse) {
		p.end(false)
		if p.opts.Held { // no other run has that name
			return p.fails(Lost, nil)
		}
		return p.fails(InUse, nil)
	}
	if err != nil {
		p.end(true)
	}
	return err
}

// Stat describes an output that has begun. It fails with [errors.ErrUnsupported] if that
// is an object.
func (p *Pending) Stat() (fs.FileInfo, error) {
	if p.upload != nil {
		return nil, errors.ErrUnsupported
	}
	return p.file.Stat()
}

// Write writes to the output.
func (p *Pending) Write(b []byte) (int, error) {
	if p.upload != nil {
		return p.upload.Write(b)
	}
	return patient{p.file}.Write(b)
}

// Writer returns what to write the output to, after Begin: an *os.File where nothing else
// shares it, which io.Copy and others treat well. Do not close it.
func (p *Pending) Writer() io.Writer {
	if p.upload != nil {
		return p.upload
	}
	return shared(p.file)
}

// InPlace returns the unfinished file, to be written at any place after Begin; nil unless
// the output is a file that appears whole. Do not close it.
func (p *Pending) InPlace() *os.File {
	if p.path == "" || p.upload != nil {
		return nil
	}
	return p.file
}

// Sparse returns what to write the output to so that zeros take no room, where the file
// system has holes. Only a file that appears whole can be sparse, no
// object.
func (p *Pending) Sparse() *Sparse { return &Sparse{p.file, &p.sparse} }

// A Sparse writes to a new output and makes holes of zeros.
type Sparse struct {
	file    *os.File
	skipped *bool
}

// hole is the least that becomes a hole, in bytes: a whole number of blocks in the file
// systems there are.
const hole = 64 << 10

var zeros [hole]byte

// Write writes p, but for those of its pieces of 64 KiB that are all zero: these it skips.
func (s *Sparse) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		end, skip := n, isHole(p[n:])
		for end < len(p) && isHole(p[end:]) == skip {
			end += min(hole, len(p)-end)
		}
		k := end - n
		if skip {
			err = s.Skip(int64(k))
		} else {
			k, err = s.file.Write(p[n:end])
		}
		n += k
	}
	return n, err
}

// isHole reports whether p begins with a piece that is all zero.
func isHole(p []byte) bool {
	p = p[:min(hole, len(p))]
	return bytes.Equal(p, zeros[:len(p)])
}

// Skip makes the next n bytes a hole.
func (s *Sparse) Skip(n int64) error {
	*s.skipped = true
	_, err := s.file.Seek(n, io.SeekCurrent)
	return err
}

// Stat, Seek and SyscallConn are the file's, for who starts its writeback early.
func (s *Sparse) Stat() (fs.FileInfo, error)                   { return s.file.Stat() }
func (s *Sparse) Seek(offset int64, whence int) (int64, error) { return s.file.Seek(offset, whence) }
func (s *Sparse) SyscallConn() (syscall.RawConn, error)        { return s.file.SyscallConn() }

// ReadBack makes what was written durable, and returns it to be read from the disk
// instead of from memory, as far as the system allows. What is not on the disk yet can
// only come from memory, so ReadBack waits even with NoSync. It fails with
// [errors.ErrUnsupported] if the output is an object.
func (p *Pending) ReadBack() (io.ReaderAt, int64, error) {
	if p.upload != nil {
		return nil, 0, errors.ErrUnsupported
	}
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

// Same reports whether p and q are the same output, whatever their names: one would
// overwrite the other, or mix with it.
func (p *Pending) Same(q *Pending) bool {
	if p.file != nil && p.file == q.file || p.name == q.name {
		return true
	}
	if p.upload != nil || q.upload != nil {
		return false
	}
	a, errA := p.target()
	b, errB := q.target()
	if errA == nil && errB == nil {
		return os.SameFile(a, b) && a.Mode()&fs.ModeCharDevice == 0 // which takes both
	}
	// At least one does not exist yet: compare names and directories. Some systems
	// ignore case.
	a, errA = os.Stat(filepath.Dir(p.name))
	b, errB = os.Stat(filepath.Dir(q.name))
	return errA == nil && errB == nil && os.SameFile(a, b) && strings.EqualFold(filepath.Base(p.name), filepath.Base(q.name))
}

// target is the file that an output writes to or replaces.
func (p *Pending) target() (fs.FileInfo, error) {
	if p.file != nil {
		return p.file.Stat()
	}
	return os.Stat(p.name)
}
