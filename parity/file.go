package parity

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"bulla/format"
)

// A file is a parity file that is read.
type file struct {
	geometry
	src    io.ReaderAt
	length int64 // of the parity file
}

// open finds out what a parity file is about, by the headers that are left (PAR-12).
// The size of the container serves if none says how many chunks there are.
func open(src io.ReaderAt, size, containerSize int64) (*file, error) {
	f := &file{src: src, length: size}
	at := []int64{0, size - blockSize}
	for pages := int64(format.MinPages); pages <= format.MaxPages; pages++ {
		at = append(at, blockSize+pages*format.PageSize)
	}
	var first error
	for _, off := range at {
		g, k, _, err := f.header(off)
		if err == nil && (k == startHeader) == (off == 0) {
			f.geometry = *g
			first = nil
			break
		}
		if first == nil || errors.Is(err, format.ErrUnsupported) {
			first = err
		}
	}
	if first != nil {
		return nil, first
	}
	f.chunks, f.last = 0, 0
	for _, off := range []int64{size - blockSize, f.windowAt((size - 1 - f.windowAt(0)) / f.fullWindow())} {
		g, k, w, err := f.header(off)
		if err == nil && k == lastHeader && f.agrees(g) && (off == g.windowAt(w) || off == g.windowEnd(w)-blockSize) {
			f.geometry = *g
			return f, nil
		}
	}
	l, err := format.NewLayout(containerSize, f.headSize())
	if err != nil {
		return nil, &format.ParseError{Clause: PAR1, Field: "last window", Offset: size, Kind: format.ErrDamaged,
			Reason: "no header of it is left, and the container's size is not what it was"}
	}
	f.chunks = l.Chunks
	_, n := l.Chunk(l.Chunks - 1)
	f.last = n
	return f, nil
}

// header reads the header at off.
func (f *file) header(off int64) (*geometry, kind, int64, error) {
	b := make([]byte, blockSize)
	if off < 0 {
		return parseHeader(nil)
	}
	n, err := f.src.ReadAt(b, off)
	if n < len(b) && err != nil && err != io.EOF {
		return nil, 0, 0, err
	}
	return parseHeader(b[:n])
}

// agrees reports whether two headers are of one file (PAR-4).
func (g *geometry) agrees(o *geometry) bool {
	return g.m == o.m && g.depth == o.depth && g.identity == o.identity
}

// headCopy returns the copy of the container's head, or nil if it is not intact.
func (f *file) headCopy() *format.Head {
	b := make([]byte, f.headSize())
	if n, _ := f.src.ReadAt(b, blockSize); n < len(b) || !bytes.Equal(b[:format.IdentitySize], f.identity[:]) {
		return nil
	}
	h, err := format.ParseHead(b)
	if err != nil {
		return nil
	}
	return h
}

// A table is what the file says of the chunks and cells of a window.
type table struct {
	entries []entry
	missing []bool // by block: neither copy of it is valid
	damaged int    // blocks, of both copies
}

// knows reports whether there is an entry for i: a chunk, or after these a cell.
func (t *table) knows(i int) bool { return !t.missing[i/blockEntries] }

// fits reports whether b is what entry i is about.
func (t *table) fits(i int, b []byte) bool {
	e := &t.entries[i]
	return t.knows(i) && len(b) >= 4 && bytes.Equal(e.end(), b[len(b)-4:]) && entryOf(b) == *e
}

// table reads the tables of window w, of each block the first copy that is valid
// (PAR-13).
func (f *file) table(w int64) *table {
	blocks := f.blocksIn(w)
	t := &table{entries: make([]entry, blocks*blockEntries), missing: make([]bool, blocks)}
	var copies [2][]byte
	for i, at := range f.tablesAt(w) {
		copies[i] = make([]byte, blocks*blockSize)
		readWhole(f.src, copies[i], at, blockSize)
	}
	for b := range blocks {
		t.missing[b] = true
		for _, c := range copies {
			if entries := f.parseBlock(c[b*blockSize:][:blockSize], w, b); entries == nil {
				t.damaged++
			} else if t.missing[b] {
				copy(t.entries[b*blockEntries:], entries)
				t.missing[b] = false
			}
		}
	}
	return t
}

// readWhole fills b from off, and zeros what cannot be read. After a failure it goes on
// in steps, so that a bad sector costs no more than its step. It returns the first
// failure that is not the end of src.
func readWhole(src io.ReaderAt, b []byte, off int64, step int) (first error) {
	if n, err := readFull(src, b, off); n == len(b) || err == nil {
		clear(b[n:])
		return nil
	}
	for len(b) > 0 {
		part := b[:min(step, len(b))]
		n, err := readFull(src, part, off)
		clear(part[n:])
		if first == nil {
			first = err
		}
		b, off = b[len(part):], off+int64(len(part))
	}
	return first
}

// readFull is ReadAt, for which the end of src is no error, nor is a place before it.
func readFull(src io.ReaderAt, b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, nil
	}
	n, err := src.ReadAt(b, off)
	if n == len(b) || err == io.EOF {
		err = nil
	} else if err == nil {
		err = fmt.Errorf("read %d of %d bytes at %d: %w", n, len(b), off, io.ErrNoProgress)
	}
	return n, err
}

// headersDamaged is how many headers are not as they should be.
func (f *file) headersDamaged() (n int) {
	check := func(off int64, k kind, w int64) {
		b := make([]byte, blockSize)
		if readWhole(f.src, b, off, blockSize); !bytes.Equal(b, f.geometry.header(k, w)) {
			n++
		}
	}
	check(0, startHeader, 0)
	for w := range f.windows() {
		k := windowHeader
		if w == f.windows()-1 {
			k = lastHeader
		}
		check(f.windowAt(w), k, w)
		check(f.windowEnd(w)-blockSize, k, w)
	}
	return n
}
