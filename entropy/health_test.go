package entropy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

// The cutoffs follow from H and alpha. The table holds more of them than are in
// use, so that the formulas are seen to be the standard's: 41 and 410 are those
// of H = 0.5 and alpha = 2^-20 in common use, 13 is H = 8's.
func TestCutoffs(t *testing.T) {
	for _, test := range []struct {
		h          float64
		alphaLog   int
		repetition int
		proportion int
	}{
		{0.5, 20, 41, 410},
		{1, 20, 21, 311},
		{1, 30, 31, 325},
		{8, 20, 4, 13},
		{8, 30, 5, 16},
		{sampleH, alphaLog, repetitionCutoff, proportionCutoff},
	} {
		// SP 800-90B, section 4.4.1: C = 1 + ceil(-log2(alpha) / H).
		if got := 1 + int(math.Ceil(float64(test.alphaLog)/test.h)); got != test.repetition {
			t.Errorf("H = %v, alpha = 2^-%d: repetition cutoff %d, want %d", test.h, test.alphaLog, got, test.repetition)
		}
		// Section 4.4.2: C = 1 + critbinom(W, 2^-H, 1-alpha).
		if got := 1 + critbinom(proportionWindow, math.Exp2(-test.h), math.Exp2(-float64(test.alphaLog))); got != test.proportion {
			t.Errorf("H = %v, alpha = 2^-%d: proportion cutoff %d, want %d", test.h, test.alphaLog, got, test.proportion)
		}
	}
	if repetitionCutoff != 6 || proportionCutoff != 19 {
		t.Errorf("cutoffs %d and %d", repetitionCutoff, proportionCutoff)
	}
}

// critbinom is the smallest k for which at most k of n happen with probability
// at least 1-alpha. It adds up the upper tail, where nothing cancels.
func critbinom(n int, p, alpha float64) int {
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	tail := 0.0 // the probability of more than k
	for k := n - 1; k >= 0; k-- {
		j := k + 1
		tail += math.Exp(lg(n) - lg(j) - lg(n-j) + float64(j)*math.Log(p) + float64(n-j)*math.Log1p(-p))
		if tail > alpha {
			return k + 1
		}
	}
	return 0
}

// after gives fault's bytes once so many good blocks have come. The last good
// byte is no byte value that a fault starts with.
func after(blocks int, fault func(p []byte) error) func(p []byte) error {
	fine := good(uint64(blocks) + 100)
	return func(p []byte) error {
		for ; len(p) > 0; p = p[blockSize:] {
			if blocks--; blocks < 0 {
				return fault(p)
			}
			fine(p[:blockSize])
			p[blockSize-1] = 0x5a
		}
		return nil
	}
}

func repeatWord(p []byte) error {
	for ; len(p) > 0; p = p[wordSize:] {
		binary.LittleEndian.PutUint64(p, 0x0123456789abcdef)
	}
	return nil
}

// cycle gives the same n blocks over and over.
func cycle(n int) func(p []byte) error {
	all := make([]byte, n*blockSize)
	good(42)(all)
	i := 0
	return func(p []byte) error {
		copy(p, all[i%n*blockSize:][:blockSize])
		i++
		return nil
	}
}

// Faults are put in through the source, and found at the byte they must be.
func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  func(p []byte) error
		rule   string
		offset int64 // within the fault
	}{
		{"all zero", constant(0), "repetition", 6},
		{"all ones", constant(0xff), "repetition", 6},
		{"constant byte", constant(0x33), "repetition", 6},
		{"constant word", repeatWord, "word", 16},
		{"constant block", cycle(1), "block", 64},
		{"two blocks in turn", cycle(2), "block", 96},
		{"256 blocks in turn", cycle(256), "block", 257 * 32},
	} {
		for _, blocks := range []int{0, 1, 2, 3, 40} { // 0 and 1 are in the start-up test
			tap := fakeTap(2, "fake", after(blocks, test.fault))
			var err error
			for range 300 {
				p := make([]byte, drawSize)
				if err = tap.draw(p); err != nil {
					if !bytes.Equal(p, make([]byte, drawSize)) {
						t.Errorf("%s: the draw left %x", test.name, p)
					}
					break
				}
			}
			// The tap's error is for people; the detector's own is exact.
			if o, ok := errors.AsType[*off](err); !ok || o.state != Failed {
				t.Errorf("%s after %d blocks: %v", test.name, blocks, err)
			}
			stuck := trip(after(blocks, test.fault), 300)
			if stuck == nil || stuck.rule != test.rule || stuck.offset != int64(blocks*blockSize)+test.offset {
				t.Errorf("%s after %d blocks: %v, want the %s rule at byte %d", test.name, blocks, stuck, test.rule, test.offset)
			}
		}
	}
	if stuck := trip(cycle(257), 1000); stuck != nil {
		t.Errorf("257 blocks in turn: %v, which is more than it can remember", stuck)
	}
}

// trip draws blocks until the detector trips.
func trip(fill func(p []byte) error, blocks int) *stuckError {
	var d detector
	p := make([]byte, blockSize)
	for range blocks {
		fill(p)
		if stuck, ok := errors.AsType[*stuckError](d.check(p)); ok {
			return stuck
		}
	}
	return nil
}

// One word in ten is zero: the first one trips.
func TestZeroWords(t *testing.T) {
	for seed := range uint64(20) {
		fine, dice := good(seed), good(seed+1000)
		first := int64(-1) // where the first zero word begins
		var at int64
		faulty := func(p []byte) error {
			fine(p)
			for i := 0; i < len(p); i += wordSize {
				var d [1]byte
				if dice(d[:]); d[0] < 26 {
					clear(p[i : i+wordSize])
					if first < 0 {
						first = at + int64(i)
					}
				} else if p[i+wordSize-1] == 0 {
					p[i+wordSize-1] = 1 // else a run of zeros would begin before the word
				}
			}
			at += int64(len(p))
			return nil
		}
		stuck := trip(faulty, 1000)
		if stuck == nil || stuck.rule != "repetition" || stuck.offset != first+repetitionCutoff {
			t.Errorf("seed %d: %v, want the repetition rule at byte %d", seed, stuck, first+repetitionCutoff)
		}
	}
}

// Each rule by itself, also where another trips first.
func TestRules(t *testing.T) {
	word := func(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
	for name, test := range map[string]struct {
		p    []byte
		want int
	}{
		"zero":     {word(0), 8},
		"ones":     {word(^uint64(0)), 8},
		"repeat":   {append(word(7), word(7)...), 16},
		"return":   {append(append(word(7), word(8)...), word(7)...), 0},
		"zero end": {append(word(7), word(0)...), 16},
	} {
		var w words
		if got := w.check(test.p); got != test.want {
			t.Errorf("word rule, %s: tripped at %d, want %d", name, got, test.want)
		}
	}
	var r repetition
	if got := r.check([]byte("aaaaabbbbbaaaaa")); got != 0 {
		t.Errorf("five in a row tripped at %d", got)
	}
	if got := r.check([]byte("a")); got != 1 {
		t.Errorf("a run across two draws tripped at %d, want 1", got)
	}
	var z repetition
	if got := z.check(make([]byte, 6)); got != 6 {
		t.Errorf("zeros from the start tripped at %d, want 6", got)
	}

	window := func(count int) []byte {
		p := make([]byte, proportionWindow)
		for i := range p {
			p[i] = byte(1 + i%255)
		}
		for i := range count { // the first byte's value, spread out
			p[i*17] = 0
		}
		return p
	}
	var w proportion
	if got := w.check(window(18)); got != 0 || w.most != 18 {
		t.Errorf("18 of 512: tripped at %d, most %d", got, w.most)
	}
	if got := w.check(window(19)); got != 18*17+1 {
		t.Errorf("19 of 512: tripped at %d, want %d", got, 18*17+1)
	}
}

// A good source passes, for as long as anybody will draw on one. The race
// detector makes this ten times as slow and finds nothing in it.
func TestGoodSource(t *testing.T) {
	size := int64(64 << 20)
	if raceEnabled {
		size = 4 << 20
	}
	var (
		d detector
		w proportion
		p = make([]byte, 1<<16)
	)
	fine := good(1)
	for d.offset < size {
		fine(p)
		if err := d.check(p); err != nil {
			t.Fatal(err)
		}
		if n := w.check(p); n > 0 {
			t.Fatalf("the proportion rule tripped at byte %d of %d", n, d.offset)
		}
	}
	if err := d.check(p[:33]); err == nil {
		t.Error("half a block was accepted")
	}
}

func BenchmarkDetector(b *testing.B) {
	var d detector
	p := make([]byte, drawSize)
	fine := good(1)
	b.SetBytes(drawSize)
	b.ReportAllocs()
	for b.Loop() {
		fine(p)
		if err := d.check(p); err != nil {
			b.Fatal(err)
		}
	}
}
