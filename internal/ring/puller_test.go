package ring

import (
	"testing"
	"testing/synctest"
)

// counter feeds the numbers 0 to n-1; work doubles them.
func counter(n int) (feed func(*int) bool, work func(*int)) {
	next := 0
	feed = func(v *int) bool {
		*v = next
		next++
		return next < n
	}
	return feed, func(v *int) { *v *= 2 }
}

// Whatever the number of workers, items come in order, each once and worked on,
// and then nothing.
func TestPullerOrder(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 16} {
		for _, n := range []int{1, 2, 3, 100} {
			feed, work := counter(n)
			p := NewPuller(workers, 2*workers+1, feed, work)
			for i := range n {
				if v := p.Next(); v == nil || *v != 2*i {
					t.Fatalf("%d workers: item %d of %d is %v", workers, i, n, v)
				}
			}
			if v := p.Next(); v != nil {
				t.Errorf("%d workers: %d behind the last of %d", workers, *v, n)
			}
			if many := workers > 1 && n > 1; p.parallel != many {
				t.Errorf("%d workers, %d items: goroutines: %v", workers, n, p.parallel)
			}
			p.Close()
		}
	}
}

// Stop frees a Next that waits, from whatever goroutine, and Close waits for a
// feed that is under way: after it, nothing of the puller runs.
func TestPullerStop(t *testing.T) {
	for _, workers := range []int{1, 2} {
		for _, before := range []int{0, 1, 5} {
			synctest.Test(t, func(t *testing.T) {
				wait, fed := make(chan struct{}), 0
				feed := func(v *int) bool {
					if fed == before {
						<-wait
					}
					fed++
					return true
				}
				p := NewPuller(workers, 2*workers+1, feed, func(*int) {})
				pulled := make(chan int)
				go func() {
					n := 0
					for p.Next() != nil {
						n++
					}
					pulled <- n
				}()
				synctest.Wait()
				closed := make(chan struct{})
				go func() {
					p.Close()
					close(closed)
				}()
				synctest.Wait()
				select {
				case <-closed:
					t.Error("Close returned while feed was running")
				default:
				}
				close(wait)
				<-closed
				if n := <-pulled; n > before+1 {
					t.Errorf("%d workers: %d items after %d", workers, n, before)
				}
				if p.Next() != nil {
					t.Error("an item after Close")
				}
			})
		}
	}
}
