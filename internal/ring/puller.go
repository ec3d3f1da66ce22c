package ring

import "errors"

// A Puller is a ring for a consumer that pulls: feed prepares the items, in
// order and one at a time, work is done on several at a time, and Next hands
// them out in order. There is no goroutine if there is only one item, and none
// with one worker.
//
// Next is for one goroutine at a time; Stop and Close are for any.
type Puller[T any] struct {
	feed    func(*T) (more bool)
	work    func(*T)
	workers int

	busy     chan struct{} // full while Next runs, so that Close can wait for it
	ring     *Ring[T]
	held     *Slot[T] // what Next returned last
	more     bool     // feed has not said that an item is the last
	parallel bool
	fed      chan struct{} // closed when the feeding goroutine has ended
}

// NewPuller returns a Puller whose items travel in at most slots slots. It calls
// feed until that returns false, for the last item.
func NewPuller[T any](workers, slots int, feed func(*T) (more bool), work func(*T)) *Puller[T] {
	return &Puller[T]{
		feed:    feed,
		work:    work,
		workers: workers,
		busy:    make(chan struct{}, 1),
		ring:    New(workers, slots, work),
		more:    true,
	}
}

// Next returns the next item, which is the caller's until it calls Next again.
// It returns nil after the last item, and once the Puller was stopped.
func (p *Puller[T]) Next() *T {
	p.busy <- struct{}{}
	defer func() { <-p.busy }()
	if p.held != nil {
		p.ring.Release(p.held)
		p.held = nil
	}
	if !p.parallel && p.more {
		p.begin()
	}
	if p.parallel {
		p.held = p.ring.Next()
	}
	if p.held == nil {
		return nil
	}
	return &p.held.Item
}

// begin feeds an item and works on it here, or starts the ring with it if
// others follow.
func (p *Puller[T]) begin() {
	s := p.ring.Get()
	if s == nil {
		return
	}
	if p.more = p.feed(&s.Item); !p.more || p.workers == 1 {
		p.work(&s.Item)
		p.held = s
		return
	}
	p.parallel = true
	p.fed = make(chan struct{})
	p.ring.Put(s)
	go p.run()
}

// run feeds the ring.
func (p *Puller[T]) run() {
	defer close(p.fed)
	defer p.ring.Close()
	for more := true; more; {
		s := p.ring.Get()
		if s == nil {
			return
		}
		more = p.feed(&s.Item)
		p.ring.Put(s)
	}
}

// Stop makes Next return nil from now on. See [Ring.Stop].
func (p *Puller[T]) Stop(err error) error { return p.ring.Stop(err) }

// Drain gives f the items, once the Puller is closed: see [Ring.Drain].
func (p *Puller[T]) Drain(f func(*T)) { p.ring.Drain(f) }

// errClosed is why a Puller stops that nobody wants anything of any more.
var errClosed = errors.New("closed")

// Close stops the Puller and returns when nothing of it runs any more: after a
// feed that is under way has returned.
func (p *Puller[T]) Close() {
	p.Stop(errClosed)
	p.busy <- struct{}{}
	defer func() { <-p.busy }()
	if p.parallel {
		<-p.fed
		p.ring.Wait()
	}
}
