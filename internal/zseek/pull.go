package zseek

import (
	"runtime"

	"bulla/internal/ring"
)

// ringSlots is how many frames are under way: one with each worker, one being
// filled and one being emptied.
func ringSlots(workers int) int { return workers + 2 }

// maxWorkers bounds what a caller may ask for, and with it memory.
const maxWorkers = 1024

// boundWorkers is the number of workers for a request of n; 0 means GOMAXPROCS.
func boundWorkers(n int) int {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return min(n, maxWorkers)
}

// A job carries a frame through a reader's ring. Its buffers are kept from one
// use to the next.
type job struct {
	index   int64  // of the frame
	offset  int64  // of the frame in the stream
	frame   []byte // compressed
	header  header
	content []byte
	err     error // what comes after content: nil, io.EOF, or why there is no more
}

// A puller is a ring seen from its consumer: feed prepares the jobs, in order
// and one at a time, work is done on several at a time, and next hands them out
// in order.
type puller struct {
	feed func(*job) (more bool) // false: this was the last
	work func(*job)

	ring     *ring.Ring[job]
	held     *ring.Slot[job] // what next returned last
	begun    bool            // next has been called
	more     bool            // the serial side has not seen the last job
	many     bool            // there is more than one worker
	parallel bool            // goroutines have been started
	fed      chan struct{}   // closed when the feeding goroutine has ended
}

func newPuller(workers int, feed func(*job) bool, work func(*job)) *puller {
	return &puller{
		feed: feed,
		work: work,
		ring: ring.New(workers, ringSlots(workers), work),
		more: true,
		many: workers > 1,
	}
}

// next returns the next job, which is the caller's until it calls next again.
// It returns nil after the last job, and once the puller was stopped.
func (p *puller) next() *job {
	if p.held != nil {
		p.ring.Release(p.held)
		p.held = nil
	}
	switch {
	case p.parallel:
		p.held = p.ring.Next()
	case !p.more:
		return nil
	case p.begun && p.many:
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
func (p *puller) run() {
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

// stop makes next return nil from now on. It does not wait, and may be called
// from any goroutine.
func (p *puller) stop() { p.ring.Stop() }

// close stops the puller and returns when no goroutine of it is left: after a
// feed that is under way has returned.
func (p *puller) close() {
	p.stop()
	if p.parallel {
		<-p.fed
		p.ring.Wait()
	}
}
