package bulla_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// traces is how the places are found that a change of CONTRIBUTING.md's table
// touches: they have traces of what there is of its kind now.
var traces = map[string]string{
	"a field of the head":               `\boffCoding\b|\.Coding = |\bCoding:|\bd\.Coding\b|const \[suite, coding\]|^  coding `,
	"a clause":                          `\bHEAD12\b|HEAD-12`,
	"a slot type":                       `\bSlot(HPKE|Passphrase|Age|KEK)\b|\bhpke, passphrase\b|^### Type 4`,
	"a suite":                           `\bAES256GCM\b|(?i)\baes-256-gcm\b`,
	"how many workers, how much memory": `GOMAXPROCS\(|NumCPU\(|[wW]orkers ?\+ ?\d`,
	"a verb":                            `^\tsalvageCommand,$|"salvage":|^salvage$`,
	"an exit code":                      `\bexitUnsupported += |^\t\{exit\w+, "|\{exit\w+, exit|\[\]int\{exit`,
	"a source of randomness":            `\brndr\b`,
	"a kind of archive":                 `tars? (or|nor a) zip|\bnewZip\b|\*zip\.File\b`,
}

// elsewhere has traces, and is not changed with them.
var elsewhere = regexp.MustCompile(`^(README|CHANGELOG|CONTRIBUTING)\.md$|^(bench|demo|testdata|internal/campaign)/|/testdata/|_test\.go$|^spec/reader/README\.md$`)

// CONTRIBUTING.md's table "where to change what" is true: what it names exists, and
// no place is left out.
func TestContributing(t *testing.T) {
	rows := changes(t)
	for change, where := range rows {
		for _, name := range where {
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s: %v", change, err)
			}
		}
	}
	for change, trace := range traces {
		where, ok := rows[change]
		if !ok {
			t.Errorf("there is no row for %s", change)
			continue
		}
		found := grep(t, regexp.MustCompile("(?m)"+trace))
		if len(found) < 2 {
			t.Errorf("%s leaves traces in %q alone: look for others", change, found)
		}
		for _, name := range found {
			if !slices.Contains(where, name) && !slices.ContainsFunc(where, within(name)) {
				t.Errorf("%s touches %s, which its row does not name", change, name)
			}
		}
	}
}

// within reports whether a file lies in a folder that a row names. cmd/bulla is too
// large to be named as a whole.
func within(name string) func(folder string) bool {
	return func(folder string) bool { return strings.HasPrefix(name, folder+"/") && folder != "cmd/bulla" }
}

// changes is CONTRIBUTING.md's table: the changes, and the files and folders of each.
func changes(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \| (.*) \|$`).FindAllStringSubmatch(string(text), -1) {
		for _, quoted := range regexp.MustCompile("`([^` ]+)`").FindAllStringSubmatch(row[2], -1) {
			if name := quoted[1]; strings.ContainsAny(name, "/.") || isFolder(name) {
				rows[row[1]] = append(rows[row[1]], name)
			}
		}
	}
	return rows
}

func isFolder(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}

// grep returns the files of code and documentation that match.
func grep(t *testing.T, pattern *regexp.Regexp) (found []string) {
	t.Helper()
	walk(t, func(name string, text []byte) {
		if !elsewhere.MatchString(name) && pattern.Match(text) {
			found = append(found, name)
		}
	})
	return found
}

// walk reads all files of code and documentation.
func walk(t *testing.T, f func(name string, text []byte)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".go", ".s", ".md", ".mjs", ".py"}, path.Ext(name)) {
			return err
		}
		text, err := os.ReadFile(filepath.FromSlash(name))
		f(name, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The files that the documentation links to or names exist.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	named := regexp.MustCompile("`([\\w./*-]+/[\\w.*-]+\\.(?:go|md|mjs|txtar))`")
	walk(t, func(name string, text []byte) {
		if path.Ext(name) != ".md" || name == "CHANGELOG.md" {
			return
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), string(m[1]))); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, m := range named.FindAllSubmatch(text, -1) {
			if files, err := filepath.Glob(string(m[1])); err != nil || files == nil {
				t.Errorf("%s: there is no %s (%v)", name, m[1], err)
			}
		}
	})
}

// docs/modules.md says what each package holds.
func TestPackagesNamed(t *testing.T) {
	text, err := os.ReadFile("docs/modules.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list(t, "linux/amd64") {
		name := strings.TrimPrefix(p.ImportPath, module)
		if !slices.Contains([]string{"bench", "demo"}, name) && !slices.Contains(forTests, name) && !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/modules.md does not name %s", name)
		}
	}
}
