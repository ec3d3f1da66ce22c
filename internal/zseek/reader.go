package zseek

import (
	"bufio"
	"cmp"
	"io"

	"bulla/format"
	"bulla/internal/fullio"
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

// A fetcher is the sequential stage of a Reader: it cuts a stream into frames,
// and checks the table at its end.
type fetcher struct {
	src   *bufio.Reader
	off   int64 // in the stream
	table *digester
}

// fetchBuffer is what a fetcher reads at a time, if frames are small. The
// blocks of a frame come in pieces of 10 KiB and more.
const fetchBuffer = 64 << 10

func newFetcher(src io.Reader) *fetcher {
	return &fetcher{src: bufio.NewReaderSize(src, fetchBuffer), table: newDigester()}
}

// fetch gets the next frame of the stream into j; j.err is what comes after it. A
// short frame is the last, so that the end is known with it.
func (f *fetcher) fetch(j *job) (more bool) {
	if j.frame == nil {
		j.frame = make([]byte, 0, MaxFrameSize)
	}
	j.index, j.offset, j.frame = f.table.frames, f.off, j.frame[:0]
	if j.err = f.next(j); j.err == nil && j.header.content < FrameContent {
		magic, err := f.peek()
		switch {
		case err != nil:
			j.err = err
		case magic == frameMagic:
			j.err = inFrame(tooShort(j.header.content), j.index, j.offset)
		default:
			j.err = violation(format.ZSTD4, format.ErrMalformed, f.off, "stream", "no seek table after the last frame")
		}
	}
	return j.err == nil
}

// peek returns the magic of what comes next. If that is the table it checks it and
// returns io.EOF.
func (f *fetcher) peek() (uint32, error) {
	b, err := f.src.Peek(magicSize)
	if err != nil {
		return 0, ended(err, f.off+int64(len(b)))
	}
	magic := le.Uint32(b)
	if magic == tableMagic {
		f.src.Discard(magicSize)
		return 0, cmp.Or(f.table.readTable(f.src, f.off), io.EOF)
	}
	if magic&^skippableMask == tableMagic&^skippableMask {
		return 0, violation(format.ZSTD4, format.ErrMalformed, f.off, "stream", "a skippable frame that is no seek table")
	}
	return magic, nil
}

// next reads the next frame to j.frame, which stays empty without one.
func (f *fetcher) next(j *job) error {
	if _, err := f.peek(); err != nil {
		return err
	}
	if f.table.frames == MaxFrames {
		return violation(format.ZSTD3, format.ErrUnsupported, f.off, "stream", "more than %d frames", MaxFrames)
	}
	frame := j.frame
	h, size, err := scan(func(n int) ([]byte, error) {
		have := len(frame)
		frame = frame[:n]
		k, err := fullio.ReadFull(f.src, frame[have:])
		if err != nil {
			err = ended(err, int64(have+k))
		}
		return frame, err
	})
	if err != nil {
		return inFrame(err, j.index, j.offset)
	}
	j.frame, j.header = frame, h
	f.off += int64(size)
	f.table.add(size, h.content)
	return nil
}
