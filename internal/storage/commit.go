package storage

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"time"
)

// Commit makes the output durable and gives it its name. If it fails, the
// output is aborted. Its errors are those of the operating system, and *Error of
// the kinds Exists, NotRegular, IsInput and Lost; with Undurable and Leftover the
// output has its name. After Abort it fails.
func (p *Pending) Commit() error {
	switch {
	case p.upload != nil:
		return p.commitUpload()
	case p.path == "":
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

// settle makes the content final and durable.
func (p *Pending) settle() error {
	if p.sparse {
		end, err := p.file.Seek(0, io.SeekCurrent)
		if err == nil {
			err = p.file.Truncate(end)
		}
		if err != nil {
			return err
		}
	}
	if t := p.opts.ModTime; !t.IsZero() && t.Equal(time.Unix(0, t.UnixNano())) {
		p.at.Chtimes(p.partial, time.Time{}, t) // without it the output is good, too
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
		return errAborted
	}
	switch there, err := isAt(p.at, p.file, p.partial); {
	case err != nil:
		return err
	case !there:
		return p.fails(Lost, nil)
	}
	rename := func(from, to string) error { return renameNew(p.at, from, to) }
	if p.opts.Force {
		rename = p.at.Rename
		if err := p.checkReplaced(); err != nil {
			return err
		}
	}
	if closeToRename {
		p.file.Close()
	}
	err := rename(p.partial, p.path)
	e, left := errors.AsType[*Error](err)
	switch {
	case left:
		e.Name = p.name
	case errors.Is(err, fs.ErrExist):
		return p.fails(Exists, nil)
	case errors.Is(err, fs.ErrNotExist): // removed since it was looked at
		return p.fails(Lost, nil)
	case err != nil:
		return err
	}
	p.ended()
	return err
}

var errAborted = errors.New("the output was aborted")

// checkReplaced looks at what is about to be replaced: since it was planned,
// something else may have got the name, or this run may have begun to read it.
func (p *Pending) checkReplaced() error {
	st, err := p.at.Lstat(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return p.mayReplace(st)
}

// syncDir makes the name durable, and then closes the file, which ends the lock.
func (p *Pending) syncDir() error {
	defer p.file.Close()
	err := syncDir(p.at, filepath.Dir(p.path))
	if errors.Is(err, fs.ErrPermission) && !closeToRename {
		// A directory may be writable and not readable. File systems with a journal
		// write the name with the file.
		return p.file.Sync()
	}
	return err
}

// commitUpload has the object appear, unless this run has begun to read it.
func (p *Pending) commitUpload() (err error) {
	p.mu.Lock()
	over := p.over
	p.mu.Unlock()
	switch {
	case over:
		return errAborted
	case p.run.isReadURL(p.name):
		err = p.fails(IsInput, nil)
	default:
		err = p.upload.Commit()
	}
	if err != nil {
		p.Abort()
		return err
	}
	p.mu.Lock()
	p.ended()
	p.mu.Unlock()
	return nil
}

// commitDirect ends an output that was written as the data came.
func (p *Pending) commitDirect() error {
	st, err := p.file.Stat()
	switch {
	case err != nil:
		return err
	case st.Mode().IsRegular():
		err = flush(p.file)
	case isBlockDevice(st) && !p.opts.NoSync:
		err = p.file.Sync()
	}
	if p.ours {
		err = errors.Join(err, p.file.Close())
	}
	return err
}

// Abort removes the output, unless it is committed. Data that a stream or device got
// stays there. It may be called at any time, also twice.
func (p *Pending) Abort() {
	p.mu.Lock()
	keep := p.keeps && (p.opts.Force || !p.finished())
	p.mu.Unlock()
	p.end(!keep)
}

// Remains reports whether an aborted output is still there under its unfinished name:
// kept for a run that continues it, or because it could not be removed.
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
	if p.over || p.upload == nil && (p.path == "" || p.file == nil) {
		return
	}
	p.ended()
	if p.upload != nil {
		p.left = p.upload.Abort()
		return
	}
	there, err := isAt(p.at, p.file, p.partial)
	st, serr := p.file.Stat()
	p.left = there && err == nil
	if closeToRename {
		p.file.Close()
	}
	if remove && p.left && serr == nil && !p.run.isRead(st) {
		p.left = p.at.Remove(p.partial) != nil
	}
	p.file.Close() // after the removal, so that the lock holds until then
}
