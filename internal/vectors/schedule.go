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
	Suite       byte
	CEK         []byte // 32 bytes
	PRK         []byte
	Commitment  []byte
	HeadKey     []byte
	SlotIDKey   []byte
	PayloadNode []byte // 64 bytes, the root of the tree
}

// Segments under a node of each level.
const (
	segmentsLevel1 = 32
	segmentsLevel2 = 32 * segmentsLevel1
	nodeSize       = 64
)

// NewSchedule derives the keys that belong to a CEK and a preamble of 64 bytes.
func NewSchedule(cek, preamble []byte) *Schedule {
	prk := must(hkdf.Extract(sha512.New, cek, preamble))
	return &Schedule{
		Suite:       preamble[len(format.Magic)+1],
		CEK:         cek,
		PRK:         prk,
		Commitment:  expand(prk, "bulla/v2 commitment", 32),
		HeadKey:     expand(prk, "bulla/v2 head", 32),
		SlotIDKey:   expand(prk, "bulla/v2 slot id", 32),
		PayloadNode: expand(prk, "bulla/v2 payload", nodeSize),
	}
}

// Node is node i of level 1 or 2 of the tree.
func (s *Schedule) Node(level byte, i int64) []byte {
	parent := s.PayloadNode
	if level == 1 {
		parent = s.Node(2, i/(segmentsLevel2/segmentsLevel1))
	}
	return expand(parent, numbered("bulla/v2 node"+string(level), i), nodeSize)
}

// SegmentKey is the key of segment n: of every chunk in it but the container's
// last.
func (s *Schedule) SegmentKey(n int64) []byte {
	return expand(s.Node(1, n/segmentsLevel1), numbered("bulla/v2 segment", n), 32)
}

// FinalKey is the key of a chunk that is the last one.
func (s *Schedule) FinalKey(chunk int64) []byte {
	return expand(s.PRK, numbered("bulla/v2 final", chunk), 32)
}

func numbered(label string, n int64) string {
	return string(binary.BigEndian.AppendUint64([]byte(label), uint64(n)))
}

// MAC is the MAC of a copy's bytes before its MAC (HEAD-13).
func (s *Schedule) MAC(covered []byte) []byte { return mac(s.HeadKey, covered)[:format.MACSize] }

// SlotID is the id of the slot of the recipient with that canonical string.
func (s *Schedule) SlotID(canonical string) []byte {
	return mac(s.SlotIDKey, []byte(canonical))[:format.SlotIDSize]
}

// Nonce is the nonce of a chunk (spec section 6).
func Nonce(chunk int64) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(chunk)), 0, 0, 0, 0)
}

// Seal appends the sealed chunk to dst. It checks nothing: what no writer may
// make, a vector may need.
func (s *Schedule) Seal(dst []byte, chunk int64, final bool, plain []byte) []byte {
	return s.aead(s.ChunkKey(chunk, final)).Seal(dst, Nonce(chunk), plain, nil)
}

// ChunkKey is the key that seals a chunk as the last one or as another.
func (s *Schedule) ChunkKey(chunk int64, final bool) []byte {
	if final {
		return s.FinalKey(chunk)
	}
	return s.SegmentKey(chunk / format.SegmentChunks)
}

// aead is the suite's AEAD under a key. An unknown suite has none; containers that
// claim one are sealed with AES-256-GCM.
func (s *Schedule) aead(key []byte) cipher.AEAD {
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

func expand(prk []byte, info string, n int) []byte {
	return must(hkdf.Expand(sha512.New, prk, info, n))
}

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
