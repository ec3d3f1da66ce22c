package zseek

import (
	"encoding/binary"

	"bulla/format"
)

// Sizes of the profile (spec section 9).
const (
	// FrameContent is the content of every frame but the last, and the most
	// that the last may hold, in bytes (ZSTD-1).
	FrameContent = 2 << 20

	// MaxWindow is the largest window that a frame may need, in bytes (ZSTD-2).
	MaxWindow = 2 << 20

	// MaxFrameSize is the largest size of a frame in the stream, in bytes: what
	// the reference encoder promises never to exceed for that much content, a
	// 256th more than it (ZSTD-2).
	MaxFrameSize = FrameContent + FrameContent/256

	// MaxFrames is the largest number of frames (ZSTD-3).
	MaxFrames = 1 << 27
)

// A Zstandard frame (RFC 8878, section 3.1.1). All integers of the stream are
// little-endian.
//
//	0  4     magic
//	4  2-14  header, see below
//	         blocks, each: last 1 bit, type 2 bits, size 21 bits; body
//	   0,4   checksum of the content
const (
	frameMagic      = 0xFD2FB528
	magicSize       = 4
	blockHeaderSize = 3
	checksumSize    = 4

	// No block holds, or takes, more than this (section 3.1.1.2.4).
	maxBlock = 128 << 10

	// The smallest frame that has content: magic, descriptor, content size, and
	// one block of one byte.
	minFrameSize = magicSize + 1 + 1 + blockHeaderSize
)

// Types of block (RFC 8878, section 3.1.1.2.2).
const (
	blockRaw        = iota // the body is the content
	blockRLE               // the body is one byte, to be repeated size times
	blockCompressed        // the body is size bytes
	blockReserved
)

// The seek table (Zstandard's seekable format 0.1.0): a skippable frame.
//
//	 0  4   skippable magic
//	 4  4   length of all that follows
//	 8      entries, one for each frame:
//	           0  4  size of the frame in the stream
//	           4  4  size of its content
//	-9  4   number of frames
//	-5  1   descriptor: 0, no checksums
//	-4  4   seekable magic
const (
	tableMagic      = 0x184D2A5E
	footerMagic     = 0x8F92EAB1
	tableHeaderSize = magicSize + 4
	entrySize       = 4 + 4
	footerSize      = 4 + 1 + 4
	emptyTableSize  = tableHeaderSize + footerSize

	// Other skippable frames have a magic that differs in these bits.
	skippableMask = 0xF
)

// tableSize is the size of the table of that many frames.
func tableSize(frames int64) int64 { return emptyTableSize + frames*entrySize }

var le = binary.LittleEndian

// MaxStreamSize is the most bytes that a stream of so much content has.
func MaxStreamSize(content int64) int64 {
	frames := (content + FrameContent - 1) / FrameContent
	return frames*(MaxFrameSize+entrySize) + emptyTableSize
}

// A header is what a frame says of itself before its first block (RFC 8878,
// section 3.1.1.1).
//
//	0  4    magic
//	4  1    descriptor: bits 7-6 content size's size, 5 single segment,
//	        4 unused, 3 reserved, 2 checksum, 1-0 dictionary id's size
//	5  0,1  window, absent in a single segment: there the content is the window
//	   0-4  dictionary id
//	   0-8  content size
type header struct {
	size     int  // of the header with its magic, in bytes
	content  int  // 1 to FrameContent
	checksum bool // a checksum follows the last block
}

func (h *header) checksumSize() int {
	if h.checksum {
		return checksumSize
	}
	return 0
}

const (
	offDescriptor = magicSize
	offFields     = offDescriptor + 1

	descriptorSingle   = 1 << 5
	descriptorReserved = 1 << 3
	descriptorChecksum = 1 << 2

	minWindowLog = 10
)

// Sizes of the fields of a header in bytes, which its descriptor d gives.
func windowSize(d byte) int {
	if d&descriptorSingle != 0 {
		return 0
	}
	return 1
}

func dictionarySize(d byte) int { return [4]int{0, 1, 2, 4}[d&3] }

func contentSize(d byte) int {
	if n := d >> 6; n > 0 {
		return 1 << n
	}
	return 1 - windowSize(d)
}

func headerSize(d byte) int {
	return offFields + windowSize(d) + dictionarySize(d) + contentSize(d)
}

// parseHeader reads the header that begins b and is whole. It enforces ZSTD-2,
// and ZSTD-1 as far as one frame can break it: the rest depends on whether it
// is the last. Offsets of its errors count from the start of b.
func parseHeader(b []byte) (header, error) {
	if le.Uint32(b) != frameMagic {
		return header{}, violation(format.ZSTD6, format.ErrDamaged, 0, "magic", "%#08x, which begins no frame", le.Uint32(b))
	}
	d := b[offDescriptor]
	if d&descriptorReserved != 0 {
		return header{}, violation(format.ZSTD6, format.ErrDamaged, offDescriptor, "descriptor", "the reserved bit is set")
	}
	p := offFields
	if windowSize(d) > 0 {
		if w := window(b[p]); w > MaxWindow {
			return header{}, violation(format.ZSTD2, format.ErrUnsupported, int64(p), "window", "%d bytes, more than %d", w, MaxWindow)
		}
		p++
	}
	for range dictionarySize(d) {
		if b[p] != 0 { // the id 0 stands for none
			return header{}, violation(format.ZSTD2, format.ErrUnsupported, int64(p), "dictionary", "it needs one")
		}
		p++
	}
	size := contentSize(d)
	if size == 0 {
		return header{}, violation(format.ZSTD2, format.ErrUnsupported, offDescriptor, "content size", "it is not stated")
	}
	var content uint64
	for k, digit := range b[p:][:size] {
		content |= uint64(digit) << (8 * k)
	}
	if size == 2 { // less has a smaller field
		content += 1 << 8
	}
	if content < 1 || content > FrameContent {
		return header{}, violation(format.ZSTD1, format.ErrMalformed, int64(p), "content size", "%d bytes, not 1 to %d", content, FrameContent)
	}
	return header{headerSize(d), int(content), d&descriptorChecksum != 0}, nil
}

// window is the size in bytes that a window descriptor stands for.
func window(d byte) uint64 {
	base := uint64(1) << (minWindowLog + d>>3)
	return base + base/8*uint64(d&7)
}

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
