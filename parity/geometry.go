package parity

import (
	"cmp"
	"fmt"
	"math"

	"bulla/format"
)

// Limits (spec/parity.md, section 1).
const (
	groupChunks = 128               // chunks of a group
	MaxParity   = 256 - groupChunks // parity cells of a group: GF(2^8) has 256 elements
	minDepth    = 16
	maxDepth    = 256
	maxCells    = 4096 // m·D: 256 MiB in a window
	chunkSize   = format.SealedChunkSize
)

// A geometry says which chunk is in which group, and where everything of a parity
// file stands.
type geometry struct {
	m, depth int
	identity [format.IdentitySize]byte
	chunks   int64 // N; 0 if it is not known yet
	last     int64 // bytes of the last chunk
}

// valid reports whether the limits are kept (PAR-3).
func (g *geometry) valid() bool {
	return g.m >= 1 && g.m <= MaxParity && g.depth >= minDepth && g.depth <= maxDepth && g.depth&(g.depth-1) == 0 &&
		g.m*g.depth <= maxCells && g.headSize() > 0
}

// Of the container:

func (g *geometry) headSize() int64       { return format.HeadSizeOf(g.identity[:]) }
func (g *geometry) chunkAt(i int64) int64 { return format.ChunkOffset(g.headSize(), i) }
func (g *geometry) tailAt() int64         { return g.chunkAt(g.chunks-1) + g.last }
func (g *geometry) size() int64           { return g.tailAt() + g.headSize() }
func (g *geometry) chunkLen(i int64) int {
	if i == g.chunks-1 {
		return int(g.last)
	}
	return chunkSize
}

// Of windows and groups:

func (g *geometry) window() int64        { return groupChunks * int64(g.depth) } // W
func (g *geometry) windows() int64       { return (g.chunks + g.window() - 1) / g.window() }
func (g *geometry) chunksIn(w int64) int { return int(min(g.window(), g.chunks-w*g.window())) } // n
func (g *geometry) groupsIn(w int64) int { return min(g.groups(g.chunks), g.chunksIn(w)) }
func (g *geometry) cellsIn(w int64) int  { return g.groupsIn(w) * g.m }
func (g *geometry) position(r int) int   { return r/g.depth ^ groupChunks*(r%g.depth)/g.depth } // in its group, of chunk r of a window
func (g *geometry) kindOf(w int64) kind {
	if w == g.windows()-1 {
		return lastWindow
	}
	return fullWindow
}

// groups is G, for n chunks in all.
func (g *geometry) groups(n int64) int {
	groups := 2
	for groups < g.depth && groupChunks*int64(groups) < n {
		groups *= 2
	}
	return groups
}

// cellSize is c: no chunk is longer.
func (g *geometry) cellSize() int {
	if g.chunks == 1 {
		return int(g.last)
	}
	return chunkSize
}

// Of the parity file: a window is a header, a table, cells, the table and the header.

func (g *geometry) tableSize(w int64) int64 { // 512 T
	return int64((g.chunksIn(w)+g.cellsIn(w)+blockEntries-1)/blockEntries) * blockSize
}
func (g *geometry) windowAt(w int64) int64 {
	full := geometry{m: g.m, depth: g.depth, chunks: 2 * g.window()} // S is that of any window but the last
	return blockSize + g.headSize() + w*(2*blockSize+2*full.tableSize(0)+int64(full.cellsIn(0))*chunkSize)
}
func (g *geometry) cellAt(w int64, k int) int64 {
	return g.windowAt(w) + blockSize + g.tableSize(w) + int64(k*g.cellSize())
}
func (g *geometry) tablesAt(w int64) [2]int64 {
	return [2]int64{g.windowAt(w) + blockSize, g.cellAt(w, g.cellsIn(w))}
}
func (g *geometry) headersAt(w int64) [2]int64 {
	return [2]int64{g.windowAt(w), g.cellAt(w, g.cellsIn(w)) + g.tableSize(w)}
}

// A Strength says what a container survives with its parity file.
type Strength struct {
	Parity int   `json:"chunks_per_group"` // how many may be lost of every group, parity cells counted
	Groups int   `json:"groups"`           // that consecutive chunks are spread over
	Hole   int64 `json:"hole_bytes"`       // any hole of so many bytes may be torn into the content

	all bool // that is all of the content
}

// WeakerThan compares what two containers survive. One whose content may be lost as a whole
// is the stronger one.
func (s Strength) WeakerThan(t Strength) bool {
	if s.all != t.all {
		return t.all
	}
	return cmp.Or(cmp.Compare(s.Hole, t.Hole), cmp.Compare(s.Parity, t.Parity)) < 0
}

// strength is what may be lost if every group can lose k more chunks (PAR-17).
func (g *geometry) strength(k int) Strength {
	s := Strength{Parity: k, Groups: g.groups(g.chunks)}
	if k > 0 {
		s.Hole = int64(k*s.Groups-1)*chunkSize + 1
		s.all = s.Hole >= g.tailAt()-g.headSize()
	}
	return s
}

// Cells is how many parity cells a group needs for so many percent, more than 0 and
// at most 100. A container of few chunks gets up to twice as much parity.
func Cells(percent float64) (int, error) {
	if !(percent > 0 && percent <= 100) {
		return 0, fmt.Errorf("%v %% is not more than 0 and at most 100", percent)
	}
	return int(math.Ceil(percent * groupChunks / 100)), nil
}

// depthFor is the depth that a Maker chooses: the greatest of which the cells of a
// window take at most 32 MiB, if there is one. More would survive larger holes, and
// cost more time: cells that do not fit the processor's cache.
func depthFor(m int) int {
	d := maxDepth
	for d > minDepth && m*d > maxCells/8 {
		d /= 2
	}
	return d
}
