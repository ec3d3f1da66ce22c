package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"bulla/format"
)

// sealAlone is spec section 6 on the bare AEADs.
func sealAlone(t testing.TB, s format.Suite, plain []byte, index int64, final bool) []byte {
	t.Helper()
	prk := extract(testPreamble(s).Bytes(), testCEK())
	key := segmentKeyAlone(prk, uint64(index/128))
	if final {
		key = finalKeyAlone(prk, uint64(index))
	}
	nonce := binary.BigEndian.AppendUint64(nil, uint64(index))
	nonce = append(nonce, 0, 0, 0, 0)
	var aead cipher.AEAD
	var err error
	if s == format.AES256GCM {
		block, _ := aes.NewCipher(key)
		aead, err = cipher.NewGCM(block)
	} else {
		aead, err = chacha20poly1305.New(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(nil, nonce, plain, nil)
}

// plaintext is n bytes that no two places share.
func plaintext(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

// keyOf is the key of a chunk.
func keyOf(t testing.TB, k *Keys, index int64, last bool) *ChunkKey {
	t.Helper()
	if last {
		return final(t, k, index)
	}
	return segment(t, k, index/format.SegmentChunks)
}

// Chunks at the edges of segments and nodes.
func TestSealChunks(t *testing.T) {
	both(t, func(t *testing.T, s format.Suite) {
		k := testKeys(t, s)
		whole := plaintext(format.ChunkSize)
		for _, seg := range []int64{0, 1, 31, 32, 33, 1023, 1024, 1025, 32*1024 - 1, 1 << 20, format.MaxChunks/128 - 1} {
			for _, index := range []int64{seg * 128, seg*128 + 1, seg*128 + 127} {
				for _, n := range []int{0, 1, 65535, 65536} {
					plain, last := whole[:n], n < format.ChunkSize
					want := sealAlone(t, s, plain, index, last)
					key, prefix := keyOf(t, k, index, last), []byte("prefix")
					if got := key.Seal(prefix, plain, index, new(Nonce)); !bytes.Equal(got, slices.Concat(prefix, want)) {
						t.Errorf("chunk %d, %d bytes: other bytes than the bare AEAD's", index, n)
					}
				}
			}
		}
	})
}

func TestOpenChunk(t *testing.T) {
	both(t, func(t *testing.T, s format.Suite) {
		const index = 300
		k := testKeys(t, s)
		key := final(t, k, index)
		plain := plaintext(100)
		sealed := sealAlone(t, s, plain, index, true)
		n := new(Nonce)

		room := make([]byte, 5, 200)
		copy(room, "given")
		got, err := key.Open(room, sealed, index, n)
		if err != nil || !bytes.Equal(got, slices.Concat([]byte("given"), plain)) || &got[0] != &room[0] {
			t.Fatalf("open: %v", err)
		}
		// Any other place, key, length or bit.
		fails := func(name string, key *ChunkKey, sealed []byte, index int64) {
			t.Helper()
			out, err := key.Open(make([]byte, 0, 200), sealed, index, n)
			if err == nil {
				t.Errorf("%s: opened", name)
			}
			if len(out) != 0 || bytes.Contains(out[:cap(out)], plain[:16]) {
				t.Errorf("%s: gave plaintext that is not authentic", name)
			}
		}
		fails("not final", segment(t, k, index/format.SegmentChunks), sealed, index)
		fails("final, next place", final(t, k, index+1), sealed, index+1)
		fails("next place", segment(t, k, index/format.SegmentChunks), sealed, index+1)
		fails("place in another segment", segment(t, k, index/format.SegmentChunks+1), sealed, index+format.SegmentChunks)
		fails("same place in another suite", final(t, testKeys(t, 3-s), index), sealed, index)
		fails("a byte more", key, append(slices.Clone(sealed), 0), index)
		for i := range sealed {
			fails("a byte less", key, sealed[:i], index)
			wrong := slices.Clone(sealed)
			wrong[i] ^= 0x40
			fails("a bit changed", key, wrong, index)
		}
		middle := sealAlone(t, s, plaintext(format.ChunkSize), index, false)
		fails("a middle chunk as the last", key, middle, index)
		fails("a middle chunk in another segment", segment(t, k, index/format.SegmentChunks+1), middle, index+format.SegmentChunks)
	})
}

// The nonce of every chunk differs from that of every other under the same key.
func TestNoncesDiffer(t *testing.T) {
	seen := make(map[Nonce]bool)
	var n Nonce
	for index := int64(128); index < 256; index++ {
		n.set(index)
		if seen[n] {
			t.Fatalf("nonce of chunk %d was used before", index)
		}
		seen[n] = true
	}
	n.set(0x0102030405060708)
	if want := (Nonce{1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0}); n != want {
		t.Errorf("nonce is % x, want % x", n, want)
	}
}

func TestHolds(t *testing.T) {
	var none *ChunkKey
	if none.Holds(0) {
		t.Error("no key holds a chunk")
	}
	k := testKeys(t, format.AES256GCM)
	key := segment(t, k, 2)
	for chunk, want := range map[int64]bool{0: false, 255: false, 256: true, 383: true, 384: false, -256: false} {
		if key.Holds(chunk) != want {
			t.Errorf("segment 2 holds chunk %d: %v", chunk, !want)
		}
	}
	for _, chunk := range []int64{-1, -127, -128} {
		if segment(t, k, 0).Holds(chunk) {
			t.Errorf("segment 0 holds chunk %d", chunk)
		}
	}
	for chunk := range int64(10) {
		if final(t, k, 5).Holds(chunk) != (chunk == 5) {
			t.Errorf("the final key of chunk 5 holds chunk %d: %v", chunk, chunk != 5)
		}
	}
}

// What no caller may do is a bug there, and is stopped here.
func TestMisusePanics(t *testing.T) {
	k := testKeys(t, format.AES256GCM)
	key, last, zero := segment(t, k, 1), final(t, k, 130), segment(t, k, 0)
	n, whole := new(Nonce), make([]byte, format.ChunkSize)
	for name, f := range map[string]func(){
		"seal before the segment":                func() { key.Seal(nil, whole, 127, n) },
		"seal after the segment":                 func() { key.Seal(nil, whole, 256, n) },
		"seal two chunks as one":                 func() { key.Seal(nil, make([]byte, 2*65536), 254, n) },
		"another chunk as the last":              func() { last.Seal(nil, nil, 131, n) },
		"a last chunk that is full":              func() { last.Seal(nil, whole, 130, n) },
		"a last chunk that is too long":          func() { last.Seal(nil, make([]byte, 65537), 130, n) },
		"a short chunk that is not the last":     func() { key.Seal(nil, make([]byte, 65535), 128, n) },
		"an empty chunk that is not the last":    func() { key.Seal(nil, nil, 128, n) },
		"open before the segment":                func() { key.Open(nil, make([]byte, 16), 127, n) },
		"open after the segment":                 func() { key.Open(nil, make([]byte, 16), 256, n) },
		"open another as the last":               func() { last.Open(nil, make([]byte, 16), 129, n) },
		"a negative index in the first segment":  func() { zero.Seal(nil, whole, -1, n) },
		"opening at a negative index, no better": func() { zero.Open(nil, make([]byte, 16), -1, n) },
	} {
		if !panics(f) {
			t.Errorf("%s: no panic", name)
		}
	}
}

// A key serves many goroutines, each with a nonce of its own.
func TestSegmentConcurrently(t *testing.T) {
	both(t, func(t *testing.T, s format.Suite) {
		key := segment(t, testKeys(t, s), 0)
		plain := plaintext(65536)
		var wg sync.WaitGroup
		for g := range int64(8) {
			wg.Go(func() {
				n := new(Nonce)
				for i := g; i < format.SegmentChunks; i += 8 {
					sealed := key.Seal(nil, plain, i, n)
					if got, err := key.Open(nil, sealed, i, n); err != nil || !bytes.Equal(got, plain) {
						t.Errorf("chunk %d: %v", i, err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestFastSuite(t *testing.T) {
	s := FastSuite()
	if !s.Known() {
		t.Fatalf("it is %v", s)
	}
	if _, err := testKeys(t, s).Key(0, false, nil); err != nil {
		t.Error(err)
	}
}
