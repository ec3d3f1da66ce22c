package zseek

import (
	"bytes"
	"errors"
)

// A Walker decodes the frames of a stream that has lost its table, or pieces of
// itself, one by one: a frame says itself how long it is, and the next follows.
// It is for one goroutine.
type Walker struct {
	dec     decompressor
	content []byte
}

// NewWalker returns a Walker, which holds one decoder and the content of one frame.
func NewWalker() *Walker { return &Walker{dec: newDecompressor(1)} }

// MaxHeader is the greatest size of what [FindFrame] has to see of a frame, in bytes.
const MaxHeader = magicSize + 14

// ErrCut is returned for a frame that goes on behind the bytes that are there.
var ErrCut = errors.New("the frame is cut off")

// Next decodes the frame that begins b, of which MaxFrameSize bytes are always
// enough, and returns its content, which is the caller's until the next call, and
// the frame's size. It fails with ErrCut or with a *format.ParseError that names
// ZSTD-1, ZSTD-2 or ZSTD-6, with an offset in b.
func (w *Walker) Next(b []byte) (content []byte, size int, err error) {
	h, size, err := scan(inMemory(b, ErrCut))
	if err == nil {
		w.content, err = w.dec.decompress(w.content, b[:size], h)
	}
	return w.content, size, err
}

// IsTable reports whether b begins as a seek table does, which stands behind the
// last frame.
func IsTable(b []byte) bool { return len(b) >= magicSize && le.Uint32(b) == tableMagic }

// FindFrame returns the first place in b, from one on, where by its header a
// frame with as much content as one has may begin; -1 if there is none. What
// looks like one need not be one: content may have compressed streams in it.
func FindFrame(b []byte, from int) int {
	magic := le.AppendUint32(nil, frameMagic)
	for at := from; ; at++ {
		i := bytes.Index(b[min(at, len(b)):], magic)
		if i < 0 {
			return -1
		}
		at += i
		if len(b)-at <= offDescriptor || len(b)-at < headerSize(b[at+offDescriptor]) {
			return -1
		}
		if h, err := parseHeader(b[at:]); err == nil && h.content == FrameContent {
			return at
		}
	}
}
