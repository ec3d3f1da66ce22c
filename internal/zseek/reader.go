package zseek

import (
	"io"

	"bulla/internal/ring"
)

// A Reader decompresses a stream from its start. It is for one goroutine at a
// time, Close excepted.
//
// It gives the content of the frames up to the first that is not in the profile
// or does not decode, then an error: the content is all there only when Read has
// returned io.EOF or WriteTo nil, which includes that the table agrees with the
// frames and ends the stream. WriteTo writes a frame at a time.
type Reader struct {
	*ring.Reader[job]
	dec decompressor
}

// NewReader returns a Reader of src with that many workers; 0 means GOMAXPROCS.
// src is read from another goroutine if there is more than one, up to its end.
// It is never closed.
func NewReader(src io.Reader, workers int) *Reader {
	workers = ring.Workers(workers)
	r := &Reader{dec: newDecompressor(workers)}
	pull := ring.NewPuller(workers, ringSlots(workers), newFetcher(src).fetch, r.work)
	r.Reader = ring.NewReader(pull, func(j *job) ([]byte, error) { return j.content, j.err })
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

// Close ends the Reader. It waits for a Read of src that is under way, so that
// src is the caller's again; to end that early, make src fail. It returns nil.
func (r *Reader) Close() error {
	r.Fail(ErrClosed)
	r.Puller.Close()
	return nil
}

var _ interface {
	io.ReadCloser
	io.WriterTo
} = (*Reader)(nil)

// ringSlots is how many frames are under way: one with each worker, one being
// filled and one being emptied.
func ringSlots(workers int) int { return workers + 2 }

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
