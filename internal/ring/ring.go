// Package ring runs work on a stream of items in parallel and hands the results
// out in the order of the stream.
//
//	producer ─Get──▶ free ◀─────────Release─ consumer
//	   │                                        ▲
//	   └──Put─┬────▶ order ──────────────Next───┤   sequential
//	          └────▶ work ─▶ workers: fn ─done──┘   parallel
//
// A fixed number of slots, each with its item, travels around the ring. The
// free slots are the bound on memory: only Get waits for one. The queues hold
// as many entries as there are slots, so that Put never blocks, and a worker
// that finishes never does either; whatever stops first, nothing is left stuck.
//
// A [Pusher] has the ring's consumer in it, and is written to; a [Puller] has
// its producer in it, and is read from.
package ring

import (
	"runtime"
	"sync"
)

// A Slot is one place in a ring, with the item that lives in it for good: its
// buffers are allocated once and used again.
type Slot[T any] struct {
	Item T
	done chan struct{}
}

// A Ring carries items of type T. One goroutine, the producer, calls Get, Put
// and Close; one, the consumer, calls Next and Release; anyone calls Stop.
type Ring[T any] struct {
	fn      func(*T)
	workers int
	slots   int // how many there may be
	made    int // how many there are: the producer's

	free, order, work chan *Slot[T]
	stop              chan struct{}
	running           sync.WaitGroup
	started           bool

	mu  sync.Mutex
	err error // why it was stopped
}

// maxWorkers bounds what a caller may ask for, and with it memory.
const maxWorkers = 1024

// Workers is how many workers a ring is given where n are asked for: GOMAXPROCS
// for 0, and 1024 at most.
func Workers(n int) int {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return min(n, maxWorkers)
}

// New returns a ring of at most slots slots whose items are worked on by fn in
// that many workers. No goroutine runs before the first Put, and no slot exists
// before the Get that needs it.
func New[T any](workers, slots int, fn func(*T)) *Ring[T] {
	return &Ring[T]{
		fn:      fn,
		workers: workers,
		slots:   slots,
		free:    make(chan *Slot[T], slots),
		order:   make(chan *Slot[T], slots),
		work:    make(chan *Slot[T], slots),
		stop:    make(chan struct{}),
	}
}

// Get returns a free slot, which is the caller's until it is put. It waits for
// the consumer to release one if all are in use. It returns nil once the ring
// is stopped.
func (r *Ring[T]) Get() *Slot[T] {
	if r.stopped() {
		return nil
	}
	select {
	case s := <-r.free:
		return s
	default:
	}
	if r.made < r.slots {
		r.made++
		return &Slot[T]{done: make(chan struct{}, 1)}
	}
	select {
	case <-r.stop:
		return nil
	case s := <-r.free:
		return s
	}
}

// Put hands a slot to the workers and, in the order of the Puts, to the consumer.
func (r *Ring[T]) Put(s *Slot[T]) {
	if !r.started {
		r.started = true
		for range r.workers {
			r.running.Go(r.run)
		}
	}
	r.order <- s
	r.work <- s
}

func (r *Ring[T]) run() {
	for s := range r.work {
		if !r.stopped() { // else nobody wants the result
			r.fn(&s.Item)
		}
		s.done <- struct{}{}
		// Let the two ends run between items. On few processors a worker would
		// otherwise go on until the queue is empty, the ends then refill and
		// drain the ring in one go, and the last worker of each round works alone.
		runtime.Gosched()
	}
}

// Close says that there is no further Put. The producer calls it once, whether
// the ring was stopped or not; the workers end when they have done what was put.
func (r *Ring[T]) Close() {
	close(r.order)
	close(r.work)
}

// Next returns the next slot in order once its work is done. It returns nil
// after the last one, and as soon as the ring is stopped.
func (r *Ring[T]) Next() *Slot[T] {
	select {
	case <-r.stop:
		return nil
	case s, ok := <-r.order:
		if !ok {
			return nil
		}
		select {
		case <-r.stop:
			return nil
		case <-s.done:
		}
		if r.stopped() { // then its work may not have been done
			return nil
		}
		return s
	}
}

func (r *Ring[T]) stopped() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// Release gives a slot that Next returned back to the producer.
func (r *Ring[T]) Release(s *Slot[T]) { r.free <- s }

// Drain calls f with the items of all free slots, which are not used again. Nothing of the
// ring may be running.
func (r *Ring[T]) Drain(f func(*T)) {
	for {
		select {
		case s := <-r.free:
			f(&s.Item)
		default:
			return
		}
	}
}

// Stop ends the ring early: Get and Next return nil, and what was put and not
// yet worked on is dropped. err is why; the first reason stays, and is returned.
// With nil Stop ends nothing and returns the reason there is, if any. It does not
// wait, and may be called from any goroutine.
func (r *Ring[T]) Stop(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && err != nil {
		r.err = err
		close(r.stop)
	}
	return r.err
}

// Wait returns when all workers have ended, after Close.
func (r *Ring[T]) Wait() { r.running.Wait() }
