package main

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"bulla/internal/archive"
	"bulla/internal/safetext"
)

type diffFlags struct {
	randomFlags
	content bool
	ignore  []string
	noMode  bool
	noTimes bool
	strip   uint
}

func diffCommand(a *app) *cobra.Command {
	d := &diffFlags{}
	cmd := &cobra.Command{
		Use:   "diff FILE DIR",
		Short: "Check that an archive in a file holds what is in a directory",
		Long: `Compare the tar or zip in FILE with the files below DIR, without extracting it.
Type, size, permissions, times and what links lead to are compared; --content
compares the data as well. Each path that differs is a line:

  missing     it is in DIR, and not in the archive
  added       it is in the archive, and not in DIR
  changed     it is in both; what differs follows
  unreadable  it cannot be read on one of the two sides

The exit code is 0 if there is no such path, and 10 if there is one. It is 3, 6
or 7, as from extract, if a part of the archive could not be read.

Files may come, go and change meanwhile. Pipes and devices are compared by type
and permissions, and sockets not at all. Times of symbolic links are ignored.
Owners are not compared.`,
		Example: `  bulla diff backup.tar.bulla /srv/photos
  bulla diff --content --ignore '*.tmp' --ignore cache/thumbs home.tar.bulla ~
  bulla diff --strip-components 1 photos.tar.bulla photos   of: tar c photos`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("for example: bulla diff backup.tar.bulla DIR", "diff takes the name of a file, and of a directory to compare it with")
			}
			return notEmpty(cmd, args)
		},
		ValidArgsFunction: completeContainers,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.diff(cmd, d, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.BoolVar(&d.content, "content", false, "also compare the data of files")
	f.StringArrayVar(&d.ignore, "ignore", nil, "leave out what `PATTERN` matches, and all below it: a path from DIR if it has a slash, else a name in any directory (repeatable)")
	f.BoolVar(&d.noMode, "ignore-mode", false, "do not compare permissions")
	f.BoolVar(&d.noTimes, "ignore-times", false, "do not compare times")
	f.UintVar(&d.strip, "strip-components", 0, "leave out the first `N` parts of each member's name")
	d.randomFlags.register(a, cmd)
	return cmd
}

// ignores is whether a path is to be left out, by the patterns that were given.
func (d *diffFlags) ignores() (func(string) bool, error) {
	patterns := slices.Clone(d.ignore)
	for i, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return nil, usage("*, ? and [a-z] are as in a shell; \\ before one of them takes it as it is", "invalid --ignore %s", safetext.Printable(p))
		}
		patterns[i] = strings.TrimSuffix(strings.TrimPrefix(p, "./"), "/")
	}
	return func(p string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool {
			subject := path.Base(p)
			if strings.Contains(pattern, "/") {
				pattern, subject = strings.TrimPrefix(pattern, "/"), p
			}
			ok, _ := path.Match(pattern, subject)
			return ok
		})
	}, nil
}

// compared is the last line of diff --json.
type compared struct {
	safetext.InputField
	Directory  safetext.Name `json:"directory"`
	Compared   int           `json:"compared"`
	Missing    int           `json:"missing"`
	Added      int           `json:"added"`
	Changed    int           `json:"changed"`
	Unreadable int           `json:"unreadable"`
}

// differs is a line of diff --json.
type differs struct {
	Path    safetext.String   `json:"path"`
	Raw     []byte            `json:"path_base64,omitempty"`
	Status  archive.Status    `json:"status"`
	Changes []safetext.String `json:"changes,omitempty"`
	Reason  safetext.String   `json:"reason,omitempty"`
}

func (a *app) diff(cmd *cobra.Command, d *diffFlags, name, dir string) error {
	ignore, err := d.ignores()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return withHint(err, "name a directory to compare the archive with")
	}
	defer root.Close()
	r, in, err := a.openMembers(cmd, &d.randomFlags, name, "bulla diff FILE DIR compares all of an archive")
	if err != nil {
		return err
	}
	defer r.Close()
	s, err := in.Select()
	if err == nil && s.End != nil && !r.breaksOff(s.End) {
		err = s.End
	}
	if err == nil {
		err = s.Strip(int(min(d.strip, archive.MaxName)))
	}
	if err != nil {
		return archiveError(r, err)
	}
	exit := exitOK // what parts of the archive that cannot be read make it
	unreadable := func(err error) string {
		f := explain(archiveError(r, err))
		if r.EndMissing(err) {
			f.exit = exitLoss
		}
		if exit == exitOK || slices.Index(severity, f.exit) > slices.Index(severity, exit) {
			exit = f.exit
		}
		return f.what
	}
	if s.End != nil {
		a.warn(unreadable(s.End), "what is missing may be in the part that cannot be read")
	}
	found, total, start := make(map[archive.Status]int), int64(0), time.Now()
	if d.content {
		total = s.Bytes
	}
	bar := a.startProgress(&d.workFlags, r.in.name, total, r.done, nil)
	for diff, err := range s.Compare(cmd.Context(), &archive.Comparison{Root: root, Content: d.content, NoMode: d.noMode, NoTimes: d.noTimes, Ignore: ignore, Source: piecewise{r}, Done: r.done}) {
		if err = cmp.Or(err, a.outErr); err != nil {
			bar.Finish(err)
			return err
		}
		reason := ""
		if diff.InArchive {
			reason = unreadable(diff.Err)
		} else if diff.Err != nil {
			reason = causeOf(diff.Err).Error()
		}
		found[diff.Status]++
		a.printDifference(diff, reason)
	}
	bar.Finish(nil)
	a.note("%s: %s compared with %s in %v", r.in.name, plural(s.Count, "member"), safetext.Name(dir), time.Since(start).Round(time.Millisecond))
	sum := compared{r.in.given.AsInput(), safetext.Name(dir), s.Count, found[archive.Missing], found[archive.Added], found[archive.Changed], found[archive.Unreadable]}
	if a.json {
		a.printJSON(sum)
	}
	if exit == exitOK && len(found) == 0 {
		return a.outErr
	}
	f := &failure{exit: cmp.Or(exit, exitDiffers), hint: "bulla help diff explains these words",
		what: fmt.Sprintf("the archive in %s differs from %s: %d missing, %d added, %d changed, %d unreadable", r.in.name, sum.Directory, sum.Missing, sum.Added, sum.Changed, sum.Unreadable)}
	switch {
	case exit != exitOK:
		f.hint = "a part of the archive cannot be read: bulla verify says what is wrong with the file around it"
	case s.Count == 0:
		f.hint = "the archive has no members at all: check what made it"
	}
	return f
}

func (a *app) printDifference(d *archive.Difference, reason string) {
	if !a.json {
		details := reason + strings.Join(d.Changes, "; ")
		if details != "" {
			details = ": " + safetext.Printable(details)
		}
		a.printf("%-10s  %s%s\n", d.Status, safetext.Printable(d.Path), details)
		return
	}
	line := differs{Path: safetext.String(d.Path), Status: d.Status, Reason: safetext.String(reason)}
	if !utf8.ValidString(d.Path) {
		line.Raw = []byte(d.Path)
	}
	for _, c := range d.Changes {
		line.Changes = append(line.Changes, safetext.String(c))
	}
	a.printJSON(line)
}
