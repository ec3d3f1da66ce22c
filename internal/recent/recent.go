// Package recent keeps what was read last: pieces of a source, such as frames or
// segments, that take work to get and of which more than one read has need.
package recent

import "sync"

// A Cache keeps a fixed number of pieces. Whoever wants one that another is just
// getting waits for that. It is safe for concurrent use.
type Cache struct {
	load func(buf []byte, i int64) ([]byte, error)

	mu      sync.Mutex // for what is each entry's for
	clock   int64
	entries []entry
}

type entry struct {
	wanted int64 // the piece that it was asked for last, from 1 on
	used   int64 // when that was

	mu      sync.Mutex // for what is in it, which may still be an earlier piece
	piece   int64      // from 1 on; 0 if none
	content []byte
}

// New returns a cache of n pieces, which load gets, in buf if that has room. What load
// returns with an error is no piece, but a buffer for the next all the same. A piece that
// could not be got is not kept.
func New(n int, load func(buf []byte, i int64) ([]byte, error)) *Cache {
	return &Cache{load: load, entries: make([]entry, n)}
}

// Len is how many pieces are kept.
func (c *Cache) Len() int { return len(c.entries) }

// Copy copies what it can of piece i, from 0 on, from an offset in it on, to p.
func (c *Cache) Copy(p []byte, i, off int64) (int, error) {
	e := c.entry(i + 1)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.piece != i+1 {
		var err error
		e.piece = 0
		if e.content, err = c.load(e.content, i); err != nil {
			return 0, err
		}
		e.piece = i + 1
	}
	return copy(p, e.content[off:]), nil
}

// entry returns the entry for a piece: the one that was used longest ago, if none
// has been asked for it.
func (c *Cache) entry(piece int64) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.entries[0]
	for i := range c.entries {
		if other := &c.entries[i]; other.wanted == piece {
			e = other
			break
		} else if other.used < e.used {
			e = other
		}
	}
	c.clock++
	e.wanted, e.used = piece, c.clock
	return e
}
