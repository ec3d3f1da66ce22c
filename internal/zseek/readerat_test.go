package zseek

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"bulla/format"
)

func open(t testing.TB, src io.ReaderAt, size int, workers int) *ReaderAt {
	t.Helper()
	r, err := NewReaderAt(src, int64(size), workers)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReadAtRanges(t *testing.T) {
	noLeak(t)
	content := mixture(1, 5*FrameContent+777)
	stream := compress(t, content, 1, 2)
	for _, goroutines := range []int{1, 8} {
		r := open(t, bytes.NewReader(stream), len(stream), 2)
		if r.Size() != int64(len(content)) {
			t.Fatalf("size %d", r.Size())
		}
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(g), 3))
				buf := make([]byte, 3*FrameContent)
				for range 60 / goroutines {
					off := rnd.IntN(len(content) + 10)
					n := 1 + rnd.IntN(1<<rnd.IntN(22))
					k, err := r.ReadAt(buf[:n], int64(off))
					want := content[min(off, len(content)):min(off+n, len(content))]
					if k != len(want) || (err == nil) != (k == n) || err != nil && err != io.EOF {
						t.Errorf("ReadAt %d bytes at %d: %d, %v", n, off, k, err)
						return
					}
					if !bytes.Equal(buf[:k], want) {
						t.Errorf("ReadAt %d bytes at %d: wrong content", n, off)
					}
					var dst bytes.Buffer
					if k, err := r.WriteRange(&dst, int64(off), int64(n)); err != nil || k != int64(len(want)) || !bytes.Equal(dst.Bytes(), want) {
						t.Errorf("WriteRange %d bytes at %d: %d, %v", n, off, k, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestReadAtEdges(t *testing.T) {
	content := text(2, FrameContent+10)
	stream := compress(t, content, 1, 1)
	r := open(t, bytes.NewReader(stream), len(stream), 1)
	size := r.Size()
	for _, c := range []struct {
		off, n int64
		want   int
		err    error
	}{
		{0, 0, 0, nil}, {size, 0, 0, nil}, {size + 1, 0, 0, nil},
		{size, 1, 0, io.EOF}, {size + 1<<40, 1, 0, io.EOF}, {1<<63 - 1, 1, 0, io.EOF},
		{size - 1, 1, 1, nil}, {size - 1, 2, 1, io.EOF},
		{FrameContent - 1, 2, 2, nil}, {FrameContent, 10, 10, nil}, {FrameContent, 11, 10, io.EOF},
		{0, size, int(size), nil}, {0, size + 1, int(size), io.EOF},
	} {
		p := make([]byte, c.n)
		if n, err := r.ReadAt(p, c.off); n != c.want || err != c.err {
			t.Errorf("ReadAt %d at %d: %d, %v; want %d, %v", c.n, c.off, n, err, c.want, c.err)
		}
		if n, err := r.WriteRange(io.Discard, c.off, c.n); n != int64(c.want) || err != nil {
			t.Errorf("WriteRange %d at %d: %d, %v; want %d", c.n, c.off, n, err, c.want)
		}
	}
	if n, err := r.WriteRange(io.Discard, 1, 1<<63-1); n != size-1 || err != nil {
		t.Errorf("WriteRange of everything: %d, %v", n, err)
	}
	for _, off := range []int64{-1, -1 << 63} {
		if _, err := r.ReadAt(make([]byte, 1), off); err == nil || err == io.EOF {
			t.Errorf("offset %d: %v", off, err)
		}
		if _, err := r.WriteRange(io.Discard, off, 1); err == nil {
			t.Errorf("offset %d is accepted", off)
		}
		if _, err := r.WriteRange(io.Discard, 0, off); err == nil {
			t.Errorf("length %d is accepted", off)
		}
	}
	if err := iotest.TestReader(io.NewSectionReader(r, 0, 2000), content[:2000]); err != nil {
		t.Error(err)
	}
	empty := compress(t, nil, 1, 1)
	if r := open(t, bytes.NewReader(empty), len(empty), 1); r.Size() != 0 {
		t.Errorf("size %d of nothing", r.Size())
	} else if n, err := r.ReadAt(make([]byte, 1), 0); n != 0 || err != io.EOF {
		t.Errorf("ReadAt of nothing: %d, %v", n, err)
	}
}

// A countingSource counts what is read, and fails when told to.
type countingSource struct {
	io.ReaderAt
	calls atomic.Int64
	fail  func(off int64) bool
}

func (s *countingSource) ReadAt(p []byte, off int64) (int, error) {
	s.calls.Add(1)
	if s.fail != nil && s.fail(off) {
		return 0, errBroken
	}
	return s.ReaderAt.ReadAt(p, off)
}

// A frame is decoded once for all who want it at the same time, and again only
// after as many others as the cache holds.
func TestCache(t *testing.T) {
	noLeak(t)
	stream := fakeStream(9, 1000)
	src := &countingSource{ReaderAt: bytes.NewReader(stream)}
	r := open(t, src, len(stream), 2)
	held := r.cache.Len()
	src.calls.Store(0)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			p := make([]byte, 1000)
			if _, err := r.ReadAt(p, FrameContent/2); err != nil || p[999] != 0 {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	const each = 1 // the frame: the table is at hand
	if n := src.calls.Load(); n != each {
		t.Errorf("%d reads for one frame, want %d", n, each)
	}
	touch := func(frame int) int64 {
		before := src.calls.Load()
		p := make([]byte, 1)
		if _, err := r.ReadAt(p, int64(frame)*FrameContent); err != nil || p[0] != byte(frame) {
			t.Errorf("frame %d: %d, %v", frame, p[0], err)
		}
		return src.calls.Load() - before
	}
	for i := range held {
		touch(i)
	}
	for i := range held {
		if n := touch(i); n != 0 {
			t.Errorf("frame %d of %d is read again", i, held)
		}
	}
	touch(held) // drops frame 0
	if touch(1) != 0 || touch(0) != each {
		t.Error("not the frame that was used longest ago was dropped")
	}
}

// More callers than entries share them, and memory stays bounded.
func TestCacheIsBounded(t *testing.T) {
	noLeak(t)
	stream := fakeStream(30, 1000)
	src := &busySource{ReaderAt: bytes.NewReader(stream)}
	r := open(t, src, len(stream), 1)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 4))
			p := make([]byte, 10)
			for range 10 {
				frame := rnd.IntN(30)
				if _, err := r.ReadAt(p, int64(frame)*FrameContent+5); err != nil || p[0] != byte(frame) {
					t.Errorf("frame %d: %d, %v", frame, p[0], err)
				}
			}
		})
	}
	wg.Wait()
	if n := src.most.Load(); n != 1 {
		t.Errorf("%d frames were read at a time", n)
	}
}

// A busySource knows how many read it at a time, at most.
type busySource struct {
	io.ReaderAt
	now, most atomic.Int64
}

func (s *busySource) ReadAt(p []byte, off int64) (int, error) {
	n := s.now.Add(1)
	defer s.now.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	runtime.Gosched()
	return s.ReaderAt.ReadAt(p, off)
}

// An error of the source is passed on, is not kept, and touches no other frame.
func TestReaderAtSource(t *testing.T) {
	noLeak(t)
	stream := fakeStream(3, 1000)
	frame := int64(len(full(0)))
	src := &countingSource{ReaderAt: bytes.NewReader(stream)}
	r := open(t, src, len(stream), 2)
	src.fail = func(off int64) bool { return off == frame }
	p := make([]byte, 3*FrameContent)
	if n, err := r.ReadAt(p, 0); n != FrameContent || !errors.Is(err, errBroken) {
		t.Errorf("ReadAt: %d, %v", n, err)
	}
	if n, err := r.WriteTo(io.Discard); n != FrameContent || !errors.Is(err, errBroken) {
		t.Errorf("WriteTo: %d, %v", n, err)
	}
	if n, err := r.ReadAt(p[:10], 2*FrameContent); n != 10 || err != nil {
		t.Errorf("ReadAt behind: %d, %v", n, err)
	}
	src.fail = nil
	if n, err := r.ReadAt(p, 0); n != len(p) || err != nil {
		t.Errorf("ReadAt of the mended source: %d, %v", n, err)
	}
	// Each read of opening fails in its turn.
	for n := range 3 {
		left := n
		src.fail = func(int64) bool { left--; return left < 0 }
		if _, err := NewReaderAt(src, int64(len(stream)), 1); !errors.Is(err, errBroken) {
			t.Errorf("read %d of opening fails: %v", n, err)
		}
	}
	src.fail = nil
	for n := range 8 {
		dst := &brokenWriter{calls: n}
		k, err := r.WriteTo(dst)
		if n >= 4 {
			if err != nil {
				t.Errorf("a sound destination: %v", err)
			}
		} else if !errors.Is(err, errBroken) || k != int64(dst.Len()) || dst.late != 1 {
			t.Errorf("write %d fails: %d bytes, %v, %d more writes", n, k, err, dst.late-1)
		}
	}
}

// Of a source that changes after the table was read, the table counts that was
// read; a frame that changes is noticed.
func TestTableChanges(t *testing.T) {
	stream := fakeStream(3, 1000)
	tableAt := len(stream) - int(tableSize(4))
	want, err := io.ReadAll(NewReader(bytes.NewReader(stream), 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func()
		same   bool
	}{
		"size in the table":    {func() { le.PutUint32(stream[tableAt+tableHeaderSize:], 1<<31) }, true},
		"no size":              {func() { le.PutUint32(stream[tableAt+tableHeaderSize:], 0) }, true},
		"content in the table": {func() { le.PutUint32(stream[tableAt+tableHeaderSize+entrySize+4:], 5) }, true},
		"the table":            {func() { clear(stream[tableAt:]) }, true},
		"a frame":              {func() { stream[0] ^= 1 }, false},
		"the last frame":       {func() { clear(stream[tableAt-20 : tableAt]) }, false},
	} {
		sound := bytes.Clone(stream)
		r := open(t, bytes.NewReader(stream), len(stream), 1)
		c.change()
		var got bytes.Buffer
		if _, err := r.WriteTo(&got); (err == nil) != c.same || c.same && !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: %d bytes, %v", name, got.Len(), err)
		}
		copy(stream, sound)
	}
}

// A table of n frames of 100,000 bytes, made as it is read.
type longTable struct{ frames int64 }

func (l longTable) size() int64 { return l.frames*100_000 + tableSize(l.frames) }

func (l longTable) ReadAt(p []byte, off int64) (int, error) {
	head := le.AppendUint32(le.AppendUint32(nil, tableMagic), uint32(l.frames*entrySize+footerSize))
	foot := le.AppendUint32(append(le.AppendUint32(nil, uint32(l.frames)), 0), footerMagic)
	entry := appendEntry(nil, 100_000, FrameContent)
	start := l.frames * 100_000
	for i := range p {
		switch at := off + int64(i) - start; {
		case at < 0:
			p[i] = 0
		case at < tableHeaderSize:
			p[i] = head[at]
		case at < tableHeaderSize+l.frames*entrySize:
			p[i] = entry[(at-tableHeaderSize)%entrySize]
		default:
			p[i] = foot[at-tableHeaderSize-l.frames*entrySize]
		}
	}
	return len(p), nil
}

// The table of 2 TiB of content, of which there are 8 MiB, is held in 4 MiB and a
// little.
func TestLongTable(t *testing.T) {
	const frames = 2 << 40 / FrameContent
	src := longTable{frames}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	table, err := ReadTable(src, src.size())
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 5<<20 && !raceEnabled {
		t.Errorf("%d KiB allocated", n>>10)
	}
	if table.Frames() != frames || table.Size() != 2<<40 {
		t.Errorf("%d frames, %d bytes", table.Frames(), table.Size())
	}
	for _, i := range []int64{0, 1, tablePage - 1, tablePage, frames / 2, frames - 1} {
		if f, want := table.Frame(i), (Frame{i * 100_000, 100_000, FrameContent}); f != want {
			t.Errorf("frame %d: %v", i, f)
		}
	}
}

// The table that a Writer of 20 GiB writes is right, over pages of it.
func TestLongTally(t *testing.T) {
	const frames = 10_000
	var y Table
	rnd := rand.New(rand.NewPCG(5, 5))
	sizes := make([]int64, frames)
	total := int64(0)
	for i := range sizes {
		sizes[i] = minFrameSize + rnd.Int64N(MaxFrameSize-minFrameSize)
		content := FrameContent
		if i == frames-1 {
			content = 17
		}
		y.add(int(sizes[i]), content)
		total += sizes[i]
	}
	var b bytes.Buffer
	if err := y.writeTable(func(p []byte) error { b.Write(p); return nil }); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != tableSize(frames) {
		t.Fatalf("a table of %d bytes", b.Len())
	}
	table, err := ReadTable(behind{total, b.Bytes()}, total+int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if table.Size() != (frames-1)*FrameContent+17 {
		t.Errorf("size %d", table.Size())
	}
	at := int64(0)
	for i, size := range sizes {
		if f := table.Frame(int64(i)); f.Offset != at || int64(f.Size) != size {
			t.Fatalf("frame %d: %v; want %d at %d", i, f, size, at)
		}
		at += size
	}
}

// Zeros before some bytes.
type behind struct {
	zeros int64
	b     []byte
}

func (s behind) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < s.zeros {
		return len(p), nil
	}
	return copy(p, s.b[off-s.zeros:]), nil
}

// A source that is shorter than it was said to be.
func TestSourceShrinks(t *testing.T) {
	stream := fakeStream(2, 1000)
	_, err := NewReaderAt(bytes.NewReader(stream), int64(len(stream)+100), 1)
	wantClause(t, err, format.ZSTD4, format.ErrTruncated)
	for _, size := range []int64{-5, 0, emptyTableSize - 1} {
		_, err := NewReaderAt(bytes.NewReader(nil), size, 1)
		wantClause(t, err, format.ZSTD4, format.ErrTruncated)
	}
}
