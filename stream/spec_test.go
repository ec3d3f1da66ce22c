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

func (k bareKeys) expand(info string) []byte {
	return hmac512(k.prk, []byte(info), []byte{1})[:32]
}

func (k bareKeys) aead(chunk int) (a cipher.AEAD) {
	key := k.expand(string(binary.BigEndian.AppendUint64([]byte("bulla/v1 segment"), uint64(chunk/128))))
	if k.suite == 1 {
		block, _ := aes.NewCipher(key)
		a, _ = cipher.NewGCM(block)
	} else {
		a, _ = chacha20poly1305.New(key)
	}
	return a
}

func bareNonce(chunk int, final bool) []byte {
	n := append(binary.BigEndian.AppendUint64(nil, uint64(chunk)), 0, 0, 0, 0)
	if final {
		n[11] = 1
	}
	return n
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
	if want := append([]byte("\x89bulla\r\n\x1a\n\x01"), suite, 0, 0, 0, 1); !bytes.Equal(head[:16], want) {
		t.Errorf("the head begins % x", head[:16])
	}
	if !bytes.Equal(head[16:32], make([]byte, 16)) || bytes.Equal(head[32:64], make([]byte, 32)) {
		t.Error("the reserved bytes are not zero, or the salt is")
	}
	if !bytes.Equal(head[64:96], keys.expand("bulla/v1 commitment")) {
		t.Error("commitment")
	}
	if !bytes.Equal(head[96:102], []byte{0, 0, 0, 1, 0, 1}) { // generation 1, one slot
		t.Errorf("generation and slot count are % x", head[96:102])
	}
	if id := hmac512(keys.expand("bulla/v1 slot id"), []byte(v.Canonical()))[:16]; !bytes.Equal(head[106:122], id) {
		t.Error("slot id")
	}
	if !bytes.Equal(head[H-36:H-4], hmac512(keys.expand("bulla/v1 head"), head[:H-36])[:32]) {
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
		got, err := keys.aead(i).Open(nil, bareNonce(i, last), sealed, nil)
		if err != nil || !bytes.HasPrefix(plain, got) {
			t.Fatalf("chunk %d: %v", i, err)
		}
		payload, plain = payload[len(sealed):], plain[len(got):]
	}
	if len(payload) != 0 || len(plain) != 0 {
		t.Errorf("%d bytes of payload and %d of plaintext are left", len(payload), len(plain))
	}
}
