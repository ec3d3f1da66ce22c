package zseek

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"bulla/format"
	"bulla/internal/ring"
)

// A Writer compresses what is written to it. Write, ReadFrom and Close are for
// one goroutine at a time; Abort is for any.
type Writer struct {
	dst         io.Writer
	tally       tally
	submitted   int64 // frames
	compressors pool[*compressor]

	workers   int
	ring      *ring.Ring[piece]
	cur       *ring.Slot[piece] // being filled
	parallel  bool              // the ring has started
	committed chan struct{}     // closed when the committer has ended

	closed bool
	mu     sync.Mutex
	err    error // the first failure, which sticks
}

// A piece is the content of one frame and, in the end, the frame.
type piece struct {
	content []byte
	frame   []byte
	err     error
}

// NewWriter starts a stream at a level of MinLevel to MaxLevel, with that many
// workers; 0 means DefaultLevel, and GOMAXPROCS.
//
// dst gets whole frames in order, from another goroutine if there is more than
// one worker; it must not be used otherwise before Close returns, and is never
// closed. After a failure it holds no complete stream, so whoever owns it must
// not treat it as one.
func NewWriter(dst io.Writer, level, workers int) (*Writer, error) {
	if level == 0 {
		level = DefaultLevel
	}
	if level < MinLevel || level > MaxLevel {
		return nil, fmt.Errorf("compression level %d, not %d to %d", level, MinLevel, MaxLevel)
	}
	workers = boundWorkers(workers)
	w := &Writer{
		dst:         dst,
		workers:     workers,
		compressors: newPool(workers, func() *compressor { return newCompressor(level) }),
	}
	w.ring = ring.New(workers, ringSlots(workers), w.work)
	w.take()
	return w, nil
}

// Write compresses p. It copies p, and blocks while all slots are in use.
func (w *Writer) Write(p []byte) (int, error) {
	n := 0
	for len(p) > 0 {
		if err := w.status(); err != nil {
			return n, err
		}
		b := &w.cur.Item
		k := copy(b.content[len(b.content):cap(b.content)], p)
		b.content = b.content[:len(b.content)+k]
		p = p[k:]
		n += k
		if err := w.submitFull(); err != nil {
			return n, err
		}
	}
	return n, w.status()
}

// ReadFrom compresses what src has to give, until io.EOF, which is not an
// error. It reads straight into the buffers that are compressed. Any other error
// of src sticks, so that Close refuses to finish a stream whose source failed.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	var n int64
	empty := 0 // reads in a row that gave nothing
	for {
		if err := w.status(); err != nil {
			return n, err
		}
		b := &w.cur.Item
		room := b.content[len(b.content):cap(b.content)]
		k, err := src.Read(room)
		if k < 0 || k > len(room) {
			return n, w.fail(errors.New("source returned an impossible count"))
		}
		b.content = b.content[:len(b.content)+k]
		n += int64(k)
		if err := w.submitFull(); err != nil {
			return n, err
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

// maxEmptyReads is how often in a row a source may return no bytes and no error.
const maxEmptyReads = 100

// Close compresses what is left, writes the table and returns once dst has
// everything. After any failure it writes nothing further and returns that
// failure. It does not close dst. A second call returns that failure, or ErrClosed.
func (w *Writer) Close() error {
	if w.closed {
		return w.status()
	}
	w.closed = true
	err := w.status()
	if err == nil && len(w.cur.Item.content) > 0 {
		err = w.submit(true)
	}
	w.ring.Close()
	if w.parallel {
		<-w.committed
		w.ring.Wait()
		err = w.status()
	}
	if err == nil {
		err = w.tally.writeTable(func(b []byte) error {
			_, err := writeAll(w.dst, b)
			return err
		})
	}
	// An Abort until here counts, though it may come after the last byte.
	err = w.fail(err)
	w.fail(ErrClosed)
	return err
}

// Abort makes the Writer fail with err, or ErrAborted if err is nil: every call
// returns it from now on, and dst never gets a complete stream. It does not
// wait, and may be called at any time; Close must be called nevertheless.
func (w *Writer) Abort(err error) {
	if err == nil {
		err = ErrAborted
	}
	w.fail(err)
}

// fail makes err stick, unless another has before, and returns the one that does.
func (w *Writer) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && err != nil {
		w.err = err
		w.ring.Stop()
	}
	return w.err
}

func (w *Writer) status() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// take makes a free slot the current one, waiting for it if it must.
func (w *Writer) take() {
	if w.cur = w.ring.Get(); w.cur == nil {
		return
	}
	b := &w.cur.Item
	if b.content == nil {
		b.content = make([]byte, 0, FrameContent)
		b.frame = make([]byte, 0, MaxFrameSize)
	}
	b.content = b.content[:0]
}

// submitFull sends the current piece on its way if it is full.
func (w *Writer) submitFull() error {
	if b := &w.cur.Item; len(b.content) < cap(b.content) {
		return nil
	}
	return w.submit(false)
}

// submit sends the current piece on its way.
func (w *Writer) submit(last bool) error {
	if w.submitted++; w.submitted > MaxFrames {
		return w.fail(violation(format.ZSTD3, format.ErrUnsupported, 0, "stream", "more than %d frames", MaxFrames))
	}
	if b := &w.cur.Item; w.workers == 1 || last && !w.parallel {
		w.work(b)
		err := w.fail(w.commit(b))
		b.content = b.content[:0]
		return err
	}
	if !w.parallel {
		w.parallel = true
		w.committed = make(chan struct{})
		go w.commitAll()
	}
	w.ring.Put(w.cur)
	if last {
		return nil
	}
	w.take()
	return w.status()
}

// work is the parallel stage.
func (w *Writer) work(b *piece) {
	c := w.compressors.get()
	b.frame, b.err = c.compress(b.frame, b.content)
	w.compressors.put(c)
}

// commitAll writes the frames in order.
func (w *Writer) commitAll() {
	defer close(w.committed)
	for s := w.ring.Next(); s != nil; s = w.ring.Next() {
		if err := w.commit(&s.Item); err != nil {
			w.fail(err)
			return
		}
		w.ring.Release(s)
	}
}

func (w *Writer) commit(b *piece) error {
	if b.err != nil {
		return b.err
	}
	w.tally.add(len(b.frame), len(b.content))
	_, err := writeAll(w.dst, b.frame)
	return err
}

var _ interface {
	io.WriteCloser
	io.ReaderFrom
} = (*Writer)(nil)
