package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"runtime"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/sys/cpu"

	"bulla/format"
)

// The nonce of a chunk. Whether it is the last, its key says.
//
//	0  8  chunk index, big-endian
//	8  4  zero
const nonceSize = 12

// A Nonce is room for the nonce of a call. The streams keep one beside each
// buffer, because the AEAD behind its interface would move it to the heap.
type Nonce [nonceSize]byte

func (n *Nonce) set(index int64) { binary.BigEndian.PutUint64(n[:], uint64(index)) }

// newAEAD returns the suite's AEAD under a key of 32 bytes.
func newAEAD(s format.Suite, key []byte) (cipher.AEAD, error) {
	switch s {
	case format.AES256GCM:
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCM(block)
	case format.ChaCha20Poly1305:
		return chacha20poly1305.New(key)
	}
	return nil, fmt.Errorf("no AEAD for %v", s)
}

// FastSuite is the suite that this processor seals faster: AES-256-GCM where it
// has instructions for AES and carry-less multiplication. Without them AES is
// many times slower, and its tables leak through the cache.
func FastSuite() format.Suite {
	switch {
	case runtime.GOARCH == "amd64" && cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ,
		runtime.GOARCH == "arm64" && (cpu.ARM64.HasAES && cpu.ARM64.HasPMULL || runtime.GOOS == "darwin"),
		runtime.GOARCH == "s390x" && cpu.S390X.HasAES && cpu.S390X.HasAESGCM:
		return format.AES256GCM
	}
	return format.ChaCha20Poly1305
}

// A ChunkKey seals and opens the chunks under one key: those of a segment, or the
// container's last one alone. It is safe for concurrent use.
type ChunkKey struct {
	aead       cipher.AEAD
	first, end int64 // the chunks that it is for, end excluded
}

// Holds reports whether k is for a chunk. It is false for a nil key.
func (k *ChunkKey) Holds(chunk int64) bool { return k != nil && k.first <= chunk && chunk < k.end }

func (k *ChunkKey) isFinal() bool { return k.end-k.first == 1 }

// Seal appends the chunk of that index, sealed, to dst, which must not overlap
// plain. That is format.ChunkSize bytes long; the last chunk's is shorter (FILE-2).
func (k *ChunkKey) Seal(dst, plain []byte, index int64, n *Nonce) []byte {
	k.mustHold(index)
	if k.isFinal() != (len(plain) < format.ChunkSize) || len(plain) > format.ChunkSize {
		panic(fmt.Sprintf("seal: internal error: chunk %d has %d bytes", index, len(plain)))
	}
	n.set(index)
	return k.aead.Seal(dst, n[:], plain, nil)
}

// Open appends to dst the plaintext of one sealed chunk, which must not overlap
// dst. It fails if the chunk is not authentic (CHUNK-1), and then what it has
// appended is not there.
func (k *ChunkKey) Open(dst, sealed []byte, index int64, n *Nonce) ([]byte, error) {
	k.mustHold(index)
	n.set(index)
	return k.aead.Open(dst, n[:], sealed, nil)
}

func (k *ChunkKey) mustHold(chunk int64) {
	if !k.Holds(chunk) {
		panic(fmt.Sprintf("seal: internal error: chunk %d does not have this key", chunk))
	}
}
