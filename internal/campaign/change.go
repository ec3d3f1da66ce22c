//go:build unix

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"bulla/format"
)

// change returns b, a container or another file, with something done to it, and what.
// What it puts in is random, zero, or of other, a file of the same kind.
func change(r *rand.Rand, b, other []byte) (changed []byte, what string) {
	changed = bytes.Clone(b)
	for range 1 + r.IntN(2) {
		var w string
		changed, w = changeOnce(r, changed, other)
		if what != "" {
			what += ", then "
		}
		what += w
	}
	return changed, what
}

func changeOnce(r *rand.Rand, b, other []byte) ([]byte, string) {
	if len(b) == 0 {
		return append(b, 0), "one byte"
	}
	at, n := place(r, len(b)), length(r)
	n = min(n, len(b)-at)
	switch r.IntN(9) {
	case 0:
		bit := byte(1) << r.IntN(8)
		b[at] ^= bit
		return b, fmt.Sprintf("bit %#x of byte %d flipped", bit, at)
	case 1:
		for i := range n {
			b[at+i] = byte(r.Uint32())
		}
		return b, fmt.Sprintf("%d random bytes at %d", n, at)
	case 2:
		clear(b[at : at+n])
		return b, fmt.Sprintf("%d zeros at %d", n, at)
	case 3:
		return b[:at], fmt.Sprintf("cut at %d", at)
	case 4:
		return append(b, bytes.Repeat([]byte{byte(r.Uint32())}, n)...), fmt.Sprintf("%d bytes appended", n)
	case 5:
		return append(b[:at], b[at+n:]...), fmt.Sprintf("%d bytes at %d removed", n, at)
	case 6:
		return append(b[:at:at], append(bytes.Clone(b[at:at+n]), b[at:]...)...), fmt.Sprintf("%d bytes at %d doubled", n, at)
	case 7: // two pieces in each other's place: of one size, so often two chunks
		to := place(r, len(b))
		n = min(n, len(b)-to)
		piece := bytes.Clone(b[at : at+n])
		copy(b[at:], b[to:to+n])
		copy(b[to:], piece)
		return b, fmt.Sprintf("%d bytes at %d and at %d exchanged", n, at, to)
	}
	n = min(n, max(0, len(other)-at))
	copy(b[at:], other[min(at, len(other)):][:n])
	return b, fmt.Sprintf("%d bytes at %d of another file", n, at)
}

// place is an offset below size: often where something begins.
func place(r *rand.Rand, size int) int {
	at := r.IntN(size)
	switch r.IntN(4) {
	case 0:
		at = r.IntN(min(size, 8192))
	case 1:
		at = max(0, size-1-r.IntN(8192))
	case 2:
		at = min(size-1, format.PageSize*(1+r.IntN(2))+format.SealedChunkSize*r.IntN(1+size/format.SealedChunkSize))
	}
	return at
}

// length is how much is changed: a byte, a sector, a page, a chunk, or anything.
func length(r *rand.Rand) int {
	return []int{1, 16, 512, format.PageSize, 2 * format.PageSize, format.SealedChunkSize, 1 + r.IntN(3*format.SealedChunkSize)}[r.IntN(7)]
}
