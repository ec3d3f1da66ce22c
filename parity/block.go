package parity

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"bulla/format"
)

// The clauses of spec/parity.md that a parity file can break, or a container with it.
const (
	PAR1 format.Clause = "PAR-1" // magic and checksum of a header
	PAR2 format.Clause = "PAR-2" // layout
	PAR3 format.Clause = "PAR-3" // limits
	PAR4 format.Clause = "PAR-4" // headers and tables agree
	PAR5 format.Clause = "PAR-5" // identity
	PAR6 format.Clause = "PAR-6" // a block's number and checksum
	PAR7 format.Clause = "PAR-7" // entries
	PAR9 format.Clause = "PAR-9" // the file ends with the last window
)

// A header stands at the start of the file, and at both ends of each window.
//
//	  0   8  magic      "bullapar"
//	  8   1  layout     1
//	  9   1  kind       0 start, 1 window, 2 last window
//	 10   2  m          parity cells of a group
//	 12   2  D          depth
//	 14   2  zero
//	 16  96  identity   bytes 0..95 of the container
//	112   8  window     its number
//	120   4  n          chunks of the window
//	124   4  last       length of the window's last chunk
//	128 380  zero
//	508   4  checksum   CRC-32C of bytes 0..507
const (
	Magic  = "bullapar"
	layout = 1

	offLayout   = len(Magic)
	offKind     = offLayout + 1
	offM        = offKind + 1
	offDepth    = offM + 2
	offZero     = offDepth + 2
	offIdentity = offZero + 2
	offWindow   = offIdentity + format.IdentitySize
	offN        = offWindow + 8
	offLast     = offN + 4
	offRest     = offLast + 4

	blockSize   = 512
	offChecksum = blockSize - 4
)

type kind byte

const (
	startHeader kind = iota
	windowHeader
	lastHeader
)

// header returns the header of that kind of window w; of a start header w is 0.
func (g *geometry) header(k kind, w int64) []byte {
	b := make([]byte, blockSize)
	copy(b, Magic)
	b[offLayout], b[offKind] = layout, byte(k)
	binary.BigEndian.PutUint16(b[offM:], uint16(g.m))
	binary.BigEndian.PutUint16(b[offDepth:], uint16(g.depth))
	copy(b[offIdentity:], g.identity[:])
	switch k {
	case windowHeader:
		binary.BigEndian.PutUint32(b[offN:], uint32(g.window()))
		binary.BigEndian.PutUint32(b[offLast:], chunkSize)
	case lastHeader:
		binary.BigEndian.PutUint32(b[offN:], uint32(g.chunks-w*g.window()))
		binary.BigEndian.PutUint32(b[offLast:], uint32(g.last))
	}
	binary.BigEndian.PutUint64(b[offWindow:], uint64(w))
	binary.BigEndian.PutUint32(b[offChecksum:], crc(b[:offChecksum]))
	return b
}

// parseHeader is the inverse of header: of a last header the geometry has the number
// of chunks. It enforces PAR-1 to PAR-3.
func parseHeader(b []byte) (g *geometry, k kind, w int64, err error) {
	fail := func(c format.Clause, what error, reason string) (*geometry, kind, int64, error) {
		return nil, 0, 0, &format.ParseError{Clause: c, Field: "header", Kind: what, Reason: reason}
	}
	switch {
	case len(b) < blockSize:
		return fail(PAR1, format.ErrTruncated, "the file ends inside a header")
	case string(b[:offLayout]) != Magic:
		return fail(PAR1, format.ErrMalformed, "it does not begin with the magic")
	case binary.BigEndian.Uint32(b[offChecksum:]) != crc(b[:offChecksum]):
		return fail(PAR1, format.ErrDamaged, "the checksum is wrong")
	case b[offLayout] != layout:
		return fail(PAR2, format.ErrUnsupported, fmt.Sprintf("layout %d, this reader knows %d", b[offLayout], layout))
	}
	g = &geometry{
		m: int(binary.BigEndian.Uint16(b[offM:])), depth: int(binary.BigEndian.Uint16(b[offDepth:])),
		identity: [format.IdentitySize]byte(b[offIdentity:]),
	}
	k, w = kind(b[offKind]), int64(binary.BigEndian.Uint64(b[offWindow:]))
	if !g.valid() || w < 0 || w > format.MaxChunks/g.window() {
		return fail(PAR3, format.ErrMalformed, "a field is beyond its limits")
	}
	if k == lastHeader {
		n, last := int64(binary.BigEndian.Uint32(b[offN:])), int64(binary.BigEndian.Uint32(b[offLast:]))
		if n < 1 || n > g.window() || last < format.TagSize || last >= chunkSize {
			return fail(PAR3, format.ErrMalformed, "a field is beyond its limits")
		}
		if g.chunks, g.last = w*g.window()+n, last; g.chunks > format.MaxChunks {
			return fail(PAR9, format.ErrUnsupported, "more than 2^46 chunks")
		}
	}
	// There is one encoding of everything.
	if want := g.header(k, w); k > lastHeader || k == startHeader && w != 0 || !bytes.Equal(b, want) {
		if len(bytes.Trim(b[offZero:offIdentity], "\x00"))+len(bytes.Trim(b[offRest:offChecksum], "\x00")) > 0 {
			return fail(PAR2, format.ErrUnsupported, "a reserved byte is not zero")
		}
		return fail(PAR3, format.ErrMalformed, "a field is not what its kind says")
	}
	return g, k, w, nil
}

// An entry of the table says what a chunk or cell was:
//
//	0  4  CRC-32C
//	4  4  its last 4 bytes
//
// A block of the table:
//
//	  0 504  63 entries
//	504   4  its number
//	508   4  CRC-32C of identity, window, and bytes 0..507
const (
	entrySize    = 8
	blockEntries = 63
	offNumber    = blockEntries * entrySize
)

type entry [entrySize]byte

func entryOf(b []byte) (e entry) {
	binary.BigEndian.PutUint32(e[:], crc(b))
	copy(e[4:], b[len(b)-4:])
	return e
}

// end is the last 4 bytes of what the entry is about.
func (e *entry) end() []byte { return e[4:] }

// appendTable appends the blocks of the table of window w.
func (g *geometry) appendTable(b []byte, w int64, entries []entry) []byte {
	for number := 0; len(entries) > 0; number++ {
		block := make([]byte, blockSize)
		n := min(len(entries), blockEntries)
		for i := range n {
			copy(block[i*entrySize:], entries[i][:])
		}
		binary.BigEndian.PutUint32(block[offNumber:], uint32(number))
		binary.BigEndian.PutUint32(block[offChecksum:], g.blockChecksum(block, w))
		b, entries = append(b, block...), entries[n:]
	}
	return b
}

func (g *geometry) blockChecksum(block []byte, w int64) uint32 {
	sum := crc32.Update(crc(g.identity[:]), castagnoli, binary.BigEndian.AppendUint64(nil, uint64(w)))
	return crc32.Update(sum, castagnoli, block[:offChecksum])
}

// parseBlock returns the entries of a block, or nil if it is damaged (PAR-6).
func (g *geometry) parseBlock(block []byte, w int64, number int) []entry {
	if binary.BigEndian.Uint32(block[offNumber:]) != uint32(number) ||
		binary.BigEndian.Uint32(block[offChecksum:]) != g.blockChecksum(block, w) {
		return nil
	}
	entries := make([]entry, blockEntries)
	for i := range entries {
		entries[i] = entry(block[i*entrySize:])
	}
	return entries
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crc(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
