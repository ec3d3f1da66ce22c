package archive

import (
	"hash/maphash"
	"io/fs"
	"math/bits"
	"slices"
	"strings"
)

// A tree is the places of an archive: names, and where their members are. All else
// is read again from the archive when it is asked for.
//
// Nodes and names lie in pages, so that a tree that grows copies none of them.
type tree struct {
	pages [][]node
	count int32
	names [][]byte // of pageOfNames bytes each; a name lies in one
	table []int32  // of nodes, by a hash of parent and name; 0 is free
	seed  maphash.Seed

	limit, used int64 // bytes
}

// A node is a name in a directory.
type node struct {
	parent, child, next int32  // a directory's first child, and the next of the same
	page, start, length uint16 // of the name
	kind                nodeKind
	chosen              bool  // it is asked for, not only what others need
	own                 int64 // the place of the member that the name is of; noPlace if others imply it
	data                int64 // the place of the member that has its data: of a hard link another
}

// A nodeKind is what a node is, as io/fs and as this package have it.
type nodeKind uint8

var nodeKinds = [...]struct {
	Kind
	mode fs.FileMode
}{
	{File, 0}, {Dir, fs.ModeDir}, {Symlink, fs.ModeSymlink},
	{HardLink, fs.ModeIrregular}, // one that leads to no file
	{Other, fs.ModeNamedPipe}, {Other, fs.ModeDevice}, {Other, fs.ModeDevice | fs.ModeCharDevice}, {Other, fs.ModeSocket}, {Other, fs.ModeIrregular},
}

const dirKind nodeKind = 1

// numberOf is the kind of a member: of a hard link, that of one which leads nowhere.
func numberOf(m *Member) nodeKind {
	for i, k := range nodeKinds {
		if k.Kind == m.Kind && (m.Kind != Other || k.mode == m.Mode.Type()) {
			return nodeKind(i)
		}
	}
	return nodeKind(len(nodeKinds) - 1)
}

const (
	noPlace = -1

	root    = 1 // "."
	outside = 2 // the directory of names that lead out, which none of the tree's own leads to

	pageOfNodes = 1 << 12
	pageOfNames = 1 << 16
	nodeBytes   = 40

	spread = 0x9e3779b97f4a7c15 // odd: one name in many directories gets as many places in the table
)

func newTree(limit int64) *tree {
	t := &tree{seed: maphash.MakeSeed(), limit: limit}
	for _, parent := range []int32{0, root, 0} { // none has the number 0
		t.append(node{parent: parent, own: noPlace, data: noPlace, kind: dirKind})
	}
	t.table = make([]int32, 1<<10)
	return t
}

func (t *tree) node(id int32) *node { return &t.pages[id/pageOfNodes][id%pageOfNodes] }

func (t *tree) name(n *node) string { return string(t.names[n.page][n.start:][:n.length]) }

func (t *tree) kind(id int32) Kind { return nodeKinds[t.node(id).kind].Kind }

// append makes room for a node, and gives its number.
func (t *tree) append(n node) int32 {
	if t.count%pageOfNodes == 0 {
		t.pages = append(t.pages, make([]node, pageOfNodes))
		t.used += pageOfNodes * nodeBytes
	}
	id := t.count
	t.count++
	*t.node(id) = n
	return id
}

// slot is where in the table a name in a directory is, or is to be.
func (t *tree) slot(parent int32, name string) int {
	mask := len(t.table) - 1
	hash := maphash.String(t.seed, name) + uint64(parent)*spread
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		id := t.table[i]
		if id == 0 {
			return i
		}
		if n := t.node(id); n.parent == parent && string(t.names[n.page][n.start:][:n.length]) == name { // which copies nothing
			return i
		}
	}
}

// child is the node of a name in a directory; 0 if there is none.
func (t *tree) child(parent int32, name string) int32 { return t.table[t.slot(parent, name)] }

// lookup is the node of a place, as Path gives it; 0 if there is none.
func (t *tree) lookup(place string, local bool) int32 {
	if !local {
		return t.child(outside, place)
	}
	id := int32(root)
	if place == "." {
		return id
	}
	for part := range strings.SplitSeq(place, "/") {
		if id = t.child(id, part); id == 0 {
			return 0
		}
	}
	return id
}

// path is the place of a node in the tree.
func (t *tree) path(id int32) string {
	var parts []string
	for ; id > outside; id = t.node(id).parent {
		parts = append(parts, t.name(t.node(id)))
	}
	if parts == nil {
		return "."
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}

// make makes a child of a directory, at first one that others
// imply.
func (t *tree) make(parent int32, name string) int32 {
	if int(t.count)*3 > len(t.table)*2 {
		t.grow()
	}
	last := len(t.names) - 1
	if last < 0 || len(t.names[last])+len(name) > pageOfNames {
		t.names = append(t.names, make([]byte, 0, pageOfNames))
		t.used += pageOfNames
		last++
	}
	start := len(t.names[last])
	t.names[last] = append(t.names[last], name...)
	id := t.append(node{parent: parent, next: t.node(parent).child, kind: dirKind, own: noPlace, data: noPlace,
		page: uint16(last), start: uint16(start), length: uint16(len(name))})
	t.node(parent).child = id
	t.table[t.slot(parent, name)] = id
	return id
}

// grow doubles the table.
func (t *tree) grow() {
	t.table = make([]int32, 1<<bits.Len(uint(len(t.table))))
	for id := int32(outside + 1); id < t.count; id++ {
		n := t.node(id)
		t.table[t.slot(n.parent, t.name(n))] = id
	}
}

// add gives a member its place, if it has one: nil if another member is in its way.
// It fails with a *LimitError, before it takes more.
func (t *tree) add(m *Member) (*node, error) {
	if t.used+4*int64(len(t.table)) > t.limit {
		return nil, &LimitError{}
	}
	id, kind := int32(root), numberOf(m)
	place, local := Path(m.Name)
	parts := strings.SplitSeq(place, "/")
	if !local {
		id, parts = outside, slices.Values([]string{place})
	}
	for part := range parts {
		if t.node(id).kind != dirKind {
			return nil, nil
		}
		if place == "." {
			break
		}
		next := t.child(id, part)
		if next == 0 {
			next = t.make(id, part)
		}
		id = next
	}
	n := t.node(id)
	if kind != dirKind && (id == root || n.child != 0) {
		return nil, nil
	}
	data := m.place
	if m.Kind == HardLink {
		if to := t.target(m); to != 0 && to != id || to == id && n.own != noPlace {
			kind, data = t.node(to).kind, t.node(to).data
		}
	}
	n.kind, n.own, n.data = kind, m.place, data
	return n, nil
}

// target is the node that a hard link is another name for; 0 if there is none.
func (t *tree) target(link *Member) int32 {
	to := t.lookup(Path(link.Link))
	if to != 0 && t.node(to).kind == dirKind {
		return 0
	}
	return to
}
