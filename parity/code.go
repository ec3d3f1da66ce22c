package parity

import (
	"crypto/subtle"

	"github.com/klauspost/reedsolomon"
)

// newCode returns the Reed–Solomon code of groups with so many cells: the Cauchy matrix
// K(j, p) = 1 / ((128 + j) xor p) over GF(2^8) mod 0x11D (spec/parity.md, section 1).
func newCode(cells int) (reedsolomon.Encoder, error) {
	return reedsolomon.New(groupChunks, cells, reedsolomon.WithCauchyMatrix(), reedsolomon.WithMaxGoroutines(1))
}

// Chunks are added to cells in tiles, each a part of the matrix, and by pieces that stay in
// the processor's cache: a cell is read and written once for 8 chunks, and not for each.
const (
	tileChunks = 8
	tileCells  = 8
	tileBytes  = 16 << 10
)

// A coder adds chunks to the cells of their group, a few of them at a time. It is safe for
// concurrent use.
type coder struct {
	rows  int                     // chunks at a time; a power of two
	tiles [][]reedsolomon.Encoder // by p / rows and j / tileCells
}

// A tile is room for what a coder works on.
type tile struct {
	shards [][]byte // pieces of the chunks, and of their sums
	sums   [tileCells][tileBytes]byte
}

func newCoder(cells, rows int) (*coder, error) {
	code, err := newCode(cells)
	if err != nil {
		return nil, err
	}
	matrix, column := make([][groupChunks]byte, cells), make([][]byte, cells)
	for p := range groupChunks {
		for j := range column {
			column[j] = matrix[j][p : p+1]
		}
		if err := code.EncodeIdx([]byte{1}, p, column); err != nil { // 1·K(j, p)
			return nil, err
		}
	}
	c := &coder{rows: rows, tiles: make([][]reedsolomon.Encoder, groupChunks/rows)}
	for q := range c.tiles {
		for j := 0; j < cells; j += tileCells {
			var part [][]byte
			for i := range matrix[j:min(j+tileCells, cells)] {
				part = append(part, matrix[j+i][q*rows:][:rows])
			}
			t, err := reedsolomon.New(rows, len(part), reedsolomon.WithCustomMatrix(part), reedsolomon.WithMaxGoroutines(1))
			if err != nil {
				return nil, err
			}
			c.tiles[q] = append(c.tiles[q], t)
		}
	}
	return c, nil
}

// add adds the chunks at the positions rows·q and up, of one length, to the cells of their group.
func (c *coder) add(q int, chunks, cells [][]byte, t *tile) error {
	for _, code := range c.tiles[q] {
		here := cells[:min(tileCells, len(cells))]
		cells = cells[len(here):]
		for at := 0; at < len(chunks[0]); at += tileBytes {
			n := min(tileBytes, len(chunks[0])-at)
			t.shards = t.shards[:0]
			for _, chunk := range chunks {
				t.shards = append(t.shards, chunk[at:at+n])
			}
			for j := range here {
				t.shards = append(t.shards, t.sums[j][:n])
			}
			if err := code.Encode(t.shards); err != nil {
				return err
			}
			for j, cell := range here {
				subtle.XORBytes(cell[at:], cell[at:], t.sums[j][:n])
			}
		}
	}
	return nil
}
