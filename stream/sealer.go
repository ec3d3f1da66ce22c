package stream

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"bulla/internal/ring"
	"bulla/internal/seal"
)

// A sealer seals what is written to it into the payload of a new container: a
// [Writer] without compression.
type sealer struct {
	dst     *sink
	head    []byte // encoded; the tail is the same bytes
	keys    *seal.Keys
	segment *seal.Segment // of the last batch submitted
	next    int64         // index of the current batch's first chunk
	done    *atomic.Int64 // counts the plaintext taken

	workers   int
	ring      *ring.Ring[batch]
	cur       *ring.Slot[batch] // being filled
	parallel  bool              // the ring has started
	committed chan struct{}     // closed when the committer has ended

	keepKeys bool // after Close, to read back
	closed   bool
	mu       sync.Mutex
	err      error // the first failure, which sticks
	detached func() bool
}

// start makes w a sealer of a new container and writes its head.
func (w *sealer) start(ctx context.Context, dst io.Writer, keys *seal.Keys, head []byte, workers int, done *atomic.Int64) error {
	w.dst, w.head, w.keys, w.workers, w.done = newSink(dst), head, keys, workers, done
	w.ring = ring.New(workers, ringSlots(workers), (*batch).seal)
	if err := w.dst.write(head); err != nil {
		keys.Wipe()
		return err
	}
	w.detached = context.AfterFunc(ctx, func() { w.Abort(context.Cause(ctx)) })
	w.take()
	return nil
}

// Write seals p. It copies p, and blocks while all batches are in use.
func (w *sealer) Write(p []byte) (int, error) {
	n := 0
	for len(p) > 0 {
		if err := w.status(); err != nil {
			return n, err
		}
		b := &w.cur.Item
		k := copy(b.in[len(b.in):cap(b.in)], p)
		b.in = b.in[:len(b.in)+k]
		p = p[k:]
		n += k
		w.done.Add(int64(k))
		if len(b.in) == batchPlain {
			if err := w.submit(false); err != nil {
				return n, err
			}
		}
	}
	return n, w.status()
}

// ReadFrom seals what src has to give, straight from the buffers it is read
// into. See [Writer.ReadFrom].
func (w *sealer) ReadFrom(src io.Reader) (int64, error) {
	var n int64
	empty := 0 // reads in a row that gave nothing
	for {
		if err := w.status(); err != nil {
			return n, err
		}
		b := &w.cur.Item
		k, err := src.Read(b.in[len(b.in):batchPlain])
		if k < 0 || k > batchPlain-len(b.in) {
			return n, w.fail(errBadCount)
		}
		b.in = b.in[:len(b.in)+k]
		n += int64(k)
		w.done.Add(int64(k))
		if len(b.in) == batchPlain {
			if err := w.submit(false); err != nil {
				return n, err
			}
		}
		switch {
		case err == io.EOF:
			return n, w.status()
		case err != nil:
			return n, w.fail(err)
		case k > 0:
			empty = 0
		default:
			if empty++; empty == maxEmptyReads {
				return n, w.fail(io.ErrNoProgress)
			}
		}
	}
}

// errBadCount is a source that breaks the contract of io.Reader.
var errBadCount = errors.New("the source returned an impossible count")

// maxEmptyReads is how often in a row a source may return no bytes and no error.
const maxEmptyReads = 100

// Close seals the last chunk and writes the tail. See [Writer.Close].
func (w *sealer) Close() error {
	if w.closed {
		return w.status()
	}
	w.closed = true
	err := w.status()
	if err == nil {
		err = w.submit(true) // the last chunk is short, so what is left is always one (FILE-2)
	}
	w.ring.Close()
	if w.parallel {
		<-w.committed
		w.ring.Wait()
		err = w.status()
	}
	if err == nil {
		err = w.dst.write(w.head) // TAIL-2
	}
	w.detached()
	// An Abort until here counts, though it may come after the last byte.
	err = w.fail(err)
	if !w.keepKeys {
		w.keys.Wipe()
	}
	w.fail(ErrClosed)
	return err
}

// Abort makes every call fail. See [Writer.Abort].
func (w *sealer) Abort(err error) {
	if err == nil {
		err = ErrAborted
	}
	w.fail(err)
}

// fail makes err stick, unless another has before, and returns the one that does.
func (w *sealer) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && err != nil {
		w.err = err
		w.ring.Stop()
	}
	return w.err
}

func (w *sealer) status() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// take makes a free slot the current one, waiting for it if it must.
func (w *sealer) take() {
	if w.cur = w.ring.Get(); w.cur != nil {
		w.cur.Item.in = grow(w.cur.Item.in, batchPlain)[:0]
	}
}

// submit sends the current batch on its way.
func (w *sealer) submit(final bool) error {
	b := &w.cur.Item
	if !w.segment.Holds(w.next) {
		s, err := w.keys.Segment(seal.Of(w.next)) // FILE-3
		if err != nil {
			return w.fail(err)
		}
		w.segment = s
	}
	b.first, b.final, b.seg = w.next, final, w.segment
	w.next += batchChunks
	if w.workers == 1 || (final && !w.parallel) {
		b.seal()
		err := w.dst.write(b.out)
		b.in = b.in[:0]
		return w.fail(err)
	}
	if !w.parallel {
		w.parallel = true
		w.committed = make(chan struct{})
		go w.commit()
	}
	w.ring.Put(w.cur)
	if final {
		return nil
	}
	w.take()
	return w.status()
}

// commit writes the sealed batches in order.
func (w *sealer) commit() {
	defer close(w.committed)
	for s := w.ring.Next(); s != nil; s = w.ring.Next() {
		if err := w.dst.write(s.Item.out); err != nil {
			w.fail(err)
			return
		}
		w.ring.Release(s)
	}
}
