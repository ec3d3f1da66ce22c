package origin

import (
	"crypto/sha256"
	"hash"

	"bulla/format"
)

// The tree is that of RFC 9162, section 2.1.1, with SHA-256. A leaf is a chunk as it
// stands in the container, with its tag.
//
//	leaf  = SHA-256(00 || chunk)
//	node  = SHA-256(01 || left || right)
//
// Of n nodes side by side the last is carried up as it is where n is odd. That is the
// same tree as the RFC's recursive definition gives, and makes each whole segment of 128
// chunks a subtree of its own.

// leaf hashes a chunk. It uses h, which is reset.
func leaf(h hash.Hash, chunk []byte) (sum Hash) {
	h.Reset()
	h.Write([]byte{0})
	h.Write(chunk)
	h.Sum(sum[:0])
	return sum
}

func node(left, right *Hash) Hash {
	var b [1 + 2*HashSize]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+HashSize:], right[:])
	return sha256.Sum256(b[:])
}

// root returns the root over nodes, at least one, which it overwrites.
func root(nodes []Hash) Hash {
	for len(nodes) > 1 {
		half := len(nodes) / 2
		for i := range half {
			nodes[i] = node(&nodes[2*i], &nodes[2*i+1])
		}
		if len(nodes)%2 == 1 {
			nodes[half] = nodes[len(nodes)-1]
			half++
		}
		nodes = nodes[:half]
	}
	return nodes[0]
}

// segmentRoot returns the root over the chunks of a segment, of which the last may be short.
func segmentRoot(sealed []byte) Hash {
	var leaves [format.SegmentChunks]Hash
	h, n := sha256.New(), 0
	for ; len(sealed) > 0; n++ {
		k := min(format.SealedChunkSize, len(sealed))
		leaves[n] = leaf(h, sealed[:k])
		sealed = sealed[k:]
	}
	return root(leaves[:n])
}
