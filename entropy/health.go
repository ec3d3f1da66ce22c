package entropy

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Stuck-source detection. It finds a source that has failed altogether: one
// that returns a constant, or what it returned before. It is not an estimate of
// entropy and cannot be: the output of a processor's or a TPM's generator has
// been through a cipher or a hash, and looks perfect even if there is nothing
// random behind it.
//
// Three rules watch every byte drawn, across draws:
//
//	repetition   a byte value 6 times in a row   (SP 800-90B, section 4.4.1)
//	word         a 64-bit word all zero, all ones or equal to the one before
//	block        32 bytes equal to any of the 256 blocks before, as the
//	             continuous test of FIPS 140-2, section 4.9.2, but with memory
//
// and a fourth where there is data enough, in Test:
//
//	proportion   a byte value 19 times in 512    (SP 800-90B, section 4.4.2)
//
// The cutoffs are those of a source with 8 bits of entropy in each byte, H = 8,
// at a false alarm rate of alpha = 2^-40. The customary 2^-20 or 2^-30 would
// raise a false alarm every few dozen MiB, and a false alarm here costs a
// source for the rest of the process.
const (
	alphaLog = 40 // alpha = 2^-40
	sampleH  = 8  // bits of entropy claimed for a byte, for the cutoffs alone

	repetitionCutoff = 1 + (alphaLog+sampleH-1)/sampleH // 1 + ceil(-log2(alpha)/H) = 6
	proportionWindow = 512                              // bytes
	proportionCutoff = 19                               // 1 + critbinom(512, 2^-H, 1-alpha)

	wordSize    = 8
	blockSize   = 32
	blockMemory = 256 // blocks; a false alarm has probability 256 * 2^-64
)

// stuckError says which rule found the source stuck, and after how many bytes.
type stuckError struct {
	rule   string
	offset int64 // bytes up to and with the one at which the rule tripped
}

func (e *stuckError) Error() string {
	return fmt.Sprintf("stuck: the %s rule tripped at byte %d", e.rule, e.offset)
}

// detector applies the three rules. The zero value is ready for use.
type detector struct {
	offset     int64
	repetition repetition
	words      words
	blocks     blocks
}

// check looks at p, a whole number of blocks, and returns a *stuckError or nil.
// It keeps nothing of p but its last word and hashes.
func (d *detector) check(p []byte) error {
	if len(p)%blockSize != 0 {
		return fmt.Errorf("internal error: %d bytes are no whole block", len(p))
	}
	for ; len(p) > 0; p = p[blockSize:] {
		block := p[:blockSize]
		// Of the rules that trip within one block, report the first: that
		// is how they are listed, but for the word rule after a repetition.
		at, rule := d.repetition.check(block), "repetition"
		if n := d.words.check(block); n > 0 && (at == 0 || n < at) {
			at, rule = n, "word"
		}
		if n := d.blocks.check(block); n > 0 && at == 0 {
			at, rule = n, "block"
		}
		if at > 0 {
			return &stuckError{rule: rule, offset: d.offset + int64(at)}
		}
		d.offset += blockSize
	}
	return nil
}

// repetition counts how often in a row the last byte has come.
type repetition struct {
	last byte
	run  int
}

// check returns how many bytes it took to trip, or 0.
func (r *repetition) check(p []byte) int {
	for i, b := range p {
		if b != r.last || r.run == 0 {
			r.last, r.run = b, 0
		}
		if r.run++; r.run >= repetitionCutoff {
			return i + 1
		}
	}
	return 0
}

// words compares each 64-bit word with the one before it.
type words struct {
	last uint64
	any  bool
}

// check returns how many bytes it took to trip, or 0.
func (w *words) check(p []byte) int {
	for i := 0; i+wordSize <= len(p); i += wordSize {
		word := binary.LittleEndian.Uint64(p[i:])
		if word == 0 || word == ^uint64(0) || w.any && word == w.last {
			return i + wordSize
		}
		w.last, w.any = word, true
	}
	return 0
}

// blocks remembers the first 64 bits of the SHA-256 hashes of earlier blocks.
type blocks struct {
	tags [blockMemory]uint64
	n    int // blocks seen; the oldest tag is overwritten first
}

// check returns how many bytes it took to trip, or 0. p is one block.
func (b *blocks) check(p []byte) int {
	sum := sha256.Sum256(p)
	tag := binary.LittleEndian.Uint64(sum[:])
	for _, earlier := range b.tags[:min(b.n, blockMemory)] {
		if tag == earlier {
			return len(p)
		}
	}
	b.tags[b.n%blockMemory] = tag
	b.n++
	return 0
}

// proportion counts, in each window, how often the window's first byte value
// comes again.
type proportion struct {
	first byte
	count int
	seen  int // bytes of the window so far
	most  int // the highest count of any window
}

// check returns how many bytes it took to trip, or 0.
func (w *proportion) check(p []byte) int {
	for i, b := range p {
		if w.seen == 0 {
			w.first, w.count = b, 0
		}
		if b == w.first {
			w.count++
			w.most = max(w.most, w.count)
		}
		if w.count >= proportionCutoff {
			return i + 1
		}
		if w.seen++; w.seen == proportionWindow {
			w.seen = 0
		}
	}
	return 0
}
