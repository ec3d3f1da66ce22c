package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bulla/internal/archive"
	"bulla/internal/console"
	"bulla/internal/safetext"
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
member that is a directory with all that is in it, and . is all there is. No more of
FILE is read than that takes. It is opened like for decrypt: with -i, -p, --kek, or the
default identity.

Nothing is written outside the directory, whatever the names and links in the archive
are, and no link is made that leads out of it. What exists is replaced only with
--force, and each file appears when it is complete. A hard link becomes a file of its
own.

A member that cannot be written is left out with a warning, and the others are written.
The exit code is then 5 if it was refused: names and links that lead out, names with
control characters, devices and pipes, what a file is in the way of; 7 if the zip has it
in a way that is not known; 3 if it is damaged, or the archive breaks off and not all
that was asked for is known to be there. A symbolic link is refused, too, if it goes up
behind a name, as in a/../b, or lies behind another link.

Files are for their owner alone, with the times they had. To restore everything as it
was, with owners and permissions, use: bulla cat FILE | tar x`,
		Example: `  bulla extract backup.tar.bulla etc/fstab
  bulla extract -C /tmp/restored backup.tar.bulla home/anna/mail home/anna/pics`,
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
	cmd.MarkFlagDirname("directory")
	f.BoolVar(&x.force, "force", false, "replace existing files")
	f.BoolVar(&x.noSync, "no-sync", false, "do not wait until the files are safe on the disk")
	x.randomFlags.register(a, cmd)
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

// extract carries out the verb.
func (a *app) extract(cmd *cobra.Command, x *extractFlags, name string, members []string) error {
	if err := x.workFlags.check(cmd); err != nil {
		return err
	}
	if err := checkWholeFile("extract", name, "bulla extract FILE MEMBER... writes members"); err != nil {
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
	selected, missing, end := in.Select(members...)
	switch {
	case end == nil && len(missing) > 0:
		return archiveError(r, &archive.MissingError{Name: missing[0]})
	case end != nil && (len(selected) == 0 || !r.breaksOff(end)):
		return archiveError(r, end)
	}
	e := &extraction{extractFlags: x, app: a, from: r, root: root, tree: a.files.Below(root),
		done: extracted{InputField: r.in.given.AsInput(), Directory: safetext.Name(x.dir)}}
	if end != nil {
		e.brokenOff(end, members, selected, missing)
	}
	start := time.Now()
	if err := e.run(cmd.Context(), selected); err != nil {
		return e.stopped(err)
	}
	a.note("%s: %s in %s written to %s in %v", r.in.name, console.Bytes(e.done.Bytes), plural(e.done.Files, "file"), e.done.Directory, time.Since(start).Round(time.Millisecond))
	if a.json {
		a.printJSON(e.done)
	}
	if e.exit != exitOK {
		return e.incomplete()
	}
	if end == nil {
		a.tellTruncated(r)
	}
	return a.outErr
}

// brokenOff says what is not there of an archive that breaks off. That all of a
// directory is, nobody knows then.
func (e *extraction) brokenOff(end error, names []string, selected []*archive.Member, missing []string) {
	exit := exitBad
	if e.from.atEnd(end) {
		exit = exitLoss
	}
	e.app.tellBrokenOff(e.from, end)
	for _, name := range missing {
		e.refuse(name, exit, "it is not in what there is of the archive")
	}
	for _, m := range selected {
		if m.Kind == archive.Dir || !slices.ContainsFunc(names, func(name string) bool { return archive.Clean(name) == archive.Clean(m.Name) }) {
			e.worsen(exit)
		}
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
		f.what = "the archive in " + e.from.in.name + " has no end: what there is of it was written"
	}
	return f
}

// stopped is an error that no more is written after.
func (e *extraction) stopped(err error) error {
	f := explain(err)
	switch {
	case f.exit != exitIO:
		return err
	case isNoSpace(err):
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
