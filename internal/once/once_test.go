package once

import (
	"context"
	"errors"
	"testing"
)

func TestValue(t *testing.T) {
	calls := 0
	failed := errors.New("failed")
	for _, want := range []error{nil, failed} {
		var v Value[int]
		find := func() (int, error) { calls++; return 7, want }
		if _, done, _ := v.Peek(); done {
			t.Error("found before anybody asked")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		calls = 0
		v.Get(ended, func() (int, error) { calls++; return 0, ended.Err() })
		if _, done, _ := v.Peek(); done {
			t.Error("given up because a context ended")
		}
		for range 2 {
			if got, err := v.Get(t.Context(), find); got != 7 || err != want || calls != 2 {
				t.Errorf("%d, %v after %d calls", got, err, calls)
			}
			if got, done, err := v.Peek(); got != 7 || !done || err != want {
				t.Errorf("Peek: %d, %v, %v", got, done, err)
			}
		}
		// What was found in time counts although the context has ended since.
		var late Value[int]
		late.Get(ended, func() (int, error) { return 7, nil })
		if got, done, err := late.Peek(); got != 7 || !done || err != nil {
			t.Errorf("late: %d, %v, %v", got, done, err)
		}
	}
}
