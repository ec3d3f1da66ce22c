package format_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"bulla/format"
)

// copyOf is what passes for an undamaged copy of that many pages.
func copyOf(pages int, fill byte) []byte {
	b := bytes.Repeat([]byte{fill}, pages*format.PageSize)
	copy(b, format.Magic)
	b[10] = format.Version
	binary.BigEndian.PutUint16(b[14:], uint16(pages))
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], table))
	return b
}

// A Finder finds what CheckCopy accepts, and nothing else, in every place: copies
// of all lengths, at the ends, in one another, cut off and damaged.
func TestFinder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	var b []byte
	for pages := format.MinPages; pages <= format.MaxPages; pages++ {
		whole := copyOf(pages, byte(pages))
		damaged := bytes.Clone(whole)
		damaged[rng.IntN(len(damaged))] ^= 1 << rng.IntN(8)
		cut := whole[:len(whole)-1]
		b = append(b, whole...)
		b = append(b, noise(pages)...)
		b = append(b, damaged...)
		b = append(b, cut...)
	}
	nested := copyOf(5, 0)
	copy(nested[1000:], copyOf(2, 7))
	binary.BigEndian.PutUint32(nested[len(nested)-4:], crc32.Checksum(nested[:len(nested)-4], crc32.MakeTable(crc32.Castagnoli)))
	b = append(b, nested...)
	b = append(b, copyOf(64, 64)...)
	b = append(b, copyOf(3, 3)[:3*format.PageSize-1]...) // which the end cuts off
	b = append(b, format.Magic...)

	f := format.NewFinder(b)
	magic := []byte(format.Magic)
	next, found := 0, 0
	for p := range b {
		if !bytes.HasPrefix(b[p:], magic) {
			continue
		}
		want, err := format.CheckCopy(b[p:])
		if err != nil {
			continue
		}
		found++
		if at, size := f.Next(magic, next); at != p || size != want {
			t.Errorf("%d bytes at %d, not %d at %d", size, at, want, p)
		}
		next = p + 1
	}
	if at, _ := f.Next(magic, next); at != -1 {
		t.Errorf("one more at %d", at)
	}
	if want := format.MaxPages + 3; found != want {
		t.Errorf("%d copies, not %d", found, want)
	}
	if at, _ := f.Next(b[len(b)-1:], len(b)+1); at != -1 {
		t.Errorf("found at %d, behind the end", at)
	}
	if at, _ := format.NewFinder(nil).Next(magic, 0); at != -1 {
		t.Errorf("found at %d of nothing", at)
	}
	// Some bytes of one copy tell it from the others.
	if at, size := f.Next(copyOf(64, 64)[:format.PreambleSize], 1); size != format.MaxHeadSize || b[at+100] != 64 {
		t.Errorf("%d bytes at %d", size, at)
	}
}

// lookalikes begin a copy of the greatest length every 16 bytes.
func lookalikes(n int) []byte {
	begin := make([]byte, 16)
	copy(begin, copyOf(64, 0))
	return bytes.Repeat(begin, n/len(begin))
}

// Bytes that look like copies in every place, of which none is: summed up one by
// one, 256 KiB each, these are 64 GiB.
func TestFinderLookalikes(t *testing.T) {
	if at, _ := format.NewFinder(lookalikes(4<<20)).Next([]byte(format.Magic), 0); at != -1 {
		t.Errorf("found at %d", at)
	}
}

func BenchmarkFinderLookalikes(b *testing.B) {
	bad := lookalikes(1 << 20)
	b.SetBytes(int64(len(bad)))
	for b.Loop() {
		format.NewFinder(bad).Next([]byte(format.Magic), 0)
	}
}
