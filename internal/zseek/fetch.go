package zseek

import (
	"bufio"
	"io"

	"bulla/format"
	"bulla/internal/fullio"
)

// A fetcher is the sequential stage of a Reader: it cuts a stream into frames,
// and checks the table at its end.
type fetcher struct {
	src   *bufio.Reader
	off   int64 // in the stream
	short bool  // the last frame held less than FrameContent, so none may follow
	table *digester
	prev  struct { // the last frame
		offset  int64
		content int
	}
}

// fetchBuffer is what a fetcher reads at a time, if frames are small. The
// blocks of a frame come in pieces of 10 KiB and more.
const fetchBuffer = 64 << 10

func newFetcher(src io.Reader) *fetcher {
	return &fetcher{src: bufio.NewReaderSize(src, fetchBuffer), table: newDigester()}
}

// fetch gets the next frame of the stream into j; j.err is what comes after it.
func (f *fetcher) fetch(j *job) (more bool) {
	if j.frame == nil {
		j.frame = make([]byte, 0, MaxFrameSize)
	}
	j.index, j.offset = f.table.frames, f.off
	if j.frame, j.err = f.next(j.frame[:0], &j.header); j.err == nil && f.short {
		// A short frame is the last, so that the end is known with it.
		_, j.err = f.next(nil, nil)
	}
	return j.err == nil
}

// next reads the next frame to frame, which has room for it, and its header. At
// the end it checks the table and returns io.EOF.
func (f *fetcher) next(frame []byte, h *header) ([]byte, error) {
	magic, err := f.src.Peek(magicSize)
	if err != nil {
		return frame, ended(err, f.off+int64(len(magic)))
	}
	switch m := le.Uint32(magic); {
	case m == tableMagic:
		f.src.Discard(magicSize)
		if err := f.table.readTable(f.src, f.off); err != nil {
			return frame, err
		}
		return frame, io.EOF
	case m&^skippableMask == tableMagic&^skippableMask:
		return frame, violation(format.ZSTD4, format.ErrMalformed, f.off, "stream", "a skippable frame that is no seek table")
	case f.short && m == frameMagic:
		return frame, inFrame(tooShort(f.prev.content), f.table.frames-1, f.prev.offset)
	case f.short:
		return frame, violation(format.ZSTD4, format.ErrMalformed, f.off, "stream", "no seek table after the last frame")
	case f.table.frames == MaxFrames:
		return frame, violation(format.ZSTD3, format.ErrUnsupported, f.off, "stream", "more than %d frames", MaxFrames)
	}
	var size int
	*h, size, err = scan(func(n int) ([]byte, error) {
		have := len(frame)
		frame = frame[:n]
		k, err := fullio.ReadFull(f.src, frame[have:])
		if err != nil {
			err = ended(err, int64(have+k))
		}
		return frame, err
	})
	if err != nil {
		return frame[:0], inFrame(err, f.table.frames, f.off)
	}
	f.prev.offset, f.prev.content = f.off, h.content
	f.short = h.content < FrameContent
	f.off += int64(size)
	f.table.add(size, h.content)
	return frame, nil
}
