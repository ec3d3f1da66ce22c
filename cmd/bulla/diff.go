package main

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"bulla/internal/archive"
	"bulla/internal/safetext"
)

type diffFlags struct {
	randomFlags
	content bool
	ignore  []string
	strip   uint
}

func diffCommand(a *app) *cobra.Command {
	d := &diffFlags{}
	cmd := newVerb("diff FILE DIR", "Check that an archive in a file holds what is in a directory", takes(2, 2, "the name of a file, and of a directory to compare it with", "bulla diff backup.tar.bulla DIR"),
		func(cmd *cobra.Command, args []string) error { return a.diff(cmd, d, args[0], args[1]) })
	f := cmd.Flags()
	f.BoolVar(&d.content, "content", false, "also compare the data of files")
	f.StringArrayVar(&d.ignore, "ignore", nil, "leave out what `PATTERN` matches, and all below it: a path from DIR if it has a slash, else a name in any directory; or, if it is the word mode or time, ignore these (repeatable)")
	f.UintVar(&d.strip, "strip-components", 0, "leave out the first `N` parts of each member's name")
	d.randomFlags.register(a, cmd)
	d.grantFlag.register(cmd)
	return cmd
}

// ignores reports whether a path is to be left out.
func (d *diffFlags) ignores(p string) bool {
	return slices.ContainsFunc(d.ignore, func(pattern string) bool {
		subject := path.Base(p)
		if strings.Contains(pattern, "/") {
			pattern, subject = strings.TrimPrefix(path.Clean(pattern), "/"), p
		}
		ok, _ := path.Match(pattern, subject)
		return ok && pattern != "mode" && pattern != "time"
	})
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
	Status  string            `json:"status"`
	Changes []safetext.String `json:"changes,omitempty"`
	Reason  safetext.String   `json:"reason,omitempty"`
}

func (a *app) diff(cmd *cobra.Command, d *diffFlags, name, dir string) error {
	for _, p := range d.ignore {
		if _, err := path.Match(p, ""); err != nil {
			return usage("*, ? and [a-z] are as in a shell; \\ before one of them takes it as it is", "invalid --ignore %s", safetext.Printable(p))
		}
	}
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		if st, serr := os.Stat(real); serr != nil || !st.IsDir() {
			err = cmp.Or(serr, error(&os.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}))
		}
	}
	if err != nil {
		return withHint(err, "name a directory to compare the archive with")
	}
	r, in, err := a.openMembers(cmd, &d.randomFlags, name, "bulla diff FILE DIR compares all of an archive")
	if err != nil {
		return err
	}
	defer r.Close()
	s, err := in.Select()
	if err = cmp.Or(err, s.End); err == nil {
		err = s.Strip(int(min(d.strip, archive.MaxName)))
	}
	if err != nil {
		return archiveError(r, err)
	}
	total := s.Bytes
	if !d.content {
		total = 0
	}
	bar := a.startProgress(&d.workFlags, r.in.name, total, r.done, nil)
	found := make(map[string]int)
	for diff, err := range s.Compare(cmd.Context(), &archive.Comparison{Dir: real, Content: d.content, NoMode: slices.Contains(d.ignore, "mode"), NoTime: slices.Contains(d.ignore, "time"),
		Ignore: d.ignores, Source: piecewise{r}, Done: r.done}) {
		if err = cmp.Or(err, a.outErr); err != nil {
			bar.Finish(err)
			return archiveError(r, err)
		}
		found[diff.Status]++
		a.printDifference(diff)
	}
	bar.Finish(nil)
	sum := compared{r.in.given.AsInput(), safetext.Name(dir), s.Count, found[archive.Missing], found[archive.Added], found[archive.Changed], found[archive.Unreadable]}
	a.note("%s: %s compared with %s", r.in.name, plural(s.Count, "member"), sum.Directory)
	if a.json {
		a.printJSON(sum)
	}
	if len(found) == 0 {
		return a.outErr
	}
	f := &failure{exit: exitDiffers, hint: "bulla help diff explains these words",
		what: fmt.Sprintf("the archive in %s differs from %s: %d missing, %d added, %d changed, %d unreadable", r.in.name, sum.Directory, sum.Missing, sum.Added, sum.Changed, sum.Unreadable)}
	if s.Count == 0 {
		f.hint = "the archive has no members at all: check what made it"
	}
	return f
}

func (a *app) printDifference(d *archive.Difference) {
	reason := ""
	if d.Err != nil {
		reason = causeOf(d.Err).Error()
	}
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
