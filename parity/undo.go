package parity

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sort"

	"bulla/format"
)

// An Undo is what a repair in place is about to overwrite, saved before it writes (PAR-19).
// With it what was there can be brought back, and a repair that was interrupted finds
// the container as it was.
//
//	  0   8  magic      "bullaund"
//	  8   1  layout     1
//	  9   7  zero
//	 16  96  identity   bytes 0..95 of the container
//	112   8  size       of the container, as it was
//	120   8  count      of extents
//	128      extents    offset u64, length u64: apart, in their order
//	      4  checksum   CRC-32C of all before
//	         the bytes of the extents
//	      4  checksum   CRC-32C of these
type Undo struct {
	Size int64 // of the container, as it was

	identity [format.IdentitySize]byte
	extents  []Range
	starts   []int64 // where the bytes of each extent stand, in src
	end      int64
	src      io.ReaderAt
}

const (
	undoMagic   = "bullaund"
	undoLayout  = 1
	undoHeader  = 128
	extentSize  = 16
	undoSize    = 112
	undoCount   = 120
	copyingSize = 1 << 20
)

// ReadUndo reads what a repair has saved, of size bytes in src, which the Undo goes on
// reading. It fails with a [*format.ParseError] if it is not whole.
func ReadUndo(src io.ReaderAt, size int64) (*Undo, error) {
	fail := func(reason string) (*Undo, error) {
		return nil, &format.ParseError{Clause: "PAR-19", Field: "undo file", Kind: format.ErrDamaged, Reason: reason}
	}
	b := make([]byte, undoHeader)
	if n, err := readFull(src, b, 0); err != nil {
		return nil, err
	} else if n < len(b) || string(b[:len(undoMagic)]) != undoMagic || b[len(undoMagic)] != undoLayout {
		return fail("it is no undo file that this version knows")
	}
	u := &Undo{Size: int64(binary.BigEndian.Uint64(b[undoSize:])), identity: [format.IdentitySize]byte(b[16:]), src: src}
	count := binary.BigEndian.Uint64(b[undoCount:])
	if u.Size < 0 || count > uint64(size)/extentSize {
		return fail("a field is beyond its limits")
	}
	list := make([]byte, count*extentSize+4)
	if n, err := readFull(src, list, undoHeader); err != nil {
		return nil, err
	} else if n < len(list) {
		return fail("it is cut off")
	}
	list, want := list[:len(list)-4], binary.BigEndian.Uint32(list[len(list)-4:])
	if crc32.Update(crc(b), castagnoli, list) != want {
		return fail("the checksum of its list is wrong")
	}
	u.end = undoHeader + int64(len(list)) + 4
	after := int64(0)
	for ; len(list) > 0; list = list[extentSize:] {
		e := Range{int64(binary.BigEndian.Uint64(list)), int64(binary.BigEndian.Uint64(list[8:]))}
		if e.Offset < after || e.Length <= 0 || e.Length > u.Size-e.Offset {
			return fail("a range is beyond the file")
		}
		after = e.Offset + e.Length
		u.extents, u.starts = append(u.extents, e), append(u.starts, u.end)
		u.end += e.Length
	}
	if u.end+4 != size {
		return fail("it is cut off, or something follows it")
	}
	sum, buf := uint32(0), make([]byte, copyingSize)
	for at := undoHeader + int64(count)*extentSize + 4; at < u.end; {
		part := buf[:min(int64(len(buf)), u.end-at)]
		if n, err := readFull(src, part, at); n < len(part) {
			return nil, err
		}
		sum = crc32.Update(sum, castagnoli, part)
		at += int64(len(part))
	}
	last := make([]byte, 4)
	if n, err := readFull(src, last, u.end); n < len(last) || binary.BigEndian.Uint32(last) != sum {
		if err != nil {
			return nil, err
		}
		return fail("the checksum of its bytes is wrong")
	}
	return u, nil
}

// write writes an Undo for ranges, sorted and apart, of what is in before.
func writeUndo(w io.Writer, identity [format.IdentitySize]byte, before io.ReaderAt, size int64, ranges []Range) error {
	b := make([]byte, undoHeader, undoHeader+len(ranges)*extentSize+4)
	copy(b, undoMagic)
	b[len(undoMagic)] = undoLayout
	copy(b[16:], identity[:])
	binary.BigEndian.PutUint64(b[undoSize:], uint64(size))
	binary.BigEndian.PutUint64(b[undoCount:], uint64(len(ranges)))
	for _, r := range ranges {
		b = binary.BigEndian.AppendUint64(b, uint64(r.Offset))
		b = binary.BigEndian.AppendUint64(b, uint64(r.Length))
	}
	if _, err := w.Write(binary.BigEndian.AppendUint32(b, crc(b))); err != nil {
		return err
	}
	sum, buf := uint32(0), make([]byte, copyingSize)
	for _, r := range ranges {
		for done := int64(0); done < r.Length; {
			part := buf[:min(int64(len(buf)), r.Length-done)]
			readWhole(before, part, r.Offset+done, blockSize) // what cannot be read is lost anyway
			sum = crc32.Update(sum, castagnoli, part)
			if _, err := w.Write(part); err != nil {
				return err
			}
			done += int64(len(part))
		}
	}
	_, err := w.Write(binary.BigEndian.AppendUint32(nil, sum))
	return err
}

// covers reports whether all of r is saved.
func (u *Undo) covers(r Range) bool {
	i := u.find(r.Offset)
	for r.Length > 0 && i < len(u.extents) && u.extents[i].Offset <= r.Offset {
		n := min(r.Length, u.extents[i].Offset+u.extents[i].Length-r.Offset)
		r.Offset, r.Length = r.Offset+n, r.Length-n
		i++
	}
	return r.Length == 0
}

// find is the first extent that ends after off.
func (u *Undo) find(off int64) int {
	return sort.Search(len(u.extents), func(i int) bool { return u.extents[i].Offset+u.extents[i].Length > off })
}

// A past is a container as it was before a repair: what was saved, over what is there.
type past struct {
	*Undo
	now io.ReaderAt
}

func (p *past) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		at := off + int64(n)
		left := min(int64(len(b)-n), p.Size-at)
		if left <= 0 {
			return n, io.EOF
		}
		src, from := p.now, at
		if i := p.find(at); i < len(p.extents) {
			e := p.extents[i]
			if at < e.Offset {
				left = min(left, e.Offset-at)
			} else {
				src, from, left = p.src, p.starts[i]+at-e.Offset, min(left, e.Offset+e.Length-at)
			}
		}
		k, err := src.ReadAt(b[n:n+int(left)], from)
		if n += k; int64(k) < left {
			if err == nil {
				err = io.ErrNoProgress
			}
			return n, err
		}
	}
	return n, nil
}

// Restore brings back what was saved, and makes it durable. Every step may be done again.
func (u *Undo) Restore(c Place) error {
	buf := make([]byte, copyingSize)
	for i, e := range u.extents {
		for done := int64(0); done < e.Length; {
			part := buf[:min(int64(len(buf)), e.Length-done)]
			if n, err := readFull(u.src, part, u.starts[i]+done); n < len(part) {
				return fmt.Errorf("undo file: %w", err)
			}
			if _, err := c.WriteAt(part, e.Offset+done); err != nil {
				return err
			}
			done += int64(len(part))
		}
	}
	if err := c.Truncate(u.Size); err != nil {
		return err
	}
	return c.Sync()
}

// union is a list of all bytes of some ranges, sorted and apart.
func union(all []Range) (list []Range) {
	slices.SortFunc(all, func(a, b Range) int { return int(min(1, max(-1, a.Offset-b.Offset))) })
	for _, r := range all {
		if n := len(list); n > 0 && r.Offset <= list[n-1].Offset+list[n-1].Length {
			list[n-1].Length = max(list[n-1].Length, r.Offset+r.Length-list[n-1].Offset)
		} else {
			list = append(list, r)
		}
	}
	return list
}
