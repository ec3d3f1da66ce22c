package ring

import (
	"io"

	"bulla/internal/fullio"
)

// A Pusher is a ring for a producer that is written to: what it gets fills the
// items' buffers, work is done on several items at a time, and commit gets them
// in order. There is no goroutine before the second item, and none with one worker.
//
// An error, of commit or by Fail, is final: every call returns it, and commit is
// not called again. Write, ReadFrom and Close are for one goroutine at a time;
// Err and Fail are for any.
type Pusher[T any] struct {
	stages    Stages[T]
	workers   int
	ring      *Ring[T]
	cur       *Slot[T]      // being filled; nil after a failure
	parallel  bool          // the ring has started
	committed chan struct{} // closed when the committing goroutine has ended
}

// Stages are what a Pusher does with its items.
type Stages[T any] struct {
	// Buffer is what an item is filled through, up to its capacity, which must
	// not be zero. It is called for whatever is in the item: what is left of an
	// earlier use is dropped by the Pusher.
	Buffer func(*T) *[]byte

	// Number sees the items in order, filled, before they are worked on. An
	// error of it is final.
	Number func(item *T, last bool) error

	// Work is done on several items at a time.
	Work func(*T)

	// Commit sees the items in order, worked on.
	Commit func(*T) error
}

// NewPusher returns a Pusher whose items travel in at most slots slots.
func NewPusher[T any](workers, slots int, s Stages[T]) *Pusher[T] {
	p := &Pusher[T]{stages: s, workers: workers, ring: New(workers, slots, s.Work)}
	p.take()
	return p
}

// take makes a free slot the current one, waiting for it if it must.
func (p *Pusher[T]) take() {
	if p.cur = p.ring.Get(); p.cur != nil {
		p.empty()
	}
}

func (p *Pusher[T]) empty() {
	b := p.stages.Buffer(&p.cur.Item)
	*b = (*b)[:0]
}

// Write fills items with a copy of b, and waits while all are in use.
func (p *Pusher[T]) Write(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		if err := p.Err(); err != nil {
			return n, err
		}
		k, err := p.fill(func(room []byte) (int, error) { return copy(room, b[n:]), nil })
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, p.Err()
}

// ReadFrom fills items with what src has to give, until io.EOF, which is not an
// error. It reads straight into their buffers. Any other error of src is final.
func (p *Pusher[T]) ReadFrom(src io.Reader) (int64, error) {
	var n int64
	empty := 0 // reads in a row that gave nothing
	for {
		if err := p.Err(); err != nil {
			return n, err
		}
		k, err := p.fill(src.Read)
		n += int64(k)
		switch {
		case err == io.EOF:
			return n, p.Err()
		case err != nil:
			return n, p.Fail(err)
		case k > 0:
			empty = 0
		default:
			if empty++; empty == fullio.MaxEmptyReads {
				return n, p.Fail(io.ErrNoProgress)
			}
		}
	}
}

// fill has read put something into the current item, which is then sent on its
// way if it is full.
func (p *Pusher[T]) fill(read func(room []byte) (int, error)) (int, error) {
	b := p.stages.Buffer(&p.cur.Item)
	room := (*b)[len(*b):cap(*b)]
	n, err := read(room)
	if n < 0 || n > len(room) {
		return 0, p.Fail(fullio.ErrBadCount)
	}
	if *b = (*b)[:len(*b)+n]; n == len(room) {
		if perr := p.push(false); perr != nil {
			return n, perr
		}
	}
	return n, err
}

// push sends the current item on its way.
func (p *Pusher[T]) push(last bool) error {
	item := &p.cur.Item
	if err := p.stages.Number(item, last); err != nil {
		return p.Fail(err)
	}
	if p.workers == 1 || last && !p.parallel {
		p.stages.Work(item)
		err := p.Fail(p.stages.Commit(item))
		p.empty()
		return err
	}
	if !p.parallel {
		p.parallel = true
		p.committed = make(chan struct{})
		go p.commitAll()
	}
	p.ring.Put(p.cur)
	if last {
		return nil
	}
	p.take()
	return p.Err()
}

// commitAll commits the items in order.
func (p *Pusher[T]) commitAll() {
	defer close(p.committed)
	for s := p.ring.Next(); s != nil; s = p.ring.Next() {
		if p.Fail(p.stages.Commit(&s.Item)) != nil {
			return
		}
		p.ring.Release(s)
	}
}

// Close sends what is in the current item on its way, as the last, unless it is
// empty and that is not wanted, and returns when all is committed and nothing of
// the Pusher runs any more. It must be called once, after a failure, too.
func (p *Pusher[T]) Close(evenIfEmpty bool) error {
	err := p.Err()
	if err == nil && (evenIfEmpty || len(*p.stages.Buffer(&p.cur.Item)) > 0) {
		err = p.push(true)
	}
	p.ring.Close()
	if p.parallel {
		<-p.committed
		p.ring.Wait()
		err = p.Err()
	}
	return err
}

// Drain gives f the items, once the Pusher is closed: see [Ring.Drain].
func (p *Pusher[T]) Drain(f func(*T)) { p.ring.Drain(f) }

// Fail makes err the final error, unless it is nil or there is one already, and
// returns the one there is.
func (p *Pusher[T]) Fail(err error) error { return p.ring.Stop(err) }

// Err returns the final error, nil as long as there is none.
func (p *Pusher[T]) Err() error { return p.Fail(nil) }
