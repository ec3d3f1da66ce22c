package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"bulla/internal/fullio"
)

// A Comparison says how the members of an archive are compared with the files below
// a directory.
type Comparison struct {
	Dir     string
	Content bool                   // compare the data, too
	NoMode  bool                   // do not compare permissions
	NoTime  bool                   // do not compare times
	Ignore  func(path string) bool // leave out this path, and all below it
	Source  RangeWriter            // writes what the archive was opened on
	Done    *atomic.Int64          // counts what is read in any other way
}

// A Difference is a path that differs.
type Difference struct {
	Path    string
	Status  string   // Missing, Added, Changed or Unreadable
	Changes []string // of one that is Changed: each begins with type, size, mode, time, link or content
	Err     error    // why it is Unreadable
}

// How a path differs.
const (
	Missing    = "missing"    // in the directory, and not in the archive
	Added      = "added"      // in the archive, and not in the directory
	Changed    = "changed"    // in both
	Unreadable = "unreadable" // in both, and cannot be read in the directory
)

// Compare goes through the members in the order of the archive, and then through the
// directory for what is missing, until ctx ends. Data is read once, and kept nowhere.
// What comes or goes meanwhile is there or is not. Sockets, which archives do not hold,
// are passed over, and so are the times of symbolic links. A member that cannot be read
// is an error, and the last that it yields.
func (s *Selection) Compare(ctx context.Context, c *Comparison) iter.Seq2[*Difference, error] {
	return func(yield func(*Difference, error) bool) {
		for m, err := range s.Members(File, Dir, Symlink, HardLink, Other) {
			d := &Difference{Status: Changed}
			if err == nil {
				d.Path = m.Path
				err = c.compare(ctx, d, s.fs, m)
			}
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if (err != nil || d.Status != Changed || d.Changes != nil) && !yield(d, err) || err != nil {
				return
			}
		}
		err := filepath.WalkDir(c.Dir, func(name string, e fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(c.Dir, name)
			d := &Difference{Path: filepath.ToSlash(rel), Status: Missing}
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case c.ignores(d.Path) && e.IsDir():
				return fs.SkipDir
			case gone(err) || c.ignores(d.Path):
				return nil
			case err != nil:
				d.Status, d.Err = Unreadable, err
			case e.Type() == fs.ModeSocket || s.tree.lookup(d.Path, true) != 0:
				return nil
			default:
				if _, err := os.Lstat(name); gone(err) {
					return nil
				}
			}
			if !yield(d, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(new(Difference), err)
		}
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

func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

func (d *Difference) changes(what string, archive, dir any) {
	d.Changes = append(d.Changes, fmt.Sprintf("%s %v, in DIR %v", what, archive, dir))
}

const permissions = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// compare compares a member with what has its path in the directory. It fails if the
// member cannot be read.
func (c *Comparison) compare(ctx context.Context, d *Difference, f *FS, m *Selected) error {
	if !m.Local {
		d.Status = Added
		return nil
	} else if c.ignores(m.Path) {
		return nil
	}
	st, err := c.lstat(d.Path)
	switch {
	case m.Kind == HardLink:
		return m.broke
	case gone(err):
		d.Status = Added
		return nil
	case err != nil:
		d.Status, d.Err = Unreadable, err
		return nil
	case m.Mode.Type() != st.Mode().Type():
		d.changes("type", m.Kind, kindOf(st.Mode()))
		return nil
	case m.Kind == Symlink:
		to, err := f.LinkOf(m.Member)
		if is, rerr := os.Readlink(c.path(d.Path)); err == nil && rerr == nil && filepath.ToSlash(is) != to {
			d.changes("link", to, is)
		}
		return err
	}
	if (m.Mode^st.Mode())&permissions != 0 && !c.NoMode && runtime.GOOS != "windows" {
		d.changes("mode", m.ModeDigits(), (&Member{Mode: st.Mode()}).ModeDigits())
	}
	if t := st.ModTime(); !c.NoTime && !m.sameTime(t) {
		d.changes("time", m.ModTime.UTC().Format(time.RFC3339Nano), t.UTC().Format(time.RFC3339Nano))
	}
	if m.Kind == File && m.Size != st.Size() {
		d.changes("size", m.Size, st.Size())
	} else if m.Kind == File && c.Content {
		return c.content(ctx, d, f, m.Member)
	}
	return nil
}

func (c *Comparison) path(p string) string { return filepath.Join(c.Dir, filepath.FromSlash(p)) }

// lstat tells what a path is in the directory. What lies behind a symbolic link is
// not there.
func (c *Comparison) lstat(p string) (fs.FileInfo, error) {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if st, err := os.Lstat(c.path(dir)); err == nil && !st.IsDir() {
			return nil, fs.ErrNotExist
		}
	}
	return os.Lstat(c.path(p))
}

// sameTime allows for what archives and file systems keep of a time: whole seconds in
// most tars, two of them in a zip, and fractions that were decimal numbers in between.
func (m *Member) sameTime(t time.Time) bool {
	apart := m.ModTime.Sub(t).Abs()
	switch {
	case m.ModTime.IsZero():
		return true
	case m.zip != nil:
		return apart < 2*time.Second
	case m.ModTime.Nanosecond() == 0 || t.Nanosecond() == 0:
		return m.ModTime.Unix() == t.Unix()
	}
	return apart < time.Microsecond
}

func (c *Comparison) content(ctx context.Context, d *Difference, f *FS, m *Member) error {
	// Should it be a pipe by now, nobody waits for whoever writes to it.
	file, err := os.OpenFile(c.path(d.Path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		d.Status, d.Err = Unreadable, err
		return nil
	}
	defer file.Close()
	with := &fullio.Comparer{From: file}
	data, err := f.Content(m, c.Source, c.Done)
	if err == nil {
		_, err = data.WriteRange(ctx, with, 0, m.Size)
	}
	switch with.Err {
	case nil:
		return err
	case fullio.ErrDiffers:
		d.Changes = append(d.Changes, "content")
	default:
		d.Status, d.Err = Unreadable, with.Err
	}
	return nil
}
