package ring

import (
	"io"

	"bulla/internal/fullio"
)

// A Reader gives, as a stream, the bytes that the items of a [Puller] hold.
//
// An error, one that comes with an item or by Fail, is final: every later call
// returns it. Read and WriteTo are for one goroutine at a time; Err, Fail and
// Close are for any.
type Reader[T any] struct {
	*Puller[T]
	give    func(*T) ([]byte, error)
	rest    []byte // of the current item
	pending error  // what comes when rest is used up
}

// NewReader returns a Reader over p. Give says which bytes an item holds and
// what comes after them: nil if another item does, io.EOF at the end. It is
// called once for each item, in order.
func NewReader[T any](p *Puller[T], give func(*T) ([]byte, error)) *Reader[T] {
	return &Reader[T]{Puller: p, give: give}
}

// Read implements io.Reader.
func (r *Reader[T]) Read(p []byte) (int, error) {
	if err := r.Err(); err != nil || len(p) == 0 {
		return 0, err
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

// WriteTo implements io.WriterTo: it writes an item at a time, straight from its
// buffer. An error of w is final.
func (r *Reader[T]) WriteTo(w io.Writer) (int64, error) {
	var n int64
	if err := r.Err(); err != nil && err != io.EOF {
		return 0, err
	}
	for {
		if len(r.rest) > 0 {
			k, err := fullio.WriteAll(w, r.rest)
			n += int64(k)
			if err != nil {
				return n, r.Fail(err)
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

// advance gets the next item, when rest is used up.
func (r *Reader[T]) advance() error {
	if err := r.Err(); err != nil {
		return err
	}
	if r.pending != nil {
		return r.Fail(r.pending)
	}
	item := r.Next()
	if item == nil { // stopped, and the reason is known; it is no end in any case
		return r.Fail(io.ErrUnexpectedEOF)
	}
	r.rest, r.pending = r.give(item)
	return nil
}

// Fail makes err the end, unless it is nil or there is one already, and returns
// the one there is. It frees a Read that waits.
func (r *Reader[T]) Fail(err error) error { return r.Stop(err) }

// Err returns the end, nil as long as there is none.
func (r *Reader[T]) Err() error { return r.Fail(nil) }
