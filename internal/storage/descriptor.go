package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// ErrNotInherited is the error for a descriptor that the caller of the program
// did not pass on. Its number is free, or that of a file that the program or the runtime
// opened.
var ErrNotInherited = errors.New("not passed on by the caller")

// Descriptor returns the number of the descriptor that Open would read for a name: 0 for
// "-" and all names of standard input. The descriptor need not be open.
func (r *Run) Descriptor(name string) (n int, ok bool) {
	if name == "-" {
		return 0, true
	}
	if Scheme(name) != "" {
		return 0, false
	}
	if n, ok := descriptor(name); ok {
		return n, true
	}
	// The pipe or terminal that standard input is may have a name of its own.
	in, err := r.In.Stat()
	if err != nil || in.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) == 0 && !term.IsTerminal(int(r.In.Fd())) {
		return 0, false
	}
	st, err := os.Stat(name)
	return 0, err == nil && os.SameFile(in, st)
}

// OpenDescriptor is Open for the number of a descriptor that the caller of the program
// passed on. For others the error wraps [ErrNotInherited].
func (r *Run) OpenDescriptor(n int) (_ *Blob, err error) {
	b := &Blob{name: "file descriptor " + strconv.Itoa(n)}
	if b.file, b.ours, err = r.stream(n); err != nil {
		return nil, err
	}
	return b, r.look(b)
}

// stream returns descriptor fd, which the caller of the program passed on. If it is ours,
// it has to be closed after use.
func (r *Run) stream(fd int) (f *os.File, ours bool, err error) {
	if fd < 0 || fd > 2 {
		name := "file descriptor " + strconv.Itoa(fd)
		fd, err := inherited(fd)
		if err != nil {
			return nil, false, &os.PathError{Op: "use", Path: name, Err: err}
		}
		return os.NewFile(uintptr(fd), name), true, nil
	}
	f = []*os.File{r.In, r.Out, r.Err}[fd]
	if absent(f) {
		return nil, false, &Error{Kind: Closed, Name: f.Name()}
	}
	return f, false, nil
}

// descriptor returns the number of the descriptor that a file name stands for:
// /dev/stdin, /dev/stdout, /dev/stderr, /dev/fd/N, /proc/self/fd/N, and links to
// these.
func descriptor(name string) (n int, ok bool) {
	const maxLinks = 40 // as the kernel's
	for range maxLinks {
		if name == "" {
			break
		}
		name = filepath.Clean(name)
		if n, ok := standardStreams[name]; ok {
			return n, true
		}
		dir, base := filepath.Split(name)
		n, err := strconv.Atoi(base)
		if err == nil && n >= 0 && base == strconv.Itoa(n) && holdsDescriptors(dir) {
			return n, true
		}
		target, err := os.Readlink(name)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		name = target
	}
	return 0, false
}

var standardStreams = map[string]int{"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}

// holdsDescriptors reports whether the names in dir are this process's descriptors.
func holdsDescriptors(dir string) bool {
	dir = filepath.Clean(dir)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	self := "/proc/" + strconv.Itoa(os.Getpid())
	switch dir {
	case "/dev/fd", "/proc/self/fd", "/proc/thread-self/fd", self + "/fd":
		return true
	}
	// A thread has the descriptors of its process.
	return strings.HasPrefix(dir, self+"/task/") && filepath.Base(dir) == "fd"
}

// A patient file waits where a plain one fails with EAGAIN. Descriptors that the caller
// passed on are shared, and any process that shares one may make it nonblocking at any
// time, as ssh does with its terminal and pipes.
type patient struct{ file *os.File }

// Patient returns a reader and writer of f for when f may be a shared pipe, socket or
// terminal. It is a [syscall.Conn], too.
func Patient(f *os.File) io.ReadWriter { return patient{f} }

// shared returns f itself if it is a file or a block device, otherwise a patient file.
func shared(f *os.File) io.ReadWriter {
	if st, err := f.Stat(); err == nil && (st.Mode().IsRegular() || isBlockDevice(st)) {
		return f // never nonblocking, and some readers and writers treat files well
	}
	return patient{f}
}

func (p patient) Read(b []byte) (int, error) {
	for {
		n, err := p.file.Read(b)
		if n > 0 || !errors.Is(err, syscall.EAGAIN) {
			return n, err
		}
		if err := wait(p.file, false); err != nil {
			return 0, err
		}
	}
}

func (p patient) Write(b []byte) (written int, err error) {
	for {
		n, err := p.file.Write(b[written:])
		written += n
		if !errors.Is(err, syscall.EAGAIN) {
			return written, err
		}
		if err := wait(p.file, true); err != nil {
			return written, err
		}
	}
}

func (p patient) SyscallConn() (syscall.RawConn, error) { return p.file.SyscallConn() }
