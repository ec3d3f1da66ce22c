package interrupt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// In a bubble no time passes while there is work that can go on.
func TestRun(t *testing.T) { synctest.Test(t, testRun) }

func testRun(t *testing.T) {
	cause := errors.New("cause")
	ctx, cancel := context.WithCancelCause(context.Background())
	if err := Run(ctx, func() error { return cause }); err != cause {
		t.Errorf("got %v", err)
	}
	cancel(cause)
	own := errors.New("own")
	if err := Run(ctx, func() error { return own }); err != own {
		t.Errorf("work that notices by itself: got %v", err)
	}
	stuck := make(chan bool)
	defer close(stuck)
	if err := Run(ctx, func() error { <-stuck; return nil }); err != cause {
		t.Errorf("work that is stuck: got %v", err)
	}
}

func TestLeftovers(t *testing.T) {
	var l Leftovers
	var undone []string
	l.Add(func() { undone = append(undone, "kept") })
	l.Add(func() { undone = append(undone, "done") })()
	for i := range 9 {
		l.Add(func() { undone = append(undone, fmt.Sprint(i)) })
	}
	l.Clean()
	l.Clean()
	if strings.Join(undone, " ") != "kept 0 1 2 3 4 5 6 7 8" {
		t.Errorf("undone: %v", undone)
	}
}
