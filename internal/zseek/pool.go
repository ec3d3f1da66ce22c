package zseek

// A pool lends things that are costly to make, each to one goroutine at a time,
// and makes no more than its size: who wants another waits. Unlike a sync.Pool
// it never drops one, so that a stream makes them only while it starts.
type pool[T any] struct {
	free   chan T
	unmade chan struct{} // one for each that may still be made
	create func() T
}

func newPool[T any](size int, create func() T) pool[T] {
	p := pool[T]{make(chan T, size), make(chan struct{}, size), create}
	for range size {
		p.unmade <- struct{}{}
	}
	return p
}

func (p pool[T]) get() T {
	select {
	case t := <-p.free:
		return t
	default:
	}
	select {
	case t := <-p.free:
		return t
	case <-p.unmade:
		return p.create()
	}
}

func (p pool[T]) put(t T) { p.free <- t }
