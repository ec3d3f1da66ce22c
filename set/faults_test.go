package set

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"bulla/format"
	"bulla/stream"
)

var errFault = errors.New("the medium failed")

// A faulty store fails one read or one Open, of all that there are, in their order.
type faulty struct {
	*store
	mu sync.Mutex
	at int // the one that fails, from 0
	n  int // that there were
}

func (f *faulty) next() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n++; f.n-1 == f.at {
		return errFault
	}
	return nil
}

func (f *faulty) Open(ctx context.Context, suffix string) (File, error) {
	if err := f.next(); err != nil {
		return nil, err
	}
	file, err := f.store.Open(ctx, suffix)
	if err != nil {
		return nil, err
	}
	return faultyFile{file, f}, nil
}

func (f *faulty) root() (io.ReaderAt, int64) {
	src, size := f.store.root()
	return faultyFile{memFile{src.(*bytes.Reader), f.store}, f}, size
}

type faultyFile struct {
	File
	f *faulty
}

func (f faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.f.next(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// Whichever read of a set fails, once, whoever reads it says so, or has done without: what
// comes out is the beginning of the plaintext, and all of it where there is no error. No
// volume stays open.
func TestReadsFail(t *testing.T) {
	plain := make([]byte, 2*VolumeUnit+777) // which compresses well: there are many reads to fail
	for i := range plain {
		plain[i] = byte(i >> 15)
	}
	opts := small
	opts.Level = 1
	good := write(t, plain, opts)
	ids := []stream.Identity{identity()}
	ctx := context.Background()
	for name, work := range map[string]func(f *faulty, src io.ReaderAt, size int64) ([]byte, error){
		"WriteTo": func(f *faulty, src io.ReaderAt, size int64) ([]byte, error) {
			r, err := NewReaderAt(ctx, src, size, f.Open, ids, &ReaderOptions{Workers: 1})
			if err != nil {
				return nil, err
			}
			defer r.Close()
			var b bytes.Buffer
			_, err = r.WriteTo(&b)
			return b.Bytes(), err
		},
		"ReadAt": func(f *faulty, src io.ReaderAt, size int64) ([]byte, error) {
			r, err := NewReaderAt(ctx, src, size, f.Open, ids, &ReaderOptions{Workers: 1})
			if err != nil {
				return nil, err
			}
			defer r.Close()
			b := make([]byte, len(plain))
			n, err := r.ReadAt(b, 0)
			return b[:n], err
		},
		"Grant": func(f *faulty, src io.ReaderAt, size int64) ([]byte, error) {
			r, err := NewReaderAt(ctx, src, size, f.Open, ids, &ReaderOptions{Workers: 1})
			if err != nil {
				return nil, err
			}
			defer r.Close()
			g, err := r.Grant(stream.Range{Offset: VolumeUnit - 5, Length: 10}, stream.Range{Offset: 2 * VolumeUnit, Length: 700})
			if err != nil {
				return nil, err
			}
			return plain, g.Close()
		},
		"Volume": func(f *faulty, src io.ReaderAt, size int64) (b []byte, err error) {
			r, err := NewReaderAt(ctx, src, size, f.Open, ids, &ReaderOptions{Workers: 1})
			if err != nil {
				return nil, err
			}
			defer r.Close()
			err = r.Volume(1, func(v *stream.ReaderAt) error { _, err := v.WriteTo(io.Discard); return err })
			return plain, err
		},
		"Recover": func(f *faulty, src io.ReaderAt, size int64) ([]byte, error) {
			var b bytes.Buffer
			u, err := Recover(ctx, src, size, f.Open, ids, &RecoverOptions{Content: &b, Workers: 1})
			if err == nil && (!u.Ended() || len(u.Volumes) != 3) {
				err = fmt.Errorf("%d volumes", len(u.Volumes))
			}
			return b.Bytes(), err
		},
		"Verify": func(f *faulty, src io.ReaderAt, size int64) ([]byte, error) {
			rep, err := Verify(ctx, src, size, f.Open, ids, &VerifyOptions{Workers: 1})
			if err == nil && len(rep.Findings) > 0 {
				err = fmt.Errorf("%w: %v", errFault, rep.Findings) // what cannot be read is a finding
			}
			return plain, err
		},
		"Parts": func(f *faulty, _ io.ReaderAt, _ int64) ([]byte, error) {
			all, err := Parts(ctx, f.Open)
			if err == nil && len(all) != 5 {
				err = fmt.Errorf("%q", all)
			}
			return plain, err
		},
	} {
		failures, most := 0, 1000
		for at := 0; ; at++ {
			f := &faulty{store: good.clone(), at: at}
			src, size := f.root()
			b, err := work(f, src, size)
			switch {
			case err == nil && !bytes.Equal(b, plain), !bytes.HasPrefix(plain, b):
				t.Fatalf("%s, read %d: %d bytes, %v", name, at, len(b), err)
			case err != nil:
				failures++
				// A copy of a head that cannot be read may be missed as what it is: of two.
				if !errors.Is(err, errFault) && clause(err) == "" {
					t.Fatalf("%s, read %d: %v", name, at, err)
				}
			}
			if f.open != 0 {
				t.Fatalf("%s, read %d: %d parts are open", name, at, f.open)
			}
			if f.n <= at { // there are no more
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
			if at == most {
				t.Fatalf("%s: more than %d reads", name, most)
			}
		}
		if failures == 0 {
			t.Errorf("%s: no failure mattered", name)
		}
	}
	// A salvage goes on without what cannot be read, and lists it, if the root opens.
	for at := 0; ; at++ {
		f := &faulty{store: good.clone(), at: at}
		src, size := f.root()
		var b bytes.Buffer
		got, err := Salvage(ctx, &b, src, size, f.Open, ids, &stream.SalvageOptions{ReaderOptions: stream.ReaderOptions{Workers: 1}})
		if err == nil {
			want := bytes.Clone(plain[:got.Size])
			for _, r := range got.Lost {
				clear(want[r.Offset : r.Offset+r.Length])
			}
			if !bytes.Equal(b.Bytes(), want) || got.SizeKnown && got.Size != int64(len(plain)) {
				t.Fatalf("salvage, read %d: %d bytes, lost %v", at, b.Len(), got.Lost)
			}
		} else if b.Len() > 0 || !errors.Is(err, errFault) && clause(err) == "" {
			t.Fatalf("salvage, read %d: %d bytes, %v", at, b.Len(), err)
		}
		if f.n <= at {
			if err != nil || len(got.Lost) > 0 {
				t.Errorf("salvage: %v", err)
			}
			break
		}
	}
}

// clause is that which an error names.
func clause(err error) format.Clause {
	f, _ := findingOf(err)
	return f.Clause
}

// The end of a context ends work that has begun, with its cause, and nothing goes on.
func TestContextEnds(t *testing.T) {
	plain := data(1, 3*VolumeUnit)
	s := write(t, plain, small)
	src, size := s.root()
	ids := []stream.Identity{identity()}
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancels := writerFunc(func(p []byte) (int, error) { cancel(reason); return len(p), nil })
	got, err := Salvage(ctx, cancels, src, size, s.Open, ids, nil)
	if err != reason || got.Size >= int64(len(plain)) {
		t.Errorf("salvage: %d bytes, %v", got.Size, err)
	}
	hole := s.clone() // all of the first volume is lost, and zeros stand for it
	delete(hole.parts, VolumeSuffix(0))
	ctx, cancel = context.WithCancelCause(context.Background())
	zeros := 0
	counts := writerFunc(func(p []byte) (int, error) { zeros += len(p); cancel(reason); return len(p), nil })
	if _, err := Salvage(ctx, counts, src, size, hole.Open, ids, nil); err != reason || zeros >= VolumeUnit {
		t.Errorf("salvage of a missing volume: %d bytes, %v", zeros, err)
	}
	ctx, cancel = context.WithCancelCause(context.Background())
	var opened int64
	rep, err := Verify(ctx, src, size, s.Open, ids, &VerifyOptions{Workers: 1, Opened: func(size int64) { opened = size; cancel(reason) }})
	if err != reason || opened != int64(len(plain)) || rep.Authentic > 4 {
		t.Errorf("verify: %d bytes, %d chunks are authentic, %v", opened, rep.Authentic, err)
	}
	for _, o := range rep.Outcomes() {
		if o.Result == stream.Passed && o.Clause == format.CHUNK1 {
			t.Error("chunks that nobody looked at are said to be authentic")
		}
	}
	rep, err = Verify(ctx, src, size, s.Open, ids, nil)
	if !errors.Is(err, reason) || len(rep.Volumes) > 0 {
		t.Errorf("verify, of an ended context: %v", err)
	}
	if s.open != 0 {
		t.Errorf("%d parts are open", s.open)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A volume that has more content than V is none, though whoever has the set's key sealed it.
func TestRecoverLonger(t *testing.T) {
	s := write(t, data(1, 10), small)
	u := recovered(t, s)
	s.parts[VolumeSuffix(0)] = sealed(t, u.part(format.RoleVolume, 0), u.recipients(t), 0, data(1, VolumeUnit+1))
	src, size := s.root()
	u, err := Recover(context.Background(), src, size, s.Open, []stream.Identity{identity()}, nil)
	if u != nil || one(err) != ".000000 SET-18" || s.open != 0 {
		t.Errorf("%v, %v", u, err)
	}
}

// Others may write the volumes: with what Record gets, less what makes an index.
func TestWriteVolume(t *testing.T) {
	plain := data(1, 2*VolumeUnit+5)
	for _, level := range []int{0, 1} {
		opts := small
		opts.Level = level
		var u *Unfinished
		opts.Record = func(begun *Unfinished) error { u = begun; return nil }
		s := newStore()
		if _, err := NewWriter(context.Background(), s.Create, to, &opts); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			content := plain[i*VolumeUnit : min(len(plain), (i+1)*VolumeUnit)]
			var b bytes.Buffer
			v, err := WriteVolume(context.Background(), &b, &u.Shape, i, bytes.NewReader(content), &stream.WriterOptions{Level: level, Workers: 1})
			if err != nil || v.Content != int64(len(content)) || v.Size != int64(b.Len()) || !bytes.HasPrefix(b.Bytes(), v.Identity[:]) {
				t.Fatalf("volume %d: %+v, %v", i, v, err)
			}
			s.parts[VolumeSuffix(i)] = b.Bytes()
			u.Volumes = append(u.Volumes, v)
		}
		opts.Record = nil
		w, err := Resume(context.Background(), s.Create, u, &opts)
		if err != nil || !w.Ended() {
			t.Fatal(err)
		}
		if n, err := w.Write(plain); n != 0 || err == nil {
			t.Errorf("a volume after the last: %d bytes, %v", n, err)
		}
		if err := w.Close(); err == nil || s.parts[IndexSuffix] != nil {
			t.Errorf("closed after that: %v", err)
		}
		if w, err = Resume(context.Background(), s.Create, u, &opts); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if n, err := w.Write(plain); n != 0 || err != stream.ErrClosed {
			t.Errorf("after Close: %d bytes, %v", n, err)
		}
		if got, err := s.read(identity()); err != nil || !bytes.Equal(got, plain) {
			t.Error(len(got), err)
		}

		// What cannot be one of its volumes is refused, or does not open.
		other := 1 - level
		foreign := u.Shape
		foreign.Public = "age1pq1"
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		for name, x := range map[string]struct {
			ctx     context.Context
			of      *Shape
			number  int
			content io.Reader
			level   int
		}{
			"negative":        {context.Background(), &u.Shape, -1, bytes.NewReader(plain[:5]), level},
			"too many":        {context.Background(), &u.Shape, MaxVolumes, bytes.NewReader(plain[:5]), level},
			"another coding":  {context.Background(), &u.Shape, 0, bytes.NewReader(plain[:5]), other},
			"no key":          {context.Background(), &foreign, 0, bytes.NewReader(plain[:5]), level},
			"too long":        {context.Background(), &u.Shape, 0, bytes.NewReader(plain), level},
			"failing source":  {context.Background(), &u.Shape, 0, io.MultiReader(bytes.NewReader(plain[:100000]), failing{errFault}), level},
			"context is over": {ended, &u.Shape, 0, bytes.NewReader(plain), level},
		} {
			s := s.clone()
			var b bytes.Buffer
			_, err := WriteVolume(x.ctx, &b, x.of, x.number, x.content, &stream.WriterOptions{Level: x.level, Workers: 1})
			if err == nil || name == "failing source" && !errors.Is(err, errFault) || name == "context is over" && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			s.parts[VolumeSuffix(0)] = b.Bytes()
			if _, err := s.read(identity()); err == nil {
				t.Errorf("%s: what was written opens", name)
			}
		}
	}
}

// Another coding, and a key that is none, are refused before anything is created.
func TestResumeRefuses(t *testing.T) {
	u := recovered(t, write(t, data(1, 10), small))
	opts := small
	opts.Level = 1
	if _, err := Resume(context.Background(), nil, u, &opts); err == nil {
		t.Error("a volume that is compressed beside one that is not")
	}
	u.Public = strings.ToUpper(u.Public)
	if _, err := Resume(context.Background(), nil, u, &small); err == nil {
		t.Error("another's key")
	}
}

// A Creator that fails, one whose parts take no more, and an Abort at any place: the error is that, it
// sticks, and what has no name by then gets none.
func TestCreatorFails(t *testing.T) {
	plain := data(1, 2*VolumeUnit+5)
	suffixes := []string{"", VolumeSuffix(0), VolumeSuffix(1), VolumeSuffix(2), IndexSuffix}
	for i, suffix := range suffixes {
		for name, x := range map[string]struct {
			create func(s *store, w **Writer) Creator
			record func(w *Writer, u *Unfinished) error
		}{
			"create": {create: func(s *store, _ **Writer) Creator {
				return func(ctx context.Context, at string) (Pending, error) {
					if at == suffix {
						return nil, errFault
					}
					return s.Create(ctx, at)
				}
			}},
			"full at once": {create: func(s *store, _ **Writer) Creator { return fullAt(s, suffix, 0) }},
			"full":         {create: func(s *store, _ **Writer) Creator { return fullAt(s, suffix, 5000) }},
			"aborted by create": {create: func(s *store, w **Writer) Creator {
				return func(ctx context.Context, at string) (Pending, error) {
					if at == suffix && *w != nil { // not for the root: there is no Writer yet
						(*w).Abort(errFault)
					}
					return s.Create(ctx, at)
				}
			}},
			"aborted by record": {
				create: func(s *store, _ **Writer) Creator { return s.Create },
				record: func(w *Writer, u *Unfinished) error {
					if len(u.Volumes) == i && w != nil {
						w.Abort(errFault)
					}
					return nil
				},
			},
		} {
			s := newStore()
			var w *Writer
			opts := small
			if x.record != nil {
				opts.Record = func(u *Unfinished) error { return x.record(w, u) }
			}
			var err error
			w, err = NewWriter(context.Background(), x.create(s, &w), to, &opts)
			if err == nil {
				_, err = w.ReadFrom(bytes.NewReader(plain))
				first := err
				if err = w.Close(); first != nil && err != first {
					t.Errorf("%s, %s: %v, then %v", PartName(suffix), name, first, err)
				}
				if again := w.Close(); err != nil && again != err {
					t.Errorf("%s, %s: %v, then %v", PartName(suffix), name, err, again)
				}
			}
			if strings.HasPrefix(name, "aborted") && (suffix == "" || name == "aborted by record" && i > 3) {
				if err != nil || len(s.parts) != len(suffixes) {
					t.Errorf("%s, %s: %v", PartName(suffix), name, err)
				}
				continue
			}
			if !errors.Is(err, errFault) {
				t.Errorf("%s, %s: %v", PartName(suffix), name, err)
			}
			if s.parts[IndexSuffix] != nil || slices.Contains(s.order, suffix) {
				t.Errorf("%s, %s: there is %q", PartName(suffix), name, s.order)
			}
		}
	}
}

// fullAt is a Creator whose part of that name takes so many bytes.
func fullAt(s *store, suffix string, room int) Creator {
	return func(ctx context.Context, at string) (Pending, error) {
		p, err := s.Create(ctx, at)
		if err == nil && at == suffix {
			p = &fullPending{p, room}
		}
		return p, err
	}
}

type fullPending struct {
	Pending
	room int
}

func (p *fullPending) Writer() io.Writer {
	return writerFunc(func(b []byte) (int, error) {
		if len(b) > p.room {
			return 0, errFault
		}
		p.room -= len(b)
		return p.Pending.Writer().Write(b)
	})
}

// What goes on with a set can be printed without giving its key away.
func TestUnfinishedIsNotPrinted(t *testing.T) {
	u := recovered(t, write(t, nil, small))
	for i := range u.MACKey {
		u.MACKey[i] = 'K'
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, x := range []any{u, *u} {
			if got := fmt.Sprintf(verb, x); got != "unfinished set "+u.ID.String() {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
}

// Warnings are bounded, and hide no violation.
func TestManyWarnings(t *testing.T) {
	v := &verifier{}
	one := &stream.Report{Report: &format.Report{Findings: []format.Finding{{Clause: format.TAIL3, Severity: format.Warning}}}}
	for i := range maxFindings + 5 {
		v.add(VolumeSuffix(i), one, nil)
	}
	v.add(VolumeSuffix(maxFindings+5), nil, bad(format.SET2, "part", 0, format.ErrMalformed, "it is another"))
	if n := len(v.rep.Findings); n != maxFindings+1 || v.rep.Findings[n-1].Clause != format.SET2 {
		t.Errorf("%d findings, the last of %s", n, v.rep.Findings[n-1].Clause)
	}
}
