package parity

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"bulla/format"
)

// The clauses of spec/parity.md that a parity file is refused by.
const (
	PAR1 format.Clause = "PAR-1" // magic and checksum of a header
	PAR2 format.Clause = "PAR-2" // layout
	PAR3 format.Clause = "PAR-3" // fields
)

// Headers and tables are made of blocks:
//
//	  0 504  of a table: 63 entries
//	504   4  of a table: the block's number in it
//	508   4  checksum   CRC-32C of bytes 0..507; of a table, of identity and window before them
//
// An entry says what a chunk or cell was:
//
//	0  4  CRC-32C
//	4  4  its last 4 bytes
const (
	blockSize    = 512
	offChecksum  = blockSize - 4
	entrySize    = 8
	blockEntries = 63
	offNumber    = blockEntries * entrySize
)

// A header stands at the start of the file, and at both ends of each window.
//
//	  0   8  magic      "bullapar"
//	  8   1  layout     1
//	  9   1  kind       0 start, 1 full window, 2 last window
//	 10   2  m          parity cells of a group
//	 12   2  D          depth
//	 14   2  zero
//	 16  96  identity   bytes 0..95 of the container
//	112   8  window     its number
//	120   4  n          chunks of the window
//	124   4  last       length of the window's last chunk
//	128 380  zero
const (
	Magic  = "bullapar"
	layout = 1

	offLayout   = 8
	offKind     = 9
	offM        = 10
	offDepth    = 12
	offIdentity = 16
	offWindow   = offIdentity + format.IdentitySize
	offN        = offWindow + 8
	offLast     = offN + 4
)

type kind byte

const (
	start kind = iota
	fullWindow
	lastWindow
)

// header returns the header of that kind of window w; w is 0 at the start.
func (g *geometry) header(k kind, w int64) []byte {
	b := make([]byte, blockSize)
	copy(b, Magic)
	b[offLayout], b[offKind] = layout, byte(k)
	binary.BigEndian.PutUint16(b[offM:], uint16(g.m))
	binary.BigEndian.PutUint16(b[offDepth:], uint16(g.depth))
	copy(b[offIdentity:], g.identity[:])
	binary.BigEndian.PutUint64(b[offWindow:], uint64(w))
	n, last := int64(0), int64(0)
	switch k {
	case fullWindow:
		n, last = g.window(), chunkSize
	case lastWindow:
		n, last = g.chunks-w*g.window(), g.last
	}
	binary.BigEndian.PutUint32(b[offN:], uint32(n))
	binary.BigEndian.PutUint32(b[offLast:], uint32(last))
	binary.BigEndian.PutUint32(b[offChecksum:], crc(b[:offChecksum]))
	return b
}

// parseHeader is the inverse of header; of a last window the geometry has the number
// of chunks. It enforces PAR-1 to PAR-3.
func parseHeader(b []byte) (g *geometry, k kind, w int64, err error) {
	fail := func(c format.Clause, why error, reason string) (*geometry, kind, int64, error) {
		return nil, 0, 0, &format.ParseError{Clause: c, Field: "header", Kind: why, Reason: reason}
	}
	switch {
	case string(b[:offLayout]) != Magic:
		return fail(PAR1, format.ErrMalformed, "it is not the header of a parity file")
	case binary.BigEndian.Uint32(b[offChecksum:]) != crc(b[:offChecksum]):
		return fail(PAR1, format.ErrDamaged, "the checksum is wrong")
	case b[offLayout] != layout:
		return fail(PAR2, format.ErrUnsupported, "it is of a layout that this version does not know")
	}
	g = &geometry{
		m: int(binary.BigEndian.Uint16(b[offM:])), depth: int(binary.BigEndian.Uint16(b[offDepth:])),
		identity: [format.IdentitySize]byte(b[offIdentity:]),
	}
	k, w = kind(b[offKind]), int64(binary.BigEndian.Uint64(b[offWindow:]))
	n, last := int64(binary.BigEndian.Uint32(b[offN:])), int64(binary.BigEndian.Uint32(b[offLast:]))
	ok := g.valid() && w >= 0 && w < format.MaxChunks/g.window() && k <= lastWindow && (k != start || w == 0)
	if ok && k == lastWindow {
		ok = n >= 1 && n <= g.window() && last >= format.TagSize && last < chunkSize
		g.chunks, g.last = w*g.window()+n, last
	}
	if !ok || !bytes.Equal(b, g.header(k, w)) { // there is one encoding of everything
		return fail(PAR3, format.ErrMalformed, "a field is not what it may be")
	}
	return g, k, w, nil
}

// appendTable appends the table of window w.
func (g *geometry) appendTable(b []byte, w int64, entries []byte) []byte {
	for number := uint32(0); len(entries) > 0; number++ {
		block := make([]byte, blockSize)
		entries = entries[copy(block[:offNumber], entries):]
		binary.BigEndian.PutUint32(block[offNumber:], number)
		binary.BigEndian.PutUint32(block[offChecksum:], g.blockChecksum(block, w))
		b = append(b, block...)
	}
	return b
}

// validBlock enforces PAR-6.
func (g *geometry) validBlock(block []byte, w int64, number int) bool {
	return binary.BigEndian.Uint32(block[offNumber:]) == uint32(number) &&
		binary.BigEndian.Uint32(block[offChecksum:]) == g.blockChecksum(block, w)
}

func (g *geometry) blockChecksum(block []byte, w int64) uint32 {
	sum := crc32.Update(crc(g.identity[:]), castagnoli, binary.BigEndian.AppendUint64(nil, uint64(w)))
	return crc32.Update(sum, castagnoli, block[:offChecksum])
}

// putEntry writes the entry of a chunk or cell to e.
func putEntry(e, b []byte) {
	binary.BigEndian.PutUint32(e, crc(b))
	copy(e[4:entrySize], b[len(b)-4:])
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crc(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
