package set

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// sealed returns a part of a set with some plaintext: what its maker could have written.
func sealed(t *testing.T, p format.Part, to []stream.Recipient, level int, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := stream.NewWriter(context.Background(), &b, to, &stream.WriterOptions{Part: p, Level: level, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(plain)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// recovered is what the set in s is, with its volumes.
func recovered(t *testing.T, s *store) *Unfinished {
	t.Helper()
	src, size := s.root()
	u, err := Recover(context.Background(), src, size, s.Open, []stream.Identity{identity()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// key is the set's public half.
func (u *Unfinished) recipients(t *testing.T) []stream.Recipient {
	w, err := Resume(context.Background(), nil, u, &WriterOptions{WriterOptions: stream.WriterOptions{Level: int(u.Coding)}})
	if err != nil {
		t.Fatal(err)
	}
	return w.to
}

// Whatever is wrong with a root, an index or a volume that someone made who could make them
// is named by its clause, by readers and by verifiers.
func TestClauses(t *testing.T) {
	good := write(t, data(5, 2*VolumeUnit+100), small)
	u := recovered(t, good)
	key := u.recipients(t)
	src, size := good.root()
	rootReader, err := stream.NewReaderAt(context.Background(), src, size, []stream.Identity{identity()}, options(format.RoleRoot, nil))
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, rootSize)
	rootReader.ReadAt(plain, 0)
	index := u.encodeIndex()
	be := binary.BigEndian

	root := func(change func(b []byte) []byte) func(s *store) {
		return func(s *store) {
			s.parts[""] = sealed(t, u.part(format.RoleRoot, 0), to, 0, change(bytes.Clone(plain)))
		}
	}
	listing := func(change func(b []byte) []byte) func(s *store) { // with a MAC that fits
		return func(s *store) {
			b := change(bytes.Clone(index[:len(index)-macSize]))
			s.parts[IndexSuffix] = sealed(t, u.part(format.RoleIndex, 0), key, 0, append(b, indexMAC(b, u.MACKey[:])...))
		}
	}
	at := func(i int, c byte) func([]byte) []byte {
		return func(b []byte) []byte { b[i] = c; return b }
	}
	volume := func(i int, p format.Part, to []stream.Recipient, level int, n int) func(s *store) {
		return func(s *store) { s.parts[VolumeSuffix(i)] = sealed(t, p, to, level, data(6, n)) }
	}
	last := u.part(format.RoleVolume, 2)
	tests := []struct {
		name string
		harm func(s *store)
		want string // "SUFFIX CLAUSE"
	}{
		{"root: another role", func(s *store) { s.parts[""] = sealed(t, format.Part{}, to, 0, plain) }, " ROLE-2"},
		{"root: compressed", func(s *store) { s.parts[""] = sealed(t, u.part(format.RoleRoot, 0), to, 1, plain) }, " SET-3"},
		{"root: too short", root(func(b []byte) []byte { return b[:71] }), " SET-5"},
		{"root: too long", root(func(b []byte) []byte { return append(b, 0) }), " SET-5"},
		{"root: empty", root(func(b []byte) []byte { return nil }), " SET-5"},
		{"root: magic", root(at(0, 'B')), " SET-5"},
		{"root: layout", root(at(8, 2)), " SET-6"},
		{"root: reserved", root(at(15, 1)), " SET-6"},
		{"root: reserved, the second", root(at(31, 1)), " SET-6"},
		{"root: coding", root(at(9, 2)), " SET-7"},
		{"root: set id", root(at(16, plain[16]+1)), " SET-8"},
		{"root: V is 0", root(at(69, 0)), " SET-9"},
		{"root: V is no multiple", root(at(71, 1)), " SET-9"},
		{"root: V is too large", root(func(b []byte) []byte { be.PutUint64(b[64:], MaxVolumeSize+VolumeUnit); return b }), " SET-9"},
		{"root: another S", root(at(32, plain[32]+1)), ".index SET-4"},
		{"root: another coding", root(at(9, 1)), ".000000 SET-3"},
		{"root: another V", root(func(b []byte) []byte { be.PutUint64(b[64:], 2*VolumeUnit); return b }), ".index SET-15"},
		{"index: missing", func(s *store) { delete(s.parts, IndexSuffix) }, ".index SET-1"},
		{"index: a volume", func(s *store) { s.parts[IndexSuffix] = s.parts[VolumeSuffix(0)] }, ".index SET-2"},
		{"index: compressed", func(s *store) { s.parts[IndexSuffix] = sealed(t, u.part(format.RoleIndex, 0), key, 1, index) }, ".index SET-3"},
		{"index: for a recipient", func(s *store) { s.parts[IndexSuffix] = sealed(t, u.part(format.RoleIndex, 0), to, 0, index) }, ".index SET-4"},
		{"index: for two", func(s *store) {
			s.parts[IndexSuffix] = sealed(t, u.part(format.RoleIndex, 0), slices.Concat(to, key), 0, index)
		}, ".index SET-4"},
		{"index: no whole entry", listing(func(b []byte) []byte { return b[:len(b)-1] }), ".index SET-11"},
		{"index: no entry", listing(func(b []byte) []byte { return b[:headSize] }), ".index SET-11"},
		{"index: empty", func(s *store) { s.parts[IndexSuffix] = sealed(t, u.part(format.RoleIndex, 0), key, 0, nil) }, ".index SET-11"},
		{"index: magic", listing(at(7, 't')), ".index SET-11"},
		{"index: layout", listing(at(8, 0)), ".index SET-12"},
		{"index: MAC", func(s *store) {
			b := bytes.Clone(index)
			b[headSize] ^= 1
			s.parts[IndexSuffix] = sealed(t, u.part(format.RoleIndex, 0), key, 0, b)
		}, ".index SET-13"},
		{"index: reserved", listing(at(15, 1)), ".index SET-14"},
		{"index: set id", listing(at(16, index[16]+1)), ".index SET-15"},
		{"index: n", listing(at(31, 2)), ".index SET-15"},
		{"index: one volume fewer", listing(func(b []byte) []byte { be.PutUint32(b[28:], 2); return b[:len(b)-entrySize] }), ".index SET-16"},
		{"index: a short volume in the middle", listing(func(b []byte) []byte { be.PutUint64(b[headSize+104:], VolumeUnit-1); return b }), ".index SET-16"},
		{"index: a full one at the end", listing(func(b []byte) []byte { be.PutUint64(b[len(b)-8:], VolumeUnit); return b }), ".index SET-16"},
		{"index: a huge one at the end", listing(func(b []byte) []byte { be.PutUint64(b[len(b)-8:], 1<<63); return b }), ".index SET-16"},
		{"volume: another's size", listing(func(b []byte) []byte { be.PutUint64(b[len(b)-8:], 99); return b }), ".000002 SET-18"},
		{"volume: another size of the container", listing(func(b []byte) []byte { be.PutUint64(b[len(b)-16:], 1<<63|8308); return b }), ".000002 SET-18"},
		{"volume: another role", volume(2, u.part(format.RoleIndex, 0), key, 0, 100), ".000002 SET-2"},
		{"volume: another number", volume(2, u.part(format.RoleVolume, 3), key, 0, 100), ".000002 SET-2"},
		{"volume: another coding", volume(2, last, key, 1, 100), ".000002 SET-3"},
		{"volume: another attempt", volume(2, last, key, 0, 100), ".000002 SET-17"},
		{"volume: for a recipient", volume(2, last, to, 0, 100), ".000002 SET-17"},
		{"volume: damaged", func(s *store) { flip(s, 1, 4096+70000) }, ".000001 CHUNK-1"},
		{"volume: its last chunk", func(s *store) { flip(s, 2, 4096+50) }, ".000002 CHUNK-1"},
		{"volume: longer", func(s *store) { s.parts[VolumeSuffix(2)] = append(bytes.Clone(s.parts[VolumeSuffix(2)]), 0) }, ".000002 FILE-4"},
		{"volume: empty", func(s *store) { s.parts[VolumeSuffix(2)] = nil }, ".000002 HEAD-4"},
		{"volume: two containers", func(s *store) {
			other := sealed(t, last, key, 0, data(6, 100))
			b := bytes.Clone(s.parts[VolumeSuffix(2)])
			s.parts[VolumeSuffix(2)] = append(b[:len(b)-4096], other[len(other)-4096:]...)
		}, ".000002 COPY-1"},
	}
	seen := make(map[format.Clause]bool)
	for _, x := range tests {
		s := good.clone()
		x.harm(s)
		got, err := s.read(identity())
		if one(err) != x.want || !bytes.HasPrefix(data(5, 2*VolumeUnit+100), got) {
			t.Errorf("%s: a reader says %q, not %q: %v", x.name, one(err), x.want, err)
		}
		if found := s.verify(t, identity()); !slices.Contains(found, x.want) {
			t.Errorf("%s: a verifier says %q, not %q", x.name, found, x.want)
		}
		seen[format.Clause(x.want[len(x.want)-len(bytes.TrimLeft([]byte(x.want), ".index0123456789 ")):])] = true
	}
	for _, c := range format.SetClauses {
		if !seen[c] {
			t.Errorf("nothing here breaks %s", c)
		}
	}
}

func flip(s *store, volume, at int) {
	b := bytes.Clone(s.parts[VolumeSuffix(volume)])
	b[at] ^= 4
	s.parts[VolumeSuffix(volume)] = b
}

// A volume whose copy of the head has a slot more, though the set key opens it, is refused.
func TestSlotAdded(t *testing.T) {
	s := write(t, data(5, 100), small)
	src := &memContainer{b: bytes.Clone(s.parts[VolumeSuffix(0)])}
	ro, err := openRoot(context.Background(), bytes.NewReader(s.parts[""]), int64(len(s.parts[""])), []stream.Identity{identity()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := stream.EditHead(context.Background(), src, int64(len(src.b)), []stream.Identity{ro.key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Apply(context.Background(), &stream.Edit{Add: to}); err != nil {
		t.Fatal(err)
	}
	if err := h.Save(src); err != nil {
		t.Fatal(err)
	}
	s.parts[VolumeSuffix(0)] = src.b
	if _, err := s.read(identity()); one(err) != ".000000 SET-4" {
		t.Errorf("%v", err)
	}
	if found := s.verify(t, identity()); !slices.Equal(found, []string{".000000 SET-4"}) {
		t.Errorf("%q", found)
	}
}

// A memContainer counts what is written to it.
type memContainer struct {
	b       []byte
	written int
}

func (m *memContainer) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.b).ReadAt(p, off)
}
func (m *memContainer) WriteAt(p []byte, off int64) (int, error) {
	m.written += len(p)
	return copy(m.b[off:], p), nil
}
func (m *memContainer) Sync() error { return nil }

// To change the recipients of a set of 1,000 volumes 2H bytes are written.
func TestRecipientsOfManyVolumes(t *testing.T) {
	const n = 1000
	opts := small
	opts.Level = 1
	s := newStore()
	w, err := NewWriter(context.Background(), s.Create, to, &opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReadFrom(io.LimitReader(zeros{t.Context()}, (n-1)*VolumeUnit+77)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if len(s.parts) != n+2 {
		t.Fatal(len(s.parts))
	}
	other, err := otherIdentity()
	if err != nil {
		t.Fatal(err)
	}
	root := &memContainer{b: s.parts[""]}
	h, err := stream.EditHead(context.Background(), root, int64(len(root.b)), []stream.Identity{identity()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Apply(context.Background(), &stream.Edit{Add: []stream.Recipient{other.Recipient()}, RemoveSlots: []int{0}}); err != nil {
		t.Fatal(err)
	}
	if err := h.Save(root); err != nil {
		t.Fatal(err)
	}
	if root.written != 2*format.PageSize {
		t.Errorf("%d bytes were written", root.written)
	}
	if _, err := s.reader(identity()); !errors.As(err, new(*stream.NoKeyError)) {
		t.Errorf("who was removed: %v", err)
	}
	r, err := s.reader(other)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, off := range []int64{0, 500 * VolumeUnit, (n-1)*VolumeUnit + 70} {
		if _, err := r.ReadAt(make([]byte, 7), off); err != nil {
			t.Error(off, err)
		}
	}
}

// Of two sets for the same recipients, and two attempts at one of them, no other mixture of
// parts is read than those three.
func TestSplices(t *testing.T) {
	runs := 10000
	if testing.Short() {
		runs = 1000
	}
	const size = VolumeUnit + 50
	a, b := write(t, data(7, size), small), write(t, data(8, size), small)
	again := a.clone()
	for _, suffix := range []string{VolumeSuffix(0), VolumeSuffix(1), IndexSuffix} {
		delete(again.parts, suffix)
	}
	u := recovered(t, a)
	u.Volumes = nil
	w, err := Resume(context.Background(), again.Create, u, &small)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data(9, size))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sources := []*store{a, b, again}
	plain := [][]byte{data(7, size), data(8, size), data(9, size)}
	suffixes := []string{"", VolumeSuffix(0), VolumeSuffix(1), IndexSuffix}
	rng := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range runs {
		mix := newStore()
		var from []int
		for _, suffix := range suffixes {
			k := rng.IntN(len(sources))
			from = append(from, k)
			mix.parts[suffix] = sources[k].parts[suffix]
			if rng.IntN(4) == 0 { // or another part in its place
				other := suffixes[rng.IntN(len(suffixes))]
				mix.parts[suffix] = sources[k].parts[other]
				if other != suffix {
					from[len(from)-1] = -1
				}
			}
			// or another version of it: what another writer's tail, or a piece of the payload, makes of it
			if rng.IntN(4) == 0 {
				x := bytes.Clone(mix.parts[suffix])
				y := sources[rng.IntN(len(sources))].parts[suffix]
				if i := min(len(x), len(y)); i > 0 {
					at := rng.IntN(i)
					copy(x[at:], y[at:min(i, at+1+rng.IntN(i))])
				}
				if !bytes.Equal(x, mix.parts[suffix]) {
					mix.parts[suffix], from[len(from)-1] = x, -2
				}
			}
		}
		got, err := mix.read(identity())
		if err != nil {
			for i := range plain {
				if bytes.HasPrefix(plain[i], got) {
					got = nil
				}
			}
			if len(got) > 0 {
				t.Fatalf("%v: %d bytes of no set came out before %v", from, len(got), err)
			}
			continue
		}
		// What reads without an error has the index and all of the content of one of them. Its
		// heads may be another's only where that is the same file, or a copy of a head was damaged.
		i := slices.IndexFunc(plain, func(p []byte) bool { return bytes.Equal(p, got) })
		if i < 0 {
			t.Fatalf("%v: a set that nobody wrote", from)
		}
		for at, k := range from {
			if same := k == i || at == 0 && (k == 0 || k == 2) && i != 1; k >= 0 && !same {
				t.Fatalf("part %d of %d was accepted in %d: %v", at, k, i, from)
			}
		}
		accepted++
	}
	t.Logf("%d of %d mixtures are one of the three sets", accepted, runs)
	if accepted == 0 || accepted == runs {
		t.Error("this test tests nothing")
	}
}
