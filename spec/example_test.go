package spec_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bulla/internal/vectors"
	"bulla/spec"
)

var (
	// hexRun is a value in a worked example, perhaps over several lines.
	hexRun = regexp.MustCompile(`[0-9a-f]{16,64}(?:\n +[0-9a-f]{16,64})*`)

	// textRun is a key that stands there as text.
	textRun = regexp.MustCompile(`AGE-SECRET-KEY-PQ-1[A-Z0-9]+|"correct[a-z ]+"`)

	// named is the name of a vector in a text, or something else in code.
	named = regexp.MustCompile("`([a-z]+_[a-z0-9_]+)`")
)

const examples = "## 13. Worked examples"

// The worked examples say what their vectors say: every value stands in the
// container or among the vector's own values. An example goes on under the vector
// that was named last.
func TestExamples(t *testing.T) {
	_, text, ok := strings.Cut(spec.Text, examples)
	if !ok {
		t.Fatal("there are no worked examples")
	}
	values := make(map[string]int)
	places := named.FindAllStringSubmatchIndex(text, -1)
	for i, place := range places {
		end := len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		name, example := text[place[2]:place[3]], text[place[1]:end]
		known := knownOf(t, name)
		for _, run := range hexRun.FindAllString(example, -1) {
			digits := strings.Join(strings.Fields(run), "")
			b, err := hex.DecodeString(digits)
			if err != nil || !bytes.Contains(known, b) && !bytes.Contains(known, []byte(digits)) {
				t.Errorf("%s has no %s: %v", name, digits, err)
			}
			values[name]++
		}
		for _, run := range textRun.FindAllString(example, -1) {
			if !bytes.Contains(known, []byte(strings.Trim(run, `"`))) {
				t.Errorf("%s has no %s", name, run)
			}
			values[name]++
		}
	}
	for name, least := range map[string]int{"size_1_suite_1": 18, "slot_passphrase": 10, "slot_hpke": 12, "size_8388609_suite_1": 7, "huge_tree": 4} {
		if values[name] < least {
			t.Errorf("the example of %s has only %d values", name, values[name])
		}
	}
}

// knownOf is all that a vector says, and its container.
func knownOf(t *testing.T, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(vectorFile(name))
	if err != nil {
		t.Fatal(err)
	}
	v, err := vectors.Parse(name, file)
	if err != nil {
		t.Fatal(err)
	}
	if v.Huge() {
		return file
	}
	c, err := v.Container()
	if err != nil {
		t.Fatal(err)
	}
	return append(c.Bytes(), file...)
}

func vectorFile(name string) string {
	return filepath.Join("..", "testdata", "vectors", name+vectors.Extension)
}

// Every vector that a text names is there, and the ten to begin with are ten, the
// same in both texts.
func TestNamedVectors(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "testdata", "vectors", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	first := func(text, after string) (names []string) {
		_, text, _ = strings.Cut(text, after)
		for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|").FindAllStringSubmatch(text, 10) {
			names = append(names, m[1])
		}
		return names
	}
	for _, text := range []string{spec.Text, string(readme)} {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(vectorFile(m[1])); err != nil {
				t.Error(err)
			}
		}
	}
	ten := first(spec.Text, "Begin with these ten")
	if again := first(string(readme), "## Where to begin"); len(ten) != 10 || !slices.Equal(ten, again) {
		t.Errorf("the ten to begin with are %v, and %v", ten, again)
	}
}
