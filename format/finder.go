package format

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"sync"
)

// A Finder looks for copies of a head in a stretch of bytes. [CheckCopy] sums up
// a whole copy to know whether one begins at some place; a Finder sums up the
// stretch once, and tells the sum of any part of it from two of its own. So bytes
// that look like copies in every place, as somebody may have made them, cost no
// more than their number.
type Finder struct {
	b []byte

	// The CRC's register in front of every sumStride-th byte, as far as it was needed.
	sums []uint32
}

// sumStride is how many bytes are summed up again to get at a sum between two.
const sumStride = 64

// NewFinder returns a Finder for b, which it keeps: b must stay as it is.
func NewFinder(b []byte) *Finder { return &Finder{b: b, sums: []uint32{0}} }

// Next returns where the first undamaged copy begins (HEAD-1 to HEAD-5) that is
// wholly in the stretch, not before from, and begins with some bytes of at least
// a magic; and its length. at is -1 if there is none.
func (f *Finder) Next(begin []byte, from int) (at, size int) {
	for at = from; ; at++ {
		i := bytes.Index(f.b[min(at, len(f.b)):], begin)
		if i < 0 {
			return -1, 0
		}
		at += i
		if size, err := PeekHeadSize(f.b[at:]); err == nil && f.fits(at, size) {
			return at, size
		}
	}
}

// fits reports whether the checksum fits of the copy of size bytes that may
// begin at a place (HEAD-4, HEAD-5).
//
// The register of a CRC is linear. Of the two sums that begin with the stretch,
// that in front of the checksum is the copy's own, which begins with ones, and
// on top of it what became of the one in front of the copy, less the ones, over
// the copy's length. To have that length in whole pages, both go on over four
// zeros.
func (f *Finder) fits(at, size int) bool {
	if len(f.b)-at < size {
		return false
	}
	sum := at + size - checksumSize
	want := ^binary.BigEndian.Uint32(f.b[sum:])
	return advance(f.register(sum)^want, make([]byte, checksumSize)) == overPages(^f.register(at), size/PageSize)
}

// register returns the CRC's register in front of the byte at a place.
func (f *Finder) register(at int) uint32 {
	for n := len(f.sums); n <= at/sumStride; n++ {
		f.sums = append(f.sums, advance(f.sums[n-1], f.b[(n-1)*sumStride:n*sumStride]))
	}
	return advance(f.sums[at/sumStride], f.b[at-at%sumStride:at])
}

// advance returns what becomes of a register over b. (The checksum, and what
// package crc32 takes and gives, is its complement.)
func advance(register uint32, b []byte) uint32 {
	return ^crc32.Update(^register, castagnoli, b)
}

// overPages returns what becomes of a register over pages of zeros.
func overPages(register uint32, pages int) uint32 {
	for ; pages > 0; pages &= pages - 1 {
		register = zeroPages()[bits.TrailingZeros(uint(pages))].apply(register)
	}
	return register
}

// A transform is a linear map of registers: what becomes of each bit.
type transform [32]uint32

func (t *transform) apply(register uint32) (r uint32) {
	for ; register != 0; register &= register - 1 {
		r ^= t[bits.TrailingZeros32(register)]
	}
	return r
}

// zeroPages are what 1, 2, 4, … MaxPages pages of zeros do to a register.
var zeroPages = sync.OnceValue(func() *[7]transform {
	all := new([7]transform)
	for bit := range 32 {
		all[0][bit] = advance(1<<bit, make([]byte, PageSize))
	}
	for i := 1; i < len(all); i++ {
		for bit := range 32 {
			all[i][bit] = all[i-1].apply(all[i-1][bit])
		}
	}
	return all
})

const _ = -uint(MaxPages >> 7) // does not compile if zeroPages are too few
