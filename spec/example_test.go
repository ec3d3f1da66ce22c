package spec_test

import (
	"bytes"
	"encoding/hex"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bulla/internal/vectors"
	"bulla/spec"
)

// hexRun is a value in the worked example, perhaps over several lines.
var hexRun = regexp.MustCompile(`[0-9a-f]{16,64}(?:\n +[0-9a-f]{16,64})*`)

// The worked example says what its vector says: every value stands in the
// container or among the vector's own values.
func TestExample(t *testing.T) {
	_, example, ok := strings.Cut(spec.Text, "## 12. A worked example")
	if !ok {
		t.Fatal("there is no worked example")
	}
	all, err := vectors.Load(filepath.Join("..", "testdata", "vectors"))
	if err != nil {
		t.Fatal(err)
	}
	var known []byte
	for _, v := range all {
		if v.Name != "size_1_suite_1" {
			continue
		}
		c, err := v.Container()
		if err != nil {
			t.Fatal(err)
		}
		known = append(c.Bytes(), v.Append(nil)...)
	}
	runs := hexRun.FindAllString(example, -1)
	for _, run := range runs {
		digits := strings.Join(strings.Fields(run), "")
		b, err := hex.DecodeString(digits)
		if err != nil || !bytes.Contains(known, b) && !bytes.Contains(known, []byte(digits)) {
			t.Errorf("the vector has no %s: %v", digits, err)
		}
	}
	if len(runs) < 18 {
		t.Errorf("only %d values", len(runs))
	}
}
