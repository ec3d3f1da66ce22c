package format

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// What has no copy of a head may have lost both: if a container can have its size,
// and what is in it looks sealed, or like a head but for its magic.
func TestLostCopies(t *testing.T) {
	noise := func(n int) []byte {
		r, b := rand.New(rand.NewPCG(1, 2)), make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	const H = 4096
	good := container(encode(t, sampleHead(1, Slot{Type: SlotKEK, Body: pattern(KEKBodySize)})), 500, make([]byte, H))
	magic, suite := slices.Clone(good), slices.Clone(good)
	magic[3] ^= 1
	suite[3], suite[11] = 0, 77
	for _, c := range []struct {
		name string
		b    []byte
		lost bool
	}{
		{"ends of zeros", slices.Concat(make([]byte, H), noise(100_000), make([]byte, H)), true},
		{"noise", noise(100_000), true},
		{"too small", noise(2*H + TagSize - 1), false},
		{"text", bytes.Repeat([]byte("the quick brown fox "), 5000), false},
		{"zeros", make([]byte, 100_000), false},
		{"noise that begins as another file does", slices.Concat([]byte("PK\x03\x04"), noise(100_000)), false},
		{"a tar of noise", slices.Concat(make([]byte, 257), []byte("ustar\x0000"), noise(100_000)), false},
		{"a film", slices.Concat([]byte("\x00\x00\x00\x20ftypisom"), noise(100_000)), false},
		{"a PDF", slices.Concat([]byte("%PDF-1.7"), noise(100_000)), false},
		{"a picture", slices.Concat([]byte("\x89PNG\r\n\x1a\n"), noise(100_000)), false},
		{"a head without its magic", magic, true},
		{"that, and a suite that is not known", suite, false},
		{"a damaged magic in noise", slices.Concat([]byte("\x89bulla\r\n"), noise(100_000)), true},
	} {
		err := ReadCopies(bytes.NewReader(c.b), int64(len(c.b))).HeadErr
		var pe *ParseError
		if !errors.As(err, &pe) || pe.Clause != HEAD1 || errors.Is(err, ForeignLost) != c.lost {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
