package zseek

import (
	"fmt"
	"io"

	"bulla/format"
	"bulla/internal/fullio"
	"bulla/internal/ring"
)

// A Writer compresses what is written to it. Write, ReadFrom and Close are for
// one goroutine at a time; Fail is for any.
//
// Write copies what it is given, and blocks while all slots are in use.
// ReadFrom reads straight into the buffers that are compressed, until io.EOF; any
// other error of its source sticks, so that Close refuses to finish a stream
// whose source failed. So does one given to Fail: dst then never gets a complete
// stream. Close must be called nevertheless.
type Writer struct {
	*ring.Pusher[piece]
	dst      io.Writer
	level    int
	table    Table
	numbered int64            // frames
	idle     chan *compressor // one for each worker at most
	closed   bool
}

// A piece is the content of one frame and, in the end, the frame.
type piece struct {
	content []byte
	frame   []byte
	err     error
}

// NewWriter starts a stream at a level of MinLevel to MaxLevel, with that many
// workers; 0 means GOMAXPROCS.
//
// dst gets whole frames in order, from another goroutine if there is more than
// one worker; it must not be used otherwise before Close returns, and is never
// closed. After a failure it holds no complete stream, so whoever owns it must
// not treat it as one.
func NewWriter(dst io.Writer, level, workers int) (*Writer, error) {
	if level < MinLevel || level > MaxLevel {
		return nil, fmt.Errorf("compression level %d, not %d to %d", level, MinLevel, MaxLevel)
	}
	workers = ring.Workers(workers)
	w := &Writer{dst: dst, level: level, idle: make(chan *compressor, workers)}
	w.Pusher = ring.NewPusher(workers, ringSlots(workers), ring.Stages[piece]{
		Buffer: (*piece).room,
		Number: w.number,
		Work:   w.compress,
		Commit: w.commit,
	})
	return w, nil
}

// room is the content, with room for that of a whole frame.
func (b *piece) room() *[]byte {
	if b.content == nil {
		b.content = make([]byte, 0, FrameContent)
		b.frame = make([]byte, 0, MaxFrameSize)
	}
	return &b.content
}

// number counts the frames that are on their way.
func (w *Writer) number(*piece, bool) error {
	if w.numbered++; w.numbered > MaxFrames {
		return violation(format.ZSTD3, format.ErrUnsupported, 0, "stream", "more than %d frames", MaxFrames)
	}
	return nil
}

// compress is the parallel stage.
func (w *Writer) compress(b *piece) {
	var c *compressor
	select {
	case c = <-w.idle:
	default: // a worker's first frame
		c = newCompressor(w.level)
	}
	b.frame, b.err = c.compress(b.frame, b.content)
	w.idle <- c
}

// commit writes a frame.
func (w *Writer) commit(b *piece) error {
	if b.err != nil {
		return b.err
	}
	w.table.add(len(b.frame), len(b.content))
	_, err := fullio.WriteAll(w.dst, b.frame)
	return err
}

// Close compresses what is left, writes the table and returns once dst has
// everything. After any failure it writes nothing further and returns that
// failure. It does not close dst. A second call returns that failure, or ErrClosed.
func (w *Writer) Close() error {
	if w.closed {
		return w.Err()
	}
	w.closed = true
	err := w.Pusher.Close(false)
	if err == nil {
		err = w.table.writeTable(func(b []byte) error {
			_, err := fullio.WriteAll(w.dst, b)
			return err
		})
	}
	// A Fail until here counts, though it may come after the last byte.
	err = w.Fail(err)
	w.Fail(ErrClosed)
	return err
}

var _ interface {
	io.WriteCloser
	io.ReaderFrom
} = (*Writer)(nil)
