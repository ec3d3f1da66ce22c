package parity

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
	"sort"

	"bulla/format"
)

// An Undo is what a repair in place has saved before it overwrote it (PAR-19). With it
// what was there can be brought back, and a repair that was interrupted finds the
// container as it was.
//
// An undo file is an undoHeader, and for each extent an undoExtent and its bytes; it
// is big-endian.
type Undo struct {
	Size int64 // of the container, as it was

	identity [format.IdentitySize]byte
	extents  []Range
	starts   []int64 // where the bytes of each extent stand in src
	src      io.ReaderAt
}

const undoMagic = "bullaund"

type undoHeader struct {
	Magic    [len(undoMagic)]byte
	Identity [format.IdentitySize]byte
	Size     int64
	Extents  int64
	Checksum uint32 // CRC-32C of all before
}

func (h *undoHeader) sum() uint32 {
	b, _ := binary.Append(nil, binary.BigEndian, h)
	return crc(b[:len(b)-4])
}

type undoExtent struct {
	Offset   int64
	Length   uint32 // at most undoPiece
	Checksum uint32 // CRC-32C of the offset and the bytes
}

func (e *undoExtent) sum(b []byte) uint32 {
	return crc32.Update(crc(binary.BigEndian.AppendUint64(nil, uint64(e.Offset))), castagnoli, b)
}

const undoPiece = 1 << 20

// ReadUndo reads what a repair has saved, of size bytes in src, which the Undo goes on
// reading. It fails with a [*format.ParseError] if it is not whole.
func ReadUndo(src io.ReaderAt, size int64) (*Undo, error) {
	r := io.NewSectionReader(src, 0, size)
	bad := &format.ParseError{Clause: "PAR-19", Field: "undo file", Kind: format.ErrDamaged, Reason: "it is no undo file, or not whole"}
	var h undoHeader
	if binary.Read(r, binary.BigEndian, &h) != nil || string(h.Magic[:]) != undoMagic || h.Checksum != h.sum() {
		return nil, bad
	}
	u := &Undo{Size: h.Size, identity: h.Identity, src: src}
	buf, after := make([]byte, undoPiece), int64(0)
	for range h.Extents {
		var e undoExtent
		if binary.Read(r, binary.BigEndian, &e) != nil || e.Length == 0 || e.Length > undoPiece || e.Offset < after || e.Offset > h.Size-int64(e.Length) {
			return nil, bad
		}
		at, _ := r.Seek(0, io.SeekCurrent)
		if _, err := io.ReadFull(r, buf[:e.Length]); err != nil || e.sum(buf[:e.Length]) != e.Checksum {
			return nil, bad
		}
		after = e.Offset + int64(e.Length)
		u.extents, u.starts = append(u.extents, Range{e.Offset, int64(e.Length)}), append(u.starts, at)
	}
	if at, _ := r.Seek(0, io.SeekCurrent); at != size {
		return nil, bad
	}
	return u, nil
}

// writeUndo writes an undo file for ranges, sorted and apart, of a container of size bytes.
func writeUndo(dst io.Writer, identity [format.IdentitySize]byte, before io.ReaderAt, size int64, ranges []Range) error {
	w := bufio.NewWriterSize(dst, undoPiece)
	h := undoHeader{Magic: [len(undoMagic)]byte([]byte(undoMagic)), Identity: identity, Size: size}
	for _, r := range ranges {
		h.Extents += (r.Length + undoPiece - 1) / undoPiece
	}
	h.Checksum = h.sum()
	binary.Write(w, binary.BigEndian, &h) // errors stick, until Flush
	buf := make([]byte, undoPiece)
	for _, r := range ranges {
		for r.Length > 0 {
			part := buf[:min(undoPiece, r.Length)]
			readAt(before, part, r.Offset, blockSize) // what cannot be read is lost anyway
			e := undoExtent{Offset: r.Offset, Length: uint32(len(part))}
			e.Checksum = e.sum(part)
			binary.Write(w, binary.BigEndian, &e)
			if _, err := w.Write(part); err != nil {
				return err
			}
			r.Offset, r.Length = r.Offset+int64(len(part)), r.Length-int64(len(part))
		}
	}
	return w.Flush()
}

// find is the first extent that ends after off.
func (u *Undo) find(off int64) int {
	return sort.Search(len(u.extents), func(i int) bool { return u.extents[i].Offset+u.extents[i].Length > off })
}

// covers reports whether all of r is saved.
func (u *Undo) covers(r Range) bool {
	for i := u.find(r.Offset); r.Length > 0 && i < len(u.extents) && u.extents[i].Offset <= r.Offset; i++ {
		n := min(r.Length, u.extents[i].Offset+u.extents[i].Length-r.Offset)
		r.Offset, r.Length = r.Offset+n, r.Length-n
	}
	return r.Length == 0
}

// A past is a container as it was before a repair: what was saved, over what is there.
type past struct {
	*Undo
	now io.ReaderAt
}

func (p *past) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		at := off + int64(n)
		src, from, left := p.now, at, min(int64(len(b)-n), p.Size-at)
		if left <= 0 {
			return n, io.EOF
		}
		if i := p.find(at); i < len(p.extents) {
			if e := p.extents[i]; at < e.Offset {
				left = min(left, e.Offset-at)
			} else {
				src, from, left = p.src, p.starts[i]+at-e.Offset, min(left, e.Offset+e.Length-at)
			}
		}
		k, err := src.ReadAt(b[n:n+int(left)], from)
		if n += k; int64(k) < left {
			return n, err
		}
	}
	return n, nil
}

// Restore brings back what was saved, and makes it durable. It may be done again.
func (u *Undo) Restore(place Place) error {
	buf := make([]byte, undoPiece)
	for i, e := range u.extents {
		if _, err := u.src.ReadAt(buf[:e.Length], u.starts[i]); err != nil {
			return err
		}
		if _, err := place.WriteAt(buf[:e.Length], e.Offset); err != nil {
			return err
		}
	}
	if err := place.Truncate(u.Size); err != nil {
		return err
	}
	return place.Sync()
}
