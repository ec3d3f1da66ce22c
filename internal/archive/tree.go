package archive

import (
	"hash/maphash"
	"io/fs"
	"slices"
	"strings"
)

// A tree is the places of an archive: names, and where their members are. All else
// is read again from the archive when it is asked for.
//
// Nodes lie in pages, so that a tree that grows copies none of them.
type tree struct {
	pages [][]node
	count int32
	table []int32 // of nodes, by a hash of parent and name; 0 is free
	seed  maphash.Seed

	limit, used int64 // bytes, those of the table apart
}

// A node is a name in a directory.
type node struct {
	name                string
	parent, child, next int32       // a directory's first child, and the next of the same
	typ                 fs.FileMode // the bits of the type
	own                 int64       // the place of the member that the name is of; noPlace if others imply it
	data                int64       // the place of the member that has its data: of a hard link another, noPlace if it leads to none
	chosen              bool        // it is asked for, not only what others need
}

const (
	noPlace = -1

	root    = 1 // "."
	outside = 2 // the directory of names that lead out, which none of the tree's own leads to

	pageOfNodes = 1 << 12
	nodeBytes   = 56 + 8 // the second is what an allocation of the name takes besides

	spread = 0x9e3779b97f4a7c15 // odd: one name in many directories gets as many places in the table
)

func newTree(limit int64) *tree {
	t := &tree{seed: maphash.MakeSeed(), limit: limit, table: make([]int32, 1<<10)}
	for _, parent := range []int32{0, root, 0} { // none has the number 0
		t.append(node{parent: parent, own: noPlace, data: noPlace, typ: fs.ModeDir})
	}
	return t
}

func (t *tree) node(id int32) *node { return &t.pages[id/pageOfNodes][id%pageOfNodes] }

// kind is what the member of a node is: a hard link only if it leads to no file.
func (t *tree) kind(id int32) Kind {
	if n := t.node(id); n.own != noPlace && n.data == noPlace {
		return HardLink
	}
	return kindOf(t.node(id).typ)
}

// append makes room for a node, and gives its number.
func (t *tree) append(n node) int32 {
	if t.count%pageOfNodes == 0 {
		t.pages = append(t.pages, make([]node, pageOfNodes))
	}
	t.used += nodeBytes + int64(len(n.name))
	t.count++
	*t.node(t.count - 1) = n
	return t.count - 1
}

// slot is where in the table a name in a directory is, or is to be.
func (t *tree) slot(parent int32, name string) int {
	mask := len(t.table) - 1
	hash := maphash.String(t.seed, name) + uint64(parent)*spread
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		if id := t.table[i]; id == 0 || t.node(id).parent == parent && t.node(id).name == name {
			return i
		}
	}
}

// child is the node of a name in a directory; 0 if there is none.
func (t *tree) child(parent int32, name string) int32 { return t.table[t.slot(parent, name)] }

// make makes a child of a directory, at first a directory that others imply.
func (t *tree) make(parent int32, name string) int32 {
	if int(t.count)*3 > len(t.table)*2 {
		t.table = make([]int32, 2*len(t.table))
		for id := int32(outside + 1); id < t.count; id++ {
			n := t.node(id)
			t.table[t.slot(n.parent, n.name)] = id
		}
	}
	id := t.append(node{name: strings.Clone(name), parent: parent, next: t.node(parent).child, typ: fs.ModeDir, own: noPlace, data: noPlace})
	t.node(parent).child = id
	t.table[t.slot(parent, name)] = id
	return id
}

// start is where a place, as Path gives it, begins, and the names that lead from there.
// One that leads out is a single name, and "." is none.
func start(place string, local bool) (int32, []string) {
	switch {
	case !local:
		return outside, []string{place}
	case place == ".":
		return root, nil
	}
	return root, strings.Split(place, "/")
}

// lookup is the node of a place; 0 if there is none.
func (t *tree) lookup(place string, local bool) int32 {
	id, parts := start(place, local)
	for _, part := range parts {
		if id = t.child(id, part); id == 0 {
			break
		}
	}
	return id
}

// path is the place of a node.
func (t *tree) path(id int32) string {
	var parts []string
	for ; id > outside; id = t.node(id).parent {
		parts = append(parts, t.node(id).name)
	}
	if parts == nil {
		return "."
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}

// add gives a member of some type its place, and says which node that is: 0 if another
// member is in its way. It fails with a *LimitError, before it takes more.
func (t *tree) add(place string, local bool, typ fs.FileMode) (int32, error) {
	if t.used+4*int64(len(t.table)) > t.limit {
		return 0, &LimitError{}
	}
	id, parts := start(place, local)
	for _, part := range parts {
		if !t.node(id).typ.IsDir() {
			return 0, nil
		}
		next := t.child(id, part)
		if next == 0 {
			next = t.make(id, part)
		}
		id = next
	}
	if !typ.IsDir() && (id == root || t.node(id).child != 0) {
		return 0, nil
	}
	return id, nil
}
