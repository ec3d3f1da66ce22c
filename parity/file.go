package parity

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"bulla/format"
)

// A file is a parity file that is read.
type file struct {
	geometry
	par    io.ReaderAt
	length int64
}

// open finds out what a parity file is about, by the headers that are left (PAR-12).
// The size of the container serves if none says how many chunks there are.
func open(par io.ReaderAt, length, containerSize int64) (*file, error) {
	f := &file{par: par, length: length}
	first := []int64{0, length - blockSize}
	for pages := int64(format.MinPages); pages <= format.MaxPages; pages++ {
		first = append(first, blockSize+pages*format.PageSize)
	}
	var why error
	for _, off := range first {
		g, k, _, err := f.header(off)
		if err == nil && (k == start) == (off == 0) {
			f.geometry = *g
			break
		}
		if why == nil || errors.Is(err, format.ErrUnsupported) {
			why = err
		}
	}
	if f.m == 0 {
		return nil, why
	}
	perWindow := f.windowAt(1) - f.windowAt(0)
	for _, off := range []int64{length - blockSize, f.windowAt((length - 1 - f.windowAt(0)) / perWindow)} {
		g, k, w, err := f.header(off)
		if err == nil && k == lastWindow && g.m == f.m && g.depth == f.depth && g.identity == f.identity && // PAR-4
			(off == g.headersAt(w)[0] || off == g.headersAt(w)[1]) {
			f.geometry = *g
			return f, nil
		}
	}
	l, err := format.NewLayout(containerSize, f.headSize())
	if err != nil {
		return nil, refused(PAR1, format.ErrDamaged, "none of the last window is left, and the container does not have the size that it had")
	}
	f.chunks, f.last = l.Chunks, l.TailOffset()-f.chunkAt(l.Chunks-1)
	return f, nil
}

// header reads the header at off.
func (f *file) header(off int64) (*geometry, kind, int64, error) {
	b := make([]byte, blockSize)
	if err := readAt(f.par, b, off, blockSize); err != nil {
		return nil, 0, 0, err
	}
	return parseHeader(b)
}

// readAt fills b from off, with zeros for what is not there or cannot be read. After a
// failure it goes on in steps, so that a bad sector costs no more than its step. It
// returns the first failure.
func readAt(src io.ReaderAt, b []byte, off int64, step int) (failed error) {
	if off < 0 {
		skip := min(-off, int64(len(b)))
		clear(b[:skip])
		b, off = b[skip:], 0
	}
	n, err := src.ReadAt(b, off)
	clear(b[n:])
	if n == len(b) || err == io.EOF {
		return nil
	}
	for failed = err; len(b) > 0; b, off = b[min(step, len(b)):], off+int64(step) {
		part := b[:min(step, len(b))]
		n, _ := src.ReadAt(part, off)
		clear(part[n:])
	}
	return failed
}

// HeadAt is where a parity file has its copy of the container's head.
const HeadAt = blockSize

// IsOf reports whether par, by its first header or by the copy of the head in it, is the parity file of the
// container with that head (PAR-5): then that copy is to be brought up to date with the head (PAR-10).
func IsOf(par io.ReaderAt, head []byte) bool {
	begin := make([]byte, HeadAt+format.IdentitySize)
	readAt(par, begin, 0, blockSize)
	id := head[:min(len(head), format.IdentitySize)]
	g, _, _, err := parseHeader(begin[:blockSize])
	return bytes.Equal(begin[HeadAt:], id) || err == nil && bytes.Equal(g.identity[:], id)
}

// headCopy returns the copy of the container's head, or nil if it is not usable.
func (f *file) headCopy() *format.Copy {
	b := make([]byte, f.headSize())
	readAt(f.par, b, blockSize, blockSize)
	h, err := format.ParseHead(b)
	if err != nil || !bytes.Equal(b[:format.IdentitySize], f.identity[:]) {
		return nil
	}
	return &format.Copy{Raw: b, Head: h}
}

// A table is what the file says of the chunks and cells of a window.
type table struct {
	blocks  []byte // valid ones
	missing []bool // by block: no copy of it is
	damaged int64  // blocks of both copies, and headers
}

// table reads the tables of window w, of each block the first valid copy (PAR-13).
func (f *file) table(w int64) *table {
	t := &table{blocks: make([]byte, f.tableSize(w)), missing: make([]bool, f.tableSize(w)/blockSize)}
	for b := range t.missing {
		t.missing[b] = true
	}
	buf := make([]byte, len(t.blocks))
	for _, at := range f.tablesAt(w) {
		readAt(f.par, buf, at, blockSize)
		for b := range t.missing {
			if block := buf[b*blockSize:][:blockSize]; !f.validBlock(block, w, b) {
				t.damaged++
			} else if t.missing[b] {
				copy(t.blocks[b*blockSize:], block)
				t.missing[b] = false
			}
		}
	}
	want := f.geometry.header(f.kindOf(w), w)
	for _, at := range f.headersAt(w) {
		if readAt(f.par, buf[:blockSize], at, blockSize); !bytes.Equal(buf[:blockSize], want) {
			t.damaged++
		}
	}
	return t
}

// knows reports whether there is an entry for i: a chunk, or after these a cell.
func (t *table) knows(i int) bool { return !t.missing[i/blockEntries] }

func (t *table) entry(i int) []byte {
	return t.blocks[i/blockEntries*blockSize+i%blockEntries*entrySize:][:entrySize]
}

// fits reports whether b is what entry i is about.
func (t *table) fits(i int, b []byte) bool {
	e := t.entry(i)
	return t.knows(i) && bytes.Equal(e[4:], b[len(b)-4:]) && binary.BigEndian.Uint32(e) == crc(b)
}
