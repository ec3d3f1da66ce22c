package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"bulla/format"
	"bulla/internal/zseek"
)

// grantOf is the plaintext of a grant on a range of a container with so much content, as zeros: all
// of it is as long as it must be.
func grantOf(coding format.Coding, content, from, to int64, frames ...uint32) []byte {
	h := grantHeader{Magic: [8]byte([]byte(grantMagic)), Layout: grantLayout, N: 1, Size: uint64(content)}
	p := grantPart{Content: uint64(content), From: uint64(from), To: uint64(to), Begin: uint64(from), End: uint64(to)}
	pre := format.Preamble{Suite: format.AES256GCM, Coding: coding, Pages: 1}
	copy(p.Identity[:], pre.Append(nil))
	plain := content
	if coding == format.Zstd {
		p.Begin, p.End = 0, 0
		for _, n := range frames {
			p.End += uint64(n)
		}
		plain = int64(p.End) + 100 // a table
	}
	p.Size = uint64(format.ContainerSize(plain, format.PageSize))
	l, _ := format.NewLayout(int64(p.Size), format.PageSize)
	s := p.shape(l)
	b, _ := binary.Append(nil, binary.BigEndian, &h)
	b, _ = binary.Append(b, binary.BigEndian, &p)
	b, _ = binary.Append(b, binary.BigEndian, frames)
	return append(b, make([]byte, s.keysSize()+s.edges[0].Length+s.edges[1].Length)...)
}

// What parses of a grant is what it was made of, byte for byte, and gives ranges of the target
// alone, in order; anything else is refused with a clause of its own.
func FuzzGrant(f *testing.F) {
	good := [][]byte{
		grantOf(format.Plain, 100, 0, 100),
		grantOf(format.Plain, 100, 7, 50),
		grantOf(format.Plain, 3*format.SegmentSize+5, format.SegmentSize, 3*format.SegmentSize+5), // keys, and the final one
		grantOf(format.Plain, 3*format.SegmentSize+5, 0, 2*format.SegmentSize+9),                  // keys, and an edge
		grantOf(format.Zstd, zseek.FrameContent+5, 0, zseek.FrameContent+5, 100, 20),
	}
	for _, b := range good {
		if _, _, err := parseGrant(b); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Add([]byte(grantMagic))
	f.Add(good[0][:grantHeaderSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, parts, err := parseGrant(b)
		if err != nil {
			pe, ok := errors.AsType[*format.ParseError](err)
			if !ok || !strings.HasPrefix(string(pe.Clause), "GRANT-") || pe.Offset < 0 || pe.Reason == "" || parts != nil {
				t.Fatalf("%d bytes: %v", len(b), err)
			}
			return
		}
		again, _ := binary.Append(nil, binary.BigEndian, &h)
		end, frames := int64(0), 0
		for i, p := range parts {
			again, _ = binary.Append(again, binary.BigEndian, &p.grantPart)
			again, _ = binary.Append(again, binary.BigEndian, p.frames)
			again = append(append(append(again, p.keys...), p.edges[0]...), p.edges[1]...)
			frames += len(p.frames)
			g := &Granted{header: h, parts: parts}
			r := g.place(i)
			if r.Offset < end || r.Length <= 0 || r.Offset+r.Length > int64(h.Size) {
				t.Fatalf("part %d gives %v, after %d, of %d", i, r, end, h.Size)
			}
			end = r.Offset + r.Length
			if pl := int64(p.layout.PlainSize); int64(p.Begin) < 0 || int64(p.Begin) > int64(p.End) || int64(p.End) > pl ||
				p.shape.first < 0 || p.shape.first > p.shape.end || p.shape.end > (pl+format.SegmentSize)/format.SegmentSize {
				t.Fatalf("part %d stands at %d to %d of %d, segments %d to %d", i, p.Begin, p.End, pl, p.shape.first, p.shape.end)
			}
		}
		if !bytes.Equal(again, b) || 4*frames > len(b) {
			t.Fatalf("%d bytes are %d again", len(b), len(again))
		}
	})
}

// A grant on a set may say that its plaintext has any size, and none is negative.
func TestGrantedSize(t *testing.T) {
	for size, want := range map[uint64]int64{5: 5, 1 << 63: math.MaxInt64, math.MaxUint64: math.MaxInt64} {
		if got := (&Granted{header: grantHeader{Size: size}}).Size(); got != want {
			t.Errorf("%d bytes of %d", got, size)
		}
	}
}
