package seal

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"testing"

	"bulla/format"
)

// The key schedule of spec section 4 once more, on nothing but HMAC-SHA-512, so
// that the tests do not lean on what they test.

func hmac512(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha512.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// extract and expandAlone are RFC 5869, sections 2.2 and 2.3, the latter for at most
// one block of output.
func extract(salt, ikm []byte) []byte { return hmac512(salt, ikm) }

func expandAlone(prk []byte, info string, n int) []byte {
	return hmac512(prk, []byte(info), []byte{1})[:n]
}

// testCEK is 00 01 02 … 1f.
func testCEK() []byte {
	cek := make([]byte, 32)
	for i := range cek {
		cek[i] = byte(i)
	}
	return cek
}

// testPreamble has the salt 20 21 22 … 3f.
func testPreamble(s format.Suite) *format.Preamble {
	p := &format.Preamble{Suite: s, Pages: 1}
	for i := range p.Salt {
		p.Salt[i] = byte(0x20 + i)
	}
	return p
}

func testKeys(t testing.TB, s format.Suite) *Keys {
	t.Helper()
	k, err := NewKeys(testCEK(), testPreamble(s))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func segment(t testing.TB, k *Keys, s int64) *ChunkKey {
	t.Helper()
	key, err := k.Key(s*format.SegmentChunks, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func final(t testing.TB, k *Keys, chunk int64) *ChunkKey {
	t.Helper()
	key, err := k.Key(chunk, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// segmentKeyAlone and finalKeyAlone are the tree and what is beside it, by hand.
func segmentKeyAlone(prk []byte, s uint64) []byte {
	be := func(i uint64) string { return string(binary.BigEndian.AppendUint64(nil, i)) }
	node := expandAlone(prk, "bulla/v2 payload", 64)
	node = expandAlone(node, "bulla/v2 node\x02"+be(s/1024), 64)
	node = expandAlone(node, "bulla/v2 node\x01"+be(s/32), 64)
	return expandAlone(node, "bulla/v2 segment"+be(s), 32)
}

func finalKeyAlone(prk []byte, chunk uint64) []byte {
	return expandAlone(prk, string(binary.BigEndian.AppendUint64([]byte("bulla/v2 final"), chunk)), 32)
}

// both runs a test for each suite.
func both(t *testing.T, f func(*testing.T, format.Suite)) {
	for _, s := range []format.Suite{format.AES256GCM, format.ChaCha20Poly1305} {
		t.Run(s.String(), func(t *testing.T) { f(t, s) })
	}
}

// panics reports whether f does.
func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}
