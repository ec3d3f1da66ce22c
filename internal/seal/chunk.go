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

// The nonce of a chunk:
//
//	 0  8  chunk index, big-endian
//	 8  3  zero
//	11  1  final: 1 for the last chunk of the container, else 0
const (
	nonceSize  = 12
	offFinal   = nonceSize - 1
	finalChunk = 1
)

// A Nonce is room for the nonce of a call. The streams keep one beside each
// buffer, because the AEAD behind its interface would move it to the heap.
type Nonce [nonceSize]byte

func (n *Nonce) set(index int64, final bool) {
	*n = Nonce{}
	binary.BigEndian.PutUint64(n[:], uint64(index))
	if final {
		n[offFinal] = finalChunk
	}
}

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

// A Segment seals and opens the 128 chunks under one segment key. It is safe
// for concurrent use.
type Segment struct {
	aead  cipher.AEAD
	index int64
}

// Of returns the number of the segment that holds a chunk.
func Of(chunk int64) int64 { return chunk / format.SegmentChunks }

// Holds reports whether chunk is one of the segment's. It is false for a nil
// segment, so that a caller may keep the last one it used.
func (s *Segment) Holds(chunk int64) bool { return s != nil && chunk >= 0 && Of(chunk) == s.index }

// Seal appends the sealed chunks of plain, of which the first has that index
// and which all lie in the segment, to dst. If final is set, the last of them
// is the container's last chunk and shorter than the others, perhaps empty;
// otherwise plain is whole chunks. plain and dst must not overlap.
func (s *Segment) Seal(dst, plain []byte, first int64, final bool, n *Nonce) []byte {
	i := first
	for ; len(plain) >= format.ChunkSize; i++ {
		dst = s.sealChunk(dst, plain[:format.ChunkSize], i, false, n)
		plain = plain[format.ChunkSize:]
	}
	if final {
		return s.sealChunk(dst, plain, i, true, n)
	}
	if len(plain) != 0 {
		panic("seal: internal error: a short chunk that is not the last")
	}
	return dst
}

func (s *Segment) sealChunk(dst, plain []byte, index int64, final bool, n *Nonce) []byte {
	s.mustHold(index)
	n.set(index, final)
	return s.aead.Seal(dst, n[:], plain, nil)
}

// Open appends to dst the plaintext of one sealed chunk, which must not overlap
// dst. It fails if the chunk is not authentic (CHUNK-1), and then what it has
// appended is not there.
func (s *Segment) Open(dst, sealed []byte, index int64, final bool, n *Nonce) ([]byte, error) {
	s.mustHold(index)
	n.set(index, final)
	return s.aead.Open(dst, n[:], sealed, nil)
}

func (s *Segment) mustHold(chunk int64) {
	if !s.Holds(chunk) {
		panic(fmt.Sprintf("seal: internal error: chunk %d is not in segment %d", chunk, s.index))
	}
}
