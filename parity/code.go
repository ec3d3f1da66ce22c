package parity

import (
	"crypto/subtle"
	"sync"
	"sync/atomic"

	"github.com/klauspost/reedsolomon"
)

// A code is the Reed–Solomon code of groups with m cells: the Cauchy matrix
// K(j, p) = 1 / ((128 + j) xor p) over GF(2^8) mod 0x11D (spec/parity.md, section 1).
type code struct {
	reedsolomon.Encoder
	m, rows int

	// blocks codes some chunks at once: blocks[b] those at the positions b·rows and
	// after. The cells then travel through memory once for all of them.
	blocks []reedsolomon.Encoder
}

// newCode returns the code for m cells, that takes up to so many rows at once.
func newCode(m, rows int) (*code, error) {
	enc, err := reedsolomon.New(groupChunks, m, reedsolomon.WithCauchyMatrix(), reedsolomon.WithMaxGoroutines(1))
	if err != nil {
		return nil, err
	}
	c := &code{Encoder: enc, m: m, rows: rows}
	if rows == 1 {
		return c, nil
	}
	for b := range groupChunks / rows {
		matrix := make([][]byte, m)
		for j := range matrix {
			matrix[j] = make([]byte, rows)
		}
		for i := range rows { // the columns: what a chunk that is 1 adds to the cells
			unit := make([][]byte, m)
			for j := range unit {
				unit[j] = matrix[j][i : i+1]
			}
			if err := enc.EncodeIdx([]byte{1}, b*rows+i, unit); err != nil {
				return nil, err
			}
		}
		block, err := reedsolomon.New(rows, m, reedsolomon.WithCustomMatrix(matrix), reedsolomon.WithMaxGoroutines(1))
		if err != nil {
			return nil, err
		}
		c.blocks = append(c.blocks, block)
	}
	return c, nil
}

// add adds chunks of one group to its cells, as long as they. chunks[i] stands at the
// position that at gives for i; where all rows are there, these are a block. scratch
// has room for a chunk and a cell for each.
func (c *code) add(cells, chunks [][]byte, at func(i int) int, scratch [][]byte) error {
	if len(chunks) < c.rows || c.rows == 1 {
		for i, chunk := range chunks {
			if err := c.EncodeIdx(chunk, at(i), cells); err != nil {
				return err
			}
		}
		return nil
	}
	in, sums := scratch[:c.rows], scratch[c.rows:]
	for i, chunk := range chunks {
		in[at(i)%c.rows] = chunk
	}
	if err := c.blocks[at(0)/c.rows].Encode(scratch); err != nil {
		return err
	}
	for j, sum := range sums {
		subtle.XORBytes(cells[j], cells[j], sum)
	}
	return nil
}

// newScratch is room for add.
func (c *code) newScratch() [][]byte {
	s := make([][]byte, c.rows+c.m)
	for j := range c.m {
		s[c.rows+j] = make([]byte, chunkSize)
	}
	return s
}

// parallel calls do for 0..n-1, on up to so many goroutines, the workers 0..workers-1.
// It returns the first error, after which it begins nothing new.
func parallel(workers, n int, do func(worker, i int) error) error {
	var (
		next   atomic.Int64
		failed atomic.Pointer[error]
		wg     sync.WaitGroup
	)
	for worker := range min(workers, n) {
		wg.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(worker, i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
