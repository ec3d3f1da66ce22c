package zseek

import "bulla/format"

// A scanner finds the end of a frame without decoding it, from the sizes in
// its header and before its blocks. The zero value is ready.
type scanner struct {
	header
	next  int  // where the next block's header stands; 0 before the frame's own is read
	whole bool // the last block has been seen: next is the frame's end
	plain int  // content of the raw and RLE blocks so far
}

// scan looks at b, the first bytes of a frame, and returns how many there must
// be for it to go on. If that is len(b), b is the whole frame. It is to be
// called with nothing first, and with exactly as much as it asked for then. It
// never asks for more than MaxFrameSize.
//
// It enforces ZSTD-1 and ZSTD-2 for the frame, and what of ZSTD-6 can be seen
// from outside of the blocks. Offsets of its errors count from the start of b.
func (s *scanner) scan(b []byte) (need int, err error) {
	switch {
	case s.whole:
		return s.next, nil
	case len(b) < offFields:
		return offFields, nil
	case s.next == 0:
		n := headerSize(b[offDescriptor])
		if len(b) < n+blockHeaderSize {
			return n + blockHeaderSize, nil
		}
		if s.header, err = parseHeader(b); err != nil {
			return 0, err
		}
		s.next = n
	}
	if err := s.block(b[s.next:]); err != nil {
		return 0, err
	}
	need = s.next
	if !s.whole {
		need += blockHeaderSize
	}
	if need > MaxFrameSize { // ZSTD-2
		return 0, violation(format.ZSTD2, format.ErrUnsupported, 0, "size", "more than %d bytes for %d of content", MaxFrameSize, s.content)
	}
	return need, nil
}

// block steps over the block whose header begins b.
func (s *scanner) block(b []byte) error {
	h := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	kind, size := h>>1&3, h>>3
	if size > maxBlock {
		return violation(format.ZSTD6, format.ErrDamaged, int64(s.next), "block", "%d bytes, more than %d", size, maxBlock)
	}
	body := size
	switch kind {
	case blockRaw:
		s.plain += size
	case blockRLE:
		s.plain += size
		body = 1
	case blockReserved:
		return violation(format.ZSTD6, format.ErrDamaged, int64(s.next), "block", "of the reserved type")
	}
	if s.plain > s.content {
		return violation(format.ZSTD6, format.ErrDamaged, int64(s.next), "block", "it goes beyond the content size of %d bytes", s.content)
	}
	s.next += blockHeaderSize + body
	if s.whole = h&1 != 0; s.whole && s.checksum {
		s.next += checksumSize
	}
	return nil
}

// frame returns the size of the frame that begins b; it is more than len(b) if b
// ends before the frame does.
func (s *scanner) frame(b []byte) (size int, err error) {
	for n := 0; ; n = size {
		if size, err = s.scan(b[:n]); err != nil || size == n || size > len(b) {
			return size, err
		}
	}
}

// scanFrame checks that b is one whole frame and nothing else.
func scanFrame(b []byte) (header, error) {
	var s scanner
	size, err := s.frame(b)
	if err == nil && size != len(b) {
		err = errFrameSize
	}
	return s.header, err
}

// errFrameSize is a frame that is longer or shorter than the bytes it should
// be: the table and the frame disagree (ZSTD-5).
var errFrameSize = violation(format.ZSTD5, format.ErrMalformed, 0, "size", "it does not end where the table says")
