package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"bulla/internal/archive"
	"bulla/internal/safetext"
)

type lsFlags struct {
	randomFlags
	long bool
}

func lsCommand(a *app) *cobra.Command {
	l := &lsFlags{}
	cmd := newVerb("ls FILE", "List the members of an archive in a file", exactlyOne,
		func(cmd *cobra.Command, args []string) error { return a.ls(cmd, l, args[0]) })
	cmd.Flags().BoolVarP(&l.long, "long", "l", false, "also show type, permissions, owner, size and time")
	l.randomFlags.register(a, cmd)
	l.grantFlag.register(cmd)
	return cmd
}

func (a *app) ls(cmd *cobra.Command, l *lsFlags, name string) error {
	r, in, err := a.openMembers(cmd, &l.randomFlags, name, "bulla cat FILE"+memberMark+"MEMBER shows what a member holds")
	if err != nil {
		return err
	}
	defer r.Close()
	var columns lsColumns
	var damage error
	for m, err := range in.Members() {
		if err == nil && m.Kind == archive.Symlink && (l.long || a.json) {
			m.Link, _ = in.LinkOf(m) // of a zip it is data; what is damaged there is left out
		}
		switch {
		case r.EndMissing(err):
			return r.loss(err, "the members that are listed are there, the last of them perhaps in part")
		case err != nil && !r.breaksOff(err):
			return archiveError(r, err)
		case err != nil && damage == nil:
			damage = archiveError(r, err)
		case err != nil: // one is said at the end
		case a.json:
			a.printJSON(newListed(m))
		case l.long:
			a.printf("%s\n", columns.line(m))
		default:
			a.printf("%s\n", safetext.Printable(m.Name))
		}
		if a.outErr != nil {
			return a.outErr
		}
	}
	if damage == nil {
		a.tellTruncated(r)
	}
	return damage
}

// lsColumns keeps the columns of a long listing below each other. What comes
// later is not known: it widens them when it must, as tar does.
type lsColumns struct{ width int } // of owner and size together

func (c *lsColumns) line(m *archive.Member) string {
	size := strconv.FormatInt(m.Size, 10)
	owner := orElse(m.Owner, "-")
	c.width = max(c.width, 19, utf8.RuneCountInString(owner)+1+len(size))
	pad := strings.Repeat(" ", c.width-utf8.RuneCountInString(owner)-len(size))
	line := fmt.Sprintf("%s %s%s%s %s %s", m.ModeText(), safetext.Printable(owner), pad, size, m.ModTime.Local().Format("2006-01-02 15:04"), safetext.Printable(m.Name))
	switch {
	case m.Link == "":
	case m.Kind == archive.HardLink:
		line += " link to " + safetext.Printable(m.Link)
	default:
		line += " -> " + safetext.Printable(m.Link)
	}
	return line
}

// A listed member is what ls --json says of it.
type listed struct {
	Name     safetext.String `json:"name"`
	Raw      []byte          `json:"name_base64,omitempty"` // the name, if it is not UTF-8
	Type     archive.Kind    `json:"type"`
	Size     int64           `json:"size"`
	Mode     string          `json:"mode"` // permissions, in octal digits
	Modified *time.Time      `json:"modified,omitempty"`
	Owner    safetext.String `json:"owner,omitempty"`
	Link     safetext.String `json:"link,omitempty"`
}

func newListed(m *archive.Member) *listed {
	l := &listed{Name: safetext.String(m.Name), Type: m.Kind, Size: m.Size, Mode: m.ModeDigits(), Owner: safetext.String(m.Owner), Link: safetext.String(m.Link)}
	if !utf8.ValidString(m.Name) {
		l.Raw = []byte(m.Name)
	}
	if t := m.ModTime.UTC(); !t.IsZero() && 0 <= t.Year() && t.Year() <= 9999 { // which JSON has a way to write
		l.Modified = &t
	}
	return l
}
