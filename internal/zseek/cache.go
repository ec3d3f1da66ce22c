package zseek

import "sync"

// A cache keeps the content of the frames that were read last, in a fixed number
// of entries. Whoever wants a frame that another is just decoding waits for that.
type cache struct {
	load func(buf []byte, frame int64) ([]byte, error)

	mu      sync.Mutex // for what is each entry's for
	clock   int64
	entries []entry
}

type entry struct {
	wanted int64 // the frame that it was asked for last, from 1 on
	used   int64 // when that was

	mu      sync.Mutex // for what is in it, which may still be an earlier frame
	frame   int64      // from 1 on; 0 if none
	content []byte
}

func newCache(n int, load func([]byte, int64) ([]byte, error)) *cache {
	return &cache{load: load, entries: make([]entry, n)}
}

// copy copies what it can of the content of a frame, from an offset on, to p.
func (c *cache) copy(p []byte, frame, off int64) (int, error) {
	e := c.entry(frame + 1)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.frame != frame+1 {
		var err error
		e.frame = 0
		if e.content, err = c.load(e.content, frame); err != nil {
			return 0, err
		}
		e.frame = frame + 1
	}
	return copy(p, e.content[off:]), nil
}

// entry returns the entry for a frame: the one that was used longest ago, if none
// has been asked for it.
func (c *cache) entry(frame int64) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.entries[0]
	for i := range c.entries {
		if other := &c.entries[i]; other.wanted == frame {
			e = other
			break
		} else if other.used < e.used {
			e = other
		}
	}
	c.clock++
	e.wanted, e.used = frame, c.clock
	return e
}
