package stream_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"bulla/stream"
)

// The keys of spec section 4 and the chunks of section 6 with none of the code
// under test: HKDF as HMAC, bare AEADs.
type bareKeys struct {
	suite byte
	prk   []byte
}

// newBareKeys takes a CEK and anything that begins with the preamble.
func newBareKeys(cek, head []byte) bareKeys {
	return bareKeys{head[11], hmac512(head[:64], cek)}
}

func hmac512(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha512.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func (k bareKeys) expand(info string) []byte { return expandBare(k.prk, info, 32) }

func expandBare(secret []byte, info string, n int) []byte {
	return hmac512(secret, []byte(info), []byte{1})[:n]
}

func (k bareKeys) aead(chunk int, final bool) (a cipher.AEAD) {
	be := func(i int) string { return string(binary.BigEndian.AppendUint64(nil, uint64(i))) }
	node := expandBare(k.prk, "bulla/v2 payload", 64)
	node = expandBare(node, "bulla/v2 node\x02"+be(chunk/128/1024), 64)
	node = expandBare(node, "bulla/v2 node\x01"+be(chunk/128/32), 64)
	key := expandBare(node, "bulla/v2 segment"+be(chunk/128), 32)
	if final {
		key = k.expand("bulla/v2 final" + be(chunk))
	}
	if k.suite == 1 {
		block, _ := aes.NewCipher(key)
		a, _ = cipher.NewGCM(block)
	} else {
		a, _ = chacha20poly1305.New(key)
	}
	return a
}

func bareNonce(chunk int) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(chunk)), 0, 0, 0, 0)
}

// A container by the letter of the specification, its offsets as numbers.
func TestContainerIsTheSpecs(t *testing.T) {
	for _, suite := range suites {
		for _, n := range []int{0, 1, 65535, 65536, 3*65536 + 7, 129 * 65536} {
			t.Run(fmt.Sprintf("%v, %d bytes", suite, n), func(t *testing.T) {
				v, plain := new(vault), plaintext(n)
				checkContainer(t, encrypt(t, plain, v, stream.WriterOptions{Suite: suite, Workers: 2}), plain, v, byte(suite))
			})
		}
	}
}

func checkContainer(t *testing.T, b, plain []byte, v *vault, suite byte) {
	const H = 4096
	head, keys := b[:H], newBareKeys(v.ceks[0], b)
	if want := append([]byte("\x89bulla\r\n\x1a\n\x02"), suite, 0, 0, 0, 1); !bytes.Equal(head[:16], want) {
		t.Errorf("the head begins % x", head[:16])
	}
	if !bytes.Equal(head[16:32], make([]byte, 16)) || bytes.Equal(head[32:64], make([]byte, 32)) {
		t.Error("the set id and number are not zero, or the salt is")
	}
	if !bytes.Equal(head[64:96], keys.expand("bulla/v2 commitment")) {
		t.Error("commitment")
	}
	if !bytes.Equal(head[96:104], []byte{0, 0, 0, 1, 0, 1, 0, 1}) { // generation 1, one slot, one page
		t.Errorf("generation, slot count and copy pages are % x", head[96:104])
	}
	if id := hmac512(keys.expand("bulla/v2 slot id"), []byte(v.Canonical()))[:16]; !bytes.Equal(head[108:124], id) {
		t.Error("slot id")
	}
	if !bytes.Equal(head[H-36:H-4], hmac512(keys.expand("bulla/v2 head"), head[:H-36])[:32]) {
		t.Error("MAC")
	}
	if binary.BigEndian.Uint32(head[H-4:]) != crc32.Checksum(head[:H-4], crc32.MakeTable(crc32.Castagnoli)) {
		t.Error("checksum")
	}
	if !bytes.Equal(b[len(b)-H:], head) {
		t.Error("the tail is not the head")
	}

	payload := b[H : len(b)-H]
	for i, last := 0, false; !last; i++ {
		last = len(payload) < 65552
		sealed := payload[:min(65552, len(payload))]
		got, err := keys.aead(i, last).Open(nil, bareNonce(i), sealed, nil)
		if err != nil || !bytes.HasPrefix(plain, got) {
			t.Fatalf("chunk %d: %v", i, err)
		}
		payload, plain = payload[len(sealed):], plain[len(got):]
	}
	if len(payload) != 0 || len(plain) != 0 {
		t.Errorf("%d bytes of payload and %d of plaintext are left", len(payload), len(plain))
	}
}
