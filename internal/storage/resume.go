package storage

import (
	"io"
)

// Reopen is Begin for a run that goes on where an earlier one has ended. It
// opens what that has left of the output, or creates it, and returns how much
// is there: nothing if it is not a regular file of this user's alone, which
// others could read. From then on Abort keeps it for the next run, unless
// another has made the output meanwhile.
func (p *Pending) Reopen() (there int64, err error) {
	f, err := openPartial(p.at, p.Partial())
	switch {
	case err == errInUse:
		return 0, p.fails(InUse, nil)
	case err != nil:
		return 0, err
	case f == nil: // or nothing that we would trust to be ours alone
		err := p.Begin()
		p.keeps = err == nil
		return 0, err
	}
	p.file, p.ours, p.keeps = f, true, true
	st, err := f.Stat()
	if err == nil && p.run.isRead(st) {
		err = &Error{Kind: InTheWay, Name: p.name, Partial: p.Partial(), Err: errInput}
	}
	if err == nil && !p.opts.Force && p.finished() {
		err = p.fails(Exists, nil)
	}
	if err != nil {
		p.Abort()
		return 0, err
	}
	return st.Size(), nil
}

// ReadAt reads what there is of an output that was reopened.
func (p *Pending) ReadAt(b []byte, off int64) (int, error) { return p.file.ReadAt(b, off) }

// CutAt drops what there is from offset on, and goes on writing there.
func (p *Pending) CutAt(offset int64) error {
	if err := p.file.Truncate(offset); err != nil {
		return err
	}
	_, err := p.file.Seek(offset, io.SeekStart)
	return err
}
