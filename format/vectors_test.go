package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"bulla/format"
	"bulla/internal/vectors"
)

// What a stranger finds in every vector, and that what parses marshals to the same
// bytes.
func TestVectors(t *testing.T) {
	all, err := vectors.Load("../testdata/vectors")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			c, err := v.Container()
			if err != nil {
				t.Fatal(err)
			}
			checkKeyless(t, v, c)
			for _, raw := range copiesOf(t, c) {
				checkHead(t, raw)
			}
			if v.Detached != nil {
				checkHead(t, v.Detached)
			}
		})
	}
}

func checkKeyless(t *testing.T, v *vectors.Vector, c *vectors.Container) {
	r := format.Check(c, c.Size())
	var found []vectors.Finding
	for _, f := range r.Findings {
		found = append(found, vectors.Finding{Clause: f.Clause, Offset: f.Offset})
	}
	if fmt.Sprint(found) != fmt.Sprint(v.Keyless) {
		t.Errorf("Check found %v, not %v", r.Findings, v.Keyless)
	}
	if r.Valid() != (len(v.Keyless) == 0) {
		t.Errorf("Check says valid: %v", r.Valid())
	}
	// A size that is known without a key is the right one. With coding 1 it is
	// that of what is sealed.
	want := v.Stream.Length
	if v.Raw != nil {
		want = v.Raw.Length
	}
	if v.Stream.Outcome == vectors.Success && v.Detached == nil && r.Layout.PlainSize != want {
		t.Errorf("Check says that the plaintext has %d bytes, not %d", r.Layout.PlainSize, want)
	}
}

// copiesOf returns what may be copies of the head: as much as one can have from the
// start, and the tail that was found.
func copiesOf(t *testing.T, c *vectors.Container) [][]byte {
	t.Helper()
	start := make([]byte, min(c.Size(), format.MaxHeadSize))
	if _, err := c.ReadAt(start, 0); err != nil {
		t.Fatal(err)
	}
	all := [][]byte{start}
	if tail := format.ReadCopies(c, c.Size()).Tail; tail != nil {
		all = append(all, tail.Raw)
	}
	return all
}

// checkHead parses a copy and marshals it again.
func checkHead(t *testing.T, b []byte) {
	t.Helper()
	h, err := format.ParseHead(b)
	if err != nil {
		var pe *format.ParseError
		if !errors.As(err, &pe) || vectors.FailureOf(pe.Clause) == "" {
			t.Errorf("a head fails to parse with %v", err)
		}
		return
	}
	back, err := h.Append(nil)
	if err != nil || !bytes.Equal(back, b[:h.HeadSize()]) {
		t.Errorf("parsing and marshalling gave other bytes: %v", err)
	}
}
