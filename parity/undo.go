package parity

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"slices"
	"sort"

	"bulla/format"
)

// An Undo is what a repair in place has saved before it overwrote it (PAR-19). With it
// what was there can be brought back, and a repair that was interrupted finds the
// container as it was.
//
// An undo file is an Undo as one line of JSON, the bytes of its ranges, the CRC-32C of all
// that, big-endian, and a byte that says whether the repair has ended.
type Undo struct {
	Identity []byte  `json:"identity"` // bytes 0..95 of the container
	Size     int64   `json:"size"`     // of the container, as it was
	Ranges   []Range `json:"ranges"`   // apart, in their order

	// Ended says that the repair wrote all that it could. Until it has, the container may be
	// neither what it was nor repaired: the next repair finishes it.
	Ended bool `json:"-"`

	file    Place
	starts  []int64 // where the bytes of each range stand in file
	stateAt int64   // and its last byte
}

const undoPiece = 1 << 20

// The last byte of an undo file. No flipped bit makes one of the other.
const (
	undoBegun = 0x00
	undoEnded = 0xff
)

// ReadUndo reads what a repair has saved, of size bytes in file, which the Undo goes on
// reading, and in which it notes that the repair has ended. It fails with a
// [*format.ParseError] if it is not whole.
func ReadUndo(file Place, size int64) (*Undo, error) {
	bad := &format.ParseError{Clause: "PAR-19", Field: "undo file", Kind: format.ErrDamaged, Reason: "it is no undo file, or not whole"}
	u := &Undo{file: file, stateAt: size - 1}
	sum, sumAt := crc32.New(castagnoli), u.stateAt-crc32.Size
	most := min(sumAt, undoPiece+sumAt/1024) // of the line: a range is of a chunk at least, but for three
	if json.NewDecoder(io.NewSectionReader(file, 0, most)).Decode(u) != nil || len(u.Identity) != format.IdentitySize || u.Size < 0 {
		return nil, bad
	}
	line, _ := json.Marshal(u)
	line = append(line, '\n')
	there := make([]byte, len(line))
	if file.ReadAt(there, 0); !bytes.Equal(there, line) { // there is one encoding of everything
		return nil, bad
	}
	at, after := int64(len(line)), int64(0)
	for _, r := range u.Ranges {
		if r.Offset < after || r.Length <= 0 || r.Length > u.Size-r.Offset {
			return nil, bad
		}
		u.starts = append(u.starts, at)
		at, after = at+r.Length, r.Offset+r.Length
	}
	last := make([]byte, crc32.Size+1)
	io.Copy(sum, io.NewSectionReader(file, 0, sumAt))
	if n, _ := file.ReadAt(last, sumAt); n < len(last) || at != sumAt || binary.BigEndian.Uint32(last) != sum.Sum32() {
		return nil, bad
	}
	state := last[crc32.Size]
	if u.Ended = state == undoEnded; !u.Ended && state != undoBegun {
		return nil, bad
	}
	return u, nil
}

// note notes, durably, whether the repair has ended.
func (u *Undo) note(ended bool) error {
	if u == nil || u.Ended == ended {
		return nil
	}
	state := []byte{undoBegun}
	if ended {
		state[0] = undoEnded
	}
	if _, err := u.file.WriteAt(state, u.stateAt); err != nil {
		return err
	}
	u.Ended = ended
	return u.file.Sync()
}

// write writes an undo file of what stands in before.
func (u *Undo) write(dst io.Writer, before io.ReaderAt) error {
	line, _ := json.Marshal(u) // fails for none
	sum := crc32.New(castagnoli)
	w := io.MultiWriter(dst, sum)
	if _, err := w.Write(append(line, '\n')); err != nil {
		return err
	}
	buf := make([]byte, undoPiece)
	for _, r := range u.Ranges {
		for ; r.Length > 0; r.Offset, r.Length = r.Offset+undoPiece, r.Length-undoPiece {
			part := buf[:min(undoPiece, r.Length)]
			readAt(before, part, r.Offset, blockSize) // what cannot be read is lost anyway
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
	}
	_, err := dst.Write(append(sum.Sum(nil), undoBegun))
	return err
}

// find is the first range that ends after off.
func (u *Undo) find(off int64) int {
	return sort.Search(len(u.Ranges), func(i int) bool { return u.Ranges[i].Offset+u.Ranges[i].Length > off })
}

// covers reports whether all of r is saved, in one range: those of a repair do not touch,
// or are one.
func (u *Undo) covers(r Range) bool {
	i := u.find(r.Offset)
	return i < len(u.Ranges) && u.Ranges[i].Offset <= r.Offset && r.Offset+r.Length <= u.Ranges[i].Offset+u.Ranges[i].Length
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
		if i := p.find(at); i < len(p.Ranges) {
			if r := p.Ranges[i]; at < r.Offset {
				left = min(left, r.Offset-at)
			} else {
				src, from, left = p.file, p.starts[i]+at-r.Offset, min(left, r.Offset+r.Length-at)
			}
		}
		k, err := src.ReadAt(b[n:n+int(left)], from)
		if n += k; int64(k) < left {
			return n, err
		}
	}
	return n, nil
}

// IsOf reports whether place, of size bytes, is the container that was repaired: it has its head or its
// tail, or begins as it did before the repair, or is empty.
func (u *Undo) IsOf(place io.ReaderAt, size int64) bool {
	now, was := make([]byte, min(size, format.IdentitySize)), make([]byte, min(size, format.IdentitySize))
	place.ReadAt(now, 0)
	(&past{u, place}).ReadAt(was, 0)
	ours := func(c *format.Copy) bool { return bytes.HasPrefix(c.Raw, u.Identity) }
	return bytes.Equal(now, u.Identity) || bytes.Equal(now, was) && (size == 0 || u.covers(Range{0, int64(len(now))})) ||
		slices.ContainsFunc(format.ReadCopies(place, size).Usable(), ours)
}

// Restore brings back what was saved, and makes it durable. It may be done again. It fails
// with [ErrOtherUndo], and changes nothing, if place, of size bytes, is not that container.
func (u *Undo) Restore(place Place, size int64) error {
	if !u.IsOf(place, size) {
		return ErrOtherUndo
	}
	if err := u.note(false); err != nil { // what is brought back in part is not repaired any more
		return err
	}
	for i, r := range u.Ranges {
		if _, err := io.Copy(io.NewOffsetWriter(place, r.Offset), io.NewSectionReader(u.file, u.starts[i], r.Length)); err != nil {
			return err
		}
	}
	if err := place.Truncate(u.Size); err != nil {
		return err
	}
	return place.Sync()
}
