// Package bech32 is the encoding that age uses for keys: Bech32 (BIP 173) without
// its limit of 90 characters.
//
//	prefix || "1" || data, 5 bits a character || checksum, 6 characters
//
// The prefix may hold a "1" itself: the last one separates. All letters are of
// one case. The errors name no part of the string, which may be a secret.
package bech32

import (
	"errors"
	"fmt"
	"strings"
)

// Separator ends the prefix.
const Separator = "1"

const (
	alphabet     = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksumSize = 6
)

var (
	errCase      = errors.New("upper and lower case are mixed")
	errSeparator = errors.New("there is no prefix, or too little behind it")
	// ErrChecksum is a string with a typing error.
	ErrChecksum = errors.New("the checksum does not fit: a character is wrong, missing or too many")
	errPadding  = errors.New("the last character holds bits that belong to no byte")
)

// Encode encodes data under prefix, which is all of one case, and in
// that case. The prefix is a constant of the caller's, not a user's choice.
func Encode(prefix string, data []byte) string {
	lower := strings.ToLower(prefix)
	values := make([]byte, 0, (len(data)*8+4)/5+checksumSize)
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
	sum := polymod(lower, append(values, make([]byte, checksumSize)...)) ^ 1
	for i := checksumSize - 1; i >= 0; i-- {
		values = append(values, byte(sum>>(5*i)&31))
	}
	for i, v := range values {
		values[i] = alphabet[v]
	}
	s := lower + Separator + string(values)
	if lower != prefix {
		s = strings.ToUpper(s)
	}
	return s
}

// Decode is the inverse of Encode and, given a letter in the prefix
// that says the case, accepts nothing that Encode does not make. The
// prefix comes back in the case it was written in.
func Decode(s string) (prefix string, data []byte, err error) {
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
		return "", nil, errCase
	}
	sep := strings.LastIndex(s, Separator)
	if sep < 1 || len(s)-sep-1 < checksumSize {
		return "", nil, errSeparator
	}
	values := []byte(strings.ToLower(s[sep+1:]))
	for i, c := range values {
		v := strings.IndexByte(alphabet, c)
		if v < 0 {
			return "", nil, fmt.Errorf("character %d is none of Bech32's", sep+1+i+1)
		}
		values[i] = byte(v)
	}
	if polymod(strings.ToLower(s[:sep]), values) != 1 {
		return "", nil, ErrChecksum
	}
	values = values[:len(values)-checksumSize]
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
		return "", nil, errPadding
	}
	return s[:sep], data, nil
}

// polymod is the BCH code of BIP 173 over the prefix, in lower case, and
// the values: 1 for a string whose checksum fits.
func polymod(prefix string, values []byte) uint32 {
	chk := uint32(1)
	for i := range len(prefix) {
		chk = step(chk, prefix[i]>>5)
	}
	chk = step(chk, 0)
	for i := range len(prefix) {
		chk = step(chk, prefix[i]&31)
	}
	for _, v := range values {
		chk = step(chk, v)
	}
	return chk
}

func step(chk uint32, v byte) uint32 {
	top := chk >> 25
	chk = chk&(1<<25-1)<<5 ^ uint32(v)
	for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
		chk ^= g * (top >> i & 1)
	}
	return chk
}
