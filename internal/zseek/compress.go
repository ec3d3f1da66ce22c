package zseek

import (
	"fmt"

	"github.com/klauspost/compress/zstd"

	"bulla/format"
)

// Levels of compression, as the zstd command counts them. The encoder has four,
// each of them for a range:
//
//	1, 2     fastest
//	3 to 5   the default of the zstd command, and of ours
//	6 to 9   better
//	10 to 19 best
const (
	MinLevel     = 1
	DefaultLevel = 3
	MaxLevel     = 19
)

// A compressor makes frames. It is for one goroutine at a time.
type compressor struct {
	level   *zstd.Encoder // of the level asked for
	probe   *zstd.Encoder // fastest: tells what can be compressed at all
	skip    *zstd.Encoder // fastest of all: for what cannot
	scratch []byte
}

// newCompressor returns a compressor of a level within the bounds. The encoders
// allocate when they are used first.
func newCompressor(level int) *compressor {
	encoder := func(l zstd.EncoderLevel, literals bool) *zstd.Encoder {
		// The order counts: a level sets the size of blocks, unless the window is set.
		e, err := zstd.NewWriter(nil,
			zstd.WithWindowSize(MaxWindow),
			zstd.WithEncoderLevel(l),
			zstd.WithAllLitEntropyCompression(literals),
			zstd.WithSingleSegment(true), // states the content size of the smallest frames, too (ZSTD-2)
			zstd.WithEncoderCRC(true),
			zstd.WithLowerEncoderMem(true), // no slower, and half the history, as no frame is longer than the window
			zstd.WithEncoderConcurrency(1))
		if err != nil {
			panic("internal error: " + err.Error())
		}
		return e
	}
	l := zstd.EncoderLevelFromZstd(level)
	c := &compressor{
		level: encoder(l, true),
		skip:  encoder(zstd.SpeedFastest, false),
	}
	if c.probe = c.level; l != zstd.SpeedFastest {
		c.probe = encoder(zstd.SpeedFastest, true)
	}
	return c
}

// Content that looks random costs the better encoders, and the coding of
// literals in any, much time for nothing. So samples of it are compressed
// first, quickly; only if none becomes smaller, the frame goes to an encoder
// that looks for repetitions and leaves literals alone. It loses little where
// the samples deceive, and is as fast as copying.
const (
	probeSamples = 16
	probeSample  = 4 << 10
	probeGain    = probeSample / 64               // what a sample must save to count
	probeFrom    = 4 * probeSamples * probeSample // below that, samples cost too much
)

// compress makes the frame of content, which is not empty. It is written to buf
// if that has room, as one of MaxFrameSize always has.
func (c *compressor) compress(buf, content []byte) ([]byte, error) {
	e := c.level
	if !c.compressible(content) {
		e = c.skip
	}
	frame := e.EncodeAll(content, buf[:0])
	// What is committed is what a reader accepts.
	if h, err := scanFrame(frame); err != nil {
		return nil, fmt.Errorf("internal error: the encoder made a frame that is not in the profile: %w", err)
	} else if h.content != len(content) {
		return nil, fmt.Errorf("internal error: the encoder states %d bytes of content for %d", h.content, len(content))
	}
	return frame, nil
}

// compressible reports whether it pays to compress content at all.
func (c *compressor) compressible(content []byte) bool {
	if len(content) < probeFrom {
		return true
	}
	stride := len(content) / probeSamples
	for i := range probeSamples {
		s := content[i*stride:][:probeSample]
		c.scratch = c.probe.EncodeAll(s, c.scratch[:0])
		if len(c.scratch) <= probeSample-probeGain {
			return true
		}
	}
	return false
}

// A decompressor decodes frames, several at a time: as many as it was made for,
// whatever the number of callers.
type decompressor struct{ *zstd.Decoder }

// contentRoom is the size of a buffer for the content of a frame. The decoder
// copies by words, the last block too, if there are some behind it.
const contentRoom = FrameContent + 64

func newDecompressor(workers int) decompressor {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(workers),
		zstd.WithDecoderMaxWindow(MaxWindow),
		zstd.WithDecoderMaxMemory(FrameContent),
		zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderLowmem(false)) // buffers of a block's size at once, not grown to it
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return decompressor{d}
}

// decompress decodes frame, which has been scanned and has header h, to buf, or
// to a new buffer of contentRoom bytes if buf has less. What it returns is that
// buffer, to be given the next time, also with an error. It enforces ZSTD-6,
// with offsets from the start of the frame.
func (d decompressor) decompress(buf, frame []byte, h header) ([]byte, error) {
	if cap(buf) < contentRoom {
		buf = make([]byte, 0, contentRoom)
	}
	content, err := d.DecodeAll(frame, buf[:0])
	if err != nil {
		return buf[:0], violation(format.ZSTD6, format.ErrDamaged, 0, "blocks", "it does not decode: %v", err)
	}
	if len(content) != h.content {
		return buf[:0], violation(format.ZSTD6, format.ErrDamaged, 0, "blocks", "%d bytes of content, not %d", len(content), h.content)
	}
	return content, nil
}
