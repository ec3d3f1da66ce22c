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

// A header stands at the start of the file, and at both ends of each window. It is
// big-endian.
type header struct {
	Magic    [len(Magic)]byte
	Layout   byte
	Kind     kind
	M, Depth uint16
	_        uint16                    // zero
	Identity [format.IdentitySize]byte // bytes 0..95 of the container
	Window   int64                     // its number
	N        uint32                    // chunks of the window
	Last     uint32                    // length of the last of them
	_        [380]byte                 // zero
	Checksum uint32
}

const (
	Magic  = "bullapar"
	layout = 1
)

type kind byte

const (
	start kind = iota
	fullWindow
	lastWindow
)

// header returns the header of that kind of window w; w is 0 at the start.
func (g *geometry) header(k kind, w int64) []byte {
	h := header{Magic: [len(Magic)]byte([]byte(Magic)), Layout: layout, Kind: k, M: uint16(g.m), Depth: uint16(g.depth), Identity: g.identity, Window: w}
	switch k {
	case fullWindow:
		h.N, h.Last = uint32(g.window()), chunkSize
	case lastWindow:
		h.N, h.Last = uint32(g.chunks-w*g.window()), uint32(g.last)
	}
	b, _ := binary.Append(nil, binary.BigEndian, &h) // fails for no type of a fixed size
	binary.BigEndian.PutUint32(b[offChecksum:], crc(b[:offChecksum]))
	return b
}

// parseHeader is the inverse of header; of a last window the geometry has the number
// of chunks. It enforces PAR-1 to PAR-3.
func parseHeader(b []byte) (g *geometry, k kind, w int64, err error) {
	var h header
	binary.Decode(b, binary.BigEndian, &h) // whose size b has
	switch {
	case string(h.Magic[:]) != Magic:
		return nil, 0, 0, refused(PAR1, format.ErrMalformed, "it is not the header of a parity file")
	case h.Checksum != crc(b[:offChecksum]):
		return nil, 0, 0, refused(PAR1, format.ErrDamaged, "the checksum is wrong")
	case h.Layout != layout:
		return nil, 0, 0, refused(PAR2, format.ErrUnsupported, "it is of a layout that this version does not know")
	}
	g = &geometry{m: int(h.M), depth: int(h.Depth), identity: h.Identity}
	ok := g.valid() && h.Window >= 0 && h.Window < format.MaxChunks/g.window() && h.Kind <= lastWindow && (h.Kind != start || h.Window == 0)
	if ok && h.Kind == lastWindow {
		ok = h.N >= 1 && int64(h.N) <= g.window() && h.Last >= format.TagSize && h.Last < chunkSize
		g.chunks, g.last = h.Window*g.window()+int64(h.N), int64(h.Last)
	}
	if !ok || !bytes.Equal(b, g.header(h.Kind, h.Window)) { // there is one encoding of everything
		return nil, 0, 0, refused(PAR3, format.ErrMalformed, "a field is not what it may be")
	}
	return g, h.Kind, h.Window, nil
}

func refused(c format.Clause, kind error, reason string) error {
	return &format.ParseError{Clause: c, Field: "header", Kind: kind, Reason: reason}
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

// putEntry writes the entry of a chunk or cell, and its checksum, to e.
func putEntry(e []byte, sum uint32, b []byte) {
	binary.BigEndian.PutUint32(e, sum)
	copy(e[4:entrySize], b[len(b)-4:])
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crc(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
