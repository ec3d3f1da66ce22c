package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
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
	info := binary.BigEndian.AppendUint64([]byte("bulla/v1 segment"), uint64(index/128))
	key := expand(prk, string(info), 32)
	nonce := binary.BigEndian.AppendUint64(nil, uint64(index))
	nonce = append(nonce, 0, 0, 0, 0)
	if final {
		nonce[11] = 1
	}
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

func TestSealChunks(t *testing.T) {
	both(t, func(t *testing.T, s format.Suite) {
		k := testKeys(t, s)
		for _, c := range []struct {
			first int64
			n     int
			final bool
		}{
			{0, 0, true}, {0, 1, true}, {0, 65535, true}, {0, 65536, true}, {0, 65537, true},
			{0, 0, false}, {0, 65536, false}, {0, 4 * 65536, false}, {1, 3*65536 + 5, true},
			{127, 65535, true}, {127, 65536, false}, {128, 10, true}, {128 * 5, 2 * 65536, false},
			{1<<32 - 1, 100, true}, {1 << 40, 100, true},
		} {
			t.Run(fmt.Sprintf("chunk %d, %d bytes, final %v", c.first, c.n, c.final), func(t *testing.T) {
				plain := plaintext(c.n)
				var want []byte
				index, rest := c.first, plain
				for ; len(rest) >= 65536; index++ {
					want = append(want, sealAlone(t, s, rest[:65536], index, false)...)
					rest = rest[65536:]
				}
				if c.final {
					want = append(want, sealAlone(t, s, rest, index, true)...)
				}
				prefix := []byte("prefix")
				got := segment(t, k, Of(c.first)).Seal(prefix, plain, c.first, c.final, new(Nonce))
				if !bytes.Equal(got, slices.Concat(prefix, want)) {
					t.Error("other bytes than the bare AEAD's")
				}
			})
		}
	})
}

func TestOpenChunk(t *testing.T) {
	both(t, func(t *testing.T, s format.Suite) {
		const index = 300
		k := testKeys(t, s)
		seg := segment(t, k, Of(index))
		plain := plaintext(100)
		sealed := sealAlone(t, s, plain, index, true)
		n := new(Nonce)

		room := make([]byte, 5, 200)
		copy(room, "given")
		got, err := seg.Open(room, sealed, index, true, n)
		if err != nil || !bytes.Equal(got, slices.Concat([]byte("given"), plain)) || &got[0] != &room[0] {
			t.Fatalf("open: %v", err)
		}
		// Any other place, flag, key, length or bit.
		fails := func(name string, seg *Segment, sealed []byte, index int64, final bool) {
			t.Helper()
			out, err := seg.Open(make([]byte, 0, 200), sealed, index, final, n)
			if err == nil {
				t.Errorf("%s: opened", name)
			}
			if len(out) != 0 || bytes.Contains(out[:cap(out)], plain[:16]) {
				t.Errorf("%s: gave plaintext that is not authentic", name)
			}
		}
		fails("not final", seg, sealed, index, false)
		fails("next place", seg, sealed, index+1, true)
		fails("place in another segment", segment(t, k, Of(index)+1), sealed, index+format.SegmentChunks, true)
		fails("same place in another suite", segment(t, testKeys(t, 3-s), Of(index)), sealed, index, true)
		fails("a byte more", seg, append(slices.Clone(sealed), 0), index, true)
		for i := range sealed {
			fails("a byte less", seg, sealed[:i], index, true)
			wrong := slices.Clone(sealed)
			wrong[i] ^= 0x40
			fails("a bit changed", seg, wrong, index, true)
		}
	})
}

// The nonce of every chunk differs from that of every other under the same key,
// final or not.
func TestNoncesDiffer(t *testing.T) {
	seen := make(map[Nonce]bool)
	var n Nonce
	for index := int64(128); index < 256; index++ {
		for _, final := range []bool{false, true} {
			n.set(index, final)
			if seen[n] {
				t.Fatalf("nonce of chunk %d, final %v, was used before", index, final)
			}
			seen[n] = true
		}
	}
	// What stood in the room for it leaves no trace.
	n = Nonce{0: 0xff, 8: 0xff, 10: 0xff, 11: 0xff}
	n.set(0x0102030405060708, true)
	if want := (Nonce{1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1}); n != want {
		t.Errorf("nonce is % x, want % x", n, want)
	}
}

func TestHolds(t *testing.T) {
	var none *Segment
	if none.Holds(0) {
		t.Error("no segment holds a chunk")
	}
	seg := segment(t, testKeys(t, format.AES256GCM), 2)
	for chunk, want := range map[int64]bool{0: false, 255: false, 256: true, 383: true, 384: false, -256: false} {
		if seg.Holds(chunk) != want {
			t.Errorf("segment 2 holds chunk %d: %v", chunk, !want)
		}
	}
	first := segment(t, testKeys(t, format.AES256GCM), 0)
	for _, chunk := range []int64{-1, -127, -128} {
		if first.Holds(chunk) {
			t.Errorf("segment 0 holds chunk %d", chunk)
		}
	}
}

// What no caller may do is a bug there, and is stopped here.
func TestMisusePanics(t *testing.T) {
	seg := segment(t, testKeys(t, format.AES256GCM), 1)
	n := new(Nonce)
	for name, f := range map[string]func(){
		"seal before the segment":                func() { seg.Seal(nil, nil, 127, true, n) },
		"seal after the segment":                 func() { seg.Seal(nil, nil, 256, true, n) },
		"seal across the end":                    func() { seg.Seal(nil, make([]byte, 2*65536), 255, false, n) },
		"an empty final chunk across the end":    func() { seg.Seal(nil, make([]byte, 65536), 255, true, n) },
		"a short chunk that is not the last":     func() { seg.Seal(nil, make([]byte, 65535), 128, false, n) },
		"a short chunk behind a full one":        func() { seg.Seal(nil, make([]byte, 65537), 128, false, n) },
		"open before the segment":                func() { seg.Open(nil, make([]byte, 16), 127, true, n) },
		"open after the segment":                 func() { seg.Open(nil, make([]byte, 16), 256, true, n) },
		"a negative index in the first segment":  func() { segment(t, testKeys(t, 1), 0).Seal(nil, nil, -1, true, n) },
		"opening at a negative index, no better": func() { segment(t, testKeys(t, 1), 0).Open(nil, make([]byte, 16), -1, true, n) },
	} {
		if !panics(f) {
			t.Errorf("%s: no panic", name)
		}
	}
}

// A segment serves many goroutines, each with a nonce of its own.
func TestSegmentConcurrently(t *testing.T) {
	both(t, func(t *testing.T, s format.Suite) {
		seg := segment(t, testKeys(t, s), 0)
		plain := plaintext(65536)
		var wg sync.WaitGroup
		for g := range int64(8) {
			wg.Go(func() {
				n := new(Nonce)
				for i := g; i < format.SegmentChunks; i += 8 {
					sealed := seg.Seal(nil, plain, i, false, n)
					if got, err := seg.Open(nil, sealed, i, false, n); err != nil || !bytes.Equal(got, plain) {
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
	if _, err := testKeys(t, s).Segment(0); err != nil {
		t.Error(err)
	}
}
