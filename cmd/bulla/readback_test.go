package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"bulla/stream"
)

func TestExplainReadBack(t *testing.T) {
	out := &output{name: "out", path: "out"}
	p := explain(explainReadBack(out, fmt.Errorf("%w: chunk 3 failed authentication", stream.ErrNotAsWritten)))
	if p.Exit != exitIO || !strings.Contains(p.What, "reading out back: ") || !strings.Contains(p.What, "chunk 3") || !strings.Contains(p.Hint, "thrown away") {
		t.Errorf("%+v", p)
	}
	other := errors.New("something else")
	if err := explainReadBack(out, other); err != other {
		t.Error(err)
	}
	if err := explainReadBack(out, nil); err != nil {
		t.Error(err)
	}
}
