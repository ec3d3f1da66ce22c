package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"bulla/stream"
)

func TestExplainReadBack(t *testing.T) {
	out := &output{name: "out"}
	p := explain(explainReadBack(out, fmt.Errorf("%w: chunk 3 failed authentication", stream.ErrNotAsWritten)))
	if p.exit != exitIO || !strings.Contains(p.what, "reading out back: ") || !strings.Contains(p.what, "chunk 3") || !strings.Contains(p.hint, "thrown away") {
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
