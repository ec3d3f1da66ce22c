package seal

import (
	"iter"
	"slices"

	"bulla/format"
)

// The cover of the segments first to end-1 is the fewest nodes and segment keys that give
// the keys of these segments and of no others, in the order of the segments
// (spec/grant.md section 2): at most 124, and one for each 8 GiB.
//
// cover gives the level of each, 0 for a segment key, and its index there.
func cover(first, end int64) iter.Seq2[int, int64] {
	return func(yield func(int, int64) bool) {
		for s := first; s < end; {
			level, width := 0, int64(1)
			for level < levels && s%(width*fanOut) == 0 && s+width*fanOut <= end {
				level, width = level+1, width*fanOut
			}
			if !yield(level, s/width) {
				return
			}
			s += width
		}
	}
}

// secretSize is how long the secret of a node, or a segment key, is.
func secretSize(level int) int {
	if level == 0 {
		return keySize
	}
	return nodeSize
}

// CoverSize returns how many bytes the cover of the segments first to end-1 takes. It
// does not take longer for more segments: a grant may claim any number.
func CoverSize(first, end int64) (n int64) {
	if from, to := (first+topWidth-1)/topWidth, end/topWidth; from < to {
		return CoverSize(first, from*topWidth) + (to-from)*nodeSize + CoverSize(to*topWidth, end)
	}
	for level := range cover(first, end) {
		n += int64(secretSize(level))
	}
	return n
}

// topWidth is how many segments are below a node of the highest level, which is 2.
const topWidth = fanOut * fanOut

// AppendCover appends the secrets of the cover of the segments first to end-1 to b.
// Whoever has them has all chunks of these segments, but for the container's last.
func (k *Keys) AppendCover(b []byte, first, end int64) []byte {
	k.mustHave()
	for level, i := range cover(first, end) {
		var secret []byte
		if level == 0 {
			secret = k.tree.segment(i)
		} else {
			k.tree.mu.Lock()
			secret = slices.Clone(k.tree.node(int64(level), i))
			k.tree.mu.Unlock()
		}
		b = append(b, secret...)
		clear(secret)
	}
	return b
}

// AppendFinal appends the final key of chunk i to b.
func (k *Keys) AppendFinal(b []byte, i int64) []byte {
	key := k.expand(withIndex(labelFinal, i), keySize)
	defer clear(key)
	return append(b, key...)
}

// NewGranted returns the keys that a grant gives: those in b, which AppendCover has written
// for the same segments, and final, the key of the last chunk, or nil. It keeps nothing of
// them. No other key can be had of it, and nothing else.
func NewGranted(s format.Suite, first, end int64, b, final []byte) *Keys {
	k, memory := newKeys(s, len(b)+len(final))
	copy(memory[copy(memory, b):], final)
	if b = memory[:len(b)]; final != nil {
		k.final = memory[len(b):]
	}
	k.tree.given = make(map[nodeID][]byte)
	for level, i := range cover(first, end) {
		n := secretSize(level)
		k.tree.given[nodeID{int64(level), i}], b = b[:n], b[n:]
	}
	return k
}
