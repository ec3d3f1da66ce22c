package parity

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"runtime"

	"bulla/format"
)

// MakerOptions say how a parity file is made.
type MakerOptions struct {
	Cells int // parity cells of a group, 1 to MaxParity; see [Cells]

	// Chunks is a number of chunks that the container has no more than. It saves
	// memory: m·64 KiB for every lane that is not needed. 0 if there is none.
	Chunks int64

	Workers int // 0 for as many as there are processors
}

// A Maker makes the parity file of the container that is written to it, in one pass.
// It is for one goroutine. It holds no more than 128 MiB of cells (256 MiB for more
// than 64 cells a group), and up to 64 MiB of chunks.
type Maker struct {
	geometry
	dst     io.Writer
	code    *code
	workers int
	most    int64 // chunks that there are lanes for
	lanes   int   // how many accumulators; the lane of a chunk modulo this

	head []byte // of the container, as far as it has come

	// What has come since: chunks that are not coded yet, and perhaps the tail.
	slots  [][]byte
	filled int
	batch  int // how many chunks are coded at once
	coded  int64

	cells   [][][]byte // by lane: the sums so far; nil for an empty lane
	entries []entry    // of the chunks of the window so far
	scratch [][][]byte // by worker
	err     error
}

// batchSlots is how many chunks wait to be coded at once, for all lanes, of which a
// batch takes as many rows as that gives.
const batchSlots = 1024

// NewMaker returns a Maker that writes to dst, which it does not close.
func NewMaker(dst io.Writer, opts MakerOptions) (*Maker, error) {
	return newMaker(dst, opts, depthFor(opts.Cells))
}

func newMaker(dst io.Writer, opts MakerOptions, depth int) (*Maker, error) {
	if opts.Cells < 1 || opts.Cells > MaxParity {
		return nil, fmt.Errorf("parity: %d cells a group, not 1 to %d", opts.Cells, MaxParity)
	}
	m := &Maker{dst: dst, workers: opts.Workers, most: opts.Chunks}
	if m.workers <= 0 {
		m.workers = runtime.GOMAXPROCS(0)
	}
	m.m, m.depth = opts.Cells, depth
	m.lanes = m.depth
	if m.most > 0 {
		m.lanes = m.groups(m.most)
	}
	rows := min(batchSlots/m.depth, groupChunks/8)
	m.batch = rows * m.depth
	var err error
	if m.code, err = newCode(m.m, rows); err != nil {
		return nil, err
	}
	m.cells = make([][][]byte, m.lanes)
	for range m.workers {
		m.scratch = append(m.scratch, m.code.newScratch())
	}
	return m, nil
}

// Write takes the next bytes of the container. It keeps nothing of p. Its errors are
// those of the destination, a [*format.ParseError] if the input does not begin with
// a head that can be read, and [ErrLonger]. They stick.
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
		k := m.put(p[n:])
		n += k
		if m.filled == m.batch*chunkSize+len(m.head) { // what follows a chunk is at least the tail
			if m.err = m.codeBatch(m.batch); m.err == nil && m.coded%m.window() == 0 {
				m.err = m.endWindow(windowHeader, m.coded/m.window()-1)
			}
		}
	}
	return n, m.err
}

// ErrLonger is the error for a container of more chunks than MakerOptions say.
var ErrLonger = errors.New("the container is longer than it was said to be")

// begin writes what comes before the first window.
func (m *Maker) begin() error {
	if _, err := format.ParseHead(m.head); err != nil {
		return err
	}
	m.identity = [format.IdentitySize]byte(m.head)
	if int64(len(m.head)) != m.headSize() {
		return &format.ParseError{Clause: format.HEAD4, Field: "head", Kind: format.ErrMalformed, Reason: "it is not as long as the container's"}
	}
	m.slots = make([][]byte, m.batch+len(m.head)/chunkSize+2)
	return m.write(m.header(startHeader, 0), m.head)
}

func (m *Maker) write(all ...[]byte) error {
	for _, b := range all {
		n, err := m.dst.Write(b)
		if err == nil && n < len(b) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// put takes the beginning of p and returns how much that was.
func (m *Maker) put(p []byte) int {
	slot := &m.slots[m.filled/chunkSize]
	if *slot == nil {
		*slot = make([]byte, chunkSize)
	}
	k := copy((*slot)[m.filled%chunkSize:], p[:min(len(p), m.batch*chunkSize+len(m.head)-m.filled)])
	m.filled += k
	return k
}

// take returns a copy of what came last, n bytes of it.
func (m *Maker) take(n int) []byte {
	b := make([]byte, 0, n)
	for at := m.filled - n; at < m.filled; {
		slot := m.slots[at/chunkSize][at%chunkSize:]
		slot = slot[:min(len(slot), m.filled-at)]
		b = append(b, slot...)
		at += len(slot)
	}
	m.filled -= n
	return b
}

// codeBatch adds the first n chunks that wait to the cells of the window, of which
// they are whole rows but at its end.
func (m *Maker) codeBatch(n int) error {
	if m.most > 0 && m.coded+int64(n) > m.most {
		return ErrLonger
	}
	first := int(m.coded % m.window())
	m.entries = append(m.entries, make([]entry, n)...)
	if err := parallel(m.workers, min(m.lanes, n), func(worker, lane int) error {
		return m.codeLane(lane, first, n, m.scratch[worker])
	}); err != nil {
		return err
	}
	m.coded += int64(n)
	m.filled -= n * chunkSize
	m.slots = append(m.slots[n:], m.slots[:n]...)
	return nil
}

// codeLane is codeBatch for the chunks of one lane. Where there are fewer lanes than
// D it has those of several, each with a block of positions of its own.
func (m *Maker) codeLane(lane, first, n int, scratch [][]byte) error {
	if m.cells[lane] == nil {
		m.cells[lane] = make([][]byte, m.m)
		for j := range m.cells[lane] {
			m.cells[lane][j] = make([]byte, chunkSize)
		}
	}
	chunks := make([][]byte, 0, m.code.rows)
	for l := lane; l < min(m.depth, n); l += m.lanes {
		chunks = chunks[:0]
		for i := l; i < n; i += m.depth {
			chunk := m.slots[i]
			m.entries[first+i] = entryOf(chunk[:min(chunkSize, m.filled-i*chunkSize)])
			chunks = append(chunks, chunk)
		}
		at := func(i int) int { return m.position(first + l + i*m.depth) }
		if err := m.code.add(m.cells[lane], chunks, at, scratch); err != nil {
			return err
		}
	}
	return nil
}

// endWindow writes window w and makes room for the next.
func (m *Maker) endWindow(k kind, w int64) error {
	g := m.geometry
	if k == windowHeader {
		g.chunks = (w + 2) * g.window() // at least: it is not the last
	}
	groups := g.groupsIn(w)
	for lane := groups; lane < m.lanes; lane++ { // the whole is less than they were made for
		for j, cell := range m.cells[lane] {
			into := m.cells[lane%groups][j]
			subtle.XORBytes(into, into, cell)
		}
	}
	for j := range m.m {
		for _, lane := range m.cells[:groups] {
			m.entries = append(m.entries, entryOf(lane[j][:g.cellSize()]))
		}
	}
	header, table := g.header(k, w), g.appendTable(nil, w, m.entries)
	err := m.write(header, table)
	for j := 0; j < m.m && err == nil; j++ {
		for _, lane := range m.cells[:groups] {
			if err = m.write(lane[j][:g.cellSize()]); err != nil {
				break
			}
			clear(lane[j])
		}
	}
	if err == nil {
		err = m.write(table, header)
	}
	m.entries = m.entries[:0]
	return err
}

// Close ends the container, and writes what is left of the parity file. It fails with
// a [*format.ParseError] if what was written is no container whose head and tail are
// equal, and with what Write failed with. It says what the parity file is good for.
func (m *Maker) Close() (Strength, error) {
	if m.err == nil {
		m.err = m.end()
	}
	s, err := m.strength(m.m), m.err
	if err == nil {
		m.err = errors.New("parity: closed")
	}
	return s, err
}

func (m *Maker) end() error {
	cut := &format.ParseError{Clause: format.FILE1, Field: "container", Kind: format.ErrTruncated, Reason: "the input ends inside it"}
	size := m.coded*chunkSize + int64(m.filled+len(m.head))
	if m.slots == nil {
		return cut
	}
	if _, err := format.NewLayout(size, int64(len(m.head))); err != nil {
		return err
	}
	if tail := m.take(len(m.head)); !bytes.Equal(tail, m.head) { // PAR-11
		return &format.ParseError{Clause: format.TAIL2, Field: "tail", Offset: size - int64(len(tail)), Kind: format.ErrMalformed,
			Reason: "the head and the tail differ"}
	}
	n := m.filled/chunkSize + 1
	m.last = int64(m.filled % chunkSize)
	clear(m.slots[n-1][m.last:])
	if err := m.codeBatch(n); err != nil {
		return err
	}
	m.chunks = m.coded
	return m.endWindow(lastHeader, m.windows()-1)
}
