package vectors

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bulla/format"
	"bulla/keyslot"
	sets "bulla/set"
	"bulla/stream"
)

// The two readers say the same about sets whose parts somebody has lost, exchanged,
// changed or made anew: outcome, clause, part and what was released, and of which parts
// a verifier finds something.
func TestReadersAgreeOnSets(t *testing.T) {
	m := newSetMutator()
	ids := []stream.Identity{must(keyslot.NewKEK(keyA)), must(keyslot.NewKEK(keyB))}
	agreeOn(t, second(t), containers/10, func(i int) (framed, string) {
		x := m.mutant(i)
		return x, x.verdicts(t, ids)
	}, Success, Warning, Truncated, Damaged, Malformed, Forged, NoKey, Unsupported)
}

// A setMutant is the parts of a set by their suffix, or a grant and what it is on.
type setMutant struct {
	kind  byte
	parts map[string][]byte
	what  string // was done
}

// Kinds of mutants, where those of containers have their role.
const (
	kindSet   = 0xff
	kindGrant = 0xfe
)

func (x *setMutant) frame(w io.Writer) error {
	b := binary.BigEndian.AppendUint32([]byte{x.kind}, uint32(len(x.parts)))
	for _, suffix := range slices.Sorted(maps.Keys(x.parts)) {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(suffix))), suffix...)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(x.parts[suffix]))), x.parts[suffix]...)
	}
	_, err := w.Write(b)
	return err
}

func (x *setMutant) save(dir string, i int) {
	for suffix, b := range x.parts {
		os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".bulla", suffix)), b, 0o644)
	}
}

func (x *setMutant) String() string { return fmt.Sprintf("%s%d parts", x.what, len(x.parts)) }

// A part is one that is read.
type part struct{ *bytes.Reader }

func (part) Close() error { return nil }

func (x *setMutant) open(_ context.Context, suffix string) (sets.File, error) {
	b, ok := x.parts[suffix]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return part{bytes.NewReader(b)}, nil
}

// verdicts is what this project's reader and verifier say.
func (x *setMutant) verdicts(t *testing.T, ids []stream.Identity) string {
	var plain bytes.Buffer
	root := bytes.NewReader(x.parts[""])
	var warnings []sets.Finding
	r, err := sets.NewReaderAt(t.Context(), root, root.Size(), x.open, ids, &sets.ReaderOptions{Workers: 1})
	if err == nil {
		_, err = r.WriteTo(&plain)
		warnings = r.Warnings()
		r.Close()
	}
	where := "-"
	var in *sets.PartError
	switch {
	case errors.As(err, &in):
		where = in.Suffix
	case err == nil && len(warnings) > 0:
		where = warnings[0].Suffix
	case err != nil:
		where = "no part"
	}
	var found []format.Finding
	for _, w := range warnings {
		found = append(found, w.Finding)
	}
	v := strings.TrimSuffix(said(err, found, &format.Head{}, &plain), "0 0") + rootName(where)
	var noKey *stream.NoKeyError
	if errors.As(err, &noKey) { // then all is checked as far as it can be
		return v + " | -"
	}
	report, err := sets.Verify(t.Context(), root, root.Size(), x.open, ids, &sets.VerifyOptions{Workers: 1})
	if err != nil {
		return v + " | " + err.Error()
	}
	var parts []string
	for _, f := range report.Findings {
		parts = append(parts, rootName(f.Suffix))
	}
	return v + " | " + strings.Join(slices.Compact(parts), ", ")
}

func rootName(suffix string) string {
	if suffix == "" {
		return "root"
	}
	return suffix
}

// A setMutator changes sets.
type setMutator struct {
	*mutator
	bundles [][]*bundle // those of one label stand together: attempts at the same set
}

func newSetMutator() *setMutator {
	m := &setMutator{mutator: newMutator()}
	for _, label := range []string{"a", "b"} {
		m.bundles = append(m.bundles, []*bundle{bundleOf(label, 0, keyA, 100), bundleOf(label, 1, keyA, 100)})
	}
	m.bundles = append(m.bundles,
		[]*bundle{bundleOf("empty", 0, keyB, 0), bundleOf("empty", 1, keyB, 0)},
		[]*bundle{bundleOf("foreign", 0, secret("kek c"), 70)},
		[]*bundle{bundleOf("long", 0, keyA, volumeSize, 50), bundleOf("long", 1, keyA, volumeSize, 50)})
	return m
}

// mutant is number i: always the same.
func (m *setMutator) mutant(i int) *setMutant {
	r := rand.New(rand.NewPCG(2027, uint64(i)))
	tries := m.bundles[min(r.IntN(20), r.IntN(len(m.bundles)))]
	b := tries[0]
	x := &setMutant{kind: kindSet, parts: make(map[string][]byte)}
	for suffix, p := range b.parts() {
		x.parts[suffix] = p.bytes()
	}
	for range r.IntN(4) {
		x.what += m.change(r, tries, x) + "; "
	}
	return x
}

// change does one thing to x, which was the first of some tries.
func (m *setMutator) change(r *rand.Rand, tries []*bundle, x *setMutant) string {
	b := tries[0]
	boxes := b.parts()
	suffixes := slices.Sorted(maps.Keys(boxes))
	any := func() string { return suffixes[r.IntN(len(suffixes))] }
	suffix := any()
	if x.parts[suffix] == nil {
		return "nothing"
	}
	number := slices.Index(suffixes, suffix)
	number = max(0, number-1) // of the volume, if it is one
	number = min(number, len(b.volumes)-1)
	switch op := r.IntN(15); op {
	case 0:
		if suffix == "" {
			return "nothing"
		}
		delete(x.parts, suffix)
		return "without " + suffix
	case 1:
		other := any()
		x.parts[suffix], x.parts[other] = x.parts[other], x.parts[suffix]
		return fmt.Sprintf("%q and %q exchanged", suffix, other)
	case 2:
		x.parts[suffix] = tries[len(tries)-1].parts()[suffix].bytes()
		return fmt.Sprintf("%q of another try", suffix)
	case 3:
		others := m.bundles[r.IntN(len(m.bundles)-1)][0].parts()
		other := slices.Sorted(maps.Keys(others))[r.IntN(len(others))]
		x.parts[suffix] = others[other].bytes()
		return fmt.Sprintf("%q is another set's %q", suffix, other)
	case 4:
		x.parts[suffix] = bytes.Clone(x.parts[any()])
		return fmt.Sprintf("%q is another part", suffix)
	case 5, 6, 7: // what containers suffer
		y := &mutant{container: bytes.Clone(x.parts[suffix])}
		did := m.mutator.change(r, boxes[suffix], y)
		x.parts[suffix] = append([]byte{}, y.container...)
		return fmt.Sprintf("%q: %s%s", suffix, y.what, did)
	case 8: // a volume that its writer made otherwise, of the key that is listed
		v := b.volume(0, number, b.volumes[number].plain, odd(r))
		x.parts[fmt.Sprintf(".%06d", number)] = v.bytes()
		return fmt.Sprintf("volume %d made otherwise", number)
	case 9:
		v := b.indexOf(0, b.listing(), odd(r))
		x.parts[indexPart] = v.bytes()
		return "the index made otherwise"
	case 10: // by someone who holds T
		l, did := m.listing(r, b)
		x.parts[indexPart] = b.indexOf(2, l).bytes()
		return "the index lists " + did
	case 11: // by someone who does not
		l, did := m.listing(r, b)
		v := b.indexOf(3, l, func(f *file) {
			f.content[r.IntN(len(f.content))] ^= 1 << r.IntN(8)
		})
		x.parts[indexPart] = v.bytes()
		return "the index, without a MAC, lists " + did
	case 12:
		f := b.root.file
		f.label += " otherwise"
		f.content = bytes.Clone(f.content)
		did := field(r, f.content, []int{0, 8, 9, 10, 15, 16, 27, 28, 31, 40, 64, 66, 69, 70, 71})
		switch r.IntN(6) {
		case 0:
			f.content = f.content[:r.IntN(len(f.content))]
		case 1:
			f.content = append(f.content, 0)
		case 2:
			odd(r)(&f)
			f.slots = []slot{kek(keyA)}
		}
		x.parts[""] = build(f).bytes()
		return "the root says, " + did
	case 13: // a rewrap of a part that has one recipient for good
		box, c := boxes[suffix], bytes.Clone(x.parts[suffix])
		slots := [][]slot{{pq(b.key)}, {pq(pqA)}, {pq(b.key), pq(b.key)}, {pq(pqA), pq(b.key)}, {kek(keyA)}, {unknown(9, 10)}}[r.IntN(6)]
		own := box.copy(box.pages, 1+r.Uint32N(2), slots...)
		switch at := r.IntN(3); {
		case len(c) < len(own):
		case at == 0:
			copy(c, own)
		case at == 1:
			copy(c[len(c)-len(own):], own)
		default:
			copy(c, own)
			copy(c[len(c)-len(own):], own)
		}
		x.parts[suffix] = c
		return fmt.Sprintf("%q has another recipient", suffix)
	}
	x.parts[".000009"] = x.parts[suffix]
	return "a part more"
}

// odd is a way to make a part of a set that is not like the others.
func odd(r *rand.Rand) func(*file) {
	return func(f *file) {
		switch own := f.slots[0]; r.IntN(9) {
		case 0:
			f.slots = append(f.slots, kek(keyA))
		case 1:
			f.slots = []slot{pq(pqA)}
		case 2:
			f.slots = []slot{pq(pqA), own}
		case 3:
			f.coding = 1
		case 4:
			f.number ^= 1
		case 5:
			f.set[r.IntN(len(f.set))] ^= 1
		case 6:
			f.role = byte(r.IntN(5))
		case 7:
			f.plain += 1 - 2*int64(r.IntN(2))&min(f.plain, 1)
		case 8:
			f.pages = 2
		}
		if f.role == 0 || f.role == 4 {
			f.set = [12]byte{}
		}
		if f.role != 1 {
			f.number = 0
		}
	}
}

// field changes a byte at one of the offsets.
func field(r *rand.Rand, b []byte, at []int) string {
	i := at[r.IntN(len(at))]
	b[i] = byte(r.IntN(4))
	return fmt.Sprintf("byte %d is %d", i, b[i])
}

// listing is that of b, and then not.
func (m *setMutator) listing(r *rand.Rand, b *bundle) (l []byte, did string) {
	l = b.listing()
	last := l[len(l)-112:]
	switch r.IntN(8) {
	case 0: // fields before the entries
		did = field(r, l, []int{0, 8, 9, 15, 16, 27, 28, 31, 32, 34, 37, 38, 39})
	case 1:
		did = field(r, last, []int{0, 10, 13, 31, 40, 70, 95, 96, 102, 103, 104, 105, 109, 111})
	case 2:
		l, did = l[:len(l)-112], "without the last"
	case 3:
		l, did = append(l, last...), "the last twice"
	case 4:
		l, did = append(l, last[:r.IntN(112)]...), "a piece more"
	case 5:
		l = append(l, last...)
		l[31]++
		did = "the last twice, and counts it"
	case 6:
		copy(last[:96], l[40:136])
		did = "the first in place of the last"
	case 7:
		other := m.bundles[r.IntN(len(m.bundles)-1)][0].listing()
		copy(last, other[len(other)-112:])
		did = "another set's volume"
	}
	return l, did
}
