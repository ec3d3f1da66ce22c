package ring

import (
	"fmt"
	"math"
	"runtime"
	"testing"
)

// BenchmarkHandoff is what an item costs beyond the work on it: the way from
// the producer through a worker to the consumer.
func BenchmarkHandoff(b *testing.B) {
	for _, workers := range []int{1, 2, 8} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			pump(New(workers, 2*workers+1, func(*item) {}), b.N, func(item) bool { return true })
		})
	}
}

// An item on its way allocates nothing.
func TestHandoffDoesNotAllocate(t *testing.T) {
	const n = 5000
	// The least of some runs: the runtime allocates, too, as for goroutines that wait.
	least := func(n int) uint64 {
		pieces := uint64(math.MaxUint64)
		for range 5 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			pump(New(2, 5, square), n, func(item) bool { return true })
			runtime.ReadMemStats(&after)
			pieces = min(pieces, after.Mallocs-before.Mallocs)
		}
		return pieces
	}
	if fixed, all := least(10), least(n); all > fixed+n/100 {
		t.Errorf("%d items took %d allocations, 10 took %d", n, all, fixed)
	}
}
