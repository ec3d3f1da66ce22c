// Package spec carries the specification, and takes its clauses apart, so that a
// program can say what a clause that it names demands.
//
//	bulla.md      the container format: normative
//	set.md …      what builds on it: each with clauses of its own
//	registry.md   the registered numbers
//	rationale.md  why it is so
//	security.md   what is claimed, and what is not
package spec

import (
	"embed"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Text is spec/bulla.md.
//
//go:embed bulla.md
var Text string

//go:embed *.md
var documents embed.FS

// Container is the document that the others build on.
const Container = "bulla.md"

// A Level is the strongest word in a clause (RFC 2119).
type Level string

const (
	Must     Level = "MUST"
	Should   Level = "SHOULD"
	May      Level = "MAY"
	Declares Level = "declares" // none: the clause says what something is
)

// A Party is whom a clause binds.
type Party string

const (
	File   Party = "file"   // every container; who reads it can see whether it does
	Writer Party = "writer" // marked so: no reader can see it broken
	Reader Party = "reader" // marked so: no file can break it
)

// A Clause is what the specification says under one identifier.
type Clause struct {
	ID    string `json:"clause"` // such as "HEAD-7"
	Level Level  `json:"level"`
	Binds Party  `json:"binds"`
	Text  string `json:"text"` // in one line of Markdown, without its identifier and mark

	Document string `json:"document"` // that it stands in, such as "bulla.md"
	Section  string `json:"section"`  // of that, such as "3. The head"

	// In plain words, what it means for a user that the clause is broken, and what
	// to do then.
	Means  string `json:"means"`
	Remedy string `json:"remedy"`
}

// Lookup returns the clause with an identifier; ok is false if there is none.
func Lookup(id string) (c Clause, ok bool) {
	c, ok = parsed().byID[id]
	return c, ok
}

// Clauses lists the identifiers of all clauses: those of bulla.md in its order, then
// those of the others.
// The caller owns the slice.
func Clauses() []string { return slices.Clone(parsed().ids) }

type clauses struct {
	ids  []string
	byID map[string]Clause
}

// A clause is an item of a list, with its identifier in bold, and perhaps a mark:
//
//   - **[HEAD-14]** (writer) The salt MUST be …
//     11. For each slot in order: **[HEAD-11]** the slot MUST …
var (
	item       = regexp.MustCompile(`^(?:- |[0-9]+\. )`)
	identifier = regexp.MustCompile(`\*\*\[([A-Z]+-[0-9]+)\]\*\* (?:\((writer|reader)\) )?`)
	levels     = map[Level]*regexp.Regexp{
		Must:   regexp.MustCompile(`\bMUST\b`),
		Should: regexp.MustCompile(`\bSHOULD\b`),
		May:    regexp.MustCompile(`\bMAY\b`),
	}
)

var parsed = sync.OnceValue(func() *clauses {
	all := &clauses{byID: make(map[string]Clause)}
	all.parse(Container, Text)
	files, _ := documents.ReadDir(".")
	for _, f := range files {
		if text, _ := documents.ReadFile(f.Name()); f.Name() != Container {
			all.parse(f.Name(), string(text))
		}
	}
	return all
})

func (all *clauses) parse(document, text string) {
	section := ""
	for _, s := range items(text) {
		if title, ok := strings.CutPrefix(s, heading); ok {
			section = title
			continue
		}
		m := identifier.FindStringSubmatchIndex(s)
		if m == nil {
			continue
		}
		id := s[m[2]:m[3]]
		c := Clause{ID: id, Level: Declares, Binds: File, Document: document, Section: section, Text: s[:m[0]] + s[m[1]:]}
		if m[4] >= 0 {
			c.Binds = Party(s[m[4]:m[5]])
		}
		for _, l := range []Level{Must, Should, May} {
			if levels[l].MatchString(c.Text) {
				c.Level = l
				break
			}
		}
		plain := c.meaning()
		c.Means, c.Remedy = plain.means, plain.remedy
		all.ids = append(all.ids, id)
		all.byID[id] = c
	}
}

// heading begins the title of a section.
const heading = "## "

// items returns the titles of the sections of a text, as they stand, and the items
// of all lists, each in one line and without its bullet or number.
func items(text string) (all []string) {
	open := false // the line before belongs to an item
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n ")
		switch marker := item.FindString(line); {
		case marker != "":
			all = append(all, line[len(marker):])
			open = true
		case strings.HasPrefix(line, heading):
			all = append(all, line)
			open = false
		case line == "" || strings.HasPrefix(line, "#"):
			open = false
		case open:
			all[len(all)-1] += " " + strings.TrimLeft(line, " ")
		}
	}
	return all
}
