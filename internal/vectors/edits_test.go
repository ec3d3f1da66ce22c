package vectors

import (
	"bytes"
	"encoding/binary"
	"slices"

	"bulla/format"
)

// An edit changes a copy of the head of x and returns it.
type edit func(x *box, copy []byte) []byte

// set writes bytes at an offset; a negative one counts from the end.
func set(off int, with ...byte) edit {
	return func(_ *box, c []byte) []byte {
		copy(c[from(c, off):], with)
		return c
	}
}

// flip inverts a bit of the byte at an offset.
func flip(off int) edit {
	return func(_ *box, c []byte) []byte {
		c[from(c, off)] ^= 0x40
		return c
	}
}

func from(c []byte, off int) int {
	if off < 0 {
		return len(c) + off
	}
	return off
}

// Offsets of fields, from the beginning or, if negative, the end of a copy.
const (
	atVersion    = 10
	atSuite      = 11
	atCoding     = 12
	atRole       = 13
	atPages      = 14
	atSet        = 16
	atNumber     = 28
	atSalt       = 32
	atCommitment = 64
	atGeneration = 96
	atSlotCount  = 100
	atCopyPages  = 102
	atSlots      = 104
	atBody       = atSlots + 20 // of the first slot
	atMAC        = -trailerSize
	atChecksum   = -checksumSize

	checksumSize = 4
	trailerSize  = format.MACSize + checksumSize // what the MAC does not cover
)

// repair makes the checksum right again: what anyone can do.
func repair(_ *box, c []byte) []byte {
	binary.BigEndian.PutUint32(c[len(c)-checksumSize:], crc(c[:len(c)-checksumSize]))
	return c
}

// remac makes the MAC and the checksum right again: what only someone who can open
// the container can do.
func remac(x *box, c []byte) []byte {
	copy(c[len(c)-trailerSize:], x.MAC(c[:len(c)-trailerSize]))
	return repair(x, c)
}

// A change turns a container into that of a scenario.
type change func(x *box)

func apply(x *box, c []byte, edits []edit) []byte {
	c = bytes.Clone(c)
	for _, e := range edits {
		c = e(x, c)
	}
	return c
}

// inHead, inTail and inBoth change copies.
func inHead(edits ...edit) change { return func(x *box) { x.head = apply(x, x.head, edits) } }
func inTail(edits ...edit) change { return func(x *box) { x.tail = apply(x, x.tail, edits) } }
func inBoth(edits ...edit) change {
	return func(x *box) {
		x.head = apply(x, x.head, edits)
		x.tail = apply(x, x.tail, edits)
	}
}

// rewrapped is a valid copy of another generation or with other slots.
func rewrapped(generation uint32, slots ...slot) edit {
	return func(x *box, _ []byte) []byte { return x.copy(x.pages, generation, slots...) }
}

// larger is a valid copy of more pages than the container's own have: a detached
// head.
func larger(pages uint16, generation uint32, slots ...slot) edit {
	return func(x *box, _ []byte) []byte { return x.copy(pages, generation, slots...) }
}

// of is the head of another container.
func of(f file) edit { return func(_ *box, _ []byte) []byte { return build(f).head } }

// bytesOf replaces a copy by other bytes.
func bytesOf(b []byte) edit { return func(_ *box, _ []byte) []byte { return b } }

// cutAt cuts the container off; a negative size counts from its end.
func cutAt(size int64) change {
	return func(x *box) {
		if size < 0 {
			size += x.size()
		}
		x.cut = size
	}
}

// nothing is an empty file.
func nothing(x *box) { x.head, x.payload, x.tail = nil, nil, nil }

// only makes the whole file these bytes.
func only(b string) change {
	return func(x *box) { x.head, x.payload, x.tail = []byte(b), nil, nil }
}

// followed puts bytes after the tail.
func followed(b []byte) change { return func(x *box) { x.after = b } }

// payloadOf replaces the payload by the first n bytes of that of another file.
func payloadBytes(b []byte) change { return func(x *box) { x.payload = []chunk{{b: b}} } }

// flipAt inverts a bit of the container.
func flipAt(off int64) change {
	return func(x *box) { x.xors = append(x.xors, Xor{off, []byte{0x40}}) }
}

// swap exchanges chunks.
func swap(i, j int64) change {
	return func(x *box) { x.payload[i], x.payload[j] = x.payload[j], x.payload[i] }
}

// drop takes a chunk out.
func drop(i int) change { return func(x *box) { x.payload = slices.Delete(x.payload, i, i+1) } }

// twice puts a chunk there a second time.
func twice(i int) change {
	return func(x *box) { x.payload = slices.Insert(x.payload, i, x.payload[i]) }
}

// reseal puts at place i a chunk that is sealed as another: with index, length
// and flag as given.
func reseal(i int, index, n int64, final bool) change {
	return func(x *box) { x.payload[i] = x.sealed(index, n, final) }
}

// add puts a chunk after the others.
func add(index, n int64, final bool) change {
	return func(x *box) { x.payload = append(x.payload, x.sealed(index, n, final)) }
}

// lastOnly makes the payload of a container with that many chunks zeros, but for
// the last chunks, which are sealed as they should be: keep full ones, then the
// final one of n bytes.
func lastOnly(chunks, keep, n int64) change {
	return func(x *box) {
		x.payload = []chunk{zeros(chunks - 1 - keep)}
		for i := chunks - 1 - keep; i < chunks-1; i++ {
			x.payload = append(x.payload, x.sealed(i, C, false))
		}
		x.payload = append(x.payload, x.sealed(chunks-1, n, true))
	}
}

// zeros stand where n full chunks should.
func zeros(n int64) chunk { return chunk{Part: Part{Kind: PartZeros, Count: n * S}} }

// islands makes the payload zeros, but for full chunks at some places, which are
// sealed as they should be, and the last one of n bytes.
func islands(last, n int64, places ...int64) change {
	return func(x *box) {
		x.payload = nil
		next := int64(0)
		for _, i := range append(places, last) {
			if i > next {
				x.payload = append(x.payload, zeros(i-next))
			}
			if i == last {
				x.payload = append(x.payload, x.sealed(i, n, true))
			} else {
				x.payload = append(x.payload, x.sealed(i, C, false))
			}
			next = i + 1
		}
	}
}

// detached gives the vector a detached head.
func detached(edits ...edit) change {
	return func(x *box) { x.detached = apply(x, x.head, edits) }
}

// raw returns the payload of f as bytes.
func raw(f file) []byte {
	x := build(f)
	var b []byte
	for _, c := range x.payload {
		b = append(b, x.chunkBytes(c)...)
	}
	return b
}

func (x *box) chunkBytes(c chunk) []byte {
	if c.b != nil {
		return c.b
	}
	return x.Seal(nil, c.First, c.Final, Plaintext(x.seed, c.First*C, c.PlaintextSize))
}

// whole returns the container of f as bytes.
func whole(f file) []byte {
	x := build(f)
	return slices.Concat(x.head, raw(f), x.tail)
}

const _ = -uint(format.PageSize - H) // H is one page
