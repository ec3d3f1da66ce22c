package set

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// Wherever a set is interrupted, it has no index, reads as unfinished, and goes on after
// its last whole volume, with what was recorded or with a key. What is recorded is at most
// one volume ahead of what is there.
func TestResume(t *testing.T) {
	const volumes = 4
	plain := data(1, (volumes-1)*VolumeUnit+5)
	for _, level := range []int{0, 1} {
		opts := small
		opts.Level = level
		for fails := 0; fails <= volumes+1; fails++ { // root, volumes, index
			s := newStore()
			commits, reason := 0, errors.New("the power failed")
			s.fails = func(string) error {
				if commits++; commits > fails {
					return reason
				}
				return nil
			}
			var saved *Unfinished
			o := opts
			o.Record = func(u *Unfinished) error {
				c := *u
				c.Volumes = slices.Clone(u.Volumes)
				saved = &c
				return nil
			}
			w, err := NewWriter(context.Background(), s.Create, to, &o)
			if err == nil {
				_, err = w.ReadFrom(bytes.NewReader(plain))
				if cerr := w.Close(); err == nil {
					err = cerr
				}
			}
			if !errors.Is(err, reason) || len(s.parts) != fails {
				t.Fatalf("%d parts of %d, %v", len(s.parts), fails, err)
			}
			s.fails = nil
			if fails == 0 {
				continue
			}
			if _, err := s.read(identity()); one(err) != ".index SET-1" {
				t.Errorf("after %d parts: %v", fails, err)
			}
			if n := len(saved.Volumes) - (fails - 1); n < 0 || n > 1 {
				t.Fatalf("%d volumes are recorded, and %d there", len(saved.Volumes), fails-1)
			}
			for name, find := range map[string]func(s *store) (*Unfinished, error){
				"record": func(s *store) (*Unfinished, error) {
					u := *saved
					return &u, u.Check(context.Background(), s.Open)
				},
				"key": func(s *store) (*Unfinished, error) {
					src, size := s.root()
					var content bytes.Buffer
					u, err := Recover(context.Background(), src, size, s.Open, []stream.Identity{identity()}, &RecoverOptions{Content: &content})
					if err == nil && !bytes.Equal(content.Bytes(), plain[:u.Size()]) {
						t.Errorf("the volumes hold something else")
					}
					return u, err
				},
			} {
				goesOn := s.clone()
				u, err := find(goesOn)
				if err != nil || len(u.Volumes) != min(fails-1, volumes) || u.Ended() != (fails > volumes) {
					t.Fatalf("%s: after %d parts %d volumes, %v", name, fails, len(u.Volumes), err)
				}
				w, err := Resume(context.Background(), goesOn.Create, u, &opts)
				if err != nil {
					t.Fatal(err)
				}
				if !w.Ended() {
					_, err = w.ReadFrom(bytes.NewReader(plain[u.Size():]))
				}
				if cerr := w.Close(); err != nil || cerr != nil {
					t.Fatal(name, err, cerr)
				}
				if got, err := goesOn.read(identity()); err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%s: after %d parts: %v", name, fails, err)
				}
			}
		}
	}
}

// What was recorded is compared with what is there.
func TestCheck(t *testing.T) {
	s := write(t, data(1, 3*VolumeUnit), small)
	good := recovered(t, s)
	if len(good.Volumes) != 4 {
		t.Fatal(len(good.Volumes))
	}
	other := write(t, data(1, 3*VolumeUnit), small)
	check := func(harm func(s *store)) string {
		bad := s.clone()
		harm(bad)
		u := *good
		u.Volumes = slices.Clone(good.Volumes)
		err := u.Check(context.Background(), bad.Open)
		if err == nil {
			return string(rune('0' + len(u.Volumes)))
		}
		return one(err)
	}
	for want, harm := range map[string]func(s *store){
		"4":             func(*store) {},
		"3":             func(s *store) { delete(s.parts, VolumeSuffix(3)) },
		".000002 SET-1": func(s *store) { delete(s.parts, VolumeSuffix(2)) },
		".000001 SET-2": func(s *store) { s.parts[VolumeSuffix(1)] = other.parts[VolumeSuffix(1)] },
		".000002 SET-2": func(s *store) { s.parts[VolumeSuffix(2)] = s.parts[VolumeSuffix(1)] },
		".000001 SET-18": func(s *store) {
			s.parts[VolumeSuffix(1)] = s.parts[VolumeSuffix(1)][:9000]
		},
		" SET-1":         func(s *store) { delete(s.parts, "") },
		" SET-2":         func(s *store) { s.parts[""] = other.parts[""] },
		" HEAD-1":        func(s *store) { s.parts[""] = bytes.Repeat([]byte{1}, 9000) },
		".000000 HEAD-1": func(s *store) { s.parts[VolumeSuffix(0)] = bytes.Repeat([]byte{1}, 9000) },
	} {
		if got := check(harm); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// A set that has lost its index gets a new one of its volumes; not if its end is missing.
func TestIndexMadeAnew(t *testing.T) {
	plain := data(1, 2*VolumeUnit)
	s := write(t, plain, small)
	old := s.parts[IndexSuffix]
	delete(s.parts, IndexSuffix)
	u := recovered(t, s)
	w, err := Resume(context.Background(), s.Create, u, &small)
	if err != nil || !w.Ended() {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(old, s.parts[IndexSuffix]) {
		t.Error("it is the old one")
	}
	if got, err := s.read(identity()); err != nil || !bytes.Equal(got, plain) {
		t.Error(err)
	}
	delete(s.parts, VolumeSuffix(2))
	if u = recovered(t, s); u.Ended() || len(u.Volumes) != 2 {
		t.Errorf("%d volumes, ended %v", len(u.Volumes), u.Ended())
	}
	delete(s.parts, IndexSuffix)
	if w, err = Resume(context.Background(), s.Create, u, &small); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("more")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.read(identity()); err != nil || string(got[len(plain):]) != "more" {
		t.Error(err)
	}
}

// A Writer that fails leaves no index, and nothing unfinished; its first error sticks.
func TestWriterFails(t *testing.T) {
	reason := errors.New("reason")
	plain := data(1, VolumeUnit+100)
	for name, x := range map[string]struct {
		run  func(w *Writer) error
		want error
	}{
		"source": {func(w *Writer) error {
			_, err := w.ReadFrom(io.MultiReader(bytes.NewReader(plain), failing{reason}))
			return err
		}, reason},
		"abort":         {func(w *Writer) error { w.Write(plain); w.Abort(reason); _, err := w.Write(plain); return err }, reason},
		"abort nil":     {func(w *Writer) error { w.Write(plain); w.Abort(nil); _, err := w.Write(plain); return err }, stream.ErrAborted},
		"abort at once": {func(w *Writer) error { w.Abort(reason); _, err := w.ReadFrom(bytes.NewReader(plain)); return err }, reason},
	} {
		s := newStore()
		w, err := NewWriter(context.Background(), s.Create, to, &small)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.run(w); !errors.Is(err, x.want) {
			t.Errorf("%s: %v", name, err)
		}
		for range 2 {
			if err := w.Close(); !errors.Is(err, x.want) {
				t.Errorf("%s: Close: %v", name, err)
			}
		}
		if slices.Contains(s.order, IndexSuffix) || len(s.order) > 2 {
			t.Errorf("%s: it left %q", name, s.order)
		}
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	s := newStore()
	w, err := NewWriter(ctx, s.Create, to, &small)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(plain)
	cancel(reason)
	if err := w.Close(); !errors.Is(err, reason) || slices.Contains(s.order, IndexSuffix) {
		t.Errorf("ctx: %v, %q", err, s.order)
	}

	o := small
	o.Record = func(u *Unfinished) error {
		if len(u.Volumes) == 1 {
			return reason
		}
		return nil
	}
	s = newStore()
	if w, err = NewWriter(context.Background(), s.Create, to, &o); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != reason {
		t.Errorf("record: %v", err)
	}
	if err := w.Close(); err != reason || !slices.Equal(s.order, []string{""}) {
		t.Errorf("record: %v, %q", err, s.order)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// No set has more than MaxVolumes volumes: it is refused at the start if that is known, and
// else ends before more is sealed.
func TestTooManyVolumes(t *testing.T) {
	o := small
	for size, want := range map[int64]bool{MaxVolumes*VolumeUnit - 1: true, MaxVolumes * VolumeUnit: false} {
		o.Size = size
		s := newStore()
		_, err := NewWriter(context.Background(), s.Create, to, &o)
		if (err == nil) != want || !want && (!strings.Contains(err.Error(), string(format.SET24)) || len(s.parts) > 0) {
			t.Errorf("%d bytes: %v, %q", size, err, s.order)
		}
	}
	for _, v := range []int64{0, -VolumeUnit, VolumeUnit + 1, MaxVolumeSize + VolumeUnit} {
		if _, err := NewWriter(context.Background(), newStore().Create, to, &WriterOptions{VolumeSize: v}); !errors.As(err, new(*stream.LimitError)) {
			t.Errorf("V = %d: %v", v, err)
		}
	}

	u := recovered(t, write(t, nil, small))
	u.Volumes = make([]Volume, MaxVolumes-1)
	for i := range u.Volumes {
		u.Volumes[i].Content = VolumeUnit
	}
	s := newStore()
	w, err := Resume(context.Background(), s.Create, u, &small)
	if err != nil {
		t.Fatal(err)
	}
	n, err := w.ReadFrom(bytes.NewReader(data(1, VolumeUnit+1)))
	if e, ok := errors.AsType[*stream.LimitError](err); !ok || e.Clause != format.SET24 || n != VolumeUnit {
		t.Errorf("%d bytes are taken, %v", n, err)
	}
	if err := w.Close(); err == nil || len(s.parts) != 1 || s.parts[IndexSuffix] != nil {
		t.Errorf("%v, %q", err, s.order)
	}
}

// The index of the largest set has the size that the specification states, and is read.
func TestLargestIndex(t *testing.T) {
	u := &Unfinished{Shape: Shape{VolumeSize: MaxVolumeSize}, Volumes: make([]Volume, MaxVolumes)}
	for i := range u.Volumes {
		u.Volumes[i].Content = MaxVolumeSize
	}
	u.Volumes[MaxVolumes-1].Content--
	b := u.encodeIndex()
	if len(b) != 14680136 {
		t.Error(len(b))
	}
	got, err := u.parseIndex(b)
	if err != nil || !reflect.DeepEqual(got, u.Volumes) || u.Size() != 1<<62-1 {
		t.Error(err, u.Size())
	}
	if volumesIn(int64(len(b)+entrySize)) != 0 {
		t.Error("a larger one is possible")
	}
}

// No container of a set is longer than what V was computed from, though nothing can be
// compressed, and V could not be larger.
func TestVolumeSizeFor(t *testing.T) {
	if _, err := VolumeSizeFor(VolumeUnit, format.Plain); err == nil {
		t.Error("a volume fits into its own content")
	}
	for _, coding := range []format.Coding{format.Plain, format.Zstd} {
		for _, limit := range []int64{3 << 20, 5 << 20, 8<<20 + 12345} {
			v, err := VolumeSizeFor(limit, coding)
			if err != nil || v%VolumeUnit != 0 {
				t.Fatal(v, err)
			}
			s := write(t, data(1, int(v)), WriterOptions{VolumeSize: v, WriterOptions: stream.WriterOptions{Level: int(coding)}})
			if n := int64(len(s.parts[VolumeSuffix(0)])); n > limit {
				t.Errorf("%v: a container of %d bytes for %d", coding, n, limit)
			}
			if coding == format.Plain && format.ContainerSize(v+VolumeUnit, volumeHead) <= limit {
				t.Errorf("%d bytes have room for more than %d", limit, v)
			}
		}
	}
	if v, err := VolumeSizeFor(1<<62, format.Zstd); err != nil || v != MaxVolumeSize {
		t.Error(v, err)
	}
}

// Salvage gets out what there is, in its place.
func TestSalvage(t *testing.T) {
	plain := data(1, 4*VolumeUnit+777)
	good := write(t, plain, small)
	try := func(name string, harm func(s *store), lost []stream.Range, size int, known bool) {
		s := good.clone()
		harm(s)
		src, rootSize := s.root()
		var b bytes.Buffer
		got, err := Salvage(context.Background(), &b, src, rootSize, s.Open, []stream.Identity{identity()}, &stream.SalvageOptions{ReaderOptions: stream.ReaderOptions{Workers: 1}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		want := bytes.Clone(plain[:size])
		for _, r := range lost {
			clear(want[r.Offset : r.Offset+r.Length])
		}
		if !bytes.Equal(b.Bytes(), want) || got.Size != int64(size) || !slices.Equal(got.Lost, lost) || got.SizeKnown != known {
			t.Errorf("%s: %d bytes, lost %v, known %v", name, b.Len(), got.Lost, got.SizeKnown)
		}
	}
	const v = VolumeUnit
	whole := len(plain)
	try("nothing", func(*store) {}, nil, whole, true)
	try("missing", func(s *store) { delete(s.parts, VolumeSuffix(2)) }, []stream.Range{{Offset: 2 * v, Length: v}}, whole, true)
	try("swapped", func(s *store) { s.parts[VolumeSuffix(2)] = s.parts[VolumeSuffix(1)] }, []stream.Range{{Offset: 2 * v, Length: v}}, whole, true)
	try("cut", func(s *store) { s.parts[VolumeSuffix(1)] = s.parts[VolumeSuffix(1)][:4096+3*65552+5] },
		[]stream.Range{{Offset: v + 3*65536, Length: v - 3*65536}}, whole, true)
	try("damaged", func(s *store) { flip(s, 3, 4096+65552+9) }, []stream.Range{{Offset: 3*v + 65536, Length: 65536}}, whole, true)
	try("no head", func(s *store) {
		s.parts[VolumeSuffix(1)] = bytes.Clone(s.parts[VolumeSuffix(1)])
		clear(s.parts[VolumeSuffix(1)][:4096])
	}, nil, whole, true)
	try("last", func(s *store) { delete(s.parts, VolumeSuffix(4)) }, []stream.Range{{Offset: 4 * v, Length: 777}}, whole, true)
	noIndex := func(s *store) { delete(s.parts, IndexSuffix) }
	try("no index", noIndex, nil, whole, true)
	try("no index, the last missing", func(s *store) { noIndex(s); delete(s.parts, VolumeSuffix(4)) }, nil, 4*v, false)
	try("no index, one damaged", func(s *store) { noIndex(s); flip(s, 0, 5000) }, []stream.Range{{Offset: 0, Length: 65536}}, whole, true)

	gone := func(volumes ...int) func(*store) {
		return func(s *store) {
			noIndex(s)
			for _, i := range volumes {
				delete(s.parts, VolumeSuffix(i))
			}
		}
	}
	try("no index, one missing", gone(1), []stream.Range{{Offset: v, Length: v}}, whole, true)
	try("no index, the first and two more missing", gone(0, 2, 3), []stream.Range{{Offset: 0, Length: v}, {Offset: 2 * v, Length: v}, {Offset: 3 * v, Length: v}}, whole, true)
	try("no index, all but one missing", gone(0, 1, 2, 4), []stream.Range{{Offset: 0, Length: v}, {Offset: v, Length: v}, {Offset: 2 * v, Length: v}}, 4*v, false)
	try("no index, and after what is missing only what is none of it", func(s *store) {
		gone(2, 4)(s)
		s.parts[VolumeSuffix(3)], s.parts[VolumeSuffix(700)] = s.parts[VolumeSuffix(1)], []byte("a text")
	}, nil, 2*v, false)
	s := good.clone()
	gone(1, 4)(s)
	src, size := s.root()
	if got, err := Salvage(context.Background(), io.Discard, src, size, s.Open, []stream.Identity{identity()}, nil); err != nil || !slices.Equal(got.Missing, []string{".index", ".000001", ".000004"}) {
		t.Errorf("missing: %v, %v", got.Missing, err)
	}

	reason := errors.New("full")
	src, size = good.root()
	if _, err := Salvage(context.Background(), failingWriter{reason}, src, size, good.Open, []stream.Identity{identity()}, nil); !errors.Is(err, reason) {
		t.Errorf("a destination that fails: %v", err)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }
