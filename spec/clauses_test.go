package spec_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bulla/format"
	"bulla/internal/vectors"
	"bulla/spec"
)

// What a verifier answers for is what the specification says that files must be.
func TestFileClauses(t *testing.T) {
	var want []format.Clause
	for _, id := range spec.Clauses() {
		if c, _ := spec.Lookup(id); c.Document == spec.Container && c.Binds == spec.File && c.Level == spec.Must {
			want = append(want, format.Clause(id))
		}
	}
	if !slices.Equal(format.FileClauses, want) {
		t.Errorf("format.FileClauses is %v, not %v", format.FileClauses, want)
	}
}

// The clauses of the specification, the constants of package format and the clauses
// that vectors name are the same set: each clause that a file can break is broken by
// a vector, and each that a reader can break is exercised by one where a vector can.
// What only a writer can break is excepted, by its mark.
func TestClauses(t *testing.T) {
	all, err := vectors.Load("../testdata/vectors")
	if err != nil {
		t.Fatal(err)
	}
	violated, covered := make(map[string]int), make(map[string]int)
	outcomes := make(map[vectors.Outcome]int)
	negative := 0
	for _, v := range all {
		broken, exercised := v.Clauses()
		count(violated, broken)
		count(covered, exercised)
		outcomes[v.Stream.Outcome]++
		if v.Negative() {
			negative++
		}
	}

	constants := clauseConstants(t)
	ids := documentClauses(spec.Container)
	sameSet(t, "the specification", ids, "the constants of package format", slices.DeleteFunc(constants, func(id string) bool {
		c, ok := spec.Lookup(id)
		return ok && c.Document != spec.Container
	}))
	for _, id := range slices.Concat(slices.Collect(maps.Keys(violated)), slices.Collect(maps.Keys(covered))) {
		if !slices.Contains(ids, id) {
			t.Errorf("vectors name %s, which is no clause", id)
		}
	}
	var byWriters, byReaders, untested []string
	for _, id := range ids {
		c, _ := spec.Lookup(id)
		switch {
		case c.Binds == spec.Writer:
			byWriters = append(byWriters, id)
			if violated[id]+covered[id] > 0 {
				t.Errorf("%s binds writers alone, and vectors name it", id)
			}
		case c.Binds == spec.Reader:
			byReaders = append(byReaders, id)
			if violated[id]+covered[id] == 0 {
				untested = append(untested, id)
			}
		case violated[id] == 0:
			t.Errorf("no vector violates %s", id)
		}
	}

	t.Logf("%d clauses: %d of files, each violated by vectors; %d of readers, of which no vector can exercise %v; %d of writers %v",
		len(ids), len(ids)-len(byWriters)-len(byReaders), len(byReaders), untested, len(byWriters), byWriters)
	t.Logf("%d vectors, %d of them negative: %s", len(all), negative, listed(outcomes))
	for _, id := range ids {
		t.Logf("%-8s violated by %3d vectors, exercised by %3d", id, violated[id], covered[id])
	}
	if len(all) < 760 || negative < 450 {
		t.Errorf("%d vectors, %d negative: there were more", len(all), negative)
	}
}

// documentClauses are those of one document.
func documentClauses(name string) (ids []string) {
	for _, id := range spec.Clauses() {
		if c, _ := spec.Lookup(id); c.Document == name {
			ids = append(ids, id)
		}
	}
	return ids
}

// Each clause that a part of a set, or a grant, can break is broken by a vector; those of
// sets a verifier answers for.
func TestClausesOfSets(t *testing.T) {
	answered := []format.Clause{}
	for document, load := range map[string]func(string) ([]*vectors.Set, error){"set.md": vectors.LoadSets, "grant.md": vectors.LoadGrants} {
		all, err := load("../testdata/vectors")
		if err != nil {
			t.Fatal(err)
		}
		violated := make(map[string]int)
		for _, v := range all {
			violated[string(v.Stream.Clause)]++
		}
		for _, id := range documentClauses(document) {
			if c, _ := spec.Lookup(id); c.Binds != spec.File || c.Level != spec.Must {
				continue
			}
			if violated[id] == 0 {
				t.Errorf("no vector violates %s", id)
			}
			if document == "set.md" {
				answered = append(answered, format.Clause(id))
			}
		}
	}
	if !slices.Equal(format.SetClauses, answered) {
		t.Errorf("format.SetClauses is %v, not %v", format.SetClauses, answered)
	}
}

// count adds a vector to each clause, once.
func count(by map[string]int, clauses []format.Clause) {
	seen := make(map[format.Clause]bool)
	for _, c := range clauses {
		if !seen[c] {
			by[string(c)]++
			seen[c] = true
		}
	}
}

func listed(outcomes map[vectors.Outcome]int) string {
	var s []string
	for _, o := range vectors.Outcomes {
		s = append(s, fmt.Sprintf("%s %d", o, outcomes[o]))
	}
	return strings.Join(s, ", ")
}

func sameSet(t *testing.T, nameA string, a []string, nameB string, b []string) {
	t.Helper()
	for _, c := range a {
		if !slices.Contains(b, c) {
			t.Errorf("%s has %s, %s do not", nameA, c, nameB)
		}
	}
	for _, c := range b {
		if !slices.Contains(a, c) {
			t.Errorf("%s have %s, %s does not", nameB, c, nameA)
		}
	}
	if len(a) != len(b) {
		t.Errorf("%s: %d clauses, %s: %d", nameA, len(a), nameB, len(b))
	}
}

// clauseConstants returns the values of the constants of type format.Clause.
func clauseConstants(t *testing.T) (values []string) {
	file, err := parser.ParseFile(token.NewFileSet(), "../format/clause.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			for _, v := range s.(*ast.ValueSpec).Values {
				value, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
		}
	}
	return values
}

// What Lookup says of some clauses of every form.
func TestLookup(t *testing.T) {
	for _, c := range []struct {
		id, begins, ends string
		level            spec.Level
		binds            spec.Party
	}{
		{"FILE-4", "The container MUST end", "the tail.", spec.Must, spec.File},
		{"HEAD-2", "The version MUST", "be 2.", spec.Must, spec.File},
		{"ROLE-2", "A reader MUST NOT give out", "to see it.", spec.Must, spec.Reader},
		{"HEAD-11", "For each slot in order: the slot, its 20-byte header included, MUST end", "clauses aside.", spec.Must, spec.File},
		{"HEAD-14", "The salt MUST be", "container.", spec.Must, spec.Writer},
		{"HEAD-15", "A writer SHOULD", "type 1.", spec.Should, spec.Writer},
		{"SLOT-1", "A reader MUST skip", "covers it.)", spec.Must, spec.Reader},
	} {
		got, ok := spec.Lookup(c.id)
		if !ok || !strings.HasPrefix(got.Text, c.begins) || !strings.HasSuffix(got.Text, c.ends) || got.Level != c.level || got.Binds != c.binds {
			t.Errorf("%s is %+v, %v", c.id, got, ok)
		}
	}
	if c, ok := spec.Lookup("HEAD-99"); ok || c.Text != "" {
		t.Errorf("HEAD-99 is %q", c.Text)
	}
	for _, id := range spec.Clauses() {
		c, ok := spec.Lookup(id)
		if !ok || c.Text == "" || c.Means == "" || c.Remedy == "" || strings.Contains(c.Text, "\n") || strings.Contains(c.Text, "**[") {
			t.Errorf("%s is %q", id, c.Text)
		}
	}
	files, err := filepath.Glob("*.md")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n, ids := strings.Count(string(text), "**["), documentClauses(file); n != len(ids) {
			t.Errorf("%d of %d clauses of %s were found", len(ids), n, file)
		}
	}
}
