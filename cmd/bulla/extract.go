package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bulla/internal/archive"
)

type extractFlags struct {
	randomFlags
	dir    string
	force  bool
	noSync bool
}

func extractCommand(a *app) *cobra.Command {
	x := &extractFlags{}
	cmd := &cobra.Command{
		Use:   "extract FILE MEMBER...",
		Short: "Write members of an archive in a file to a directory",
		Long: `Write members of the tar or zip in FILE to files of their names below a directory: a
member that is a directory with all that is in it. No more of FILE is read than that
takes. It is opened like for decrypt: with -i, -p, --kek, or the default identity.

Nothing is written outside the directory, whatever the names and links in the archive
are; those that lead out of it, and names with control characters, are refused. Devices
and pipes are not made. A hard link becomes a file of its own. What exists is replaced
only with --force, and each file appears when it is complete.

Files are for their owner alone, with the times they had. To restore everything as it
was, with owners and permissions, use: bulla cat FILE | tar x`,
		Example: `  bulla extract backup.tar.bulla etc/fstab
  bulla extract -C /tmp/restored backup.tar.bulla home/anna/letters home/anna/.config`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("bulla ls lists them", "extract takes the name of a file and of members of the archive in it")
			}
			return notEmpty(cmd, args)
		},
		ValidArgsFunction: completeContainers,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.extract(cmd, x, args[0], args[1:]) },
	}
	f := cmd.Flags()
	f.StringVarP(&x.dir, "directory", "C", ".", "write below `DIR`")
	f.BoolVar(&x.force, "force", false, "replace existing files")
	f.BoolVar(&x.noSync, "no-sync", false, "do not wait until the files are safe on the disk")
	x.randomFlags.register(a, cmd)
	return cmd
}

// An extraction writes members below a directory.
type extraction struct {
	*extractFlags
	app  *app
	from *randomAccess
	root *os.Root // keeps every path, and every link on it, inside

	done extracted
	dirs map[string]bool // that names were made in
}

// extracted is what extract --json says.
type extracted struct {
	Input     string `json:"input"`
	Directory string `json:"directory"`
	Files     int    `json:"files"`
	Bytes     int64  `json:"bytes"`
	Refused   int    `json:"refused"`
}

// extract carries out the verb.
func (a *app) extract(cmd *cobra.Command, x *extractFlags, name string, members []string) error {
	if err := x.workFlags.check(cmd); err != nil {
		return err
	}
	root, err := os.OpenRoot(x.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	r, err := a.openRandom(cmd.Context(), &x.randomFlags, name, func(*input) error { return nil })
	if err != nil {
		return err
	}
	defer r.Close()
	in, err := openArchive(r)
	if err != nil {
		return err
	}
	selected, missing, err := in.Select(members...)
	if err == nil && len(missing) > 0 {
		err = &archive.MissingError{Name: missing[0]}
	}
	if err != nil {
		return archiveError(r, err)
	}
	e := &extraction{extractFlags: x, app: a, from: r, root: root, dirs: map[string]bool{},
		done: extracted{Input: r.in.name, Directory: printable(x.dir)}}
	start := time.Now()
	if err := e.run(cmd.Context(), selected); err != nil {
		return err
	}
	a.note("%s: %s in %s written to %s in %v", r.in.name, bytesText(e.done.Bytes), plural(e.done.Files, "file"), e.done.Directory, time.Since(start).Round(time.Millisecond))
	if a.json {
		a.printJSON(e.done)
	}
	if e.done.Refused > 0 {
		return refuse("the warnings say why; bulla cat FILE"+memberMark+"MEMBER shows what a file holds", "%s not written", plural(e.done.Refused, "member"))
	}
	return a.outErr
}

// A target is a member, and where it goes.
type target struct {
	*archive.Member
	path string
}

// run writes what is to be written, once it is known that nothing is in the way.
func (e *extraction) run(ctx context.Context, members []*archive.Member) error {
	var targets []target
	total := int64(0)
	for _, m := range members {
		path, ok := m.Local()
		switch {
		case !ok:
			e.refuse(m, "its name leads out of the directory, or has control characters")
			continue
		case m.Kind == archive.Other:
			e.refuse(m, "it is a device or a pipe")
			continue
		}
		if st, err := e.root.Lstat(path); err == nil && !e.force && !(st.IsDir() && m.Kind == archive.Dir) {
			return e.exists(path)
		}
		targets = append(targets, target{m, path})
		total += m.Size
	}
	bar := e.app.startProgress(&e.workFlags, e.from.in.name, total, e.from.done, nil)
	var err error
	for i := 0; i < len(targets) && err == nil; i++ {
		if err = e.make(targets[i]); err == nil {
			err = context.Cause(ctx)
		}
	}
	if err == nil && !e.noSync {
		err = e.syncDirs()
	}
	bar.finish(err)
	return err
}

func (e *extraction) refuse(m *archive.Member, why string) {
	e.done.Refused++
	e.app.warn(fmt.Sprintf("%s is not written: %s", printable(m.Name), why), "")
}

const (
	privateDir  = 0o700
	privateFile = 0o600
)

// make writes one member.
func (e *extraction) make(t target) error {
	parent := filepath.Dir(t.path)
	if t.Kind == archive.Dir {
		parent = t.path
	}
	if err := e.root.MkdirAll(parent, privateDir); err != nil {
		return e.inRoot(err)
	}
	for dir := parent; !e.dirs[dir]; dir = filepath.Dir(dir) {
		e.dirs[dir] = true
	}
	switch t.Kind {
	case archive.Dir:
		return nil
	case archive.Symlink:
		return e.link(t)
	}
	return e.file(t)
}

// link makes a symbolic link that stays inside.
func (e *extraction) link(t target) error {
	to, err := t.ReadLink()
	if err != nil {
		return archiveError(e.from, err)
	}
	if !t.LinkLocal(to) {
		e.refuse(t.Member, "it is a link that leads out of the directory")
		return nil
	}
	if e.force {
		e.root.Remove(t.path)
	}
	if err := e.root.Symlink(filepath.FromSlash(to), t.path); err != nil {
		return e.inRoot(err)
	}
	e.done.Files++
	return nil
}

// file writes a file: like every output, whole or not at all.
func (e *extraction) file(t target) error {
	from, err := e.from.member(t.Member)
	if err != nil {
		return err
	}
	partial := partialPath(t.path)
	f, err := e.create(partial, privateFile|t.Mode.Perm()&0o100)
	if err != nil {
		return err
	}
	discard := func() { e.root.Remove(partial) }
	done := e.app.left.add(discard)
	defer done()
	n, err := from.write(f, 0, from.size)
	if err == nil {
		err = e.settle(f, t, partial)
	}
	if closeToRename || err != nil {
		f.Close()
	}
	if err == nil {
		err = e.rename(partial, t.path)
	}
	if err != nil {
		discard()
		return err
	}
	f.Close() // and with it the lock; what was written has settled
	e.done.Files++
	e.done.Bytes += n
	e.app.note("%s", printable(filepath.Join(e.dir, t.path)))
	return nil
}

// create makes the file under its preliminary name. One that a run which is no
// more has left is in nobody's way; see output for how runs keep apart.
func (e *extraction) create(partial string, mode fs.FileMode) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := e.root.OpenFile(partial, flags, mode)
	if errors.Is(err, fs.ErrExist) {
		if err := e.removeStale(partial); err != nil {
			return nil, err
		}
		f, err = e.root.OpenFile(partial, flags, mode)
	}
	if err != nil {
		return nil, e.inRoot(err)
	}
	if err := lock(f); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		f.Close() // another run was quicker, and is about to remove it
		return nil, e.inUse(partial)
	}
	return f, nil
}

// removeStale removes what a run which is no more has left.
func (e *extraction) removeStale(partial string) error {
	there, err := e.root.Lstat(partial)
	if err != nil {
		return e.inRoot(err)
	}
	if !there.Mode().IsRegular() {
		return refuse("remove it, or name another directory with -C", "%s is in the way", printable(filepath.Join(e.dir, partial)))
	}
	old, err := e.root.Open(partial)
	if err != nil {
		return e.inRoot(err)
	}
	defer old.Close() // after the removal: the lock says whose it is
	if err := lock(old); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return e.inUse(partial)
	}
	if mine, err := old.Stat(); err != nil || !os.SameFile(mine, there) {
		return e.inUse(partial)
	}
	if closeToRename {
		old.Close()
	}
	return e.inRoot(e.root.Remove(partial))
}

func (e *extraction) inUse(partial string) error {
	return refuse("wait for it, or name another directory with -C", "another run is writing %s", plainName(filepath.Join(e.dir, partial)))
}

// settle gets a file to where it is going to stay, with the time it had.
func (e *extraction) settle(f *os.File, t target, partial string) error {
	if !t.ModTime.IsZero() {
		if err := e.root.Chtimes(partial, time.Time{}, t.ModTime); err != nil {
			return e.inRoot(err)
		}
	}
	if e.noSync {
		return flush(f)
	}
	return f.Sync()
}

// rename gives a file its name, which is nobody's yet unless forced. Where the
// file system has no hard links it looks first and renames then.
func (e *extraction) rename(partial, path string) error {
	if e.force {
		return e.inRoot(e.root.Rename(partial, path))
	}
	switch err := e.root.Link(partial, path); {
	case err == nil:
		return e.inRoot(e.root.Remove(partial))
	case errors.Is(err, fs.ErrExist):
		return e.exists(path)
	}
	if _, err := e.root.Lstat(path); err == nil {
		return e.exists(path)
	}
	return e.inRoot(e.root.Rename(partial, path))
}

func (e *extraction) exists(path string) error {
	return refuse("--force replaces it; -C names another directory", "%s exists", printable(filepath.Join(e.dir, path)))
}

// syncDirs makes the names durable.
func (e *extraction) syncDirs() error {
	for dir := range e.dirs {
		if err := syncDir(filepath.Join(e.dir, dir)); err != nil {
			return err
		}
	}
	return nil
}

// inRoot shows paths as the user knows them, and names what os.Root refuses.
func (e *extraction) inRoot(err error) error {
	pe, ok := errors.AsType[*fs.PathError](err)
	if !ok {
		return err
	}
	name := filepath.Join(e.dir, pe.Path)
	if strings.Contains(err.Error(), "path escapes from parent") { // the error itself is not exported
		return refuse("remove the link, or name another directory with -C", "%s leads out of the directory over a link", printable(name))
	}
	return &fs.PathError{Op: pe.Op, Path: name, Err: pe.Err}
}
