package parity

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"sort"

	"bulla/format"
)

// An Undo is what a repair in place has saved before it overwrote it (PAR-19). With it
// what was there can be brought back, and a repair that was interrupted finds the
// container as it was.
//
// An undo file is an Undo as one line of JSON, the bytes of its ranges, and the CRC-32C
// of all that, big-endian.
type Undo struct {
	Identity []byte  `json:"identity"` // bytes 0..95 of the container
	Size     int64   `json:"size"`     // of the container, as it was
	Ranges   []Range `json:"ranges"`   // apart, in their order

	src    io.ReaderAt
	starts []int64 // where the bytes of each range stand in src
}

const undoPiece = 1 << 20

// ReadUndo reads what a repair has saved, of size bytes in src, which the Undo goes on
// reading. It fails with a [*format.ParseError] if it is not whole.
func ReadUndo(src io.ReaderAt, size int64) (*Undo, error) {
	bad := &format.ParseError{Clause: "PAR-19", Field: "undo file", Kind: format.ErrDamaged, Reason: "it is no undo file, or not whole"}
	sum := crc32.New(castagnoli)
	r := bufio.NewReaderSize(io.TeeReader(io.NewSectionReader(src, 0, size-crc32.Size), sum), undoPiece)
	line, err := r.ReadBytes('\n')
	u := &Undo{src: src}
	if err != nil || json.Unmarshal(line, u) != nil {
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
	last := make([]byte, crc32.Size)
	io.Copy(io.Discard, r)
	if n, _ := src.ReadAt(last, size-crc32.Size); n < len(last) || at != size-crc32.Size || binary.BigEndian.Uint32(last) != sum.Sum32() {
		return nil, bad
	}
	return u, nil
}

// write writes an undo file of what stands in before.
func (u *Undo) write(dst io.Writer, before io.ReaderAt) error {
	line, err := json.Marshal(u)
	if err != nil {
		return err
	}
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
	_, err = dst.Write(sum.Sum(nil))
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
				src, from, left = p.src, p.starts[i]+at-r.Offset, min(left, r.Offset+r.Length-at)
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
	for i, r := range u.Ranges {
		if _, err := io.Copy(io.NewOffsetWriter(place, r.Offset), io.NewSectionReader(u.src, u.starts[i], r.Length)); err != nil {
			return err
		}
	}
	if err := place.Truncate(u.Size); err != nil {
		return err
	}
	return place.Sync()
}
