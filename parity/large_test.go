package parity_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// trialsLarge are trials on 2 GiB, which is more than a window. They take 8 GiB of memory
// and some minutes.
func trialsLarge(t *testing.T) {
	p := newPatient(t, 1, 1) // and made larger
	p.rng = rand.New(rand.NewPCG(2, 2))
	size := int64(2<<30 + 12345) // which an int of 32 bits does not hold
	p.whole = newContainer(t, p.rng, int(size), 1)
	par, s := made(t, p.whole, p.m, 1<<20)
	p.head, p.chunks, p.groups = 4096, int(size/L)+1, s.Groups
	names := []string{"groups", "hole", "half a percent", "head and tail", "parity file", "insertion", "deletion"}
	for i := range 20 {
		name := names[i%len(names)]
		p.container, p.par = bytes.Clone(p.whole), bytes.Clone(par)
		switch name {
		case "groups", "head and tail": // of the first window: p.cell knows no other
			chunks := p.chunks
			p.chunks = 128 * p.groups
			damages[name](p)
			p.chunks = chunks
		default:
			damages[name](p)
		}
		d, undo := &disk{b: p.container, writes: -1}, []byte(nil)
		res, err := repair(d, p.par, &undo, nil)
		if err != nil || !res.Complete() || !bytes.Equal(d.b, p.whole) {
			t.Errorf("trial %d, %s: %v, %d of %d chunks not repaired", i, name, err, res.Unrepaired, res.Damaged)
		}
	}
}
