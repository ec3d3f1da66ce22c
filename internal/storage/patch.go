package storage

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
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

	scratch *Scratch // what is to be written to an object
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
	p := &Patch{Blob: &Blob{name: name, path: path, ours: true}}
	// Whoever had the lock before may have removed the file, or put another in its place: then it is
	// opened again; not for ever, since a file system may number a file anew each time.
	for try := 0; ; try++ {
		if p.file, err = os.OpenFile(path, os.O_RDWR|openNoWait, 0); err != nil {
			if st, serr := os.Stat(path); serr == nil && st.IsDir() {
				err = &Error{Kind: IsDirectory, Name: name}
			}
			return nil, err
		}
		if p.Unlocked = lock(p.file); errors.Is(p.Unlocked, errInUse) {
			p.Close()
			return nil, &Error{Kind: Locked, Name: name}
		}
		if try == 10 || isNamed(p.file, path) {
			break
		}
		p.Close()
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
	if err := p.check(changes); err != nil {
		return err
	}
	if p.object != nil {
		d := &draft{Patch: p, length: p.size, written: edits(changes)}
		for _, c := range changes {
			d.changed = append(d.changed, Range{c.Offset, int64(len(c.New))})
		}
		return d.replace()
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

// A Place is a file that is changed as its owner likes. An [*os.File] is one.
type Place interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
}

// InPlace returns the locked file for a caller who keeps a journal of what it overwrites.
// Of an object it has what is written in a temporary file, until Sync replaces the object
// in one step.
func (p *Patch) InPlace() Place {
	if p.object != nil {
		return &draft{Patch: p, length: p.size}
	}
	return p.file
}

// Allowed fails as Sync will if the options do not allow that the object is replaced.
func (p *Patch) Allowed() error {
	if p.object != nil {
		return p.object.(Patcher).Allowed(p.Options)
	}
	return nil
}

// isNamed reports whether a file has that name; links are followed.
func isNamed(f *os.File, path string) bool {
	st, err := f.Stat()
	now, nerr := os.Stat(path)
	return err == nil && nerr == nil && os.SameFile(st, now)
}

// Remove removes the file under its lock, durably, and ends the patch.
func (p *Patch) Remove() error {
	if closeToRename {
		p.Close()
	}
	err := os.Remove(p.path)
	p.Close()
	if err != nil {
		return err
	}
	return syncDir(anywhere{}, filepath.Dir(p.path))
}

// Close ends the patch.
func (p *Patch) Close() error {
	if p.scratch != nil {
		p.scratch.Close()
	}
	return p.Blob.Close()
}

// check refuses changes of what has changed.
func (p *Patch) check(changes []Change) error {
	if p.object == nil { // a store looks when it replaces
		if err := p.Recheck(); errors.Is(err, Shrunk) {
			return &Error{Kind: Changed, Name: p.name}
		} else if err != nil {
			return err
		}
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
	if want == nil {
		return nil
	}
	got := make([]byte, len(want))
	n, err := p.At().ReadAt(got, off)
	switch {
	case err != nil && err != io.EOF:
		return err
	case !bytes.Equal(got[:n], want):
		return errDiffers
	}
	return nil
}
