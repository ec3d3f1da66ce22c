package parallel

import (
	"errors"
	"sync/atomic"
	"testing"
)

func TestDo(t *testing.T) {
	for _, c := range []struct{ workers, n int }{{1, 0}, {1, 5}, {3, 2}, {4, 1000}} {
		done := make([]atomic.Int32, c.n)
		err := Do(c.workers, c.n, func(worker, i int) error {
			if worker < 0 || worker >= c.workers {
				t.Errorf("worker %d of %d", worker, c.workers)
			}
			done[i].Add(1)
			return nil
		})
		for i := range done {
			if n := done[i].Load(); n != 1 || err != nil {
				t.Fatalf("%v: %d was done %d times: %v", c, i, n, err)
			}
		}
	}
}

// After an error nothing new is begun, and what was begun ends before Do does.
func TestDoFails(t *testing.T) {
	failed := errors.New("failed")
	var begun, ended atomic.Int32
	err := Do(4, 1000, func(_, i int) error {
		defer ended.Add(1)
		if begun.Add(1); i >= 10 {
			return failed
		}
		return nil
	})
	if err != failed || begun.Load() != ended.Load() || begun.Load() > 10+2*4 {
		t.Errorf("%v: %d begun, %d ended", err, begun.Load(), ended.Load())
	}
}
