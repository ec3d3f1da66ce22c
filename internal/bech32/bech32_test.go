package bech32

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

var testData = []byte("thirty-two bytes that are a key.")

// The strings of BIP 173 that are Bech32 and hold whole bytes.
func TestValid(t *testing.T) {
	for _, s := range []string{
		"A12UEL5L",
		"a12uel5l",
		"?1ezyfcl",
		"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
		"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
		"split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
	} {
		prefix, data, err := Decode(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if got := Encode(prefix, data); got != s {
			t.Errorf("%s: encodes to %s", s, got)
		}
	}
}

func TestInvalid(t *testing.T) {
	for _, tt := range []struct{ s, want string }{
		{"", errSeparator.Error()},
		{" 1nwldj5", "character 1 is not printable ASCII"},
		{"\x7f1axkwrx", "character 1 is not printable ASCII"},
		{"\x801eym55h", "character 1 is not printable ASCII"},
		{"pzry9x0s0muk", errSeparator.Error()},
		{"1pzry9x0s0muk", errSeparator.Error()},
		{"x1b4n0q5v", "character 3 is none of Bech32's"},
		{"li1dgmt3", errSeparator.Error()},
		{"de1lg7wt\xff", "character 9 is not printable ASCII"},
		{"A1G7SGD8", ErrChecksum.Error()},
		{"10a06t8", errSeparator.Error()},
		{"1qzzfhee", errSeparator.Error()},
		{"a12UEL5L", errCase.Error()},
		{"A12uEL5L", errCase.Error()},
		{"a12uel5m", ErrChecksum.Error()},
		{"a12uel5Ł", "character 8 is not printable ASCII"},
	} {
		if _, _, err := Decode(tt.s); err == nil || err.Error() != tt.want {
			t.Errorf("%q: %v, want %s", tt.s, err, tt.want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{1216, 4096}
	for n := range 65 {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		for _, prefix := range []string{"age1pq", "AGE-SECRET-KEY-PQ-"} {
			s := Encode(prefix, data)
			p, got, err := Decode(s)
			if err != nil || p != prefix || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes: %q %v", n, p, err)
			}
		}
	}
}

// Bits behind the last byte must be fewer than five and zero, or one key would
// have several texts.
func TestPadding(t *testing.T) {
	withChecksum := func(values ...byte) string {
		sum := polymod("x", append(bytes.Clone(values), make([]byte, 6)...)) ^ 1
		for i := 5; i >= 0; i-- {
			values = append(values, byte(sum>>(5*i)&31))
		}
		for i, v := range values {
			values[i] = alphabet[v]
		}
		return "x1" + string(values)
	}
	for _, tt := range []struct {
		values []byte
		ok     bool
	}{
		{[]byte{}, true},
		{[]byte{0}, false},                         // no byte, five bits left
		{[]byte{31, 28}, true},                     // ff and 00
		{[]byte{31, 29}, false},                    // ff and 01
		{[]byte{31, 28, 0}, false},                 // ff and seven bits
		{[]byte{31, 31, 31, 16}, true},             // ffff and four bits
		{[]byte{31, 31, 31, 17}, false},            // not zero
		{[]byte{0, 0, 0, 0, 0, 0, 0, 0}, true},     // five bytes, nothing left
		{[]byte{0, 0, 0, 0, 0, 0, 0, 0, 0}, false}, // one character more
	} {
		_, _, err := Decode(withChecksum(tt.values...))
		if tt.ok != (err == nil) || err != nil && err != errPadding {
			t.Errorf("%v: %v", tt.values, err)
		}
	}
}

// The checksum finds every single wrong character.
func TestSingleErrors(t *testing.T) {
	s := Encode("AGE-SECRET-KEY-PQ-", testData)
	start := strings.LastIndex(s, "1") + 1
	for i := start; i < len(s); i++ {
		for _, c := range strings.ToUpper(alphabet) {
			if byte(c) == s[i] {
				continue
			}
			if _, _, err := Decode(s[:i] + string(c) + s[i+1:]); err != ErrChecksum {
				t.Fatalf("character %d as %c: %v", i, c, err)
			}
		}
	}
}

func FuzzBech32(f *testing.F) {
	f.Add("a12uel5l")
	f.Add("A12UEL5L")
	f.Add(Encode("AGE-SECRET-KEY-PQ-", testData))
	f.Add("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w")
	f.Fuzz(func(t *testing.T, s string) {
		prefix, data, err := Decode(s)
		if err != nil {
			return
		}
		// A prefix without letters does not say which case the data had.
		if got := Encode(prefix, data); got != s && !strings.EqualFold(got, s) {
			t.Errorf("%q decodes and encodes to %q", s, got)
		}
	})
}
