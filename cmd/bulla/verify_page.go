package main

import (
	"bytes"
	_ "embed"
	"html/template"
	"strconv"
	"strings"
	"time"

	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/picture"
	"bulla/internal/safetext"
	"bulla/set"
	"bulla/spec"
)

// The page of verify --report: complete in itself, without a script, to be filed and
// printed.
//
//go:embed verify_page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// writePage writes what was found as a page.
func (a *app) writePage(out *output, checked []*verdict) error {
	var b bytes.Buffer
	if err := page.Execute(&b, checked); err != nil {
		return err
	}
	return a.writeWhole(out, b.Bytes())
}

// What follows is what the page asks of a verdict.

// Summary is the outcome in a sentence.
func (d *verdict) Summary() string {
	switch {
	case !d.Structure:
		return "INVALID: " + plural(d.violations(), "violation") + " of the specification"
	case d.Signature.failed():
		return "NOT SIGNED as it was asked for: " + string(d.Signature.Reason)
	case d.Sample != nil:
		return "Valid as far as it was checked: " + d.Sample.String()
	case d.Keyed:
		return "Valid: all of it is whole and unchanged since it was sealed (" + plural(int(d.Authentic), "chunk") + ")"
	}
	return "The structure is valid. The content was NOT checked: there was no key"
}

// Signed is what there is to say of the signature.
func (d *verdict) Signed() string {
	switch {
	case d.Signature != nil:
		return d.Signature.String()
	case d.File == stdinName:
		return "Not looked for: what comes through a pipe has none beside it"
	}
	return "None that can be read is beside it"
}

// Good reports whether nothing is wrong with what was checked.
func (d *verdict) Good() bool { return d.Structure && !d.Signature.failed() }

func (d *verdict) Name() string  { return d.File.String() }
func (d *verdict) When() string  { return d.Time.Format(time.RFC3339) }
func (d *verdict) Large() string { return console.Bytes(d.Size) }

// Repeat is the command that was given, for a shell.
func (d *verdict) Repeat() string {
	var words []string
	for _, w := range d.Command {
		value := strings.TrimLeft(string(w), "-")
		flag := string(w[:len(w)-len(value)])
		if value != "" {
			flag += safetext.Shell(value)
		}
		words = append(words, flag)
	}
	return strings.Join(words, " ")
}

// Picture is the container, or the set, with what was found marked in it.
func (d *verdict) Picture() template.HTML {
	var marks []picture.Mark
	for _, f := range d.Findings {
		marks = append(marks, picture.Mark{Part: partOf(strings.TrimPrefix(string(f.Part), string(d.File)), d.Volumes), Offset: f.Offset, Length: f.Length, Label: f.String()})
	}
	if d.Volumes > 0 {
		return picture.Set(d.report.Size, d.sizes, marks)
	}
	return picture.Container(d.Size, d.report.Layout.HeadSize, marks)
}

// partOf is where the part of a set with that suffix stands in its picture.
func partOf(suffix string, volumes int) int {
	if suffix == set.IndexSuffix {
		return volumes + 1
	}
	i, err := strconv.Atoi(strings.TrimPrefix(suffix, "."))
	if err != nil { // the root
		return 0
	}
	return i + 1
}

// Clause is what the specification says under an identifier.
func (d *verdict) Clause(id format.Clause) spec.Clause {
	c, _ := spec.Lookup(string(id))
	return c
}
