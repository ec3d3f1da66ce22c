package parity

import (
	"sync"
	"sync/atomic"

	"github.com/klauspost/reedsolomon"
)

// newCode returns the Reed–Solomon code of groups with so many cells: the Cauchy matrix
// K(j, p) = 1 / ((128 + j) xor p) over GF(2^8) mod 0x11D (spec/parity.md, section 1).
func newCode(cells int) (reedsolomon.Encoder, error) {
	return reedsolomon.New(groupChunks, cells, reedsolomon.WithCauchyMatrix(), reedsolomon.WithMaxGoroutines(1))
}

// parallel calls do for 0..n-1, on up to so many goroutines: the workers 0..workers-1.
// It returns the first error, after which it begins nothing new.
func parallel(workers, n int, do func(worker, i int) error) error {
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
