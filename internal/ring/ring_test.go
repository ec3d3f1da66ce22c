package ring

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// An item is worked on by squaring it.
type item struct{ in, out int }

// errEnough is why tests stop a ring.
var errEnough = errors.New("that is enough")

func square(i *item) { i.out = i.in * i.in }

// pump sends n items through r and gives each, in the order in which they come
// out, to take, until take returns false; then the ring is stopped. It returns
// when every goroutine of the ring has ended.
func pump(r *Ring[item], n int, take func(item) bool) {
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		defer r.Close()
		for i := range n {
			s := r.Get()
			if s == nil {
				return
			}
			s.Item.in = i
			r.Put(s)
		}
	}()
	for s := r.Next(); s != nil; s = r.Next() {
		if !take(s.Item) {
			r.Stop(errEnough)
			break
		}
		r.Release(s)
	}
	<-produced
	r.Wait()
}

// Whatever the numbers of workers and slots, everything comes out once, worked
// on, in order, and never are more items worked on at a time than there are
// workers, nor more on their way than there are slots.
func TestOrder(t *testing.T) {
	const n = 500
	for _, workers := range []int{1, 2, 3, 8, 64} {
		for _, slots := range []int{1, 2, 3, 2*workers + 1, 200} {
			t.Run(fmt.Sprintf("%d workers, %d slots", workers, slots), func(t *testing.T) {
				var busy, put, taken atomic.Int64
				r := New(workers, slots, func(i *item) {
					if b := busy.Add(1); b > int64(workers) {
						t.Errorf("%d items are worked on at a time", b)
					}
					put.Add(1)
					for range rand.N(4) {
						runtime.Gosched()
					}
					square(i)
					busy.Add(-1)
				})
				next := 0
				pump(r, n, func(i item) bool {
					if way := put.Load() - taken.Load(); way > int64(slots) {
						t.Errorf("%d items are on their way", way)
					}
					taken.Add(1)
					if i.in != next || i.out != next*next {
						t.Errorf("item %d came as number %d with result %d", i.in, next, i.out)
					}
					next++
					return true
				})
				if next != n {
					t.Errorf("%d of %d items came out", next, n)
				}
				if r.made > slots {
					t.Errorf("%d slots were made", r.made)
				}
			})
		}
	}
}

// A slot's item lives in it for good: buffers are made once for each slot.
func TestItemsStay(t *testing.T) {
	type buffer struct{ b []byte }
	made := 0
	r := New(2, 3, func(*buffer) {})
	for range 10 {
		for range 3 {
			s := r.Get()
			if s.Item.b == nil {
				s.Item.b = make([]byte, 1)
				made++
			}
			r.Put(s)
		}
		for range 3 {
			r.Release(r.Next())
		}
	}
	r.Close()
	r.Wait()
	if made != 3 {
		t.Errorf("%d buffers were made for 3 slots", made)
	}
}

// What is not used costs nothing.
func TestLazy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, slow := new(atomic.Int64), make(chan struct{})
		r := New(8, 17, func(*item) { begun.Add(1); <-slow })
		s := r.Get()
		r.Release(s) // a caller that does the work itself gives the slot back like this
		if r.Get() != s || r.made != 1 {
			t.Errorf("%d slots were made where one is in use at a time", r.made)
		}
		if r.started {
			t.Error("there are workers before the first Put")
		}
		r.Put(s)
		for range 16 {
			r.Put(r.Get())
		}
		synctest.Wait()
		if n := begun.Load(); n != 8 {
			t.Errorf("%d items are worked on by 8 workers", n)
		}
		close(slow)
		r.Close()
		r.Wait()
	})
}

// A consumer that gives up anywhere leaves nothing behind.
func TestStopAnywhere(t *testing.T) {
	for _, workers := range []int{1, 2, 5} {
		for after := range 30 {
			synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
				next := 0
				pump(New(workers, 2*workers+1, square), 25, func(i item) bool {
					if i.in != next {
						t.Errorf("item %d came as number %d", i.in, next)
					}
					next++
					return next < after
				})
				if want := min(max(after, 1), 25); next != want {
					t.Errorf("%d items came out, not %d", next, want)
				}
			})
		}
	}
}
