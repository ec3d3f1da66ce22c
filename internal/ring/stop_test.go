package ring

import (
	"slices"
	"testing"
	"testing/synctest"
)

// A step is one call on a ring.
type step string

const (
	get, put, next, release, stop, closing step = "Get", "Put", "Next", "Release", "Stop", "Close"
)

// A model says what a ring must do, for one caller who is producer and
// consumer, so that no call may wait.
type model struct {
	slots           int
	held, out       int // slots that the producer, the consumer has
	first, last     int // items in the ring: first..last-1
	stopped, closed bool
}

// allowed returns the steps that are allowed and do not wait.
func (m *model) allowed() (steps []step) {
	if !m.closed && (m.stopped || m.held+m.out+m.last-m.first < m.slots) {
		steps = append(steps, get)
	}
	if !m.closed && m.held > 0 {
		steps = append(steps, put)
	}
	if m.stopped || m.closed || m.first < m.last {
		steps = append(steps, next)
	}
	if m.out > 0 {
		steps = append(steps, release)
	}
	if !m.closed {
		steps = append(steps, closing)
	}
	return append(steps, stop)
}

// play runs steps on a new ring, beside the model, and returns what may follow.
func play(t *testing.T, workers int, steps []step) []step {
	const slots = 2
	m := model{slots: slots}
	r := New(workers, slots, square)
	var held, out []*Slot[item]
	for _, s := range steps {
		switch s {
		case get:
			got := r.Get()
			if (got == nil) != m.stopped {
				t.Fatalf("%v: Get returned %v", steps, got)
			}
			if got != nil {
				held = append(held, got)
				m.held++
			}
		case put:
			held[0].Item.in = m.last
			r.Put(held[0])
			held = held[1:]
			m.held--
			m.last++
		case next:
			got := r.Next()
			if (got == nil) != (m.stopped || m.first == m.last) {
				t.Fatalf("%v: Next returned %v", steps, got)
			}
			if got != nil {
				if got.Item != (item{m.first, m.first * m.first}) {
					t.Fatalf("%v: Next returned %v, not number %d", steps, got.Item, m.first)
				}
				out = append(out, got)
				m.out++
				m.first++
			}
		case release:
			r.Release(out[0])
			out = out[1:]
			m.out--
		case stop:
			r.Stop(errEnough)
			m.stopped = true
		case closing:
			r.Close()
			m.closed = true
		}
	}
	after := m.allowed()
	if !m.closed {
		r.Close()
	}
	r.Wait() // hangs if a worker does
	return after
}

// Every order of calls that is allowed does what the model says.
func TestEveryInterleaving(t *testing.T) {
	const depth = 9
	for _, workers := range []int{1, 2} {
		played := 0
		var explore func([]step)
		explore = func(steps []step) {
			played++
			after := play(t, workers, steps)
			if len(steps) == depth {
				return
			}
			for _, s := range after {
				if s == stop && slices.Contains(steps, stop) && steps[len(steps)-1] == stop {
					continue // a third Stop in a row says nothing new
				}
				explore(append(slices.Clone(steps), s))
			}
		}
		explore(nil)
		t.Logf("%d workers: %d sequences", workers, played)
	}
}

func TestStopFreesBlockedProducer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(2, 3, square)
		returned := false
		go func() {
			for s := r.Get(); s != nil; s = r.Get() {
				r.Put(s)
			}
			returned = true
			r.Close()
		}()
		synctest.Wait()
		if returned {
			t.Fatal("Get did not wait with all slots in use")
		}
		r.Stop(errEnough)
		synctest.Wait()
		if !returned {
			t.Error("Get still waits after Stop")
		}
		r.Wait()
	})
}

func TestStopFreesBlockedConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(2, 3, square)
		r.Put(r.Get())
		returned := false
		go func() {
			for s := r.Next(); s != nil; s = r.Next() {
				r.Release(s)
			}
			returned = true
		}()
		synctest.Wait()
		if returned {
			t.Fatal("Next did not wait with nothing to come")
		}
		r.Stop(errEnough)
		synctest.Wait()
		if !returned {
			t.Error("Next still waits after Stop")
		}
		r.Close()
		r.Wait()
	})
}

// Next returns when the ring is stopped, even if the item that it waits for is
// still being worked on, as by a worker that reads a slow device.
func TestStopFreesConsumerOfSlowWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		r := New(1, 3, func(*item) { <-slow })
		r.Put(r.Get())
		returned := false
		go func() {
			if s := r.Next(); s != nil {
				t.Errorf("Next returned %v", s.Item)
			}
			returned = true
		}()
		synctest.Wait()
		r.Stop(errEnough)
		synctest.Wait()
		if !returned {
			t.Error("Next waits for work that nobody wants any more")
		}
		close(slow)
		r.Close()
		r.Wait()
	})
}

// Close without Stop lets everything that was put come out.
func TestCloseFreesBlockedConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		r := New(2, 5, func(i *item) { <-slow; square(i) })
		for i := range 4 {
			s := r.Get()
			s.Item.in = i
			r.Put(s)
		}
		var got []int
		go func() {
			for s := r.Next(); s != nil; s = r.Next() {
				got = append(got, s.Item.out)
				r.Release(s)
			}
		}()
		synctest.Wait()
		r.Close()
		close(slow)
		r.Wait()
		synctest.Wait()
		if !slices.Equal(got, []int{0, 1, 4, 9}) {
			t.Errorf("%v came out", got)
		}
	})
}

// Work that has not begun when the ring stops is not done.
func TestStopDropsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, slow := 0, make(chan struct{})
		r := New(1, 5, func(*item) { begun++; <-slow })
		for range 5 {
			r.Put(r.Get())
		}
		synctest.Wait()
		r.Stop(errEnough)
		r.Close()
		close(slow)
		r.Wait()
		if begun != 1 {
			t.Errorf("%d items were worked on, all but one after Stop", begun)
		}
	})
}
