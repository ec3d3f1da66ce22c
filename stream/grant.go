package stream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"bulla/format"
	"bulla/internal/seal"
	"bulla/internal/zseek"
)

// The plaintext of a grant (spec/grant.md section 1): a grantHeader and, for each part, a
// grantPart, the sizes of its frames, its keys and its edges.
type grantHeader struct {
	Magic      [8]byte // grantMagic
	Layout     byte
	Zero       [3]byte
	N          uint32 // parts
	VolumeSize uint64 // V of a set; 0 for a file
	Size       uint64 // of the target's plaintext
}

// A grantPart is about a range of one container.
type grantPart struct {
	Identity      [format.IdentitySize]byte
	Size, Content uint64 // of the container, and its plaintext after decoding
	From, To      uint64 // what of the content is granted, To excluded
	Begin, End    uint64 // where that stands in the payload's plaintext
}

const (
	grantMagic      = "bullagrt"
	grantLayout     = 1
	grantHeaderSize = 32
	grantPartSize   = 144
	frameSizeSize   = 4
	finalKeySize    = 32

	maxGrant      = 1 << 28 // bytes of plaintext (GRANT-4)
	maxGrantParts = 131072
)

// shape is what follows from a part and the length of its payload's plaintext: which
// segments it has by keys, and which bytes as they are (section 2).
type shape struct {
	first, end int64    // segments; none if equal
	final      int64    // the chunk whose final key is there; -1 for none
	edges      [2]Range // of the payload's plaintext
}

func (p *grantPart) shape(l format.Layout) shape {
	begin, end := int64(p.Begin), int64(p.End)
	s := shape{first: (begin + format.SegmentSize - 1) / format.SegmentSize, end: end / format.SegmentSize, final: -1}
	if end == l.PlainSize {
		s.end = (l.Chunks - 1 + format.SegmentChunks - 1) / format.SegmentChunks
	}
	if s.first >= s.end {
		s.end = s.first
		s.edges[0] = Range{Offset: begin, Length: end - begin}
		return s
	}
	s.edges[0] = Range{Offset: begin, Length: s.first*format.SegmentSize - begin}
	if end == l.PlainSize {
		s.final = l.Chunks - 1
	} else {
		s.edges[1] = Range{Offset: s.end * format.SegmentSize, Length: end - s.end*format.SegmentSize}
	}
	return s
}

// keysSize is how many bytes the keys take.
func (s *shape) keysSize() int64 {
	n := seal.CoverSize(s.first, s.end)
	if s.final >= 0 {
		n += finalKeySize
	}
	return n
}

// A Grant is the right to read ranges of a container, or of the volumes of a set, while it
// is made: see spec/grant.md. It holds secrets; nothing but [Grant.Write] gives them out.
type Grant struct {
	header grantHeader
	plain  []byte // the parts
	begun  int64  // where the last range begins in the target's plaintext
	next   int64  // and where what is granted ends
}

// Format implements [fmt.Formatter]: no verb prints a key.
func (g Grant) Format(f fmt.State, _ rune) { io.WriteString(f, "grant") }

// NewGrant begins a grant on a target with size bytes of plaintext: a file, with a
// volumeSize of 0, or a set with volumes of that size. See [ReaderAt.Grant].
func NewGrant(volumeSize, size int64) *Grant {
	return &Grant{header: grantHeader{Magic: [8]byte([]byte(grantMagic)), Layout: grantLayout, VolumeSize: uint64(volumeSize), Size: uint64(size)}}
}

// Grant makes a grant of some ranges of the plaintext, in their order. Its errors are those
// of [Grant.Add].
func (r *ReaderAt) Grant(ranges ...Range) (*Grant, error) {
	size, err := r.Size()
	if err != nil {
		return nil, err
	}
	g := NewGrant(0, size)
	for _, x := range ranges {
		if err := g.Add(r, x.Offset, x.Length); err != nil {
			g.Close()
			return nil, err
		}
	}
	return g, nil
}

// Add adds the n bytes of content from offset off on of the container that r is open on,
// which is the target or a volume of it: of a compressed one, all frames of 2 MiB that they
// touch. Of segments of 8 MiB that they have in part, what they have is read. Ranges are added in their order.
//
// Its errors are those of reading, and ErrGrantRange.
func (g *Grant) Add(r *ReaderAt, off, n int64) error {
	size, err := r.Size()
	if err != nil {
		return err
	}
	h := r.Head()
	place := int64(h.Number) * int64(g.header.VolumeSize)
	p := grantPart{Identity: h.Identity(), Size: uint64(r.layout.Size), Content: uint64(size)}
	from, to := off, off+n
	var frames []byte
	if r.z != nil {
		from = from / zseek.FrameContent * zseek.FrameContent
		to = min((to+zseek.FrameContent-1)/zseek.FrameContent*zseek.FrameContent, size)
	}
	if off < 0 || n <= 0 || n > size-off || place+off < g.begun || g.header.N == maxGrantParts {
		return ErrGrantRange
	}
	g.begun = place + off
	if from = max(from, g.next-place); from >= to {
		return nil // it is there already
	}
	p.From, p.To, p.Begin, p.End = uint64(from), uint64(to), uint64(from), uint64(to)
	if r.z != nil {
		t := r.z.Table()
		for i := from / zseek.FrameContent; i*zseek.FrameContent < to; i++ {
			f := t.Frame(i)
			if i*zseek.FrameContent == from {
				p.Begin = uint64(f.Offset)
			}
			p.End = uint64(f.Offset) + uint64(f.Size)
			frames = binary.BigEndian.AppendUint32(frames, uint32(f.Size))
		}
	}
	s := p.shape(r.layout)
	room := grantPartSize + int64(len(frames)) + s.keysSize() + s.edges[0].Length + s.edges[1].Length
	if b := slices.Grow(g.plain, int(room)); cap(b) > cap(g.plain) { // no keys stay in an array that was outgrown
		clear(g.plain)
		g.plain = b
	}
	b, _ := binary.Append(g.plain, binary.BigEndian, &p) // of a fixed size
	b = append(b, frames...)
	b = r.op.keys.AppendCover(b, s.first, s.end)
	if s.final >= 0 {
		b = r.op.keys.AppendFinal(b, s.final)
	}
	for _, e := range s.edges {
		at := len(b)
		b = b[:at+int(e.Length)]
		if _, err := r.payloadAt.ReadAt(b[at:], e.Offset); err != nil {
			return err
		}
	}
	if len(b) > maxGrant-grantHeaderSize {
		return ErrGrantRange
	}
	g.plain, g.next = b, place+to
	g.header.N++
	return nil
}

// ErrGrantRange is returned for a range that a grant cannot have: it is empty, beyond the
// end, before one that was added already, or more than fits into 256 MiB.
var ErrGrantRange = errors.New("no grant has this range")

// Segments is how many segments of r, from the first on, a grant gives by their keys whatever else
// it gives: all but those that have the last chunk or, of a compressed payload, what follows its frames,
// and those before a place where Cuts is false.
func (r *ReaderAt) Segments() int64 { return r.segments(r.z) }

func (r *payloadAt) segments(z *zseek.ReaderAt) int64 {
	n := (r.layout.Chunks - 1) / format.SegmentChunks
	if z != nil {
		n = 0
		if frames := z.Table().Frames(); frames > 0 {
			f := z.Table().Frame(frames - 1)
			n = (f.Offset + int64(f.Size)) / format.SegmentSize
		}
	}
	for !r.cuts(z, n) {
		n--
	}
	return n
}

// Cuts reports whether a grant can begin, and another end, at segment n, which Segments counts or follows
// these: the frame that lies on both sides of that place, if there is one, is authentic.
func (r *ReaderAt) Cuts(n int64) bool { return r.cuts(r.z, n) }

func (r *payloadAt) cuts(z *zseek.ReaderAt, n int64) bool {
	if z == nil || n == 0 {
		return true
	}
	i := frameAt(z.Table(), n*format.SegmentSize)
	if i == z.Table().Frames() {
		return true
	}
	f := z.Table().Frame(i)
	if f.Offset == n*format.SegmentSize {
		return true
	}
	_, err := r.ReadAt(make([]byte, f.Size), f.Offset)
	return err == nil
}

// SegmentRange is the range of plaintext that a grant must have for the keys of the segments
// first to end-1, of those that Segments counts: what is in them, and in the frames that they
// have a part of.
func (r *ReaderAt) SegmentRange(first, end int64) Range {
	from, to := first*format.SegmentSize, end*format.SegmentSize
	if r.z != nil {
		t := r.z.Table()
		from, to = frameAt(t, from)*zseek.FrameContent, min((frameAt(t, to-1)+1)*zseek.FrameContent, t.Size())
	}
	return Range{Offset: from, Length: to - from}
}

// frameAt is the frame that has byte at of the compressed stream; if that is after all of them, how many there are.
func frameAt(t *zseek.Table, at int64) int64 {
	return int64(sort.Search(int(t.Frames()), func(i int) bool {
		f := t.Frame(int64(i))
		return f.Offset+int64(f.Size) > at
	}))
}

// Write writes the grant to dst, as a container for the recipients. Of opts Level and Part
// are the grant's own affair.
func (g *Grant) Write(ctx context.Context, dst io.Writer, recipients []Recipient, opts *WriterOptions) error {
	o := opts.orDefault()
	o.Part, o.Level, o.Workers = format.Part{Role: format.RoleGrant}, 0, 1
	w, err := NewWriter(ctx, dst, recipients, &o)
	if err != nil {
		return err
	}
	b, _ := binary.Append(nil, binary.BigEndian, &g.header)
	w.Write(b)
	w.Write(g.plain) // Close fails, too, if one of them does
	return w.Close()
}

// Close forgets the secrets. It returns nil.
func (g *Grant) Close() error {
	clear(g.plain[:cap(g.plain)])
	g.plain = nil
	return nil
}

// A granted part, as it was read.
type granted struct {
	grantPart
	format.Preamble // of its identity
	layout          format.Layout
	shape
	frames []uint32
	keys   []byte // cover and final key
	edges  [2][]byte
}

func malformedGrant(c format.Clause, at int, reason string) error {
	return &format.ParseError{Clause: c, Field: "grant", Offset: int64(at), Kind: format.ErrMalformed, Reason: reason}
}

// parseGrant reads the plaintext of a grant, and keeps parts of it. Its errors are
// *format.ParseError with a clause GRANT-n, in the order of spec/grant.md section 3.
func parseGrant(b []byte) (h grantHeader, parts []*granted, err error) {
	if _, derr := binary.Decode(b, binary.BigEndian, &h); !bytes.HasPrefix(b, []byte(grantMagic)) {
		return h, nil, malformedGrant(format.GRANT2, 0, "it does not hold what a grant holds")
	} else if derr != nil {
		return h, nil, malformedGrant(format.GRANT4, len(b), "it ends early")
	}
	v := h.VolumeSize
	switch {
	case h.Layout != grantLayout || h.Zero != [3]byte{}:
		return h, nil, &format.ParseError{Clause: format.GRANT3, Field: "grant", Offset: 8, Kind: format.ErrUnsupported, Reason: "a layout that this program does not know"}
	case h.N < 1 || h.N > maxGrantParts:
		return h, nil, malformedGrant(format.GRANT4, 12, "no grant has so many parts")
	case v != 0 && (v%(2<<20) != 0 || v > 1<<45):
		return h, nil, malformedGrant(format.GRANT5, 16, "no set has volumes of this size")
	}
	at := grantHeaderSize
	take := func(n int64) (part []byte, err error) {
		if n > int64(len(b)-at) {
			return nil, malformedGrant(format.GRANT4, len(b), "it ends early")
		}
		part = b[at : at+int(n)]
		at += int(n)
		return part, nil
	}
	seen := make(map[uint32]*granted)
	next := uint64(0)
	for range h.N {
		start := at
		raw, err := take(grantPartSize)
		if err != nil {
			return h, nil, err
		}
		p := new(granted)
		binary.Decode(raw, binary.BigEndian, &p.grantPart)
		if err := p.judge(&h, start, parts, seen, next); err != nil {
			return h, nil, err
		}
		next = uint64(p.Number)*v + p.To
		if p.Coding == format.Zstd {
			if raw, err = take(frameSizeSize * int64((p.To-p.From+zseek.FrameContent-1)/zseek.FrameContent)); err != nil {
				return h, nil, err
			}
			p.frames = make([]uint32, len(raw)/frameSizeSize)
			binary.Decode(raw, binary.BigEndian, p.frames)
		}
		if err := p.judgeFrames(start); err != nil {
			return h, nil, err
		}
		p.shape = p.grantPart.shape(p.layout)
		if p.keys, err = take(p.keysSize()); err != nil {
			return h, nil, err
		}
		for i, e := range p.shape.edges {
			if p.edges[i], err = take(e.Length); err != nil {
				return h, nil, err
			}
		}
		parts = append(parts, p)
		seen[p.Number] = p
	}
	if at < len(b) {
		return h, nil, malformedGrant(format.GRANT4, at, "something follows the last part")
	}
	return h, parts, nil
}

// judge checks a part but for its frames (GRANT-5 to GRANT-7). next is where the one before
// ends in the target's plaintext.
func (p *granted) judge(h *grantHeader, at int, before []*granted, seen map[uint32]*granted, next uint64) error {
	pre, err := format.ParsePreamble(p.Identity[:format.PreambleSize])
	if err != nil {
		return malformedGrant(format.GRANT5, at, "no container begins like this: "+err.Error())
	}
	p.Preamble = pre
	role := format.RoleFile
	if h.VolumeSize > 0 {
		role = format.RoleVolume
	}
	same := seen[p.Number]
	switch {
	case p.Role != role || p.Number >= maxGrantParts,
		len(before) > 0 && (before[0].Set != p.Set || before[0].Coding != p.Coding),
		same != nil && (same.Identity != p.Identity || same.Size != p.Size || same.grantPart.Content != p.Content):
		return malformedGrant(format.GRANT5, at, "its parts are not of one file, or one set")
	}
	if p.Size <= 1<<62 {
		p.layout, err = format.NewLayout(int64(p.Size), int64(p.HeadSize()))
	}
	switch {
	case err != nil || p.Size > 1<<62:
		return malformedGrant(format.GRANT6, at+96, "no container has this size")
	case p.Coding == format.Plain && p.Content != uint64(p.layout.PlainSize), p.Content > 1<<48 && p.Coding == format.Zstd,
		h.VolumeSize == 0 && p.Content != h.Size,
		h.VolumeSize > 0 && (p.Content > h.VolumeSize || uint64(p.Number)*h.VolumeSize+p.Content > h.Size):
		return malformedGrant(format.GRANT6, at+104, "the container cannot have this much content")
	case p.From >= p.To || p.To > p.Content || uint64(p.Number)*h.VolumeSize+p.From < next:
		return malformedGrant(format.GRANT7, at+112, "no range stands there")
	}
	return nil
}

// judgeFrames checks what the range is in the payload's plaintext (GRANT-8).
func (p *granted) judgeFrames(at int) error {
	ok := p.Begin == p.From && p.End == p.To
	if p.Coding == format.Zstd {
		ok = p.From%zseek.FrameContent == 0 && (p.To%zseek.FrameContent == 0 || p.To == p.Content) && p.End < uint64(p.layout.PlainSize)
		sum := uint64(0)
		for _, n := range p.frames {
			ok = ok && n > 0 && n <= zseek.MaxFrameSize
			sum += uint64(n)
		}
		ok = ok && p.Begin <= p.End && sum == p.End-p.Begin
	}
	if !ok {
		return malformedGrant(format.GRANT8, at+128, "the range cannot stand there in the payload")
	}
	return nil
}
