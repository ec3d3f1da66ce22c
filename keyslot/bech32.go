package keyslot

import (
	"errors"
	"fmt"
	"strings"
)

// Bech32 (BIP 173) without its limit of 90 characters, as age uses it for keys:
//
//	prefix || "1" || data, 5 bits a character || checksum, 6 characters
//
// The prefix may hold a "1" itself: the last one separates. All letters are of
// one case. The errors name no part of the string, which may be a secret.
const (
	bech32Alphabet  = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	bech32Separator = "1"
	bech32Checksum  = 6
)

var (
	errBech32Case      = errors.New("upper and lower case are mixed")
	errBech32Separator = errors.New("there is no prefix, or too little behind it")
	errBech32Checksum  = errors.New("the checksum does not fit: a character is wrong, missing or too many")
	errBech32Padding   = errors.New("the last character holds bits that belong to no byte")
)

// encodeBech32 encodes data under prefix, which is all of one case, and in
// that case. The prefix is a constant of the caller's, not a user's choice.
func encodeBech32(prefix string, data []byte) string {
	lower := strings.ToLower(prefix)
	values := make([]byte, 0, (len(data)*8+4)/5+bech32Checksum)
	acc, bits := 0, 0
	for _, b := range data {
		acc, bits = acc<<8|int(b), bits+8
		for ; bits >= 5; bits -= 5 {
			values = append(values, byte(acc>>(bits-5)&31))
		}
		acc &= 1<<bits - 1
	}
	if bits > 0 {
		values = append(values, byte(acc<<(5-bits)&31))
	}
	sum := bech32Polymod(lower, append(values, make([]byte, bech32Checksum)...)) ^ 1
	for i := bech32Checksum - 1; i >= 0; i-- {
		values = append(values, byte(sum>>(5*i)&31))
	}
	for i, v := range values {
		values[i] = bech32Alphabet[v]
	}
	s := lower + bech32Separator + string(values)
	if lower != prefix {
		s = strings.ToUpper(s)
	}
	return s
}

// decodeBech32 is the inverse of encodeBech32 and, given a letter in the prefix
// that says the case, accepts nothing that encodeBech32 does not make. The
// prefix comes back in the case it was written in.
func decodeBech32(s string) (prefix string, data []byte, err error) {
	lower, upper := false, false
	for i := range len(s) {
		c := s[i]
		if c < '!' || c > '~' {
			return "", nil, fmt.Errorf("character %d is not printable ASCII", i+1)
		}
		lower = lower || 'a' <= c && c <= 'z'
		upper = upper || 'A' <= c && c <= 'Z'
	}
	if lower && upper {
		return "", nil, errBech32Case
	}
	sep := strings.LastIndex(s, bech32Separator)
	if sep < 1 || len(s)-sep-1 < bech32Checksum {
		return "", nil, errBech32Separator
	}
	values := []byte(strings.ToLower(s[sep+1:]))
	for i, c := range values {
		v := strings.IndexByte(bech32Alphabet, c)
		if v < 0 {
			return "", nil, fmt.Errorf("character %d is none of Bech32's", sep+1+i+1)
		}
		values[i] = byte(v)
	}
	if bech32Polymod(strings.ToLower(s[:sep]), values) != 1 {
		return "", nil, errBech32Checksum
	}
	values = values[:len(values)-bech32Checksum]
	data = make([]byte, 0, len(values)*5/8)
	acc, bits := 0, 0
	for _, v := range values {
		acc, bits = acc<<5|int(v), bits+5
		if bits >= 8 {
			bits -= 8
			data = append(data, byte(acc>>bits))
			acc &= 1<<bits - 1
		}
	}
	// What is left over is padding: fewer than five bits, all zero.
	if bits >= 5 || acc != 0 {
		return "", nil, errBech32Padding
	}
	return s[:sep], data, nil
}

// bech32Polymod is the BCH code of BIP 173 over the prefix, in lower case, and
// the values: 1 for a string whose checksum fits.
func bech32Polymod(prefix string, values []byte) uint32 {
	chk := uint32(1)
	for i := range len(prefix) {
		chk = bech32Step(chk, prefix[i]>>5)
	}
	chk = bech32Step(chk, 0)
	for i := range len(prefix) {
		chk = bech32Step(chk, prefix[i]&31)
	}
	for _, v := range values {
		chk = bech32Step(chk, v)
	}
	return chk
}

func bech32Step(chk uint32, v byte) uint32 {
	top := chk >> 25
	chk = chk&(1<<25-1)<<5 ^ uint32(v)
	for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
		chk ^= g * (top >> i & 1)
	}
	return chk
}
