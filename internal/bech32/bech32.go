// Package bech32 is the encoding that age uses for keys: Bech32 (BIP 173) without
// its limit of 90 characters.
//
//	prefix || "1" || data, 5 bits a character || checksum, 6 characters
//
// The prefix may hold a "1" itself: the last one separates. All letters are of
// one case. The errors name no part of the string, which may be a secret.
package bech32

import (
	"encoding/base32"
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
	errSeparator = errors.New("there is no prefix, or too little after it")
	// ErrChecksum is a string with a typing error.
	ErrChecksum = errors.New("the checksum does not fit: a character is wrong, missing or too many")
	errPadding  = errors.New("the last character holds bits that belong to no byte")
)

// encoding is Base32 with this alphabet: the first bits first, zeros at the end.
var encoding = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// Encode encodes data under prefix, which is all of one case, and in
// that case. The prefix is a constant of the caller's, not a user's choice.
func Encode(prefix string, data []byte) string {
	lower := strings.ToLower(prefix)
	text := encoding.EncodeToString(data)
	values := make([]byte, len(text)+checksumSize)
	for i := range text {
		values[i] = byte(strings.IndexByte(alphabet, text[i]))
	}
	s := []byte(lower + Separator + text)
	sum := polymod(lower, values) ^ 1
	for i := checksumSize - 1; i >= 0; i-- {
		s = append(s, alphabet[sum>>(5*i)&31])
	}
	if lower != prefix {
		return strings.ToUpper(string(s))
	}
	return string(s)
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
	text := strings.ToLower(s[sep+1:])
	values := make([]byte, len(text))
	for i := range text {
		v := strings.IndexByte(alphabet, text[i])
		if v < 0 {
			return "", nil, fmt.Errorf("character %d is none of Bech32's", sep+1+i+1)
		}
		values[i] = byte(v)
	}
	if polymod(strings.ToLower(s[:sep]), values) != 1 {
		return "", nil, ErrChecksum
	}
	text = text[:len(text)-checksumSize]
	data, err = encoding.DecodeString(text)
	if err != nil || encoding.EncodeToString(data) != text { // which Base32 lets pass
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
