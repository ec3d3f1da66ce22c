package stream

import (
	"io"

	"bulla/format"
	"bulla/internal/ring"
	"bulla/internal/seal"
)

// A sealer seals what is written to it into the payload of a new container: a
// [Writer] without compression.
type sealer struct {
	push *ring.Pusher[batch]
	dst  *sink
	head []byte // encoded; the tail is the same bytes
	keys *seal.Keys
	key  *seal.ChunkKey // of the last batch numbered
	next int64          // index of the next batch's first chunk
	seen Observer       // may be nil

	workers  int
	keepKeys bool // after Close, to read back
	closed   bool
}

// start makes w a sealer of a new container and writes its head.
func (w *sealer) start(dst io.Writer, keys *seal.Keys, head []byte, workers int) error {
	w.dst, w.head, w.keys, w.workers = newSink(dst), head, keys, workers
	if err := w.dst.write(head); err != nil {
		keys.Wipe()
		return err
	}
	w.push = ring.NewPusher(workers, ringSlots(workers), ring.Stages[batch]{
		Buffer: (*batch).plain,
		Number: w.number,
		Work:   w.seal,
		Commit: w.commit,
	})
	return nil
}

// seal seals a batch, and shows it to the observer.
func (w *sealer) seal(b *batch) {
	b.seal()
	if w.seen != nil {
		b.err = w.seen.Sealed(b.first, b.out)
	}
}

func (w *sealer) commit(b *batch) error {
	if b.err != nil {
		return b.err
	}
	var err error
	b.out, err = w.dst.keep(b.out)
	return err
}

// Write seals a copy of p.
func (w *sealer) Write(p []byte) (int, error) { return w.push.Write(p) }

// ReadFrom seals what src has to give, straight from the buffers it is read into.
func (w *sealer) ReadFrom(src io.Reader) (int64, error) { return w.push.ReadFrom(src) }

// number gives the batch its place in the container, which no other ever has.
func (w *sealer) number(b *batch, final bool) error {
	b.first, b.final = w.next, final
	if err := b.keyed(w.keys, w.key, w.next+int64(len(b.in)/format.ChunkSize)); err != nil {
		return err
	}
	w.key = b.key
	w.next += batchChunks
	return nil
}

// Close seals the last chunk and writes the tail. See [Writer.Close].
func (w *sealer) Close() error {
	if w.closed {
		return w.push.Err()
	}
	w.closed = true
	err := w.push.Close(true) // the last chunk is short, so what is left is always one (FILE-2)
	w.push.Drain((*batch).recycle)
	if err == nil {
		err = w.dst.write(w.head) // TAIL-2
	}
	// An Abort until here counts, though it may come after the last byte.
	err = w.push.Fail(err)
	if !w.keepKeys {
		w.keys.Wipe()
	}
	w.push.Fail(ErrClosed)
	return err
}
