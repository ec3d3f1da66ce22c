package set

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// 10,000 random ranges of a set equal those of what it was made of, read by several at a
// time with few volumes open.
func TestRanges(t *testing.T) {
	const readers, volumes, open = 4, 9, 3
	runs := 10000
	if testing.Short() {
		runs = 2000
	}
	plain := data(1, (volumes-1)*VolumeUnit+12345)
	for _, level := range []int{0, 1} {
		opts := small
		opts.Level = level
		s := write(t, plain, opts)
		src, size := s.root()
		r, err := NewReaderAt(context.Background(), src, size, s.Open, []stream.Identity{identity()}, &ReaderOptions{Workers: 1, MaxOpen: open})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.Size(); n != int64(len(plain)) || err != nil {
			t.Fatal(n, err)
		}
		var running sync.WaitGroup
		for seed := range uint64(readers) {
			running.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(level)))
				for range runs / readers / 2 {
					off, n := rng.IntN(len(plain)+9), 1+rng.IntN(90000)
					if rng.IntN(20) == 0 {
						n += VolumeUnit // several volumes
					}
					if rng.IntN(4) == 0 { // around a volume's edge
						off = max(0, min(len(plain)+1, (1+rng.IntN(volumes))*VolumeUnit-rng.IntN(n)))
					}
					want := plain[min(off, len(plain)):min(off+n, len(plain))]
					p := make([]byte, n)
					if k, err := r.ReadAt(p, int64(off)); k != len(want) || !bytes.Equal(p[:k], want) || (err == nil) != (k == n) || err != nil && err != io.EOF {
						t.Errorf("ReadAt %d+%d: %d, %v", off, n, k, err)
					}
					if rng.IntN(8) > 0 {
						continue
					}
					var b bytes.Buffer
					if k, err := r.WriteRange(context.Background(), &b, int64(off), int64(n)); k != int64(len(want)) || err != nil || !bytes.Equal(b.Bytes(), want) {
						t.Errorf("WriteRange %d+%d: %d, %v", off, n, k, err)
					}
				}
			})
		}
		running.Wait()
		if s.most > open {
			t.Errorf("%d volumes were open at a time", s.most)
		}
		if err := r.Close(); err != nil || s.open != 0 {
			t.Errorf("%d volumes are open after Close, %v", s.open, err)
		}
		if r.set.MACKey != [keySize]byte{} {
			t.Error("the MAC key is there after Close")
		}
		if _, err := r.ReadAt(make([]byte, 1), 0); err != stream.ErrClosed {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestReaderArguments(t *testing.T) {
	s := write(t, data(1, VolumeUnit+3), small)
	r, err := s.reader(identity())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.ReadAt(nil, -1); err == nil {
		t.Error("a negative offset is read at")
	}
	for _, n := range [][2]int64{{-1, 1}, {1, -1}} {
		if _, err := r.WriteRange(context.Background(), io.Discard, n[0], n[1]); err == nil {
			t.Error("a negative range is written")
		}
	}
	if n, err := r.WriteRange(context.Background(), io.Discard, VolumeUnit, math.MaxInt64); n != 3 || err != nil {
		t.Error(n, err)
	}
	if n, err := r.WriteRange(context.Background(), io.Discard, 1<<40, 5); n != 0 || err != nil {
		t.Error(n, err)
	}
	if n, err := r.ReadAt(nil, 1<<40); n != 0 || err != nil {
		t.Error(n, err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	cancel(reason)
	if _, err := r.WriteRange(ctx, io.Discard, 0, 5); !errors.Is(err, reason) {
		t.Error(err)
	}
}

// A volume that was missing is read once it is there; and a Writer that such a set is copied
// to does not make a whole container of it.
func TestMissingForAWhile(t *testing.T) {
	plain := data(1, 2*VolumeUnit)
	s := write(t, plain, small)
	missing := s.parts[VolumeSuffix(1)]
	delete(s.parts, VolumeSuffix(1))
	r, err := s.reader(identity())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	w, err := stream.NewWriter(context.Background(), &b, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.WriteTo(w); n != VolumeUnit || one(err) != ".000001 SET-1" {
		t.Errorf("%d bytes are copied, %v", n, err)
	}
	if err := w.Close(); one(err) != ".000001 SET-1" {
		t.Errorf("the copy is finished: %v", err)
	}
	s.mu.Lock()
	s.parts[VolumeSuffix(1)] = missing
	s.mu.Unlock()
	b.Reset()
	if _, err := r.WriteTo(&b); err != nil || !bytes.Equal(b.Bytes(), plain) {
		t.Error(err)
	}
}

// Damaged copies of heads are warned of, each once, in the order of the parts.
func TestWarnings(t *testing.T) {
	s := write(t, data(1, VolumeUnit+3), small)
	for _, suffix := range []string{"", IndexSuffix, VolumeSuffix(1)} {
		b := bytes.Clone(s.parts[suffix])
		b[300] ^= 1
		s.parts[suffix] = b
	}
	src, size := s.root()
	r, err := NewReaderAt(context.Background(), src, size, s.Open, []stream.Identity{identity()}, &ReaderOptions{MaxOpen: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 3 {
		for _, off := range []int64{VolumeUnit, 0} {
			if _, err := r.ReadAt(make([]byte, 1), off); err != nil {
				t.Fatal(err)
			}
		}
	}
	var got []string
	for _, f := range r.Warnings() {
		got = append(got, f.Suffix+" "+string(f.Clause)+" "+string(f.Severity))
	}
	if want := " HEAD-5 warning, TAIL-2 warning"; len(got) == 0 || !strings.HasPrefix(got[0], " HEAD-5 warning") {
		t.Errorf("%q, not %s", got, want)
	}
	t.Logf("%q", got)
	if order := strings.Join(got, ";"); strings.Count(order, "HEAD-5") != 3 || strings.Index(order, ".index") > strings.Index(order, ".000001") {
		t.Errorf("%q", got)
	}
}

// What is no set, and keys that do not open one.
func TestNoSet(t *testing.T) {
	var b bytes.Buffer
	w, _ := stream.NewWriter(context.Background(), &b, to, nil)
	w.Close()
	s := newStore()
	s.parts[""] = b.Bytes()
	_, err := s.reader(identity())
	if e, ok := errors.AsType[*stream.RoleError](err); !ok || e.Role != format.RoleFile {
		t.Errorf("a file: %v", err)
	}
	s = write(t, data(1, 9), small)
	other, _ := otherIdentity()
	if _, err := s.reader(other); !errors.As(err, new(*stream.NoKeyError)) {
		t.Errorf("another key: %v", err)
	}
	src, size := s.root()
	rep, err := Verify(context.Background(), src, size, s.Open, []stream.Identity{other}, nil)
	if !errors.As(err, new(*stream.NoKeyError)) || len(rep.Findings) > 0 || len(rep.Volumes) != 1 {
		t.Errorf("another key: %+v, %v", rep.Findings, err)
	}
	flip(s, 0, 20)
	if rep, _ = Verify(context.Background(), src, size, s.Open, nil, nil); len(rep.Findings) == 0 || rep.Findings[0].Suffix != VolumeSuffix(0) {
		t.Errorf("without a key: %+v", rep.Findings)
	}
}

// A detached head of the root opens a set whose root has lost both copies of its own.
func TestDetachedHead(t *testing.T) {
	plain := data(1, 99)
	s := write(t, plain, small)
	b := bytes.Clone(s.parts[""])
	head := bytes.Clone(b[:format.PageSize])
	b[200] ^= 1
	b[len(b)-200] ^= 1
	if _, err := NewReaderAt(context.Background(), bytes.NewReader(b), int64(len(b)), s.Open, []stream.Identity{identity()}, nil); err == nil {
		t.Fatal("it opens without a head")
	}
	r, err := NewReaderAt(context.Background(), bytes.NewReader(b), int64(len(b)), s.Open, []stream.Identity{identity()}, &ReaderOptions{Head: head})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got bytes.Buffer
	if _, err := r.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), plain) {
		t.Error(err)
	}
}
