package parity

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"sync"

	"bulla/format"
	"bulla/internal/fullio"
	"bulla/internal/parallel"
)

// maxWaiting is how many chunks wait to be coded together: 32 MiB.
const maxWaiting = 512

// A Maker makes the parity file of the container that is written to it, in one pass. It
// is for one goroutine. It holds up to 64 MiB of chunks, half of them being coded, and 64 KiB
// for each of up to 512 cells (2048 if a group has more than 32). What has come is coded, and
// written to the destination, beside what comes meanwhile; when Close or Abort returns, that has ended.
type Maker struct {
	geometry
	dst   io.Writer
	coder *coder
	head  []byte // of the container, as far as it has come

	// What has come since: chunks that are not coded yet, a few of each lane, and perhaps
	// the tail.
	slots  []slot
	filled int   // bytes
	taken  int64 // chunks before them, coded or being coded
	err    error

	mu   sync.Mutex
	free map[int][]*room // by size, in bytes

	// What follows is that of the goroutine that codes, while there is one.
	coding chan error // what it ends with; nil: there is none
	alone  bool       // nothing comes meanwhile
	tiles  []*tile    // one for each worker
	size   int64      // of the parity file so far
	back   fullio.Writeback

	// Of the window so far. A lane is the chunks r with one r mod D: it becomes a group,
	// or a part of one if the whole container is less than a window.
	cells   [][][]byte // by lane: their sums; nil for an empty one
	entries []byte
}

// A slot has room for a chunk.
type slot struct {
	b   []byte // chunkSize; nil if nothing has come
	in  *room  // has it
	sum uint32 // of what has come, computed while it is in the processor's cache
}

// A room has some chunks.
type room struct {
	b    []byte
	left int // chunks that are not coded yet
}

// room is a room of n chunks: the one that was free last, as it may still be in the processor's cache.
func (m *Maker) room(n int) *room {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.free[n*chunkSize]; len(f) > 0 {
		r := f[len(f)-1]
		m.free[n*chunkSize] = f[:len(f)-1]
		r.left = n
		return r
	}
	return &room{make([]byte, n*chunkSize), n}
}

// Size is how many bytes were written, once the Maker is closed.
func (m *Maker) Size() int64 { return m.size }

// NewMaker returns a Maker of so many cells a group, 1 to MaxParity (see [Cells]), with
// so many workers, or 0 for as many as there are processors. It does not close dst. If that is
// an *os.File, its writeback starts with each window.
func NewMaker(dst io.Writer, cells, workers int) (*Maker, error) {
	return newMaker(dst, cells, workers, depthFor(cells))
}

func newMaker(dst io.Writer, cells, workers, depth int) (_ *Maker, err error) {
	if cells < 1 || cells > MaxParity {
		return nil, fmt.Errorf("parity: %d cells a group, not 1 to %d", cells, MaxParity)
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	m := &Maker{geometry: geometry{m: cells, depth: depth}, dst: dst, cells: make([][][]byte, depth),
		alone: workers == 1, tiles: make([]*tile, max(1, workers-1))} // one takes what comes
	m.back.Start(dst)
	m.coder, err = newCoder(cells, min(tileChunks, maxWaiting/depth))
	return m, err
}

// Write takes the next bytes of the container and keeps nothing of p. Its errors are
// those of the destination, perhaps of up to 64 MiB before p, and a [*format.ParseError] if
// the input does not begin with a head that can be read. They stick.
func (m *Maker) Write(p []byte) (n int, err error) {
	for n < len(p) && m.err == nil {
		if want := format.CopySize(m.head); len(m.head) < want {
			k := min(want-len(m.head), len(p)-n)
			m.head = append(m.head, p[n:n+k]...)
			if n += k; len(m.head) == format.CopySize(m.head) {
				m.err = m.begin()
			}
			continue
		}
		full := m.full()
		s, at := &m.slots[m.filled/chunkSize], m.filled%chunkSize
		if s.b == nil {
			s.in = m.room(1)
			s.b, s.sum = s.in.b, 0
		}
		k := copy(s.b[at:], p[n:min(len(p), n+full-m.filled)])
		s.sum = crc32.Update(s.sum, castagnoli, p[n:n+k])
		n, m.filled = n+k, m.filled+k
		if m.filled == full {
			m.err = m.add(m.waiting(), false)
		}
	}
	return n, m.err
}

// Keep is Write. Of p, if it is whole chunks, the Maker takes chunk by chunk without a copy.
func (m *Maker) Keep(p []byte) (instead []byte, err error) {
	n := len(p) / chunkSize
	if n == 0 || n*chunkSize != len(p) || m.slots == nil || m.err != nil || m.filled%chunkSize != 0 || m.filled+len(p) >= m.full() {
		_, err = m.Write(p)
		return p, err
	}
	r := m.room(n)
	instead, r.b = r.b, p
	for ; len(p) > 0; p = p[chunkSize:] {
		b := p[:chunkSize:chunkSize]
		m.slots[m.filled/chunkSize] = slot{b, r, crc(b)}
		m.filled += chunkSize
	}
	return instead, nil
}

// begin writes what comes before the first window.
func (m *Maker) begin() error {
	if _, err := format.ParseHead(m.head); err != nil {
		return err
	}
	m.identity = [format.IdentitySize]byte(m.head)
	m.free = make(map[int][]*room)
	m.slots = make([]slot, m.waiting()+len(m.head)/chunkSize+2)
	return m.write(m.header(start, 0), m.head)
}

func (m *Maker) write(all ...[]byte) error {
	for _, b := range all {
		n, err := m.dst.Write(b)
		m.size += int64(n)
		m.back.Wrote(n)
		if err == nil && n < len(b) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// full is how many bytes are there when chunks are coded: what follows a chunk is at least the tail.
func (m *Maker) full() int { return m.waiting()*chunkSize + len(m.head) }

// waiting is how many chunks are coded together: some of each lane.
func (m *Maker) waiting() int { return m.coder.rows * m.depth }

// add has the first n chunks that wait added to the cells of their window, and the window
// written if it ends with them.
func (m *Maker) add(n int, last bool) error {
	if err := m.wait(); err != nil {
		return err
	}
	chunks, size := m.slots[:n], min(chunkSize, m.filled-(n-1)*chunkSize)
	if size < chunkSize { // the tail followed it
		chunks[n-1].sum = crc(chunks[n-1].b[:size])
	}
	w, first := m.taken/m.window(), int(m.taken%m.window())
	m.slots = append(slices.Clone(m.slots[n:]), make([]slot, n)...)
	m.taken += int64(n)
	m.filled -= n * chunkSize
	if m.chunks = m.taken; !last {
		m.chunks += m.window() // at least: this window is not the last
	}
	m.coding = make(chan error, 1)
	go func() {
		err := m.code(first, chunks, size)
		if err == nil && (last || first+n == int(m.window())) {
			err = m.endWindow(w)
		}
		m.coding <- err
	}()
	if last || m.alone {
		return m.wait()
	}
	return nil
}

// wait waits for the chunks that are being coded.
func (m *Maker) wait() error {
	if m.coding == nil {
		return nil
	}
	err := <-m.coding
	m.coding = nil
	return err
}

// code adds the chunks from first in the window, the last of which has so many bytes, to its cells.
func (m *Maker) code(first int, chunks []slot, last int) error {
	n := len(chunks)
	m.entries = append(m.entries, make([]byte, n*entrySize)...)
	var none []byte // for chunks that there are not
	if n < m.waiting() {
		none = make([]byte, chunkSize)
	}
	return parallel.Do(len(m.tiles), min(n, m.depth), func(worker, lane int) error {
		if m.cells[lane] == nil {
			m.cells[lane] = make([][]byte, m.m)
			for j := range m.cells[lane] {
				m.cells[lane][j] = make([]byte, chunkSize)
				clear(m.cells[lane][j]) // a page that is read before it is written faults twice, and stops the other cores
			}
		}
		if m.tiles[worker] == nil {
			m.tiles[worker] = new(tile)
		}
		var row [tileChunks][]byte
		rows := m.coder.rows
		for i := range rows {
			chunk, k := none, lane+i*m.depth
			if k < n {
				chunk = chunks[k].b
				size := chunkSize
				if k == n-1 {
					size = last
				}
				putEntry(m.entries[(first+k)*entrySize:], chunks[k].sum, chunk[:size])
			}
			row[m.position(first+k)%rows] = chunk
		}
		err := m.coder.add(m.position(first+lane)/rows, row[:rows], m.cells[lane], m.tiles[worker])
		m.mu.Lock()
		defer m.mu.Unlock()
		for k := lane; k < n; k += m.depth {
			r := chunks[k].in
			if r.left--; r.left == 0 {
				m.free[len(r.b)] = append(m.free[len(r.b)], r)
			}
			chunks[k] = slot{}
		}
		return err
	})
}

// endWindow writes window w and makes room for the next.
func (m *Maker) endWindow(w int64) error {
	groups := m.groupsIn(w)
	for lane := groups; lane < m.depth; lane++ { // all lanes are groups, but in a container of less than a window
		for j, cell := range m.cells[lane] {
			subtle.XORBytes(m.cells[lane%groups][j], m.cells[lane%groups][j], cell)
		}
	}
	var cells [][]byte
	for j := range m.m {
		for _, lane := range m.cells[:groups] {
			cell := lane[j][:m.cellSize()]
			cells = append(cells, cell)
			m.entries = append(m.entries, make([]byte, entrySize)...)
			putEntry(m.entries[len(m.entries)-entrySize:], crc(cell), cell)
		}
	}
	header, table := m.header(m.kindOf(w), w), m.appendTable(nil, w, m.entries)
	m.entries = m.entries[:0]
	if err := m.write(header, table); err != nil {
		return err
	}
	if err := m.write(cells...); err != nil {
		return err
	}
	for _, cell := range cells {
		clear(cell)
	}
	defer m.back.Now() // the next window is far
	return m.write(table, header)
}

// Abort ends the Maker, which writes nothing more once it returns. After Close it does nothing.
func (m *Maker) Abort() {
	if m.err == nil {
		m.err = errors.New("parity: aborted")
	}
	m.wait()
}

// Close ends the container, and writes what is left of the parity file. It says what the
// parity file is good for. It fails with a [*format.ParseError] if what was written is no
// container whose head and tail are equal, and with what Write failed with.
func (m *Maker) Close() (Strength, error) {
	if m.err == nil {
		m.err = m.end()
	}
	err := m.err
	if err == nil {
		m.err = errors.New("parity: closed")
	}
	m.wait()                                 // after a failure, too
	m.slots, m.free, m.cells = nil, nil, nil // which whoever wrote to m need not keep
	return m.strength(m.m), err
}

func (m *Maker) end() error {
	if err := m.wait(); err != nil {
		return err
	}
	size := m.taken*chunkSize + int64(m.filled+len(m.head))
	_, err := format.NewLayout(size, int64(len(m.head)))
	if m.slots == nil {
		_, err = format.ParseHead(m.head)
	}
	if err != nil {
		return err
	}
	tail := make([]byte, 0, len(m.head))
	m.filled -= len(m.head)
	for at := m.filled; len(tail) < len(m.head); {
		slot := m.slots[at/chunkSize].b[at%chunkSize:]
		tail = append(tail, slot[:min(len(slot), len(m.head)-len(tail))]...)
		at += len(slot)
	}
	if !bytes.Equal(tail, m.head) { // PAR-11
		return &format.ParseError{Clause: format.TAIL2, Field: "tail", Offset: size - int64(len(tail)), Kind: format.ErrMalformed,
			Reason: "the head and the tail differ"}
	}
	n := m.filled/chunkSize + 1
	m.last = int64(m.filled % chunkSize)
	clear(m.slots[n-1].b[m.last:])
	return m.add(n, true)
}
