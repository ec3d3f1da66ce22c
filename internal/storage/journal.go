package storage

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// A Journal is a local file of lines, which a run adds to for the run that continues it.
// Only its owner can read it. A run holds a lock on it.
type Journal struct {
	file *os.File
	name string
}

// Journal opens the journal of that name, and returns its lines; if there is none, it
// creates one. What a killed run has left of a line is dropped. Its errors are those of the operating
// system, and *Error of the kinds Locked, and InTheWay for a file that others can read or
// that is no journal.
func (r *Run) Journal(name string) (j *Journal, lines [][]byte, err error) {
	if err := r.ended(); err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|openItself, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if lerr := lock(f); errors.Is(lerr, errInUse) {
		return nil, nil, &Error{Kind: Locked, Name: name}
	}
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !isOursAlone(st) {
		return nil, nil, &Error{Kind: InTheWay, Name: name, Partial: name, Err: errNotAlone}
	}
	all, err := io.ReadAll(f)
	if err != nil {
		return nil, nil, err
	}
	all = all[:bytes.LastIndexByte(all, '\n')+1]
	if err := f.Truncate(int64(len(all))); err != nil {
		return nil, nil, err
	}
	if _, err := f.Seek(int64(len(all)), io.SeekStart); err != nil {
		return nil, nil, err
	}
	for line := range bytes.Lines(all) {
		lines = append(lines, bytes.TrimSuffix(line, []byte("\n")))
	}
	return &Journal{f, name}, lines, syncDir(anywhere{}, filepath.Dir(name))
}

var errNotAlone = errors.New("it is not a regular file of yours that others cannot read, by one name")

// Append adds a line, and makes it durable.
func (j *Journal) Append(line []byte) error {
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return j.file.Sync()
}

// Reset drops all lines.
func (j *Journal) Reset() error {
	if err := j.file.Truncate(0); err != nil {
		return err
	}
	_, err := j.file.Seek(0, io.SeekStart)
	return err
}

// Close leaves the journal to the next run.
func (j *Journal) Close() error { return j.file.Close() }

// Remove ends the journal: there is nothing to continue.
func (j *Journal) Remove() error {
	if closeToRename {
		j.file.Close()
	}
	err := os.Remove(j.name)
	j.file.Close() // after that, so that the lock holds until then
	return err
}
