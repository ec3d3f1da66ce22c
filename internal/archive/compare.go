package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A Comparison says how the members of an archive are compared with the files below
// a directory.
type Comparison struct {
	Root    *os.Root               // the directory
	Content bool                   // compare the data, too
	NoMode  bool                   // do not compare permissions
	NoTimes bool                   // do not compare times
	Ignore  func(path string) bool // leave out this path, and all below it
	Source  RangeWriter            // writes what the archive was opened on
	Done    *atomic.Int64          // counts what is read in any other way
}

// A Status is how a path differs.
type Status string

const (
	Missing    Status = "missing"    // in the directory, and not in the archive
	Added      Status = "added"      // in the archive, and not in the directory
	Changed    Status = "changed"    // in both
	Unreadable Status = "unreadable" // cannot be read on one of the two sides
)

// A Difference is a path that differs.
type Difference struct {
	Path      string
	Status    Status
	Changes   []string // of one that is Changed: each begins with type, size, mode, time, link or content
	Err       error    // why it is Unreadable
	InArchive bool     // it is unreadable there
}

var errDiffers = errors.New("the content differs")

// Compare goes through the members in the order of the archive, and then through the
// directory for what is missing. Data is read once, and kept nowhere. What comes or
// goes meanwhile is there or is not, and no error. Sockets, which archives do not hold,
// are passed over, and so are the times of symbolic links. The only error that it
// yields, the last, is the cause of ctx.
func (s *Selection) Compare(ctx context.Context, c *Comparison) iter.Seq2[*Difference, error] {
	return func(yield func(*Difference, error) bool) {
		for m, err := range s.Members(File, Dir, Symlink, HardLink, Other) {
			d := &Difference{Path: ".", Status: Changed}
			if err != nil {
				d.fails(err, true)
			} else if d.Path = m.Path; !m.Local {
				d.Status = Added
			} else if !c.ignores(m.Path) {
				c.member(ctx, d, s.fs, m.Member)
			}
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			if (d.Status != Changed || d.Changes != nil) && !yield(d, nil) {
				return
			}
		}
		c.missing(ctx, s, ".", yield)
	}
}

func (c *Comparison) ignores(p string) bool {
	for ; p != "."; p = path.Dir(p) {
		if c.Ignore(p) {
			return true
		}
	}
	return false
}

func (d *Difference) fails(err error, inArchive bool) {
	d.Status, d.Err, d.InArchive = Unreadable, err, inArchive
}

func (d *Difference) changes(what string, archive, dir any) {
	d.Changes = append(d.Changes, fmt.Sprintf("%s %v, in DIR %v", what, archive, dir))
}

const permissions = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// member compares a member with what has its path in the directory.
func (c *Comparison) member(ctx context.Context, d *Difference, f *FS, m *Member) {
	st, err := c.lstat(d.Path)
	switch {
	case m.Kind == HardLink:
		d.fails(m.broke, true)
		return
	case gone(err):
		d.Status = Added
		return
	case err != nil:
		d.fails(err, false)
		return
	case m.Mode.Type() != st.Mode().Type():
		d.changes("type", m.Kind, kindOf(st.Mode()))
		return
	case m.Kind == Symlink:
		c.link(d, f, m)
		return
	}
	if (m.Mode^st.Mode())&permissions != 0 && !c.NoMode && runtime.GOOS != "windows" {
		d.changes("mode", m.ModeDigits(), (&Member{Mode: st.Mode()}).ModeDigits())
	}
	if !c.NoTimes && !m.ModTime.IsZero() && !m.sameTime(st.ModTime()) {
		d.changes("time", m.ModTime.UTC().Format(time.RFC3339Nano), st.ModTime().UTC().Format(time.RFC3339Nano))
	}
	if m.Kind == File && m.Size != st.Size() {
		d.changes("size", m.Size, st.Size())
	} else if m.Kind == File && c.Content {
		c.content(ctx, d, f, m, st)
	}
}

func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

// lstat tells what a path is in the directory. What lies behind a symbolic link is
// not there.
func (c *Comparison) lstat(p string) (fs.FileInfo, error) {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if st, err := c.Root.Lstat(filepath.FromSlash(dir)); err == nil && !st.IsDir() {
			return nil, fs.ErrNotExist
		}
	}
	return c.Root.Lstat(filepath.FromSlash(p))
}

// sameTime allows for what archives and file systems keep of a time: whole seconds in
// most tars, two of them in a zip, and fractions that were decimal numbers in between.
func (m *Member) sameTime(t time.Time) bool {
	apart := m.ModTime.Sub(t).Abs()
	switch {
	case m.zip != nil:
		return apart < 2*time.Second
	case m.ModTime.Nanosecond() == 0 || t.Nanosecond() == 0:
		return m.ModTime.Unix() == t.Unix()
	}
	return apart < time.Microsecond
}

func (c *Comparison) link(d *Difference, f *FS, m *Member) {
	to, err := f.LinkOf(m)
	if err != nil {
		d.fails(err, true)
	} else if is, err := c.Root.Readlink(filepath.FromSlash(d.Path)); err != nil {
		d.fails(err, false)
	} else if filepath.ToSlash(is) != to {
		d.changes("link", to, is)
	}
}

// open opens a path without waiting for whoever writes to it, should it be a pipe by now.
func (c *Comparison) open(path string) (*os.File, error) {
	return c.Root.OpenFile(filepath.FromSlash(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

func (c *Comparison) content(ctx context.Context, d *Difference, f *FS, m *Member, st fs.FileInfo) {
	file, err := c.open(d.Path)
	if err != nil {
		d.fails(err, false)
		return
	}
	defer file.Close()
	if now, err := file.Stat(); err != nil || !os.SameFile(now, st) {
		d.fails(errors.New("it was replaced meanwhile"), false)
		return
	}
	with := &comparer{file: file}
	data, err := f.Content(m, c.Source, c.Done)
	if err == nil {
		_, err = data.WriteRange(ctx, with, 0, m.Size)
	}
	switch {
	case errors.Is(err, errDiffers):
		d.Changes = append(d.Changes, fmt.Sprintf("content from about byte %d on", with.at))
	case with.err != nil:
		d.fails(with.err, false)
	case err != nil:
		d.fails(err, true)
	}
}

// A comparer is written to what a file should hold.
type comparer struct {
	file *os.File
	at   int64
	buf  []byte
	err  error // of reading the file
}

func (c *comparer) Write(p []byte) (int, error) {
	c.buf = slices.Grow(c.buf[:0], len(p))[:len(p)]
	switch n, err := io.ReadFull(c.file, c.buf); {
	case err == io.EOF, err == io.ErrUnexpectedEOF, err == nil && !bytes.Equal(c.buf, p):
		return 0, errDiffers
	case err != nil:
		c.err = err
		return 0, err
	default:
		c.at += int64(n)
	}
	return len(p), nil
}

// missing looks for what is in a directory, and below it, and not in the archive. It
// returns false when nothing more is wanted.
func (c *Comparison) missing(ctx context.Context, s *Selection, dir string, yield func(*Difference, error) bool) bool {
	var all []fs.DirEntry
	f, err := c.open(dir)
	if err == nil {
		all, err = f.ReadDir(-1)
		f.Close()
	}
	if err != nil && !gone(err) && !yield(&Difference{Path: dir, Status: Unreadable, Err: err}, nil) {
		return false
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range all {
		p := path.Join(dir, e.Name())
		if ctx.Err() != nil {
			return yield(nil, context.Cause(ctx)) && false
		}
		if c.ignores(p) || e.Type() == fs.ModeSocket {
			continue
		}
		if s.tree.lookup(p, true) == 0 {
			if _, err := c.Root.Lstat(filepath.FromSlash(p)); gone(err) {
				continue
			}
			if !yield(&Difference{Path: p, Status: Missing}, nil) {
				return false
			}
		}
		if e.IsDir() && !c.missing(ctx, s, p, yield) {
			return false
		}
	}
	return true
}
