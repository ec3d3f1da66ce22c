package zseek

import "encoding/binary"

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
//	4  2-14  header: see header.go
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
