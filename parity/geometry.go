package parity

import (
	"encoding/binary"
	"fmt"
	"math"

	"bulla/format"
)

// Limits (spec/parity.md, section 1).
const (
	groupChunks = 128               // chunks of a group
	MaxParity   = 256 - groupChunks // parity cells of a group: there are 256 elements in GF(2^8)
	minDepth    = 16                // lanes
	maxDepth    = 256               //
	maxCells    = 4096              // m·D: 256 MiB of them in a window
	minGroups   = 2
	chunkSize   = format.SealedChunkSize
	usualCells  = maxCells / 2 // what a Maker keeps to, for its memory
)

// A geometry says which chunk is in which group, and where everything of a parity
// file stands.
type geometry struct {
	m, depth int
	identity [format.IdentitySize]byte
	chunks   int64 // N; 0 if it is not known yet
	last     int64 // bytes of the last chunk
}

// headSize is H, by the pages in the identity.
func (g *geometry) headSize() int64 {
	return int64(binary.BigEndian.Uint16(g.identity[offPages:])) * format.PageSize
}

const offPages = 14 // in every version of a head

// window is W, the chunks of a full window.
func (g *geometry) window() int64 { return groupChunks * int64(g.depth) }

func (g *geometry) windows() int64 { return (g.chunks + g.window() - 1) / g.window() }

// chunksIn is n, the number of chunks of window w.
func (g *geometry) chunksIn(w int64) int { return int(min(g.window(), g.chunks-w*g.window())) }

// groups is G: how many groups there are for n chunks in all.
func (g *geometry) groups(n int64) int {
	groups := minGroups
	for groups < g.depth && groupChunks*int64(groups) < n {
		groups *= 2
	}
	return groups
}

// groupsIn is how many groups window w has.
func (g *geometry) groupsIn(w int64) int { return min(g.groups(g.chunks), g.chunksIn(w)) }

// position is that of chunk r of a window in its group.
func (g *geometry) position(r int) int {
	return r/g.depth ^ groupChunks*(r%g.depth)/g.depth
}

// cellSize is c: no chunk is longer.
func (g *geometry) cellSize() int {
	if g.chunks == 1 {
		return int(g.last)
	}
	return chunkSize
}

// chunkLen is the length of chunk i in bytes.
func (g *geometry) chunkLen(i int64) int {
	if i == g.chunks-1 {
		return int(g.last)
	}
	return chunkSize
}

// chunkAt is where chunk i of the container stands.
func (g *geometry) chunkAt(i int64) int64 { return format.ChunkOffset(g.headSize(), i) }

// size is that of the container.
func (g *geometry) size() int64 { return g.tailAt() + g.headSize() }

// tailAt is where the tail of the container stands.
func (g *geometry) tailAt() int64 { return g.chunkAt(g.chunks-1) + g.last }

// cellsIn is how many parity cells window w has.
func (g *geometry) cellsIn(w int64) int { return g.groupsIn(w) * g.m }

// blocksIn is T: how many blocks the table of window w has.
func (g *geometry) blocksIn(w int64) int {
	return (g.chunksIn(w) + g.cellsIn(w) + blockEntries - 1) / blockEntries
}

// fullWindow is S, the size of every window but the last.
func (g *geometry) fullWindow() int64 {
	cells := g.depth * g.m
	blocks := (int(g.window()) + cells + blockEntries - 1) / blockEntries
	return int64(2*(1+blocks)*blockSize + cells*chunkSize)
}

// windowAt is where window w stands.
func (g *geometry) windowAt(w int64) int64 { return blockSize + g.headSize() + w*g.fullWindow() }

// tablesAt is where the two tables of window w stand.
func (g *geometry) tablesAt(w int64) [2]int64 {
	first := g.windowAt(w) + blockSize
	return [2]int64{first, g.cellAt(w, g.cellsIn(w))}
}

// cellAt is where cell k of window w stands.
func (g *geometry) cellAt(w int64, k int) int64 {
	return g.windowAt(w) + int64((1+g.blocksIn(w))*blockSize+k*g.cellSize())
}

// windowEnd is where window w ends.
func (g *geometry) windowEnd(w int64) int64 {
	return g.cellAt(w, g.cellsIn(w)) + int64((1+g.blocksIn(w))*blockSize)
}

// A Strength says what a container with its parity file survives.
type Strength struct {
	Parity int   `json:"chunks_per_group"` // how many may be lost of every group, parity cells counted
	Groups int   `json:"groups"`           // that consecutive chunks are spread over
	Hole   int64 `json:"hole_bytes"`       // any hole of so many bytes may be torn into the payload
}

// strength is what may be lost if every group can lose k more chunks.
func (g *geometry) strength(k int) Strength {
	s := Strength{Parity: k, Groups: g.groups(g.chunks)}
	if k > 0 {
		s.Hole = int64(k*s.Groups-1)*chunkSize + 1
	}
	return s
}

// Cells is how many parity cells a group needs for so many percent of parity, 0 <
// percent <= 100. What the file takes is that of the container and up to twice as
// much for one of a few chunks.
func Cells(percent float64) (int, error) {
	if !(percent > 0 && percent <= 100) {
		return 0, fmt.Errorf("%v %% is not more than 0 and at most 100", percent)
	}
	return int(math.Ceil(percent * groupChunks / 100)), nil
}

// depthFor is the depth that a Maker chooses: the greatest that its memory allows.
func depthFor(m int) int {
	d := maxDepth
	for d > minDepth && m*d > usualCells {
		d /= 2
	}
	return d
}

// valid reports whether a geometry is within its limits (PAR-3).
func (g *geometry) valid() bool {
	h := g.headSize()
	return g.m >= 1 && g.m <= MaxParity && g.depth >= minDepth && g.depth <= maxDepth && g.depth&(g.depth-1) == 0 &&
		g.m*g.depth <= maxCells && h >= format.MinPages*format.PageSize && h <= format.MaxHeadSize
}
