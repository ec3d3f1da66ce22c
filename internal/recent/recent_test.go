package recent

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// text is what piece i holds.
func text(i int64) string { return fmt.Sprint("piece ", i) }

// Whatever is asked for is what comes, from as many goroutines as there may be, and no more than
// so many pieces are kept.
func TestCache(t *testing.T) {
	const pieces, kept = 20, 3
	var mu sync.Mutex
	buffers := map[*byte]bool{}
	c := New(kept, func(buf []byte, i int64) ([]byte, error) {
		if buf == nil {
			buf = make([]byte, 0, 16)
		}
		mu.Lock()
		buffers[&buf[:1][0]] = true
		mu.Unlock()
		return append(buf[:0], text(i)...), nil
	})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range 2000 {
				i, off, p := r.Int64N(pieces), r.Int64N(3), make([]byte, 16)
				if n, err := c.CopyAhead(p, i, off, i+r.Int64N(5)); string(p[:n]) != text(i)[off:] || err != nil {
					t.Errorf("piece %d from %d on: %q, %v", i, off, p[:n], err)
				}
			}
		})
	}
	all.Wait()
	if len(buffers) > kept {
		t.Errorf("%d buffers, for %d pieces", len(buffers), kept)
	}
}

// What was read last is kept, and what could not be got is asked for again.
func TestKept(t *testing.T) {
	var got []int64
	failing := int64(4)
	broken := errors.New("broken")
	c := New(2, func(buf []byte, i int64) ([]byte, error) {
		got = append(got, i)
		if i == failing {
			return buf, broken
		}
		return []byte(text(i)), nil
	})
	for _, i := range []int64{1, 2, 1, 3, 1, 2, 4, 4} {
		if _, err := c.Copy(nil, i, 0); (err != nil) != (i == failing) {
			t.Errorf("piece %d: %v", i, err)
		}
	}
	failing = 0
	c.Copy(nil, 4, 0)
	if want := []int64{1, 2, 3, 2, 4, 4, 4}; !slices.Equal(got, want) {
		t.Errorf("it got %v, not %v", got, want)
	}
}

// Of what many read in order few pieces are got twice. A reader that is held up may come when the
// others are further and its piece is gone; what it then gets may take the place of a piece ahead.
func TestInOrder(t *testing.T) {
	for _, readers := range []int{1, 2, 4, 8, 16} {
		const pieces, parts = 100, 32
		var got [pieces]atomic.Int32
		var next, late, again atomic.Int64
		c := New(readers+1, func(buf []byte, i int64) ([]byte, error) {
			switch {
			case got[i].Add(1) == 1:
			case (next.Load()-1)/parts > i:
				late.Add(1)
			default:
				again.Add(1)
			}
			time.Sleep(100 * time.Microsecond)
			return []byte(text(i)), nil
		})
		var all sync.WaitGroup
		for range readers {
			all.Go(func() {
				for n := next.Add(1) - 1; n < pieces*parts; n = next.Add(1) - 1 {
					p := make([]byte, 16)
					if k, err := c.CopyAhead(p, n/parts, 0, pieces); string(p[:k]) != text(n/parts) || err != nil {
						t.Errorf("piece %d: %q, %v", n/parts, p[:k], err)
					}
				}
			})
		}
		all.Wait()
		if again.Load() > late.Load()+pieces/4 {
			t.Errorf("%d readers got %d of %d pieces again, and %d late", readers, again.Load(), pieces, late.Load())
		}
	}
}

// Reads in order get as many pieces at a time as there are, and none behind the end or beyond
// what is kept.
func TestAhead(t *testing.T) {
	for _, test := range []struct{ readers, kept, end, want int }{{1, 4, 9, 1}, {2, 3, 9, 2}, {3, 4, 9, 3}, {4, 3, 9, 2}, {3, 4, 1, 1}, {3, 4, 2, 2}} {
		var mu sync.Mutex
		var got []int64
		goOn := make(chan struct{})
		c := New(test.kept, func(buf []byte, i int64) ([]byte, error) {
			mu.Lock()
			got = append(got, i)
			mu.Unlock()
			<-goOn
			return []byte(text(i)), nil
		})
		gets := func() []int64 {
			mu.Lock()
			defer mu.Unlock()
			return slices.Sorted(slices.Values(got))
		}
		var readers sync.WaitGroup
		for range test.readers {
			readers.Go(func() {
				p := make([]byte, 16)
				if n, err := c.CopyAhead(p, 0, 0, int64(test.end)); string(p[:n]) != text(0) || err != nil {
					t.Errorf("%q, %v", p[:n], err)
				}
			})
		}
		for len(gets()) < test.want {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(5 * time.Millisecond) // for one too many
		if got := gets(); len(got) != test.want || got[0] != 0 || got[len(got)-1] != int64(test.want-1) {
			t.Errorf("%+v: it gets %v", test, got)
		}
		close(goOn)
		readers.Wait()
	}
}
