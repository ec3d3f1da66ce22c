package zseek

import (
	"github.com/klauspost/compress/zstd"

	"bulla/format"
)

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
