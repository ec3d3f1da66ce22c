package parity

// batchGroups is how many groups are recovered at a time: neighbors, whose chunks stand
// side by side. All of their chunks are held, 8 MiB for each.
const batchGroups = 8

// recover computes the chunks of a window that are lost, as far as its groups have cells
// enough, and returns those that are what they should be (PAR-18, PAR-20), by their
// numbers in the window.
func (c *inspector) recover(s *survey) (map[int][]byte, error) {
	left := c.short(s)
	todo := make([]bool, len(left))
	for r := range s.shift {
		q := r % len(left)
		todo[q] = todo[q] || !s.has(r) && left[q] >= 0
	}
	code, err := newCode(c.m, 1)
	if err != nil {
		return nil, err
	}
	got := make(map[int][]byte)
	var batch []int
	room := &room{size: c.cellSize()}
	for q := range todo {
		if todo[q] {
			batch = append(batch, q)
		}
		if len(batch) == batchGroups || q == len(todo)-1 {
			if err := c.recoverGroups(s, code, batch, len(todo), room, got); err != nil {
				return nil, err
			}
			batch = batch[:0]
		}
	}
	return got, nil
}

// recoverGroups recovers the groups of a batch, of so many in the window.
func (c *inspector) recoverGroups(s *survey, code *code, batch []int, groups int, room *room, got map[int][]byte) error {
	size := room.size
	room.used = 0
	zeros := make([]byte, size)
	shards := make([][][]byte, len(batch)) // of each group: chunks by their positions, then cells
	for b := range batch {
		shards[b] = make([][]byte, groupChunks+c.m)
		for p := range groupChunks {
			shards[b][p] = zeros
		}
	}
	missing := make([]int, len(batch))
	for row := 0; row < len(s.shift); row += groups {
		for b, q := range batch {
			r := row + q
			switch {
			case r >= len(s.shift):
			case s.has(r):
				chunk := room.next()
				if err := c.read(s, r, chunk); err != nil {
					return err
				}
				shards[b][c.position(r)] = chunk
			default:
				shards[b][c.position(r)] = nil
				missing[b]++
			}
		}
	}
	for k, good := range s.cell { // as many as are needed
		for b, q := range batch {
			if good && k%groups == q && missing[b] > 0 {
				cell := room.next()
				if n, err := readFull(c.file.src, cell, c.cellAt(s.w, k)); n < size {
					return err
				}
				shards[b][groupChunks+k/groups] = cell
				missing[b]--
			}
		}
	}
	return parallel(c.workers, len(batch), func(_, b int) error {
		if err := code.ReconstructData(shards[b]); err != nil {
			return err
		}
		for r := batch[b]; r < len(s.shift); r += groups {
			if s.has(r) {
				continue
			}
			i := s.first + int64(r)
			chunk := shards[b][c.position(r)][:c.chunkLen(i)]
			if (s.fits(r, chunk) || !s.knows(r)) && (c.opener == nil || c.opens(i, chunk)) {
				c.mu.Lock()
				got[r] = chunk
				c.mu.Unlock()
			}
		}
		return nil
	})
}

// A room keeps buffers from one batch to the next.
type room struct {
	size, used int
	bufs       [][]byte
}

func (r *room) next() []byte {
	if r.used == len(r.bufs) {
		r.bufs = append(r.bufs, make([]byte, r.size))
	}
	r.used++
	return r.bufs[r.used-1]
}
