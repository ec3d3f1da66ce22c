package format

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// There is one constant for each clause of the specification, and no other.
func TestClausesAreTheSpecs(t *testing.T) {
	spec, err := os.ReadFile("../spec/bulla.md")
	if err != nil {
		t.Fatal(err)
	}
	var defined []string
	for _, m := range regexp.MustCompile(`\*\*\[([A-Z]+-[0-9]+)\]\*\*`).FindAllSubmatch(spec, -1) {
		defined = append(defined, string(m[1]))
	}
	if len(defined) < 50 {
		t.Fatalf("only %d clauses found in the specification", len(defined))
	}
	constants := clauseConstants(t)
	for _, c := range defined {
		if n := count(defined, c); n != 1 {
			t.Errorf("the specification defines %s %d times", c, n)
		}
		if !slices.Contains(constants, c) {
			t.Errorf("there is no constant for %s", c)
		}
	}
	for _, c := range constants {
		if !slices.Contains(defined, c) {
			t.Errorf("%s is not in the specification", c)
		}
	}
}

// clauseConstants returns the values of the constants in clause.go, each of
// which must be named after its value.
func clauseConstants(t *testing.T) (values []string) {
	file, err := parser.ParseFile(token.NewFileSet(), "clause.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil || spec.Names[0].Name != strings.ReplaceAll(value, "-", "") {
			t.Errorf("the constant %s is %q: %v", spec.Names[0].Name, value, err)
		}
		values = append(values, value)
		return true
	})
	return values
}

func count(all []string, s string) (n int) {
	for _, v := range all {
		if v == s {
			n++
		}
	}
	return n
}
