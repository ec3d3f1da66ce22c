package storage

import (
	"io"
	"os"
	"slices"
)

// A Range is some bytes of a file.
type Range struct{ Offset, Length int64 }

func (r Range) end() int64 { return r.Offset + r.Length }

// A Scratch is a temporary file without a name: it goes with the program, however that ends.
type Scratch struct{ *os.File }

// NewScratch creates a Scratch, in the directory that TMPDIR names.
func NewScratch() (*Scratch, error) {
	f, err := os.CreateTemp("", ".bulla-")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name())
	return &Scratch{f}, nil
}

// Close removes the file.
func (s *Scratch) Close() error {
	err := s.File.Close()
	os.Remove(s.Name()) // where an open file keeps its name
	return err
}

// A draft is an object as it is going to be: what was written, over what there is.
type draft struct {
	*Patch
	length  int64       // of what it is going to be
	changed []Range     // what was written
	written io.ReaderAt // that, each byte in its place
}

// edits have what is to be written in memory.
type edits []Change

func (e edits) ReadAt(b []byte, off int64) (int, error) {
	for _, c := range e {
		c.over(b, off)
	}
	return len(b), nil
}

// over puts the change into b, bytes of the file from off on, as far as it is there.
func (c *Change) over(b []byte, off int64) {
	if at := c.Offset - off; at < 0 && -at < int64(len(c.New)) {
		copy(b, c.New[-at:])
	} else if at >= 0 && at < int64(len(b)) {
		copy(b[at:], c.New)
	}
}

// ReadAt implements [Place]. What is all written anew is not asked for.
func (d *draft) ReadAt(b []byte, off int64) (n int, err error) {
	all := Range{off, min(int64(len(b)), max(0, d.length-off))}
	if !slices.ContainsFunc(d.changed, func(r Range) bool { return r.Offset <= off && all.end() <= r.end() }) {
		if n, err = d.At().ReadAt(b[:all.Length], off); err != nil && err != io.EOF {
			return n, err
		}
	}
	clear(b[n:all.Length])
	for _, r := range d.changed {
		if low, high := max(off, r.Offset), min(all.end(), r.end()); low < high {
			if _, err := d.written.ReadAt(b[low-off:high-off], low); err != nil {
				return 0, err
			}
		}
	}
	if all.Length < int64(len(b)) {
		return int(all.Length), io.EOF
	}
	return len(b), nil
}

// WriteAt implements [Place].
func (d *draft) WriteAt(b []byte, off int64) (n int, err error) {
	if d.scratch == nil {
		if d.scratch, err = NewScratch(); err != nil {
			return 0, err
		}
	}
	d.written = d.scratch
	n, err = d.scratch.WriteAt(b, off)
	if k := len(d.changed) - 1; k >= 0 && d.changed[k].end() == off {
		d.changed[k].Length += int64(n)
	} else {
		d.changed = append(d.changed, Range{off, int64(n)})
	}
	d.length = max(d.length, off+int64(n))
	return n, err
}

// Truncate implements [Place].
func (d *draft) Truncate(size int64) error {
	d.length = size
	for i := range d.changed {
		d.changed[i].Length = min(d.changed[i].Length, size-d.changed[i].Offset)
	}
	d.changed = slices.DeleteFunc(d.changed, func(r Range) bool { return r.Length <= 0 })
	return nil
}

// Sync implements [Place].
func (d *draft) Sync() error {
	d.busy.Lock()
	defer d.busy.Unlock()
	if len(d.changed) == 0 && d.length == d.size {
		return nil
	}
	return d.replace()
}

func (d *draft) replace() error {
	return d.object.(Patcher).Replace(d, d.length, d.changed, d.Options)
}
