package storage

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A Journal is a local file of lines, which a run adds to for the run that continues it.
// Only its owner can read it. A run holds a lock on it. A nil Journal keeps nothing. Before each line
// is its checksum:
//
//	8 digits  CRC-32C of the line, in hexadecimal
//	a space
//	the line
//	a line feed
type Journal struct {
	file *os.File
	name string
}

// Journal opens the journal of that name, and returns its lines; if there is none, it
// creates one. What a killed run has left of a line is dropped. Its errors are those of the operating
// system, and *Error of the kinds Locked, Damaged, NotPrivate where none can be made that others
// cannot read, as on FAT, and InTheWay for a file that others can read or that is no journal. A
// journal that is damaged is returned, too, and can be reset.
func (r *Run) Journal(name string) (j *Journal, lines [][]byte, err error) {
	if err := r.ended(); err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	made := err == nil
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(name, os.O_RDWR|openItself, 0)
	}
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil && j == nil {
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
	if made && !isOursAlone(st) {
		os.Remove(name)
		return nil, nil, &Error{Kind: NotPrivate, Name: name}
	}
	if !isOursAlone(st) {
		return nil, nil, &Error{Kind: InTheWay, Name: name, Partial: name, Err: errNotAlone}
	}
	all, err := io.ReadAll(io.LimitReader(f, maxJournal+1))
	if err != nil {
		return nil, nil, err
	}
	end := bytes.LastIndexByte(all, '\n') + 1
	damaged := len(all) > maxJournal
	if torn := all[end:]; len(torn) > sumSize { // or a whole line, whose end is damaged
		damaged = damaged || bytes.Equal(append(torn[:len(torn)-1:len(torn)-1], '\n'), summed(torn[sumSize:len(torn)-1]))
	}
	for whole := range bytes.Lines(all[:end]) {
		line := whole[min(sumSize, len(whole)-1) : len(whole)-1]
		damaged = damaged || !bytes.Equal(whole, summed(line))
		lines = append(lines, line)
	}
	if damaged {
		return &Journal{f, name}, nil, &Error{Kind: Damaged, Name: name}
	}
	if err = f.Truncate(int64(end)); err == nil {
		_, err = f.Seek(int64(end), io.SeekStart)
	}
	if err == nil {
		err = syncDir(anywhere{}, filepath.Dir(name))
	}
	if err != nil {
		return nil, nil, err
	}
	return &Journal{f, name}, lines, nil
}

var errNotAlone = errors.New("it is not a regular file of yours that others cannot read, by one name")

const (
	sumSize    = 8 + 1
	maxJournal = 128 << 20 // bytes: a set has 131,072 volumes, and a line for each
)

// summed is a line as it is in the file.
func summed(line []byte) []byte {
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(line, castagnoli), line)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append adds a line, which has no line feed in it, and makes it durable.
func (j *Journal) Append(line []byte) error {
	if j == nil {
		return nil
	}
	if _, err := j.file.Write(summed(line)); err != nil {
		return err
	}
	return j.file.Sync()
}

// Reset drops all lines.
func (j *Journal) Reset() error {
	if j == nil {
		return nil
	}
	if err := j.file.Truncate(0); err != nil {
		return err
	}
	_, err := j.file.Seek(0, io.SeekStart)
	return err
}

// Close leaves the journal to the next run.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

// Remove ends the journal: there is nothing to continue. Its error is an *Error of the kind
// Leftover, about what the journal was for, whose name is of.
func (j *Journal) Remove(of string) error {
	if j == nil {
		return nil
	}
	if closeToRename {
		j.file.Close()
	}
	err := os.Remove(j.name)
	j.file.Close() // after that, so that the lock holds until then
	if err != nil {
		return &Error{Kind: Leftover, Name: of, Partial: j.name, Err: causeOf(err)}
	}
	return nil
}
