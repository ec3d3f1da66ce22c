// Package recent keeps what was read last: pieces of a source, such as frames or
// segments, that take work to get and of which more than one read has need.
package recent

import (
	"cmp"
	"sync"
)

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
	users  int   // who are at it

	mu      sync.RWMutex // for what is in it, which may still be an earlier piece
	piece   int64        // from 1 on; 0 if none
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
func (c *Cache) Copy(p []byte, i, off int64) (int, error) { return c.CopyAhead(p, i, off, i+1) }

// CopyAhead is Copy for reads in order, which go on to the pieces before end: a caller that would
// wait for a piece that another is getting gets one of these first.
func (c *Cache) CopyAhead(p []byte, i, off, end int64) (int, error) {
	e := c.take(i + 1)
	defer c.leave(e)
	if e.mu.TryRLock() {
		if e.piece == i+1 {
			defer e.mu.RUnlock()
			return copy(p, e.content[off:]), nil
		}
		e.mu.RUnlock()
	}
	if !e.mu.TryLock() {
		c.ahead(i, min(end, i+int64(len(c.entries))-1))
		e.mu.Lock()
	}
	defer e.mu.Unlock()
	if err := c.fill(e, i); err != nil {
		return 0, err
	}
	return copy(p, e.content[off:]), nil
}

// ahead gets the first piece after i and before end that nobody has asked for, in the place of one
// before i. If that fails, it fails again for who wants it.
func (c *Cache) ahead(i, end int64) {
	for next := i + 1; next < end; next++ {
		if e := c.spare(next+1, i+1); e != nil {
			c.fill(e, next)
			e.mu.Unlock()
			c.leave(e)
			return
		}
	}
}

// fill gets piece i into an entry.
func (c *Cache) fill(e *entry, i int64) (err error) {
	if e.piece == i+1 {
		return nil
	}
	e.piece = 0
	if e.content, err = c.load(e.content, i); err == nil {
		e.piece = i + 1
	}
	return err
}

// take returns the entry for a piece: if none has been asked for it, the one that was used longest
// ago, of those that nobody is at if there are any.
func (c *Cache) take(piece int64) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	var e *entry
	for i := range c.entries {
		other := &c.entries[i]
		if other.wanted == piece {
			e = other
			break
		}
		if e == nil || cmp.Or(cmp.Compare(min(other.users, 1), min(e.users, 1)), cmp.Compare(other.used, e.used)) < 0 {
			e = other
		}
	}
	c.ask(e, piece)
	return e
}

// spare returns an entry for a piece, locked, that nobody is at and that has one from before another;
// nil if there is none, or the piece is asked for.
func (c *Cache) spare(piece, before int64) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	var e *entry
	for i := range c.entries {
		switch other := &c.entries[i]; {
		case other.wanted == piece:
			return nil
		case other.users == 0 && other.wanted < before && (e == nil || other.used < e.used):
			e = other
		}
	}
	if e == nil || !e.mu.TryLock() {
		return nil
	}
	c.ask(e, piece)
	return e
}

func (c *Cache) ask(e *entry, piece int64) {
	c.clock++
	e.wanted, e.used = piece, c.clock
	e.users++
}

func (c *Cache) leave(e *entry) {
	c.mu.Lock()
	e.users--
	c.mu.Unlock()
}
