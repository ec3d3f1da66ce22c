package zseek

import "sync"

// A cache keeps the content of the frames that were read last. Whoever wants a
// frame that another is just decoding waits for that. It never holds more than
// its number of entries: who needs one while all are in use waits, too.
type cache struct {
	load func(buf []byte, frame int64) ([]byte, error)

	mu      sync.Mutex
	changed sync.Cond // an entry was loaded or given back
	clock   int64
	entries []entry
}

type entry struct {
	frame   int64 // which, if known
	known   bool
	users   int  // that hold it
	loading bool // by its first user
	used    int64
	content []byte
	err     error // why there is no content
}

func newCache(n int, load func([]byte, int64) ([]byte, error)) *cache {
	c := &cache{load: load, entries: make([]entry, n)}
	c.changed.L = &c.mu
	return c
}

// get returns the entry with the content of a frame, or with the reason why
// there is none, which is the caller's to read until it is put.
func (c *cache) get(frame int64) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.find(frame)
	for e == nil {
		if e = c.unused(); e != nil {
			*e = entry{frame: frame, known: true, content: e.content, loading: true}
			break
		}
		c.changed.Wait()
		e = c.find(frame)
	}
	e.users++
	c.clock++
	e.used = c.clock
	switch {
	case e.users == 1 && e.loading:
		c.mu.Unlock()
		content, err := c.load(e.content, frame)
		c.mu.Lock()
		// A failure is for those who wait for it, not for later.
		e.content, e.err, e.known, e.loading = content, err, err == nil, false
		c.changed.Broadcast()
	default:
		for e.loading {
			c.changed.Wait()
		}
	}
	return e
}

func (c *cache) put(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.users--; e.users == 0 {
		c.changed.Broadcast()
	}
}

func (c *cache) find(frame int64) *entry {
	for i := range c.entries {
		if e := &c.entries[i]; e.known && e.frame == frame {
			return e
		}
	}
	return nil
}

// unused returns the entry that was used longest ago, of those nobody holds.
func (c *cache) unused() *entry {
	var oldest *entry
	for i := range c.entries {
		if e := &c.entries[i]; e.users == 0 && (oldest == nil || e.used < oldest.used) {
			oldest = e
		}
	}
	return oldest
}
