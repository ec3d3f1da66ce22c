package parity

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/reedsolomon"

	"bulla/format"
	"bulla/internal/parallel"
)

// A Maker makes the parity file of the container that is written to it, in one pass. It
// is for one goroutine. It holds up to 16 MiB of chunks, and 64 KiB for each of up to
// 512 cells (2048 if a group has more than 32).
type Maker struct {
	geometry
	dst     io.Writer
	code    reedsolomon.Encoder
	workers int
	head    []byte // of the container, as far as it has come

	// What has come since: chunks that are not coded yet, at most one for each lane, and
	// perhaps the tail.
	slots  [][]byte
	filled int // bytes
	coded  int64

	// Of the window so far. A lane is the chunks r with one r mod D: it becomes a group,
	// or a part of one if the whole container is less than a window.
	cells   [][][]byte // by lane: their sums; nil for an empty one
	entries []byte
	size    int64 // of the parity file so far
	err     error
}

// Size is how many bytes were written.
func (m *Maker) Size() int64 { return m.size }

// NewMaker returns a Maker of so many cells a group, 1 to MaxParity (see [Cells]), with
// so many workers, or 0 for as many as there are processors. It does not close dst.
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
	m := &Maker{geometry: geometry{m: cells, depth: depth}, dst: dst, workers: workers, cells: make([][][]byte, depth)}
	m.code, err = newCode(cells)
	return m, err
}

// Write takes the next bytes of the container and keeps nothing of p. Its errors are
// those of the destination, and a [*format.ParseError] if the input does not begin with
// a head that can be read. They stick.
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
		full := m.depth*chunkSize + len(m.head) // what follows a chunk is at least the tail
		slot := &m.slots[m.filled/chunkSize]
		if *slot == nil {
			*slot = make([]byte, chunkSize)
		}
		k := copy((*slot)[m.filled%chunkSize:], p[n:min(len(p), n+full-m.filled)])
		n, m.filled = n+k, m.filled+k
		if m.filled == full {
			if m.err = m.codeRow(m.depth); m.err == nil && m.coded%m.window() == 0 {
				m.chunks = m.coded + m.window() // at least: this window is not the last
				m.err = m.endWindow(m.coded/m.window() - 1)
			}
		}
	}
	return n, m.err
}

// begin writes what comes before the first window.
func (m *Maker) begin() error {
	if _, err := format.ParseHead(m.head); err != nil {
		return err
	}
	m.identity = [format.IdentitySize]byte(m.head)
	m.slots = make([][]byte, m.depth+len(m.head)/chunkSize+2)
	return m.write(m.header(start, 0), m.head)
}

func (m *Maker) write(all ...[]byte) error {
	for _, b := range all {
		n, err := m.dst.Write(b)
		m.size += int64(n)
		if err == nil && n < len(b) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// codeRow adds the first n chunks that wait to the cells of the window: one to each lane,
// or fewer at the end of the container.
func (m *Maker) codeRow(n int) error {
	first := int(m.coded % m.window())
	m.entries = append(m.entries, make([]byte, n*entrySize)...)
	if err := parallel.Do(m.workers, n, func(_, lane int) error {
		if m.cells[lane] == nil {
			m.cells[lane] = make([][]byte, m.m)
			for j := range m.cells[lane] {
				m.cells[lane][j] = make([]byte, chunkSize)
			}
		}
		putEntry(m.entries[(first+lane)*entrySize:], m.slots[lane][:min(chunkSize, m.filled-lane*chunkSize)])
		return m.code.EncodeIdx(m.slots[lane], m.position(first+lane), m.cells[lane])
	}); err != nil {
		return err
	}
	m.coded += int64(n)
	m.filled -= n * chunkSize
	m.slots = append(m.slots[n:], m.slots[:n]...)
	return nil
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
			putEntry(m.entries[len(m.entries)-entrySize:], cell)
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
	return m.write(table, header)
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
	m.slots, m.cells = nil, nil // which whoever wrote to m need not keep
	return m.strength(m.m), err
}

func (m *Maker) end() error {
	size := m.coded*chunkSize + int64(m.filled+len(m.head))
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
		slot := m.slots[at/chunkSize][at%chunkSize:]
		tail = append(tail, slot[:min(len(slot), len(m.head)-len(tail))]...)
		at += len(slot)
	}
	if !bytes.Equal(tail, m.head) { // PAR-11
		return &format.ParseError{Clause: format.TAIL2, Field: "tail", Offset: size - int64(len(tail)), Kind: format.ErrMalformed,
			Reason: "the head and the tail differ"}
	}
	n := m.filled/chunkSize + 1
	m.last = int64(m.filled % chunkSize)
	clear(m.slots[n-1][m.last:])
	if err := m.codeRow(n); err != nil {
		return err
	}
	m.chunks = m.coded
	return m.endWindow(m.windows() - 1)
}
