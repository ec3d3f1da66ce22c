package zseek

import "bulla/format"

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
