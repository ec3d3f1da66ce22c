package vectors

import (
	"encoding/binary"
	"slices"

	"bulla/format"
)

// A share is a part of a grant that is being made: bytes from..to-1 of the content of
// a container.
type share struct {
	x        *box
	size     int64 // of the container
	content  int64 // how much there is of it
	from, to int64
}

// Fields of a grant, and of its first part.
const (
	grantN         = 12
	grantV         = 16
	grantPlaintext = 24
	grantPart      = 32
	grantSize      = grantPart + 96
	grantContent   = grantSize + 8
	grantFrom      = grantContent + 8
	grantTo        = grantFrom + 8
	grantBegin     = grantTo + 8
	grantEnd       = grantBegin + 8
	grantKeys      = grantEnd + 8
)

// grantOf is what a grant of parts of a plaintext holds; v is the V of a set, or 0.
func grantOf(v, plaintext int64, shares ...share) []byte {
	b := append([]byte("bullagrt"), 1, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(shares)))
	b = append(b, be64(v, plaintext)...)
	for _, s := range shares {
		b = s.append(b)
	}
	return b
}

func be64(numbers ...int64) (b []byte) {
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}

func (s share) append(b []byte) []byte {
	begin, end, frames := s.from, s.to, []byte(nil)
	if s.x.coding == byte(format.Zstd) {
		begin, end, frames = s.framed()
	}
	payload := s.size - 2*int64(s.x.pages)*format.PageSize
	chunks := payload/S + 1
	length := payload - chunks*format.TagSize

	b = append(append(b, s.x.pre...), s.x.Commitment...)
	b = append(b, be64(s.size, s.content, s.from, s.to, begin, end)...)
	b = append(b, frames...)

	const segment = format.SegmentSize
	first, last := (begin+segment-1)/segment, end/segment
	if end == length {
		last = (chunks - 1 + format.SegmentChunks - 1) / format.SegmentChunks
	}
	if first >= last {
		return append(b, s.x.sealedBytes(begin, end)...)
	}
	b = s.x.cover(b, first, last)
	if end == length {
		return append(append(b, s.x.FinalKey(chunks-1)...), s.x.sealedBytes(begin, first*segment)...)
	}
	b = append(b, s.x.sealedBytes(begin, first*segment)...)
	return append(b, s.x.sealedBytes(last*segment, end)...)
}

// cover appends the fewest keys of the segments first to last-1.
func (x *box) cover(b []byte, first, last int64) []byte {
	for s := first; s < last; {
		switch {
		case s%segmentsLevel2 == 0 && s+segmentsLevel2 <= last:
			b = append(b, x.Node(2, s/segmentsLevel2)...)
			s += segmentsLevel2
		case s%segmentsLevel1 == 0 && s+segmentsLevel1 <= last:
			b = append(b, x.Node(1, s/segmentsLevel1)...)
			s += segmentsLevel1
		default:
			b = append(b, x.SegmentKey(s)...)
			s++
		}
	}
	return b
}

// sealedBytes are bytes of the payload's plaintext.
func (x *box) sealedBytes(begin, end int64) []byte {
	if x.content != nil {
		return x.content[begin:end]
	}
	return Plaintext(x.seed, begin, end-begin)
}

// framed are the frames of the share: where they stand in the stream, and their sizes,
// from the seek table.
func (s share) framed() (begin, end int64, frames []byte) {
	stream, le := s.x.content, binary.LittleEndian
	const entry, footer = 8, 9
	n := int(le.Uint32(stream[len(stream)-footer:]))
	entries := stream[len(stream)-footer-n*entry:]
	for i := range int64(n) {
		size := le.Uint32(entries[i*entry:])
		switch {
		case (i+1)*frameContent <= s.from:
			begin += int64(size)
		case i*frameContent < s.to:
			frames = binary.BigEndian.AppendUint32(frames, size)
			end += int64(size)
		}
	}
	return begin, begin + end, frames
}

// shares are parts of one container.
func (x *box) shares(ranges ...[2]int64) (all []share) {
	for _, r := range ranges {
		all = append(all, share{x, x.size(), x.length(), r[0], r[1]})
	}
	return all
}

// put is b with other bytes at an offset.
func put(b []byte, off int, with ...byte) []byte {
	b = slices.Clone(b)
	copy(b[off:], with)
	return b
}
