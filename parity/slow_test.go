package parity_test

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"bulla/format"
)

// What follows makes parity files from the text of spec/parity.md and shares no code
// with the package: every sum in GF(2^8) by a table of its own, all in memory.

const L = 65552

// mul multiplies in GF(2^8) mod 0x11D, bit by bit.
func mul(a, b byte) (p byte) {
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			p ^= a
		}
		over := a&0x80 != 0
		if a <<= 1; over {
			a ^= 0x1d
		}
	}
	return p
}

func inverse(a byte) byte {
	for b := range 256 {
		if mul(a, byte(b)) == 1 {
			return byte(b)
		}
	}
	panic("0 has no inverse")
}

func slowCRC(b ...[]byte) (sum uint32) {
	for _, p := range b {
		sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), p)
	}
	return sum
}

// slow is the parity file of a container, by the text.
func slow(container []byte, m, D int) []byte {
	H := 4096 * int(binary.BigEndian.Uint16(container[14:]))
	payload := container[H : len(container)-H]
	var chunks [][]byte
	for ; len(payload) >= L; payload = payload[L:] {
		chunks = append(chunks, payload[:L])
	}
	chunks = append(chunks, payload)
	N, W, c := len(chunks), 128*D, L
	if N == 1 {
		c = len(chunks[0])
	}
	G := D
	if N <= W {
		for G = 2; 128*G < N; {
			G *= 2
		}
	}
	header := func(kind, w, n, last int) []byte {
		b := append([]byte("bullapar"), 1, byte(kind))
		b = binary.BigEndian.AppendUint16(b, uint16(m))
		b = binary.BigEndian.AppendUint16(b, uint16(D))
		b = append(append(b, 0, 0), container[:96]...)
		b = binary.BigEndian.AppendUint64(b, uint64(w))
		b = binary.BigEndian.AppendUint32(b, uint32(n))
		b = binary.BigEndian.AppendUint32(b, uint32(last))
		b = append(b, make([]byte, 380)...)
		return binary.BigEndian.AppendUint32(b, slowCRC(b))
	}
	entry := func(b []byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, slowCRC(b)), b[len(b)-4:]...)
	}
	out := append(header(0, 0, 0, 0), container[:H]...)
	for w := 0; w*W < N; w++ {
		in := chunks[w*W : min(N, (w+1)*W)]
		g := min(G, len(in))
		cells := make([][]byte, g*m)
		for k := range cells {
			cells[k] = make([]byte, c)
		}
		var table []byte
		for r, chunk := range in {
			table = append(table, entry(chunk)...)
			position := (r / D) ^ (128 * (r % D) / D)
			for j := range m {
				cell, k, row := cells[j*g+r%G], inverse(byte(128+j)^byte(position)), [256]byte{}
				for x := range row {
					row[x] = mul(k, byte(x))
				}
				for i, x := range chunk {
					cell[i] ^= row[x]
				}
			}
		}
		for _, cell := range cells {
			table = append(table, entry(cell)...)
		}
		var blocks []byte
		for number := 0; len(table) > 0; number++ {
			b := make([]byte, 504)
			table = table[copy(b, table):]
			b = binary.BigEndian.AppendUint32(b, uint32(number))
			blocks = append(blocks, b...)
			blocks = binary.BigEndian.AppendUint32(blocks, slowCRC(container[:96], binary.BigEndian.AppendUint64(nil, uint64(w)), b))
		}
		kind := 1
		if (w+1)*W >= N {
			kind = 2
		}
		h := header(kind, w, len(in), len(in[len(in)-1]))
		out = append(append(out, h...), blocks...)
		for _, cell := range cells {
			out = append(out, cell...)
		}
		out = append(append(out, blocks...), h...)
	}
	return out
}

// newContainer is a container whose payload is n random bytes.
func newContainer(t testing.TB, rng *rand.Rand, n, pages int) []byte {
	t.Helper()
	h := &format.Head{Generation: 1, Slots: []format.Slot{{Type: 99, Body: []byte("body")}}}
	h.Suite, h.Pages = format.AES256GCM, pages
	noise(rng, h.Salt[:])
	head, err := h.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(head)+n+len(head))
	copy(b, head)
	noise(rng, b[len(head):len(head)+n])
	copy(b[len(head)+n:], head)
	return b
}

func noise(rng *rand.Rand, b []byte) {
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, rng.Uint64())
		b = b[8:]
	}
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
}

// The known answers of the text, section 8.
func TestMatrix(t *testing.T) {
	for j, row := range map[int][5]byte{
		0: {0x1b, 0x54, 0xa1, 0x7e, 0xfd}, 1: {0x54, 0x1b, 0x1d, 0xfd, 0x7e}, 6: {0xe4, 0xb0, 0x7c, 0x42, 0xd4}, 127: {0xfd, 0x7e, 0xff, 0x54, 0x1b},
	} {
		for i, p := range []int{0, 1, 2, 126, 127} {
			if got := inverse(byte(128+j) ^ byte(p)); got != row[i] {
				t.Errorf("K(%d,%d) is %x, not %x", j, p, got, row[i])
			}
		}
	}
}
