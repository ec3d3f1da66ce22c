package zseek

import "bulla/format"

// scan finds the end of a frame without decoding it, from the sizes in its header
// and before its blocks. It returns the header and the size of the frame in bytes.
//
// more gives it the first n bytes of the frame, and ends the scan with its error.
// It is asked for no fewer than the time before, for no more than MaxFrameSize,
// and for the whole frame at last.
//
// scan enforces ZSTD-1 and ZSTD-2 for the frame, and what of ZSTD-6 can be seen
// from outside of the blocks. Offsets of its errors count from the frame's start.
func scan(more func(n int) ([]byte, error)) (h header, size int, err error) {
	b, err := more(offFields)
	if err != nil {
		return h, 0, err
	}
	size = headerSize(b[offDescriptor])
	plain := 0 // content of the raw and RLE blocks so far
	for last := false; !last; {
		if b, err = more(size + blockHeaderSize); err != nil {
			return h, 0, err
		}
		if h.size == 0 {
			if h, err = parseHeader(b); err != nil {
				return h, 0, err
			}
		}
		word := int(b[size]) | int(b[size+1])<<8 | int(b[size+2])<<16
		kind, body := word>>1&3, word>>3
		if body > maxBlock {
			return h, 0, violation(format.ZSTD6, format.ErrDamaged, int64(size), "block", "%d bytes, more than %d", body, maxBlock)
		}
		switch kind {
		case blockRaw:
			plain += body
		case blockRLE:
			plain += body
			body = 1
		case blockReserved:
			return h, 0, violation(format.ZSTD6, format.ErrDamaged, int64(size), "block", "of the reserved type")
		}
		if plain > h.content {
			return h, 0, violation(format.ZSTD6, format.ErrDamaged, int64(size), "block", "it goes beyond the content size of %d bytes", h.content)
		}
		size += blockHeaderSize + body
		after := blockHeaderSize // what follows it at least
		if last = word&1 != 0; last {
			after = h.checksumSize()
		}
		if size+after > MaxFrameSize {
			return h, 0, violation(format.ZSTD2, format.ErrUnsupported, 0, "size", "more than %d bytes for %d of content", MaxFrameSize, h.content)
		}
	}
	size += h.checksumSize()
	_, err = more(size)
	return h, size, err
}

// inMemory is more for a frame that begins b; it fails with short if b ends before
// the frame does.
func inMemory(b []byte, short error) (more func(n int) ([]byte, error)) {
	return func(n int) ([]byte, error) {
		if n > len(b) {
			return nil, short
		}
		return b[:n], nil
	}
}

// scanFrame checks that b is one whole frame and nothing else.
func scanFrame(b []byte) (header, error) {
	h, size, err := scan(inMemory(b, errFrameSize))
	if err == nil && size < len(b) {
		err = errFrameSize
	}
	return h, err
}

// errFrameSize is a frame that is longer or shorter than the bytes it should
// be: the table and the frame disagree (ZSTD-5).
var errFrameSize = violation(format.ZSTD5, format.ErrMalformed, 0, "size", "it does not end where the table says")
