package parity

import (
	"crypto/subtle"
	"sync"
	"sync/atomic"

	"github.com/klauspost/reedsolomon"
)

// A code is the Reed–Solomon code of a group: the Cauchy matrix K(j, p) = 1 / ((128 + j)
// xor p) over GF(2^8) mod 0x11D (spec/parity.md, section 1).
type code struct {
	reedsolomon.Encoder
	rows int

	// blocks[b] codes chunks at the positions b·rows and after, rows of them at once:
	// the cells then travel through memory once for all of these.
	blocks []reedsolomon.Encoder
}

// newCode returns the code for so many cells, which takes up to so many rows at once.
func newCode(cells, rows int) (*code, error) {
	enc, err := reedsolomon.New(groupChunks, cells, reedsolomon.WithCauchyMatrix(), reedsolomon.WithMaxGoroutines(1))
	if err != nil || rows == 1 {
		return &code{Encoder: enc, rows: rows}, err
	}
	c := &code{Encoder: enc, rows: rows}
	for b := range groupChunks / rows {
		matrix := make([][]byte, cells)
		for j := range matrix {
			matrix[j] = make([]byte, rows)
		}
		for i := range rows { // a column is what a chunk that is 1 adds to the cells
			column := make([][]byte, cells)
			for j := range column {
				column[j] = matrix[j][i : i+1]
			}
			if err := enc.EncodeIdx([]byte{1}, b*rows+i, column); err != nil {
				return nil, err
			}
		}
		block, err := reedsolomon.New(rows, cells, reedsolomon.WithCustomMatrix(matrix), reedsolomon.WithMaxGoroutines(1))
		if err != nil {
			return nil, err
		}
		c.blocks = append(c.blocks, block)
	}
	return c, nil
}

// add adds chunks of one group to its cells; at gives their positions, which are those of
// a block if all rows are there.
func (c *code) add(cells, chunks [][]byte, at func(i int) int, scratch [][]byte) error {
	if len(chunks) < c.rows || c.rows == 1 {
		for i, chunk := range chunks {
			if err := c.EncodeIdx(chunk, at(i), cells); err != nil {
				return err
			}
		}
		return nil
	}
	for i, chunk := range chunks {
		scratch[at(i)%c.rows] = chunk
	}
	if err := c.blocks[at(0)/c.rows].Encode(scratch); err != nil {
		return err
	}
	for j, sum := range scratch[c.rows:] {
		subtle.XORBytes(cells[j], cells[j], sum)
	}
	return nil
}

// newScratch is what add needs: a place for each row, and room for each cell.
func newScratch(rows, cells int) [][]byte {
	s := make([][]byte, rows+cells)
	for j := range cells {
		s[rows+j] = make([]byte, chunkSize)
	}
	return s
}

// parallel calls do for 0..n-1, on up to so many goroutines: the workers 0..workers-1.
// It returns the first error, after which it begins nothing new.
func parallel(workers, n int, do func(worker, i int) error) error {
	var (
		next  atomic.Int64
		once  sync.Once
		wg    sync.WaitGroup
		first error
	)
	for worker := range min(workers, n) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := do(worker, int(i)); err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
				}
			}
		})
	}
	wg.Wait()
	return first
}
