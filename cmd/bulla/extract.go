package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"bulla/internal/archive"
	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

type extractFlags struct {
	randomFlags
	dir    string
	strip  uint
	force  bool
	noSync bool
}

func extractCommand(a *app) *cobra.Command {
	x := &extractFlags{}
	cmd := newVerb("extract FILE [MEMBER...]", "Write members of an archive in a file to a directory", takes(1, 0, "the name of a file, and members of the archive in it", "bulla extract backup.tar.bulla etc/fstab"),
		func(cmd *cobra.Command, args []string) error { return a.extract(cmd, x, args[0], args[1:]) })
	f := cmd.Flags()
	f.StringVarP(&x.dir, "directory", "C", ".", "write below `DIR`, which is made if it does not exist")
	cmd.MarkFlagDirname("directory")
	f.UintVar(&x.strip, "strip-components", 0, "leave out the first `N` parts of each name")
	f.BoolVar(&x.force, "force", false, "replace existing files")
	f.BoolVar(&x.noSync, "no-sync", false, "do not wait until the files are safe on the disk")
	x.randomFlags.register(a, cmd)
	x.grantFlag.register(cmd)
	return cmd
}

// extracted is what extract --json says.
type extracted struct {
	safetext.InputField
	Directory safetext.Name `json:"directory"`
	Files     int           `json:"files"`
	Bytes     int64         `json:"bytes"`
	Refused   int           `json:"refused"`
}

func (a *app) extract(cmd *cobra.Command, x *extractFlags, name string, members []string) error {
	if storage.Scheme(x.dir) != "" {
		return usage("-C DIR names one; bulla cat -o writes a member to a URL", "%s is no directory", safetext.Printable(x.dir))
	}
	r, in, err := a.openMembers(cmd, &x.randomFlags, name, "bulla extract FILE MEMBER... writes members")
	if err != nil {
		return err
	}
	defer r.Close()
	s, err := in.Select(members...)
	switch {
	case err != nil:
		return archiveError(r, err)
	case s.End == nil && len(s.Missing) > 0:
		return archiveError(r, &archive.MissingError{Name: s.Missing[0]})
	case s.End != nil && s.Count == 0 && r.EndMissing(s.End):
		return r.loss(s.End, "nothing that was asked for is in what there is")
	case s.End != nil && (s.Count == 0 || !r.breaksOff(s.End)):
		return archiveError(r, s.End)
	}
	if err := s.Strip(int(min(x.strip, archive.MaxName))); err != nil {
		return archiveError(r, err)
	}
	e := &extraction{extractFlags: x, app: a, from: r, in: in,
		done: extracted{InputField: r.in.given.AsInput(), Directory: safetext.Name(x.dir)}}
	if err := os.MkdirAll(x.dir, privateDir); err != nil {
		return e.stopped(err)
	}
	if e.root, err = os.OpenRoot(x.dir); err != nil {
		return e.stopped(err)
	}
	defer e.root.Close()
	e.tree = a.files.Below(e.root)
	defer e.tree.Close()
	start := time.Now()
	if err := e.run(cmd.Context(), s); err != nil {
		return err
	}
	a.note("%s: %s in %s written to %s in %v", r.in.name, console.Bytes(e.done.Bytes), plural(e.done.Files, "file"), e.done.Directory, time.Since(start).Round(time.Millisecond))
	if a.json {
		a.printJSON(e.done)
	}
	if e.exit != exitOK {
		return e.incomplete()
	}
	if s.End == nil {
		a.tellTruncated(r)
	}
	return a.outErr
}

// An extraction writes members below a directory.
type extraction struct {
	*extractFlags
	app  *app
	from *randomAccess
	in   *archive.FS
	root *os.Root      // keeps every path, and every link on it, inside
	tree *storage.Tree // writes below it

	done extracted
	exit int // what the members that are not written make the exit code
}

// run writes what is selected, once it is known that nothing is in the way. Links
// come last, so that nothing is written by way of them, whatever the order of the
// members is; then the times of directories, which change with what is made in them.
func (e *extraction) run(ctx context.Context, s *archive.Selection) error {
	if err := e.checkFree(s); err != nil {
		return err
	}
	if s.End != nil {
		e.brokenOff(s)
	}
	for m, err := range s.Misplaced() {
		if err != nil {
			return archiveError(e.from, err)
		}
		e.refuse(m.Name, exitRefused, "another member of the archive is in its way")
	}
	bar := e.app.startProgress(&e.workFlags, e.from.in.name, s.Bytes, e.from.done, nil)
	err := e.each(ctx, s, e.make, archive.File, archive.Dir, archive.HardLink, archive.Other)
	if err == nil {
		err = e.each(ctx, s, e.link, archive.Symlink)
	}
	if err == nil {
		err = e.each(ctx, s, e.dirTime, archive.Dir)
	}
	if err == nil {
		err = e.settle()
	} else {
		err = e.stopped(err)
	}
	bar.Finish(err)
	return err
}

// each does something with every member of some kinds. What is wrong with one of
// them keeps no other from being written.
func (e *extraction) each(ctx context.Context, s *archive.Selection, do func(m *archive.Selected, path string) error, kinds ...archive.Kind) error {
	for m, err := range s.Members(kinds...) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return archiveError(e.from, err)
		}
		path, err := target(m)
		if err == nil && path != "" {
			err = do(m, path)
		}
		if err == nil {
			continue
		}
		f := explain(err)
		if e.from.EndMissing(err) {
			f.exit = exitLoss
		}
		if !slices.Contains(severity, f.exit) {
			return err
		}
		e.refuse(m.Name, f.exit, f.what)
		s.Drop(m)
	}
	return nil
}

// target is the path below the directory that a member goes to, with this system's
// separators; "" if that is the directory itself.
func target(m *archive.Selected) (string, error) {
	path := filepath.FromSlash(m.Path)
	switch {
	case m.Path == ".":
		return "", nil
	case len(path) > maxPath:
		return "", refuse("", "its name is too long")
	case !m.Local:
		return "", refuse("", "its name leads out of the directory")
	case strings.ContainsFunc(path, unicode.IsControl):
		return "", refuse("", "its name has control characters")
	case !filepath.IsLocal(path) || filepath.ToSlash(path) != m.Path:
		return "", refuse("", "this system does not take its name")
	}
	return path, nil
}

// maxPath is how long a path may be, on most systems. A longer one could be made, a
// directory at a time, and hardly any program could get there.
const maxPath = 4095

// checkFree refuses to write anything if something is in the way of a member.
func (e *extraction) checkFree(s *archive.Selection) error {
	absent := "" // the last directory that was found missing
	for path, kind := range s.Paths() {
		path = filepath.FromSlash(path)
		if dir := filepath.Dir(path); dir == absent || !filepath.IsLocal(path) || len(path) > maxPath {
			continue
		} else if _, err := e.root.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			absent = dir
			continue
		}
		if st, err := e.root.Lstat(path); err == nil && !(st.IsDir() && kind == archive.Dir) && (st.IsDir() || !e.force) {
			return e.exists(path)
		}
	}
	return nil
}

// brokenOff says what is not there of an archive that is damaged, or breaks off. That
// all of a directory is, is not known then.
func (e *extraction) brokenOff(s *archive.Selection) {
	f := explain(archiveError(e.from, s.End))
	if e.from.EndMissing(s.End) {
		f.exit = exitLoss
	}
	e.app.tellBrokenOff(e.from, s.End)
	for _, name := range s.Missing {
		e.refuse(name, f.exit, "it is not in what there is of the archive")
	}
	if !s.Exact {
		e.worsen(f.exit)
	}
}

// refuse says why a member is not written. The others are, and exit is the code
// in the end, unless something is worse.
func (e *extraction) refuse(name string, exit int, why string) {
	e.done.Refused++
	e.worsen(exit)
	e.app.warn(fmt.Sprintf("%s is not written: %s", safetext.Printable(name), why), "")
}

// severity is how an extraction may end, from the best to the worst.
var severity = []int{exitOK, exitRefused, exitUnsupported, exitLoss, exitBad}

func (e *extraction) worsen(exit int) {
	if slices.Index(severity, exit) > slices.Index(severity, e.exit) {
		e.exit = exit
	}
}

// incomplete is the error when all that can be written is.
func (e *extraction) incomplete() error {
	f := &failure{exit: e.exit, what: plural(e.done.Refused, "member") + " not written",
		hint: "the warnings say why; bulla cat FILE" + memberMark + "MEMBER shows what a file holds"}
	if e.done.Refused == 0 {
		f.what = "the archive in " + e.from.in.name + " is not whole: what there is of it was written"
	}
	return f
}

const (
	privateDir  = 0o700
	privateFile = 0o600
)

// make makes a directory, or a file and the directory that it is in.
func (e *extraction) make(m *archive.Selected, path string) error {
	switch m.Kind {
	case archive.Dir:
		return e.mkdir(path)
	case archive.Other:
		return refuse("", "it is a device, a pipe or the like")
	}
	if err := e.mkdir(filepath.Dir(path)); err != nil {
		return err
	}
	if m.LinkTo != "" && e.tree.Link(filepath.FromSlash(m.LinkTo), path, e.force) == nil {
		return e.made(path, 0, nil)
	} // or else it is a file of its own
	from, err := e.from.member(e.in, m.Member)
	if err != nil {
		return err
	}
	out, err := e.tree.Create(path, storage.Options{Force: e.force, NoSync: e.noSync, Mode: privateFile | m.Mode.Perm()&0o100, ModTime: m.ModTime})
	if err != nil {
		return e.about(path, err)
	}
	defer out.Abort()
	n, err := from.write(out.Sparse(), 0, from.size)
	if err == nil {
		err = out.Commit()
	}
	return e.made(path, n, e.about(path, err))
}

func (e *extraction) made(path string, n int64, err error) error {
	if err == nil {
		e.done.Files++
		e.done.Bytes += n
		e.app.note("%s", safetext.Printable(filepath.Join(e.dir, path)))
	}
	return err
}

// link makes a symbolic link. Where it leads is of no matter here: no link is
// followed, those that were made before on the way to this one included.
func (e *extraction) link(m *archive.Selected, path string) error {
	to, err := e.in.LinkOf(m.Member)
	if err != nil {
		return archiveError(e.from, err)
	}
	if err := e.mkdir(filepath.Dir(path)); err != nil {
		return err
	}
	err = e.tree.Symlink(filepath.FromSlash(to), path, e.force)
	return e.made(path, 0, e.about(path, err))
}

// mkdir makes a directory, and those on the way to it.
func (e *extraction) mkdir(path string) error {
	return e.about(path, e.tree.Mkdir(path, privateDir))
}

// dirTime gives a directory the time it had.
func (e *extraction) dirTime(m *archive.Selected, path string) error {
	if !m.ModTime.IsZero() {
		e.root.Chtimes(path, m.ModTime, m.ModTime) // nothing to fail for
	}
	return nil
}

func (e *extraction) exists(path string) error {
	name := safetext.Printable(filepath.Join(e.dir, path))
	if st, err := e.root.Lstat(path); err == nil && st.IsDir() {
		return refuse("remove it, or name another directory with -C", "%s is a directory", name)
	}
	return refuse("--force replaces it; -C names another directory", "%s exists", name)
}

// everywhere is what keeps not only one member from being written, but the next as
// well. Everything else that a system says of a member is about that one.
var everywhere = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}

// about words what became of the writing of path, as the user knows it.
func (e *extraction) about(path string, err error) error {
	name := filepath.Join(e.dir, path)
	if se, ok := errors.AsType[*storage.Error](err); ok && se.Kind != storage.Exists && se.Kind != storage.IsDirectory {
		same := *se
		same.Name = name
		return withHint(&same, "name another directory with -C")
	} else if ok || errors.Is(err, fs.ErrExist) {
		return e.exists(path)
	}
	var errno syscall.Errno
	switch {
	case err == nil || errors.As(err, new(*failure)) || errors.As(err, new(*fileError)):
		return err // of the archive
	case strings.Contains(err.Error(), "path escapes from parent"): // the error itself is not exported
		return refuse("remove the link, or name another directory with -C", "%s leads out of the directory over a link", safetext.Printable(name))
	case !errors.As(err, &errno):
		return err
	}
	for _, same := range everywhere {
		if errors.Is(err, same) || storage.NoSpace(err) && !errors.Is(err, syscall.EFBIG) {
			return &fs.PathError{Op: "write", Path: name, Err: errno}
		}
	}
	return refuse("name another directory with -C", "%s cannot be made: %v", safetext.Printable(name), errno)
}

// settle waits until what was written is on the disk.
func (e *extraction) settle() error {
	if e.noSync {
		return nil
	}
	err := e.tree.Sync()
	if err == nil {
		return nil
	}
	return &failure{exit: exitIO, err: err, what: "the files were written, but may not be safe on the disk: " + causeOf(err).Error(),
		hint: "check the disk, and extract them again with --force"}
}

// stopped is an error that no more is written after.
func (e *extraction) stopped(err error) error {
	f := explain(err)
	switch {
	case f.exit != exitIO:
		return err
	case storage.NoSpace(err):
		f.hint = "make room, or name another directory with -C"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		f.hint = "check who may read and write there, or name another directory with -C"
	default:
		return err
	}
	if e.done.Files > 0 {
		f.hint += "; what was written before is whole: " + plural(e.done.Files, "file")
	}
	return f
}
