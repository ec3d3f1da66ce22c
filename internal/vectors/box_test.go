package vectors

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"bulla/format"
)

// The sizes that scenarios speak in.
const (
	C = format.ChunkSize
	S = format.SealedChunkSize
	H = format.PageSize // of the head, unless a file has more pages
)

// A file says what container to make. The zero file is the plainest: AES-256-GCM,
// no coding, one page, generation 1, one slot for the key-encryption key A, no
// plaintext.
type file struct {
	label      string // names its secrets; the scenario's name if empty
	suite      byte
	coding     byte
	role       byte
	set        [12]byte // id
	number     uint32   // of a volume
	pages      uint16
	generation uint32
	slots      []slot
	plain      int64  // bytes of plaintext
	content    []byte // the plaintext of the payload, where it is not the pattern: coding 1
	decoded    []byte // what that decodes to
	preamble   edit   // a change of the preamble by the writer, before keys derive from it
	noPayload  bool
}

// secret is 32 bytes that a label stands for.
func secret(label string) []byte {
	s := sha256.Sum256([]byte("bulla vector: " + label))
	return s[:]
}

// A box is a container that is being made.
type box struct {
	file
	*Schedule
	seed     byte
	pre      []byte  // the preamble
	notes    []Value // intermediate values of the slots of the first copy
	noted    bool
	head     []byte
	payload  []chunk
	tail     []byte
	after    []byte // the tail
	xors     []Xor
	cut      int64
	detached []byte
}

// A chunk is one chunk of the payload: of the recipe, or bytes.
type chunk struct {
	Part
	b []byte
}

func (c *chunk) size() int64 {
	if c.b != nil {
		return int64(len(c.b))
	}
	if c.Kind == PartZeros {
		return c.Count
	}
	return c.PlaintextSize + format.TagSize
}

// build makes the container of f.
func build(f file) *box {
	if f.suite == 0 {
		f.suite = byte(format.AES256GCM)
	}
	if f.pages == 0 {
		f.pages = 1
	}
	if f.generation == 0 {
		f.generation = 1
	}
	if f.slots == nil {
		f.slots = []slot{kek(keyA)}
	}
	x := &box{file: f, seed: secret("seed " + f.label)[0]}
	x.pre = x.encodePreamble()
	x.Schedule = NewSchedule(secret("cek "+f.label), x.pre)
	x.head = x.copy(f.pages, f.generation, f.slots...)
	x.noted = true
	x.tail = bytes.Clone(x.head)
	x.fill()
	return x
}

// fill seals the payload.
func (x *box) fill() {
	if x.noPayload {
		return
	}
	plain := x.plain
	if x.content != nil {
		plain = int64(len(x.content))
	}
	for i := int64(0); ; i++ {
		n := min(plain-i*C, C)
		x.payload = append(x.payload, x.sealed(i, n, n < C))
		if n < C {
			return
		}
	}
}

// sealed is chunk i with n bytes of plaintext.
func (x *box) sealed(i, n int64, final bool) chunk {
	c := chunk{Part: Part{Kind: PartChunk, First: i, PlaintextSize: n, Final: final}}
	if x.content != nil {
		plain := x.content[i*C:][:n]
		c.b = x.Seal(nil, i, final, plain)
		if n == C && !final && bytes.Equal(plain, make([]byte, C)) {
			c.Kind = PartZeroChunks
		}
	}
	return c
}

func (x *box) encodePreamble() []byte {
	b := []byte(format.Magic)
	b = append(b, 2, x.suite, x.coding, x.role)
	b = binary.BigEndian.AppendUint16(b, x.pages)
	b = append(b, x.set[:]...)
	b = binary.BigEndian.AppendUint32(b, x.number)
	b = append(b, secret("salt "+x.label)...)
	if x.file.preamble != nil {
		b = x.file.preamble(x, b)
	}
	return b
}

// copy encodes a valid copy of the head of that many pages with these slots.
func (x *box) copy(pages uint16, generation uint32, slots ...slot) []byte {
	b := bytes.Clone(x.pre)
	b = append(b, x.Commitment...)
	b = binary.BigEndian.AppendUint32(b, generation)
	b = binary.BigEndian.AppendUint16(b, uint16(len(slots)))
	b = binary.BigEndian.AppendUint16(b, pages)
	for i, s := range slots {
		n, canonical, body := s(x, i)
		id := x.SlotID(canonical)
		x.note("slot-id", i, id)
		b = binary.BigEndian.AppendUint16(b, n)
		b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
		b = append(b, id...)
		b = append(b, body...)
	}
	room := int(pages)*format.PageSize - trailerSize
	if len(b) > room {
		panic(fmt.Sprintf("%s: the slots do not fit by %d bytes", x.label, len(b)-room))
	}
	b = append(b, make([]byte, room-len(b))...)
	b = append(b, x.MAC(b)...)
	return binary.BigEndian.AppendUint32(b, crc(b))
}

// note keeps an intermediate value of slot i.
func (x *box) note(key string, i int, value []byte) {
	if x.noted {
		return
	}
	x.notes = append(x.notes, Value{key, fmt.Sprintf("%d %x", i, value)})
}

func crc(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// chunks is the number of chunks in the payload.
func (x *box) chunks() int64 { return int64(len(x.payload)) }

// mac is the MAC that stands in the head.
func (x *box) mac() Value {
	return Value{"mac", fmt.Sprintf("%x", x.head[len(x.head)-trailerSize:len(x.head)-checksumSize])}
}

// values are the intermediate values of the container as it was written.
func (x *box) values() []Value {
	hex := func(key string, b []byte) Value { return Value{key, fmt.Sprintf("%x", b)} }
	all := []Value{
		hex(valueCEK, x.CEK), hex(valuePreamble, x.pre), hex("prk", x.PRK), hex("commitment", x.Commitment),
		hex("head-key", x.HeadKey), hex("slot-id-key", x.SlotIDKey), x.mac(),
	}
	all = append(all, x.notes...)
	last := x.chunks() - 1
	if last <= 0 {
		all = append(all, x.tree()...)
	} else {
		var segments []int64
		for s := int64(0); s <= (last-1)/format.SegmentChunks; s++ {
			segments = append(segments, s)
		}
		all = append(all, x.tree(segments...)...)
		all = append(all, Value{"nonce", fmt.Sprintf("0 %x", Nonce(0))})
	}
	return append(all, x.end(last)...)
}

// tree is the way from the payload's node to the keys of some segments.
func (x *box) tree(segments ...int64) []Value {
	all := []Value{{"payload-node", fmt.Sprintf("%x", x.PayloadNode)}}
	for _, s := range segments {
		for _, n := range []Value{
			{"node", fmt.Sprintf("2 %d %x", s/segmentsLevel2, x.Node(2, s/segmentsLevel2))},
			{"node", fmt.Sprintf("1 %d %x", s/segmentsLevel1, x.Node(1, s/segmentsLevel1))},
			{"segment-key", fmt.Sprintf("%d %x", s, x.SegmentKey(s))},
		} {
			if !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// end is what seals the last chunk.
func (x *box) end(last int64) []Value {
	return []Value{
		{"final-key", fmt.Sprintf("%d %x", last, x.FinalKey(last))},
		{"nonce", fmt.Sprintf("%d %x", last, Nonce(last))},
	}
}

// parts returns the recipe of the container and the bytes for its body. Runs of
// zeros become parts of their own, and so do runs of full chunks.
func (x *box) parts() (r Recipe, body []byte) {
	r = Recipe{Xors: x.xors, Cut: x.cut}
	put := func(b []byte) {
		for len(b) > 0 {
			n, zeros := leadingRun(b)
			kind := PartBytes
			if zeros {
				kind = PartZeros
			} else {
				body = append(body, b[:n]...)
			}
			if k := len(r.Parts); k > 0 && r.Parts[k-1].Kind == kind {
				r.Parts[k-1].Count += int64(n)
			} else {
				r.Parts = append(r.Parts, Part{Kind: kind, Count: int64(n)})
			}
			b = b[n:]
		}
	}
	put(x.head)
	for _, c := range x.payload {
		k := len(r.Parts)
		switch {
		case c.Kind == PartZeros:
			r.Parts = append(r.Parts, c.Part)
		case k > 0 && c.Kind == PartZeroChunks && r.Parts[k-1].Kind == PartZeroChunks && r.Parts[k-1].First+r.Parts[k-1].Count == c.First:
			r.Parts[k-1].Count++
		case c.Kind == PartZeroChunks:
			r.Parts = append(r.Parts, Part{Kind: PartZeroChunks, First: c.First, Count: 1})
		case c.b != nil:
			put(c.b)
		case c.Final || c.PlaintextSize < C:
			r.Parts = append(r.Parts, c.Part)
		case k > 0 && r.Parts[k-1].Kind == PartChunks && r.Parts[k-1].First+r.Parts[k-1].Count == c.First:
			r.Parts[k-1].Count++
		default:
			r.Parts = append(r.Parts, Part{Kind: PartChunks, First: c.First, Count: 1})
		}
	}
	put(x.tail)
	put(x.after)
	r.Size = x.size()
	return r, body
}

// leadingRun is the length of the run that begins b: of zeros worth a part of
// their own, or of what stands before such a run.
func leadingRun(b []byte) (n int, zeros bool) {
	const worth = 256
	for i := 0; i < len(b); {
		if b[i] != 0 {
			i++
			continue
		}
		end := i
		for end < len(b) && b[end] == 0 {
			end++
		}
		switch {
		case end-i < worth:
			i = end
		case i == 0:
			return end, true
		default:
			return i, false
		}
	}
	return len(b), false
}

// size is the length of the container.
func (x *box) size() int64 {
	n := int64(len(x.head) + len(x.tail) + len(x.after))
	for i := range x.payload {
		n += x.payload[i].size()
	}
	if x.cut > 0 {
		n = min(n, x.cut)
	}
	return n
}
