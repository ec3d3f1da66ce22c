package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"bulla/internal/fullio"
)

// Reopen is Begin for a run that continues an earlier one. It opens what that run left
// of the output, or creates it, and returns its size. It does not continue a file that
// other users could read: the size is 0 then. From then on Abort keeps the unfinished
// output for the next run, unless another run has made the output meanwhile. It fails
// with [errors.ErrUnsupported] if the output is an object.
func (p *Pending) Reopen() (there int64, err error) {
	if p.upload != nil {
		return 0, errors.ErrUnsupported
	}
	f, err := openPartial(p.at, p.partial)
	switch {
	case errors.Is(err, errInUse):
		return 0, p.fails(InUse, nil)
	case err != nil:
		return 0, err
	case f == nil:
		err := p.Begin()
		p.keeps = err == nil
		return 0, err
	}
	p.file, p.ours, p.keeps = f, true, true
	st, err := f.Stat()
	switch {
	case err != nil:
	case p.run.isRead(st):
		err = p.fails(InTheWay, errInput)
	case !p.opts.Force && p.finished():
		err = p.fails(Exists, nil)
	default:
		return st.Size(), nil
	}
	p.Abort()
	return 0, err
}

// openPartial opens and locks what an earlier run has left of an output. It returns nil
// if there is nothing, or a file that other users could read. It fails with errInUse if
// another run writes it.
func openPartial(at place, path string) (*os.File, error) {
	f, err := at.OpenFile(path, os.O_RDWR|openItself, 0)
	if err != nil {
		return nil, nil // make creates it, or says why it cannot
	}
	err = claim(at, f, path)
	var st fs.FileInfo
	if err == nil {
		st, err = f.Stat()
	}
	if err == nil && isOursAlone(st) {
		return f, nil
	}
	f.Close()
	return nil, err
}

// A Kept compares what is written to it with what there is of an output that was
// reopened. What an earlier run has left proves nothing by itself, and after a power
// failure may not be what was written.
type Kept struct {
	fullio.Comparer
	file *os.File
}

// Kept returns a Kept of an output that was reopened.
func (p *Pending) Kept() *Kept { return &Kept{fullio.Comparer{From: p.file}, p.file} }

// Cut drops what there is beyond what was equal, and has the output written from
// there on.
func (k *Kept) Cut() error {
	if err := k.file.Truncate(k.Same); err != nil {
		return err
	}
	_, err := k.file.Seek(k.Same, io.SeekStart)
	return err
}
