package entropy

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

// fakeSource is a Source made of a function.
type fakeSource struct {
	name string
	fill func(p []byte) error
}

func (f *fakeSource) Name() string        { return f.name }
func (f *fakeSource) Fill(p []byte) error { return f.fill(p) }

// fakeTap guards a fake source whose output is meant to look random.
func fakeTap(id uint16, name string, fill func(p []byte) error) *tap {
	t := plainTap(id, name, drawSize, fill)
	t.proof, t.sample = 64, 1024
	return t
}

// plainTap guards a fake source that is left alone by stuck-source detection.
func plainTap(id uint16, name string, size int, fill func(p []byte) error) *tap {
	return newTap(kind{id: id, name: name, size: size, probe: func() (Source, error) {
		return &fakeSource{name, fill}, nil
	}})
}

// mixerOf makes a mixer over the taps, or fails the test.
func mixerOf(t testing.TB, o *Options, taps ...*tap) *Mixer {
	t.Helper()
	if o == nil {
		o = &Options{}
	}
	m, err := newMixer(taps, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// fill is 32 bytes of m, or fails the test.
func fill(t testing.TB, m *Mixer) [32]byte {
	t.Helper()
	var out [32]byte
	if err := m.Fill("test", out[:]); err != nil {
		t.Fatal(err)
	}
	return out
}

// good is a generator that the detector has no reason to complain about, the
// same each time.
func good(seed uint64) func(p []byte) error {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	r := rand.NewChaCha8(key)
	return func(p []byte) error {
		r.Read(p)
		return nil
	}
}

// constant fills with one byte value.
func constant(b byte) func(p []byte) error {
	return func(p []byte) error {
		for i := range p {
			p[i] = b
		}
		return nil
	}
}

var errBroken = errors.New("broken")

// broken writes something and fails.
func broken(p []byte) error {
	p[0] = 0xff
	return errBroken
}
