package entropy

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// faulty is an instruction that has a word in every n-th try.
func faulty(n int) func() (uint64, bool) {
	calls := 0
	return func() (uint64, bool) {
		calls++
		return uint64(calls), calls%n == 0
	}
}

func TestRetries(t *testing.T) {
	pauses := 0
	src := &cpuSource{name: "fake", step: faulty(10), tries: 10, pause: func() { pauses++ }}
	p := make([]byte, 32)
	if err := src.Fill(p); err != nil {
		t.Fatalf("a word in ten tries: %v", err)
	}
	if p[0] != 10 || p[8] != 20 || p[16] != 30 || p[24] != 40 {
		t.Errorf("words %v: not the ones marked good", p)
	}
	if pauses != 36 || src.retries.Load() != 36 {
		t.Errorf("%d pauses and %d retries, want 36", pauses, src.retries.Load())
	}

	src = &cpuSource{name: "fake", step: faulty(11), tries: 10, pause: func() {}}
	if o, ok := errors.AsType[*off](src.Fill(p)); !ok || o.state != Failed || !strings.Contains(o.reason, "10 tries") {
		t.Errorf("a word in eleven tries: %v", o)
	}
	if err := src.Fill(p[:7]); err == nil {
		t.Error("seven bytes are no words")
	}
}

// A processor that marks zeros or ones as good is found out before it
// contributes anything.
func TestFaultyInstruction(t *testing.T) {
	for _, word := range []uint64{0, ^uint64(0), 0x0123456789abcdef} {
		tap := newTap(kind{id: 2, name: "rdrand", size: 32, proof: 1024, probe: func() (Source, error) {
			return &cpuSource{name: "rdrand", step: func() (uint64, bool) { return word, true }, tries: 1}, nil
		}})
		m := mixerOf(t, nil, tap)
		s := m.Status()[1]
		if s.State != Failed || s.Startup != "failed" || !strings.HasPrefix(s.Reason, "start-up test: stuck") || s.Hint == "" {
			t.Errorf("%#x: %+v", word, s)
		}
		fill(t, m)
		if tap.draws != 0 {
			t.Errorf("%#x: it contributed", word)
		}
	}
}

// The instructions of the machine that runs the tests, where it has them.
func TestThisMachine(t *testing.T) {
	for _, tap := range machine() {
		if !strings.HasPrefix(tap.name, "r") {
			continue // no instruction
		}
		if err := tap.start(); err != nil {
			t.Logf("%s: %v", tap.name, err)
			continue
		}
		a, b := make([]byte, drawSize), make([]byte, drawSize)
		if err := errors.Join(tap.draw(a), tap.draw(b)); err != nil {
			t.Errorf("%s: %v", tap.name, err)
		}
		if bytes.Equal(a, b) {
			t.Errorf("%s: %x twice", tap.name, a)
		}
	}
}

func BenchmarkInstruction(b *testing.B) {
	for _, tap := range machine() {
		if !strings.HasPrefix(tap.name, "r") || tap.start() != nil {
			continue
		}
		b.Run(tap.name, func(b *testing.B) {
			var p [drawSize]byte
			b.SetBytes(drawSize)
			for b.Loop() {
				if err := tap.src.Fill(p[:]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
