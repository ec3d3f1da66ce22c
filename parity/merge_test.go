package parity_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"bulla/parity"
)

// The reports on runs of windows make the report on all of them, whatever is damaged.
func TestMerge(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	const window = 128 * 16
	full := 2 // windows before the last
	if testing.Short() {
		full = 1
	}
	container := newContainer(t, rng, (full*window+200)*L+77, 1)
	par, _ := madeDeep(t, container, 1, 16, 1<<20)
	chunk := func(i int) int { return 4096 + i*L + 3 }
	for name, places := range map[string][][2]int{ // of the container, of the parity file
		"nothing": nil, "one": {{chunk(5), 0}}, "at a border": {{chunk(window - 1), 0}, {chunk(window), 0}}, "in each": {{chunk(7), 0}, {chunk(window + 9), 0}, {chunk(full*window + 199), 0}},
		"lost": {{chunk(3), 0}, {chunk(window + 1), 0}, {chunk(window + 17), 0}, {chunk(window + 33), 0}}, "head": {{100, 0}}, "tail": {{-100, 0}}, "both": {{100, 0}, {-100, 0}},
		"parity": {{0, 600_000}, {0, -5000}}, "its header": {{0, 50}},
	} {
		if testing.Short() && name != "in each" && name != "lost" && name != "both" {
			continue
		}
		b, p := bytes.Clone(container), bytes.Clone(par)
		for _, at := range places {
			if at[0] != 0 {
				b[(at[0]+len(b))%len(b)] ^= 1
			}
			if at[1] != 0 {
				p[(at[1]+len(p))%len(p)] ^= 1
			}
		}
		scrub := func(opts *parity.ScrubOptions) *parity.Report {
			r, err := parity.Scrub(t.Context(), bytes.NewReader(b), int64(len(b)), bytes.NewReader(p), int64(len(p)), opts)
			if err != nil {
				t.Fatal(name, err)
			}
			return r
		}
		if n, _, err := parity.Look(int64(len(b)), bytes.NewReader(p), int64(len(p))); n != full+1 || err != nil {
			t.Fatalf("%d windows, %v", n, err)
		}
		want := scrub(nil)
		for _, parts := range []int{1, full, full + 1} {
			var all []*parity.Report
			for i := range parts {
				all = append(all, scrub(&parity.ScrubOptions{Part: i + 1, Parts: parts, Windows: true}))
			}
			got := parity.Merge(all)
			if !reflect.DeepEqual(got, want) || got.Sound() != want.Sound() || got.Repairable() != want.Repairable() {
				t.Errorf("%s, %d parts: %+v\nall: %+v", name, parts, got, want)
			}
		}
	}
}

// Of the parts of a set the sums are told, and what the weakest survives: one that may be lost
// as a whole is not that.
func TestTotal(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 2))
	var all []*parity.Report
	for _, chunks := range []int{0, 3000, 40} {
		b := newContainer(t, rng, chunks*L+77, 1)
		p, strength := made(t, b, 7, 1<<20)
		if chunks == 40 {
			b[len(b)/2] ^= 1
		}
		r, err := parity.Scrub(t.Context(), bytes.NewReader(b), int64(len(b)), bytes.NewReader(p), int64(len(p)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, s, err := parity.Look(int64(len(b)), bytes.NewReader(p), int64(len(p))); err != nil || s != strength || r.Strength != s {
			t.Errorf("%v, %v, not %v", s, err, strength)
		}
		all = append(all, r)
	}
	for range all {
		r := parity.Total(all)
		if r.Chunks != 3043 || r.Damaged != 1 || r.Size != all[0].Size+all[1].Size+all[2].Size || r.Sound() || !r.Repairable() || len(r.Damages) > 0 {
			t.Errorf("%+v", r)
		}
		if r.Left.Hole != (6*2-1)*L+1 || r.Left.Parity != 6 || r.Strength.Parity != 7 {
			t.Errorf("%+v is left", r.Left)
		}
		all = append(all[1:], all[0])
	}
}
