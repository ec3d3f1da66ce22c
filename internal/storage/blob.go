package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/term"
)

// A Version tells one state of a file from others; "" if that cannot be told.
type Version string

// A Blob is something that is read: a file, a stream, a device.
type Blob struct {
	object Object // of a store; nil: a file
	file   *os.File
	name   string // as given
	path   string // "" if it is a descriptor
	ours   bool   // Close closes it
	stat   fs.FileInfo
	size   int64
	seeks  bool
	handed int64     // where a descriptor stood
	from   io.Reader // what Read has begun to read of an object
}

// Open opens a name for reading; "-" is standard input. The caller closes the Blob.
// Its errors are those of the operating system, and *Error of
// the kinds IsDirectory, Closed, NoScheme and NoDescriptor.
func (r *Run) Open(name string) (*Blob, error) {
	s, err := r.store(name)
	if err != nil {
		return nil, err
	}
	if s != nil {
		return r.openObject(s, name)
	}
	path, fd, err := r.locate(name, 0)
	if err != nil {
		return nil, err
	}
	b := &Blob{name: name, path: path, ours: true}
	if path == "" {
		b.file, b.ours, err = r.stream(fd)
	} else {
		b.file, err = os.Open(path)
	}
	if err != nil {
		return nil, err
	}
	return b, r.look(b)
}

// look finds out what kind of file b is, and remembers it as read. It closes b if that
// fails.
func (r *Run) look(b *Blob) (err error) {
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	if b.stat, err = b.file.Stat(); err != nil {
		return err
	}
	b.size = -1
	switch {
	case b.stat.IsDir():
		return &Error{Kind: IsDirectory, Name: b.name}
	case b.stat.Mode().IsRegular():
		if at, err := b.file.Seek(0, io.SeekCurrent); err == nil {
			b.size, b.handed, b.seeks = max(0, b.stat.Size()-at), at, at == 0
		}
	case isBlockDevice(b.stat):
		if end, err := b.file.Seek(0, io.SeekEnd); err == nil {
			b.size = end
		}
		if _, err := b.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	r.reads(b.stat)
	return nil
}

// Path is the path of the file, or the URL of the object without its secrets; "" of a
// descriptor that the caller opened.
func (b *Blob) Path() string { return b.path }

// InStore reports whether it is an object of a store.
func (b *Blob) InStore() bool { return b.object != nil }

// Size is the number of bytes to read; -1 if it is not known before the end.
func (b *Blob) Size() int64 { return b.size }

// Regular reports whether it is a regular file, from its beginning, or an object that
// can be read at any place, as such a file can. It has a Version.
func (b *Blob) Regular() bool { return b.seeks }

// Stream returns what to read it from to its end: an *os.File where nothing else shares
// it, which io.Copy and others treat well. Do not close it.
func (b *Blob) Stream() io.Reader {
	if b.object != nil {
		return b.object.Stream()
	}
	return shared(b.file)
}

// Read reads it from the beginning to the end.
func (b *Blob) Read(p []byte) (int, error) {
	if b.object == nil {
		return patient{b.file}.Read(p)
	}
	if b.from == nil {
		b.from = b.object.Stream()
	}
	return b.from.Read(p)
}

// At reads it at any place, if it has a size.
func (b *Blob) At() io.ReaderAt {
	if b.object != nil {
		return b.object.At()
	}
	return b.file
}

// ReadAt is that of At.
func (b *Blob) ReadAt(p []byte, off int64) (int, error) { return b.At().ReadAt(p, off) }

// Info is what it was when it was opened; nil of an object.
func (b *Blob) Info() fs.FileInfo { return b.stat }

// Terminal reports whether it is a terminal.
func (b *Blob) Terminal() bool { return b.file != nil && term.IsTerminal(int(b.file.Fd())) }

// Version is what it was when it was opened.
func (b *Blob) Version() Version {
	switch {
	case b.object != nil:
		return b.object.Version()
	case !b.seeks:
		return ""
	}
	return versionOf(b.stat)
}

func versionOf(st fs.FileInfo) Version {
	return Version(fmt.Sprintf("%s-%d-%d", fileID(st), st.Size(), st.ModTime().UnixNano()))
}

// Recheck compares the file with what was opened. Its errors are *Error of the kinds
// Shrunk, if it is shorter now, and Changed, if it has changed otherwise. A stream
// always passes.
func (b *Blob) Recheck() error {
	if b.object != nil {
		return b.object.Recheck()
	}
	if b.size < 0 || !b.stat.Mode().IsRegular() {
		return nil
	}
	st, err := b.file.Stat()
	switch {
	case err != nil:
		return err
	case st.Size() < b.handed+b.size:
		return &Error{Kind: Shrunk, Name: b.name}
	case versionOf(st) != versionOf(b.stat):
		return &Error{Kind: Changed, Name: b.name}
	}
	return nil
}

// IsPipe reports whether a name, which is no URL, is that of a named pipe: to open it could take for ever.
func IsPipe(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode()&fs.ModeNamedPipe != 0 && Scheme(name) == ""
}

// Hold locks a file as [Run.Patch] does, until it is closed, and then rechecks it. A stream and
// an object have no lock.
func (b *Blob) Hold() error {
	if b.ours && b.object == nil && b.Regular() && errors.Is(lock(b.file), errInUse) {
		return &Error{Kind: Locked, Name: b.name}
	}
	return b.Recheck()
}

// Close closes a file; what the caller opened stays open. It may be nil.
func (b *Blob) Close() error {
	if b == nil || !b.ours {
		return nil
	}
	if b.object != nil {
		return b.object.Close()
	}
	return b.file.Close()
}
