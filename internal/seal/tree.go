package seal

import (
	"slices"
	"sync"
)

// A tree derives the segment keys from the payload node, by nodes of two levels:
//
//	payload node
//	└─ node(2, i)              8 GiB: segments 1024 i .. 1024 i + 1023
//	   └─ node(1, i)         256 MiB: segments 32 i .. 32 i + 31
//	      └─ segment key s     8 MiB: chunks 128 s .. 128 s + 127
//
// So a range can be given away by few secrets, which open nothing else. The nodes
// used last are kept, in 20 KiB: whoever reads in order, or near what was read,
// derives a key for 8 MiB and seldom a node; at random in 1 TiB it is one of each.
type tree struct {
	mu      sync.Mutex
	payload []byte                  // of nodeSize bytes
	kept    [levels][keptNodes]node // of each level, by index modulo keptNodes
	given   map[nodeID][]byte       // of a grant, which has no payload node: nodes, and at level 0 segment keys
	started bool                    // there is a payload node
}

type nodeID struct{ level, index int64 }

const (
	levels    = 2
	fanOut    = 32 // nodes, or segments, below a node of level 1 or 2
	nodeSize  = 64
	keptNodes = 128 // of level 2: 1 TiB
)

// A node is one that was derived, if there is one.
type node struct {
	index  int64
	there  bool
	secret []byte // of nodeSize bytes
}

// treeMemory is how many bytes of secrets a tree keeps.
const treeMemory = nodeSize * (1 + levels*keptNodes)

// init gives the tree the memory for them.
func (t *tree) init(memory []byte) {
	t.payload, memory = memory[:nodeSize], memory[nodeSize:]
	for level := range t.kept {
		for i := range t.kept[level] {
			t.kept[level][i].secret, memory = memory[:nodeSize], memory[nodeSize:]
		}
	}
}

// start begins a tree with the payload node, of which it keeps a copy alone.
func (t *tree) start(payload []byte) {
	copy(t.payload, payload)
	t.started = true
	clear(payload)
}

// segment returns the key of segment s.
func (t *tree) segment(s int64) []byte {
	t.mu.Lock()
	if key, ok := t.given[nodeID{0, s}]; ok {
		defer t.mu.Unlock()
		return slices.Clone(key)
	}
	parent := [nodeSize]byte(t.node(1, s/fanOut))
	t.mu.Unlock()
	defer clear(parent[:])
	return expand(parent[:], withIndex(labelSegment, s), keySize)
}

// node returns a node, for as long as mu is held.
func (t *tree) node(level, i int64) []byte {
	if level > levels {
		if !t.started {
			panic("seal: internal error: this key was wiped, or is not granted")
		}
		return t.payload
	}
	n := &t.kept[level-1][i%keptNodes]
	if secret, ok := t.given[nodeID{level, i}]; ok {
		n.index, n.there = i, true
		copy(n.secret, secret)
	}
	if !n.there || n.index != i {
		secret := expand(t.node(level+1, i/fanOut), withIndex(labelNode+string([]byte{byte(level)}), i), nodeSize)
		n.index, n.there = i, true
		copy(n.secret, secret)
		clear(secret)
	}
	return n.secret
}

// wipe forgets what there is. The memory is for its owner to clear.
func (t *tree) wipe() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.kept[0][:])
	clear(t.kept[1][:])
	t.given, t.started = nil, false
}
