// Package parallel does things several at a time, in no order: see internal/ring for those
// whose results are wanted in theirs.
package parallel

import (
	"sync"
	"sync/atomic"
)

// Do calls do for 0..n-1, on up to so many goroutines: the workers 0..workers-1. It returns
// the first error, after which it begins nothing new, when all that was begun has ended.
func Do(workers, n int, do func(worker, i int) error) error {
	var (
		next  atomic.Int64
		once  sync.Once
		wg    sync.WaitGroup
		first error
	)
	for worker := range min(workers, n) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := do(worker, int(i)); err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
				}
			}
		})
	}
	wg.Wait()
	return first
}
