package vectors

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"bulla/format"
)

// A Schedule is the key schedule of spec section 4 for one container, written
// from the specification a second time: package internal/seal has the other.
type Schedule struct {
	Suite      byte
	CEK        []byte // 32 bytes
	PRK        []byte
	Commitment []byte
	HeadKey    []byte
	SlotIDKey  []byte
}

// NewSchedule derives the keys that belong to a CEK and a preamble of 64 bytes.
func NewSchedule(cek, preamble []byte) *Schedule {
	prk := must(hkdf.Extract(sha512.New, cek, preamble))
	return &Schedule{
		Suite:      preamble[len(format.Magic)+1],
		CEK:        cek,
		PRK:        prk,
		Commitment: expand(prk, "bulla/v1 commitment"),
		HeadKey:    expand(prk, "bulla/v1 head"),
		SlotIDKey:  expand(prk, "bulla/v1 slot id"),
	}
}

// SegmentKey is the key of segment n.
func (s *Schedule) SegmentKey(n int64) []byte {
	return expand(s.PRK, string(binary.BigEndian.AppendUint64([]byte("bulla/v1 segment"), uint64(n))))
}

// MAC is the MAC of a copy's bytes before its MAC (HEAD-13).
func (s *Schedule) MAC(covered []byte) []byte { return mac(s.HeadKey, covered)[:format.MACSize] }

// SlotID is the id of the slot of the recipient with that canonical string.
func (s *Schedule) SlotID(canonical string) []byte {
	return mac(s.SlotIDKey, []byte(canonical))[:format.SlotIDSize]
}

// Nonce is the nonce of a chunk (spec section 6).
func Nonce(chunk int64, final bool) []byte {
	n := binary.BigEndian.AppendUint64(nil, uint64(chunk))
	if final {
		return append(n, 0, 0, 0, 1)
	}
	return append(n, 0, 0, 0, 0)
}

// Seal appends the sealed chunk to dst. It checks nothing: what no writer may
// make, a vector may need.
func (s *Schedule) Seal(dst []byte, chunk int64, final bool, plain []byte) []byte {
	return s.aead(chunk/format.SegmentChunks).Seal(dst, Nonce(chunk, final), plain, nil)
}

// aead is the suite's AEAD under the key of segment n. An unknown suite has
// none; containers that claim one are sealed with AES-256-GCM.
func (s *Schedule) aead(n int64) cipher.AEAD {
	key := s.SegmentKey(n)
	if format.Suite(s.Suite) == format.ChaCha20Poly1305 {
		return must(chacha20poly1305.New(key))
	}
	return must(cipher.NewGCM(must(aes.NewCipher(key))))
}

// Plaintext is n bytes from offset off on of the plaintext with that seed: a
// sequence of words of eight bytes, big-endian, of which word k is
// seed*2^56 + k. Each word says where it belongs.
func Plaintext(seed byte, off, n int64) []byte {
	b := make([]byte, 0, n+16)
	for k := off / 8; int64(len(b)) < n+off%8; k++ {
		b = binary.BigEndian.AppendUint64(b, uint64(seed)<<56|uint64(k))
	}
	return b[off%8:][:n]
}

func expand(prk []byte, info string) []byte { return must(hkdf.Expand(sha512.New, prk, info, 32)) }

func mac(key, input []byte) []byte {
	h := hmac.New(sha512.New, key)
	h.Write(input)
	return h.Sum(nil)
}

// must is for calls that fail only for keys of a wrong length.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("vectors: internal error: %v", err))
	}
	return v
}
