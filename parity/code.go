package parity

import "github.com/klauspost/reedsolomon"

// newCode returns the Reed–Solomon code of groups with so many cells: the Cauchy matrix
// K(j, p) = 1 / ((128 + j) xor p) over GF(2^8) mod 0x11D (spec/parity.md, section 1).
func newCode(cells int) (reedsolomon.Encoder, error) {
	return reedsolomon.New(groupChunks, cells, reedsolomon.WithCauchyMatrix(), reedsolomon.WithMaxGoroutines(1))
}
