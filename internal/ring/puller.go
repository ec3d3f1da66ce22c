package ring

// A Puller is a ring for a consumer that pulls: feed prepares the items, in
// order and one at a time, work is done on several at a time, and Next hands
// them out in order. The first item is worked on by the caller of Next; the
// second starts the goroutines, unless there is one worker.
//
// Next is for one goroutine at a time; Stop and Close are for any.
type Puller[T any] struct {
	feed    func(*T) (more bool)
	work    func(*T)
	workers int

	busy     chan struct{} // full while Next runs, so that Close can wait for it
	ring     *Ring[T]
	held     *Slot[T] // what Next returned last
	begun    bool     // Next has been called
	more     bool     // the serial side has not seen the last item
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
	switch {
	case p.parallel:
		p.held = p.ring.Next()
	case !p.more:
		return nil
	case p.begun && p.workers > 1:
		p.parallel = true
		p.fed = make(chan struct{})
		go p.run()
		p.held = p.ring.Next()
	default:
		p.begun = true
		if p.held = p.ring.Get(); p.held != nil {
			p.more = p.feed(&p.held.Item)
			p.work(&p.held.Item)
		}
	}
	if p.held == nil {
		return nil
	}
	return &p.held.Item
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

// Stop makes Next return nil from now on. It does not wait, and may be called
// from any goroutine.
func (p *Puller[T]) Stop() { p.ring.Stop() }

// Close stops the Puller and returns when nothing of it runs any more: after a
// feed that is under way has returned.
func (p *Puller[T]) Close() {
	p.Stop()
	p.busy <- struct{}{}
	defer func() { <-p.busy }()
	if p.parallel {
		<-p.fed
		p.ring.Wait()
	}
}
