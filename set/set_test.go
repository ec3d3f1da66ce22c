package set

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// A store keeps the parts of a set in memory, by their suffixes.
type store struct {
	mu    sync.Mutex
	parts map[string][]byte
	order []string // in which they got their names
	open  int      // now
	most  int      // that were at a time
	fails func(suffix string) error
}

func newStore() *store { return &store{parts: make(map[string][]byte)} }

// clone is a store with the same parts.
func (s *store) clone() *store { return &store{parts: maps.Clone(s.parts)} }

type memFile struct {
	*bytes.Reader
	s *store
}

func (f memFile) Close() error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.open--
	return nil
}

func (s *store) Open(_ context.Context, suffix string) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.parts[suffix]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: "NAME" + suffix, Err: fs.ErrNotExist}
	}
	s.open++
	s.most = max(s.most, s.open)
	return memFile{bytes.NewReader(b), s}, nil
}

type memPending struct {
	bytes.Buffer
	s      *store
	suffix string
	over   bool
}

func (p *memPending) Writer() io.Writer { return &p.Buffer }

func (p *memPending) Commit() error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	switch _, there := p.s.parts[p.suffix]; {
	case p.over:
		return errors.New("aborted")
	case there:
		return fs.ErrExist
	}
	if p.s.fails != nil {
		if err := p.s.fails(p.suffix); err != nil {
			return err
		}
	}
	p.over = true
	p.s.parts[p.suffix] = p.Bytes()
	p.s.order = append(p.s.order, p.suffix)
	return nil
}

func (p *memPending) Abort() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.over = true
}

func (s *store) Create(_ context.Context, suffix string) (Pending, error) {
	return &memPending{s: s, suffix: suffix}, nil
}

func (s *store) root() (io.ReaderAt, int64) {
	return bytes.NewReader(s.parts[""]), int64(len(s.parts[""]))
}

// reader opens the set in s.
func (s *store) reader(ids ...stream.Identity) (*ReaderAt, error) {
	src, size := s.root()
	return NewReaderAt(context.Background(), src, size, s.Open, ids, &ReaderOptions{Workers: 1})
}

// read returns all of the plaintext of the set in s.
func (s *store) read(ids ...stream.Identity) ([]byte, error) {
	r, err := s.reader(ids...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	_, err = r.WriteTo(&b)
	return b.Bytes(), err
}

// verify returns what a verifier finds in the set in s: "SUFFIX CLAUSE", in order.
func (s *store) verify(t testing.TB, ids ...stream.Identity) (found []string) {
	t.Helper()
	src, size := s.root()
	rep, err := Verify(context.Background(), src, size, s.Open, ids, &VerifyOptions{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rep.Findings {
		found = append(found, f.Suffix+" "+string(f.Clause))
	}
	return found
}

var identity = sync.OnceValue(func() *keyslot.HPKEIdentity {
	m, err := entropy.New(&entropy.Options{Sources: []string{}}) // so that nothing looks for a TPM before TestSourceFails
	if err != nil {
		panic(err)
	}
	id, err := keyslot.GenerateIdentity(m)
	if err != nil {
		panic(err)
	}
	return id
})

var to = []stream.Recipient{identity().Recipient()}

// data is n bytes that nothing compresses, the same for the same seed.
func data(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// small are the options of a set with the smallest volumes there are.
var small = WriterOptions{VolumeSize: VolumeUnit, WriterOptions: stream.WriterOptions{Workers: 1}}

// write makes a set of b.
func write(t testing.TB, b []byte, opts WriterOptions) *store {
	t.Helper()
	s := newStore()
	w, err := NewWriter(context.Background(), s.Create, to, &opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReadFrom(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// A set of any length, with either coding, written by Write or by ReadFrom, reads as what
// it was made of.
func TestRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, VolumeUnit - 1, VolumeUnit, VolumeUnit + 1, 3 * VolumeUnit, 3*VolumeUnit + 70000} {
		for _, level := range []int{0, 1} {
			for _, workers := range []int{1, 2} {
				opts := WriterOptions{VolumeSize: VolumeUnit, Size: int64(n), WriterOptions: stream.WriterOptions{Workers: workers, Level: level}}
				plain := data(1, n)
				s := write(t, plain, opts)
				if want := n/VolumeUnit + 1 + 2; len(s.parts) != want || s.order[0] != "" || s.order[want-1] != IndexSuffix {
					t.Fatalf("%d bytes: %q", n, s.order)
				}
				got, err := s.read(identity())
				if err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("%d bytes, level %d: %d come back, %v", n, level, len(got), err)
				}
				if found := s.verify(t, identity()); found != nil {
					t.Fatalf("%d bytes, level %d: %q", n, level, found)
				}
			}
		}
	}
	plain := data(2, 2*VolumeUnit+5)
	s := newStore()
	w, _ := NewWriter(context.Background(), s.Create, to, &small)
	for b := plain; len(b) > 0; b = b[min(len(b), 700001):] {
		if _, err := w.Write(b[:min(len(b), 700001)]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != stream.ErrClosed {
		t.Errorf("a second Close: %v", err)
	}
	if got, err := s.read(identity()); err != nil || !bytes.Equal(got, plain) {
		t.Error(len(got), err)
	}
}

// one returns the suffix and the clause of an error about a part.
func one(err error) string {
	var pe *PartError
	var fe interface{ Finding() format.Finding }
	if !errors.As(err, &pe) || !errors.As(err, &fe) {
		return fmt.Sprintf("? %v", err)
	}
	return pe.Suffix + " " + string(fe.Finding().Clause)
}

// Of a set of 100 volumes, in whatever order they were put down, each that is missing,
// swapped, doubled, foreign, stale or cut is named, with its clause.
func TestEveryVolume(t *testing.T) {
	const n = 100
	plain := data(3, (n-1)*VolumeUnit+9)
	s := write(t, plain, small)
	foreign := write(t, data(4, VolumeUnit+1), small).parts[VolumeSuffix(0)]
	stale := again(t, s, plain[:VolumeUnit+1])
	tests := map[string]struct {
		harm   func(s *store, i int)
		clause format.Clause
		also   int // the volume that suffers with it, if it is not i
	}{
		"missing": {func(s *store, i int) { delete(s.parts, VolumeSuffix(i)) }, format.SET1, 0},
		"swapped": {func(s *store, i int) {
			a, b := VolumeSuffix(i), VolumeSuffix((i+1)%n)
			s.parts[a], s.parts[b] = s.parts[b], s.parts[a]
		}, format.SET2, 1},
		"doubled": {func(s *store, i int) { s.parts[VolumeSuffix(i)] = s.parts[VolumeSuffix((i+7)%n)] }, format.SET2, 0},
		"foreign": {func(s *store, i int) { s.parts[VolumeSuffix(i)] = foreign }, format.SET2, 0},
		"stale":   {func(s *store, i int) { s.parts[VolumeSuffix(i)] = stale(i) }, format.SET17, 0},
		"cut": {func(s *store, i int) {
			s.parts[VolumeSuffix(i)] = s.parts[VolumeSuffix(i)][:len(s.parts[VolumeSuffix(i)])-4096]
		}, format.FILE1, 0},
	}
	for name, x := range tests {
		t.Run(name, func(t *testing.T) {
			for i := range n {
				if testing.Short() && i > 0 && i < n-1 && i%33 > 0 {
					continue
				}
				bad := s.clone()
				x.harm(bad, i)
				r, err := bad.reader(identity())
				if err != nil {
					t.Fatal(err)
				}
				wrong := []int{i}
				if x.also > 0 {
					wrong = append(wrong, (i+1)%n)
				}
				for v := range n {
					if i%33 > 0 && (v < i-1 || v > i+1) && (v-i)%n != 0 && (v-i-1)%n != 0 { // every volume only sometimes
						continue
					}
					_, err := r.ReadAt(make([]byte, 5), int64(v)*VolumeUnit)
					switch want := VolumeSuffix(v) + " " + string(x.clause); {
					case !slices.Contains(wrong, v) && err != nil:
						t.Fatalf("volume %d, and it is %d: %v", v, i, err)
					case slices.Contains(wrong, v) && one(err) != want:
						t.Fatalf("%q, not %q", one(err), want)
					}
				}
				r.Close()
				if i%33 == 0 {
					slices.Sort(wrong)
					found := slices.DeleteFunc(bad.verify(t, identity()), func(f string) bool { return f[8:] != string(x.clause) })
					if len(found) != len(wrong) || found[0] != VolumeSuffix(wrong[0])+" "+string(x.clause) {
						t.Fatalf("a verifier finds %q", found)
					}
				}
			}
		})
	}
}

// again returns volumes of another attempt at the set in s.
func again(t *testing.T, s *store, plain []byte) func(i int) []byte {
	src, size := s.root()
	u, err := Recover(context.Background(), src, size, s.Open, []stream.Identity{identity()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(i int) []byte {
		other := newStore()
		v := *u
		v.Volumes = v.Volumes[:i:i]
		w, err := Resume(context.Background(), other.Create, &v, &small)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(plain)
		w.Abort(nil)
		w.Close()
		return other.parts[VolumeSuffix(i)]
	}
}

func otherIdentity() (*keyslot.HPKEIdentity, error) {
	return keyslot.GenerateIdentity(entropy.Default())
}

// Without a key a part shows whether it is the one that its name says.
func TestCheckPart(t *testing.T) {
	s, other := write(t, data(1, 2*VolumeUnit), small), write(t, data(1, 9), small)
	id := func(s *store) format.SetID {
		src, size := s.root()
		h, err := format.Check(src, size).Newest(nil)
		if err != nil {
			t.Fatal(err)
		}
		return h.Set
	}
	damaged := bytes.Clone(s.parts[".000000"])
	clear(damaged[:format.PageSize])
	clear(damaged[len(damaged)-format.PageSize:])
	for name, c := range map[string]struct {
		b      []byte
		suffix string
		want   format.Clause
	}{
		"a volume":            {s.parts[".000001"], ".000001", ""},
		"the index":           {s.parts[".index"], ".index", ""},
		"another volume":      {s.parts[".000000"], ".000001", format.SET2},
		"a volume as index":   {s.parts[".000000"], ".index", format.SET2},
		"an index as volume":  {s.parts[".index"], ".000000", format.SET2},
		"of another set":      {other.parts[".000000"], ".000000", format.SET2},
		"the root":            {s.parts[""], ".000000", format.SET2},
		"damaged at its ends": {damaged, ".000001", ""},
		"empty":               {nil, ".000001", ""},
	} {
		err := CheckPart(memFile{bytes.NewReader(c.b), s}, id(s), c.suffix)
		if clause(err) != c.want || (err != nil) != (c.want != "") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for suffix, want := range map[string]bool{"": true, ".index": true, ".000000": true, ".131071": true, ".parity": false, ".1": false, ".0000001": false, ".-00001": false, ".00000a": false, ".000001x": false, ".index.parity": false} {
		if _, ok := ParseSuffix(suffix); ok != want {
			t.Errorf("%q: %v", suffix, !want)
		}
	}
}
