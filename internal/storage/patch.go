package storage

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
)

// A Patch is a regular file that is about to be changed in place. It is locked against
// other runs that would change it. An object of a store has no lock and needs none: Apply
// replaces it in one step, and only what it was when it was opened.
type Patch struct {
	*Blob
	Options PatchOptions
	busy    sync.Mutex // while Apply runs

	// Unlocked is why the file has no lock, on a file system without them; nil if it
	// has one. Without it others may change the file; Apply notices changes before Apply.
	Unlocked error
}

// PatchOptions say how an object is changed. The zero value is right, and the only one
// that files have.
type PatchOptions struct {
	Unsafe    bool // also where a change by another program at the same time would be lost
	Keep      bool // also if its old content stays behind as another version
	DeleteOld bool // and then delete that
}

// A Change replaces bytes at one place by as many others.
type Change struct {
	Offset int64
	Old    []byte // what the change was computed from; nil if that does not matter
	New    []byte
}

// Patch opens a file to be changed. The caller closes it. Its errors are those
// of the operating system, and *Error of the kinds Locked, NotPatchable,
// IsDirectory, NoScheme and NoDescriptor.
func (r *Run) Patch(name string, opts PatchOptions) (*Patch, error) {
	s, err := r.store(name)
	if err != nil {
		return nil, err
	}
	if s != nil {
		b, err := r.openObject(s, name)
		if err != nil {
			return nil, err
		}
		if _, ok := b.object.(Patcher); !ok || !b.seeks {
			b.Close()
			return nil, &Error{Kind: NotPatchable, Name: b.path}
		}
		return &Patch{Blob: b, Options: opts, Unlocked: errors.ErrUnsupported}, nil
	}
	path, fd, err := r.locate(name, 0)
	switch {
	case err != nil:
		return nil, err
	case path == "" && fd == 0:
		return nil, &Error{Kind: NotPatchable, Name: r.In.Name()}
	case path == "":
		return nil, &Error{Kind: NotPatchable, Name: name}
	}
	f, err := os.OpenFile(path, os.O_RDWR|openNoWait, 0)
	if err != nil {
		return nil, err
	}
	p := &Patch{Blob: &Blob{file: f, name: name, path: path, ours: true}}
	if p.Unlocked = lock(f); errors.Is(p.Unlocked, errInUse) {
		p.Close()
		return nil, &Error{Kind: Locked, Name: name}
	}
	if err := r.look(p.Blob); err != nil { // under the lock, so that it is the last state
		return nil, err
	}
	if !p.Regular() {
		p.Close()
		return nil, &Error{Kind: NotPatchable, Name: name, Err: errOther}
	}
	return p, nil
}

// Apply makes the changes in their order: each is durable, and has been read back,
// before the next begins.
// It fails with Changed, and has written nothing, if the file is not what it was
// when it was opened. Every other *Error is of kind HalfPatched: the file has
// some of the changes, or something else has changed it at the same time.
func (p *Patch) Apply(changes ...Change) error {
	p.busy.Lock()
	defer p.busy.Unlock()
	if p.object != nil {
		return p.object.(Patcher).Apply(changes, p.Options)
	}
	if err := p.check(changes); err != nil {
		return err
	}
	for _, c := range changes {
		_, err := p.file.WriteAt(c.New, c.Offset)
		if err == nil {
			err = p.file.Sync()
		}
		if err == nil {
			err = p.holds(c.New, c.Offset)
		}
		if err != nil {
			return &Error{Kind: HalfPatched, Name: p.name, Err: err}
		}
	}
	for _, c := range changes { // once more: somebody who knows of no lock may have written meanwhile
		if err := p.holds(c.New, c.Offset); err != nil {
			return &Error{Kind: HalfPatched, Name: p.name, Err: err}
		}
	}
	if st, err := p.file.Stat(); err == nil { // what the next Apply begins with
		p.stat = st
	}
	return nil
}

// Wait returns when no Apply is under way.
func (p *Patch) Wait() {
	p.busy.Lock()
	defer p.busy.Unlock()
}

// Over puts the change into b, bytes of the file from off on, as far as it is there.
func (c *Change) Over(b []byte, off int64) {
	if at := c.Offset - off; at < 0 && -at < int64(len(c.New)) {
		copy(b, c.New[-at:])
	} else if at >= 0 && at < int64(len(b)) {
		copy(b[at:], c.New)
	}
}

// A Place is a file that is changed as its owner likes. An [*os.File] is one.
type Place interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
}

// InPlace returns the locked file for a caller who keeps a journal of what it overwrites.
// Of an object it collects the changes, up to 256 MiB, and Sync applies them in one step:
// what cannot be done so fails with an *Error of kind NotPatchable.
func (p *Patch) InPlace() Place {
	if p.object != nil {
		return &collector{Patch: p}
	}
	return p.file
}

// A collector holds the changes of an object.
type collector struct {
	*Patch
	changes []Change
	held    int
}

const maxHeld = 256 << 20

func (c *collector) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.At().ReadAt(b, off)
	for i := range c.changes {
		c.changes[i].Over(b[:n], off)
	}
	return n, err
}

func (c *collector) WriteAt(b []byte, off int64) (int, error) {
	if c.held += len(b); c.held > maxHeld || off+int64(len(b)) > c.size {
		return 0, c.refuse()
	}
	if k := len(c.changes) - 1; k >= 0 && c.changes[k].Offset+int64(len(c.changes[k].New)) == off {
		c.changes[k].New = append(c.changes[k].New, b...)
	} else {
		c.changes = append(c.changes, Change{Offset: off, New: bytes.Clone(b)})
	}
	return len(b), nil
}

func (c *collector) Truncate(size int64) error {
	if size == c.size {
		return nil
	}
	return c.refuse()
}

func (c *collector) Sync() error {
	if len(c.changes) == 0 {
		return nil
	}
	return c.Apply(c.changes...)
}

func (c *collector) refuse() error {
	return &Error{Kind: NotPatchable, Name: c.path, Err: errors.New("more of the object would change than can be in one step, or its size")}
}

// check refuses changes of what has changed.
func (p *Patch) check(changes []Change) error {
	if err := p.Recheck(); errors.Is(err, Shrunk) {
		return &Error{Kind: Changed, Name: p.name}
	} else if err != nil {
		return err
	}
	for _, c := range changes {
		switch err := p.holds(c.Old, c.Offset); {
		case err == errDiffers:
			return &Error{Kind: Changed, Name: p.name}
		case err != nil:
			return err
		}
	}
	return nil
}

var errDiffers = errors.New("what was written did not read back")

// holds fails with errDiffers if the file has other bytes than want at off.
func (p *Patch) holds(want []byte, off int64) error {
	got := make([]byte, len(want))
	n, err := p.file.ReadAt(got, off)
	switch {
	case err != nil && err != io.EOF:
		return err
	case !bytes.Equal(got[:n], want):
		return errDiffers
	}
	return nil
}
