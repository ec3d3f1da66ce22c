package vectors

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"fmt"

	"bulla/format"
)

// Containers that take the solving of an equation: GCM's tag and the CRC are
// linear, and whoever has the keys can choose what comes of them.

// twoFaces are two containers with the same only chunk, which opens under both
// keys; and, put together, the head of one and the tail of the other: its
// recipients would read two plaintexts from one file (COPY-1).
func twoFaces() []scenario {
	a := file{label: "face a", slots: []slot{kek(keyA)}}
	b := file{label: "face b", slots: []slot{kek(keyB)}}
	c := bothFit(build(a), build(b), "pay anna 10 EUR.", "pay bob 9999 EUR")
	a.content, b.content = opened(build(a), c), opened(build(b), c)
	a.decoded, b.decoded = a.content, b.content
	end := int64(H + len(c) + format.TagSize)
	two := []change{inTail(of(b))}
	return []scenario{
		{name: "face_a", comment: "a container of one chunk, which is also that of face_b", file: a, want: "ok"},
		{name: "face_b", comment: "a container of one chunk, which is also that of face_a", file: b, keys: []Key{withKEK(keyB)}, want: "ok"},
		{name: "two_faces_head", comment: "the head of face_a, their chunk, the tail of face_b; the key of the head", file: a, change: two,
			want: fmt.Sprintf("COPY-1 %d", len(a.content)), random: "COPY-1", keyless: at(format.COPY1, end)},
		{name: "two_faces_tail", comment: "the head of face_a, their chunk, the tail of face_b; the key of the tail", file: a, change: two,
			keys: []Key{withKEK(keyB)}, want: "no-key", random: "COPY-1", keyless: at(format.COPY1, end)},
	}
}

// bothFit is the ciphertext of a final chunk 0 of three blocks that opens under the
// keys of both boxes: as the first block says for a, and the second for b. The third makes
// the tags equal. Of a chunk's blocks c1, c2, c3 and their length the tag is
//
//	c1·H^4 + c2·H^3 + c3·H^2 + length·H + S
//
// in GF(2^128), with H and S of the key. So c3 = D / (Ha^2 + Hb^2), where D is by
// what the tags differ if c3 is zero.
func bothFit(a, b *box, textA, textB string) []byte {
	const block = aes.BlockSize
	c := make([]byte, 3*block)
	copy(c[0*block:], opened(a, append([]byte(textA), make([]byte, 2*block)...))[:block])
	copy(c[1*block:], opened(b, append(make([]byte, block), textB+string(make([]byte, block))...))[block:2*block])
	ta, tb := tagOf(a, c), tagOf(b, c)
	ha, hb := hashKey(a), hashKey(b)
	c3 := times(ta.plus(tb), times(ha, ha).plus(times(hb, hb)).inverse())
	copy(c[2*block:], c3.bytes())
	if tagOf(a, c) != tagOf(b, c) {
		panic("vectors: the tags differ")
	}
	return c
}

// opened is what the ciphertext of a final chunk 0 decrypts to. Encrypting does the
// same to it: the keystream is added.
func opened(x *box, c []byte) []byte { return x.Seal(nil, 0, true, c)[:len(c)] }

// tagOf is the tag of a final chunk 0 with that ciphertext.
func tagOf(x *box, c []byte) element {
	return toElement(x.Seal(nil, 0, true, opened(x, c))[len(c):])
}

// hashKey is GHASH's H of the key of a final chunk 0.
func hashKey(x *box) element {
	var h [aes.BlockSize]byte
	must(aes.NewCipher(x.FinalKey(0))).Encrypt(h[:], h[:])
	return toElement(h[:])
}

// An element of GF(2^128) as GCM has it: the first bit is that of x^0.
type element struct{ high, low uint64 }

func toElement(b []byte) element {
	return element{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (e element) bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, e.high), e.low)
}

func (e element) plus(f element) element { return element{e.high ^ f.high, e.low ^ f.low} }

// times multiplies (SP 800-38D, algorithm 1).
func times(e, f element) (product element) {
	for i := range 128 {
		word := e.high
		if i >= 64 {
			word = e.low
		}
		if word>>(63-i%64)&1 == 1 {
			product = product.plus(f)
		}
		carry := f.low & 1
		f = element{f.high >> 1, f.low>>1 | f.high<<63}
		if carry == 1 {
			f.high ^= 0xe1 << 56
		}
	}
	return product
}

// inverse is e to the power of 2^128 - 2.
func (e element) inverse() element {
	result := element{high: 1 << 63}
	for range 127 {
		e = times(e, e)
		result = times(result, e)
	}
	return result
}

// decoyTail has a damaged head of one page, and a payload that ends, before the
// tail, in what makes of the last two pages an intact copy, too: the one of fewer
// pages is the tail (READ-2).
func decoyTail() scenario {
	f := file{label: "decoy tail"}
	x := build(f)
	// The chunk fills a page, its tag included.
	decoy := secretBytes("decoy", H-format.TagSize)
	copy(decoy, x.pre[:atSalt])
	binary.BigEndian.PutUint16(decoy[atPages:], 2)
	binary.BigEndian.PutUint16(decoy[atCopyPages:], 2)
	tail := x.head
	want := binary.BigEndian.Uint32(tail[H-checksumSize:])
	wrong := func(c []byte) uint32 { // by what the checksum over both pages is not that of the tail
		sealed := x.Seal(nil, 0, true, opened(x, c))
		return crc(append(sealed, tail[:H-checksumSize]...)) ^ want
	}
	const free = 200 // from here on bits may be changed
	fix(decoy, free, wrong)
	f.content = opened(x, decoy)
	f.decoded = f.content
	return scenario{
		name: "torn_head_decoy", comment: "the head is damaged; the last page is an intact copy, and the last two pages are", file: f,
		change: []change{inHead(flip(200))}, want: "HEAD-5", random: "warning HEAD-5", keyless: at(format.HEAD5, H-4),
		covers: []format.Clause{format.READ2},
	}
}

func secretBytes(label string, n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = append(b, secret(fmt.Sprint(label, " ", i))...)
	}
	return b[:n]
}

// fix changes bits of b from an offset on so that wrong, which is affine in them,
// becomes 0: Gauss, with twice as many unknowns as equations.
func fix(b []byte, from int, wrong func([]byte) uint32) {
	const unknowns = 64
	type row struct {
		effect uint32
		bits   uint64
	}
	flip := func(bits uint64) []byte {
		c := bytes.Clone(b)
		for i := range unknowns {
			c[from+i/8] ^= byte(bits >> i & 1 << (i % 8))
		}
		return c
	}
	start := wrong(b)
	var rows [32]row // by the highest bit of the effect
	reduce := func(r row) row {
		for bit := 31; bit >= 0; bit-- {
			if r.effect>>bit&1 == 1 && rows[bit].effect != 0 {
				r.effect ^= rows[bit].effect
				r.bits ^= rows[bit].bits
			}
		}
		return r
	}
	for i := range unknowns {
		r := reduce(row{wrong(flip(1<<i)) ^ start, 1 << i})
		for bit := 31; bit >= 0; bit-- {
			if r.effect>>bit&1 == 1 {
				rows[bit] = r
				break
			}
		}
	}
	copy(b, flip(reduce(row{start, 0}).bits))
	if wrong(b) != 0 {
		panic("vectors: the checksum cannot be made to fit")
	}
}
