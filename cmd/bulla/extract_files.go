package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"bulla/entropy"
	"bulla/internal/safetext"
)

// A tempNames makes names to write under. Unlike an output's they are not to be
// guessed: of the many members of an archive one may be called like what another
// is written under.
type tempNames struct {
	run  string // random
	made int
}

func newTempNames() (*tempNames, error) {
	var random [8]byte
	if err := entropy.Default().Fill("temporary name", random[:]); err != nil {
		return nil, err
	}
	return &tempNames{run: hex.EncodeToString(random[:])}, nil
}

// nextTo is a new name in the directory of path.
func (t *tempNames) nextTo(path string) string {
	t.made++
	return filepath.Join(filepath.Dir(path), fmt.Sprint(partialPrefix, t.run, "-", t.made, partialSuffix))
}

// file writes a file: like every output, whole or not at all.
func (e *extraction) file(t target) error {
	from, err := e.from.member(t.Member)
	if err != nil {
		return err
	}
	temp := e.temps.nextTo(t.path)
	f, err := e.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, privateFile|t.Mode.Perm()&0o100)
	if err != nil {
		return e.about(t.path, err)
	}
	discard := func() {
		f.Close()
		e.root.Remove(temp)
	}
	defer e.app.left.add(discard)()
	n, err := e.fill(f, from)
	if err == nil {
		err = e.settle(f, t, temp)
	}
	if err == nil {
		err = e.publish(temp, t.path)
	}
	if err != nil {
		discard()
		if pe, ok := errors.AsType[*fs.PathError](err); ok && pe.Path == f.Name() {
			err = e.about(t.path, pe)
		}
		return err
	}
	e.done.Files++
	e.done.Bytes += n
	e.app.note("%s", safetext.Printable(filepath.Join(e.dir, t.path)))
	return nil
}

// fill writes the content to f.
func (e *extraction) fill(f *os.File, from *content) (int64, error) {
	if !from.pieces {
		return from.write(f, 0, from.size)
	}
	n, err := from.write(holes{f}, 0, from.size)
	if err == nil {
		err = f.Truncate(from.size)
	}
	return n, err
}

// holes writes to a new file and leaves out what is zero, so that a sparse file
// takes no more room than it did. It does not make the file as long as it is.
type holes struct{ f *os.File }

func (h holes) Write(p []byte) (int, error) {
	if bytes.Count(p, []byte{0}) < len(p) {
		return h.f.Write(p)
	}
	if _, err := h.f.Seek(int64(len(p)), io.SeekCurrent); err != nil {
		return 0, err
	}
	return len(p), nil
}

// settle gets a file to where it is going to stay, with the time it had, and
// closes it. A time that the file system cannot hold is nothing to fail for.
func (e *extraction) settle(f *os.File, t target, temp string) error {
	if when := t.ModTime; !when.IsZero() && when.Equal(time.Unix(0, when.UnixNano())) {
		e.root.Chtimes(temp, time.Time{}, when)
	}
	if !e.noSync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return f.Close()
}

// publish gives a file its name, which is nobody's yet unless forced. Where the
// file system has no hard links it looks first and renames then.
func (e *extraction) publish(temp, path string) error {
	if !e.force {
		err := e.root.Link(temp, path)
		if err == nil {
			return e.root.Remove(temp)
		}
		if _, there := e.root.Lstat(path); there == nil {
			return e.exists(path)
		}
	}
	if err := e.root.Rename(temp, path); err != nil {
		return e.about(path, err)
	}
	return nil
}
