package zseek

import (
	"io"
	"sync"

	"bulla/internal/ring"
)

// A Reader decompresses a stream from its start. It is for one goroutine at a
// time, Close excepted.
//
// It gives the content of the frames up to the first that is not in the profile
// or does not decode, then an error: the content is all there only when Read has
// returned io.EOF or WriteTo nil, which includes that the table agrees with the
// frames and ends the stream.
type Reader struct {
	pull *ring.Puller[job]
	dec  decompressor

	rest    []byte // of the current frame's content
	pending error  // what comes when rest is used up

	mu  sync.Mutex
	err error
}

// NewReader returns a Reader of src with that many workers; 0 means GOMAXPROCS.
// src is read from another goroutine if there is more than one, up to its end.
// It is never closed.
func NewReader(src io.Reader, workers int) *Reader {
	workers = boundWorkers(workers)
	r := &Reader{dec: newDecompressor(workers)}
	r.pull = ring.NewPuller(workers, ringSlots(workers), newFetcher(src).fetch, r.work)
	return r
}

// work is the parallel stage.
func (r *Reader) work(j *job) {
	if len(j.frame) == 0 {
		j.content = j.content[:0]
		return
	}
	content, err := r.dec.decompress(j.content, j.frame, j.header)
	j.content = content
	if err != nil {
		j.err = inFrame(err, j.index, j.offset)
	}
}

// Read gives content. See [Reader].
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, r.status()
	}
	for len(r.rest) == 0 {
		if err := r.advance(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo writes the content to w, a frame at a time and straight from the
// buffers it was decoded into, until the end (nil) or an error.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	var n int64
	for {
		if len(r.rest) > 0 {
			k, err := writeAll(w, r.rest)
			n += int64(k)
			if err != nil {
				return n, r.fail(err)
			}
			r.rest = nil
		}
		if err := r.advance(); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}

// advance gets the next frame, when rest is used up.
func (r *Reader) advance() error {
	if err := r.status(); err != nil {
		return err
	}
	if r.pending != nil {
		return r.fail(r.pending)
	}
	j := r.pull.Next()
	if j == nil {
		return r.fail(ErrClosed) // unless it was stopped by another error
	}
	r.rest, r.pending = j.content, j.err
	return nil
}

// Close ends the Reader. It waits for a Read of src that is under way, so that
// src is the caller's again; to end that early, make src fail. It returns nil.
func (r *Reader) Close() error {
	r.fail(ErrClosed)
	r.pull.Close()
	return nil
}

// fail makes err stick, unless another has before, and returns the one that does.
func (r *Reader) fail(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
		r.pull.Stop()
	}
	return r.err
}

func (r *Reader) status() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// writeAll writes all of p or fails.
func writeAll(w io.Writer, p []byte) (int, error) {
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

var _ interface {
	io.ReadCloser
	io.WriterTo
} = (*Reader)(nil)
