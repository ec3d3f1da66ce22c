package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"bulla/stream"
)

// TestReadBackWaits reads back what cannot be synchronized, here a pipe: that is
// an error, whatever --no-sync says.
func TestReadBackWaits(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, noSync := range []bool{false, true} {
		out := &output{File: w, plan: outputPlan{outputFlags: outputFlags{noSync: noSync}}}
		if _, _, err := out.readBack(); err == nil {
			t.Errorf("without synchronization: %v: nothing was waited for", noSync)
		}
	}
}

func TestExplainReadBack(t *testing.T) {
	out := &output{name: "out", path: "out"}
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
