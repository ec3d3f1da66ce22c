package zseek

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"bulla/format"
)

func TestReaderIsAReader(t *testing.T) {
	noLeak(t)
	content := text(1, 5000)
	for _, workers := range []int{1, 2} {
		r := NewReader(bytes.NewReader(compress(t, content, 1, 1)), workers)
		if err := iotest.TestReader(r, content); err != nil {
			t.Error(err)
		}
		r.Close()
	}
	content = text(2, FrameContent+3)
	stream := compress(t, content, 1, 1)
	for name, src := range map[string]io.Reader{
		"one byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"halves":   iotest.HalfReader(bytes.NewReader(stream)),
		"data err": iotest.DataErrReader(bytes.NewReader(stream)),
		"stutter":  &stutterer{r: bytes.NewReader(stream)},
	} {
		got, err := io.ReadAll(NewReader(src, 1))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		equal(t, got, content)
	}
}

func TestReaderEnd(t *testing.T) {
	noLeak(t)
	for _, workers := range []int{1, 3} {
		for _, n := range []int{0, 1, FrameContent, 3 * FrameContent} {
			r := NewReader(bytes.NewReader(compress(t, make([]byte, n), 1, 1)), workers)
			if k, err := r.WriteTo(io.Discard); err != nil || k != int64(n) {
				t.Errorf("WriteTo: %d, %v", k, err)
			}
			if k, err := r.WriteTo(io.Discard); err != nil || k != 0 {
				t.Errorf("WriteTo at the end: %d, %v", k, err)
			}
			if _, err := r.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("Read at the end: %v", err)
			}
			if _, err := r.Read(nil); err != io.EOF {
				t.Errorf("Read of nothing at the end: %v", err)
			}
			r.Close()
			r.Close()
			if _, err := r.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("Read at the end, closed: %v", err)
			}
		}
	}
}

// A source that breaks at any byte gives its own error after the frames before.
func TestReaderSource(t *testing.T) {
	noLeak(t)
	stream := fakeStream(2, 1000)
	counts := workerCounts()
	frames := 0
	for n := 0; n <= len(stream); n += sampled(7) {
		r := NewReader(&brokenReader{bytes.NewReader(stream), n}, counts[n%len(counts)])
		k, err := r.WriteTo(io.Discard)
		if !errors.Is(err, errBroken) {
			t.Fatalf("source breaks at %d: %v", n, err)
		}
		if k%FrameContent != 0 && k != 2*FrameContent+1000 {
			t.Fatalf("source breaks at %d: %d bytes released", n, k)
		}
		now := int(k+FrameContent-1) / FrameContent
		if now < frames {
			t.Fatalf("source breaks at %d: %d frames released, before that %d", n, now, frames)
		}
		frames = now
		if _, again := r.Read(make([]byte, 1)); !errors.Is(again, errBroken) {
			t.Fatalf("source breaks at %d: then %v", n, again)
		}
		r.Close()
	}
	if frames != 3 {
		t.Errorf("%d frames released at most", frames)
	}
}

// An end that the source does not call one is an error of the source, as that
// of a connection that breaks.
func TestReaderSourceBreaksOff(t *testing.T) {
	stream := fakeStream(2, 1000)
	for _, broken := range []error{io.ErrUnexpectedEOF, fmt.Errorf("the connection broke: %w", io.EOF)} {
		for n := 0; n < len(stream); n += sampled(997) {
			r := NewReader(io.MultiReader(bytes.NewReader(stream[:n]), iotest.ErrReader(broken)), 1)
			if _, err := r.WriteTo(io.Discard); err != broken {
				t.Fatalf("source breaks at %d: %v", n, err)
			}
			r.Close()
		}
		if _, err := NewReaderAt(brokenAt{broken}, int64(len(stream)), 1); err != broken {
			t.Errorf("ReaderAt: %v", err)
		}
	}
}

type brokenAt struct{ error }

func (b brokenAt) ReadAt([]byte, int64) (int, error) { return 0, b.error }

func TestReaderDestination(t *testing.T) {
	noLeak(t)
	stream := fakeStream(6, 1000)
	for _, workers := range workerCounts() {
		for n := range 7 {
			dst := &brokenWriter{calls: n}
			r := NewReader(bytes.NewReader(stream), workers)
			k, err := r.WriteTo(dst)
			if !errors.Is(err, errBroken) || k != int64(dst.Len()) || dst.late != 1 {
				t.Errorf("write %d fails: %d bytes, %v, %d writes more", n, k, err, dst.late-1)
			}
			r.Close()
		}
	}
	r := NewReader(bytes.NewReader(stream), 1)
	if _, err := r.WriteTo(writerFunc(func(p []byte) (int, error) { return len(p) / 2, nil })); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("short write: %v", err)
	}
}

func TestReaderClosed(t *testing.T) {
	noLeak(t)
	stream := fakeStream(20, 1000)
	for _, workers := range workerCounts() {
		for reads := range 4 {
			r := NewReader(bytes.NewReader(stream), workers)
			if _, err := io.CopyN(io.Discard, struct{ io.Reader }{r}, int64(reads)*FrameContent); err != nil {
				t.Fatal(err)
			}
			r.Close()
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, ErrClosed) {
				t.Errorf("Read after Close: %v", err)
			}
			if _, err := r.WriteTo(io.Discard); !errors.Is(err, ErrClosed) {
				t.Errorf("WriteTo after Close: %v", err)
			}
		}
	}
}

// Close waits for the source, and unblocks a Read.
func TestReaderCloseBlocked(t *testing.T) {
	noLeak(t)
	src, feed := io.Pipe()
	r := NewReader(src, 2)
	go feed.Write(join(full(0), full(1)))
	if _, err := io.CopyN(io.Discard, struct{ io.Reader }{r}, 2*FrameContent); err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() {
		_, err := r.Read(make([]byte, 1))
		read <- err
	}()
	closed := make(chan struct{})
	go func() {
		r.Close()
		close(closed)
	}()
	select {
	case <-closed:
		t.Fatal("Close did not wait for the source")
	case <-time.After(20 * time.Millisecond):
	}
	feed.CloseWithError(errBroken)
	<-closed
	if err := <-read; !errors.Is(err, ErrClosed) && !errors.Is(err, errBroken) {
		t.Errorf("Read gives %v", err)
	}
}

// The steady state allocates nothing, whatever the way.
func TestReaderAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	short, long := compress(t, mixture(1, 8*FrameContent), 1, 2), compress(t, mixture(1, 24*FrameContent), 1, 2)
	for _, workers := range []int{1, 2} {
		for name, read := range map[string]func(s []byte){
			"Reader": func(s []byte) {
				r := NewReader(bytes.NewReader(s), workers)
				defer r.Close()
				if _, err := r.WriteTo(io.Discard); err != nil {
					t.Fatal(err)
				}
			},
			"ReaderAt": func(s []byte) {
				r, err := NewReaderAt(bytes.NewReader(s), int64(len(s)), workers)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := r.WriteTo(io.Discard); err != nil {
					t.Fatal(err)
				}
			},
		} {
			// The least of some runs: the runtime allocates, too, whenever it likes.
			least := func(s []byte) float64 {
				a := testing.AllocsPerRun(1, func() { read(s) })
				for range 4 {
					a = min(a, testing.AllocsPerRun(1, func() { read(s) }))
				}
				return a
			}
			a, b := least(short), least(long)
			if b > a+8 {
				t.Errorf("%s, %d workers: %v allocations for 8 frames and %v for 24", name, workers, a, b)
			}
		}
	}
}

// What a stream says of itself costs no memory: the worst of them are refused
// at the price of the buffers that any stream has.
func TestBombsCostNoMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, c := range corruptions() {
		for _, w := range ways() {
			if w.name != "WriteTo/1" && w.name != "ReaderAt.WriteTo/1" {
				continue
			}
			before := allocated()
			w.read(c.stream)
			// The buffers of ways' own result are among it.
			if n := allocated() - before; n > 48<<20 {
				t.Errorf("%s, %s: %d MiB allocated", name, w.name, n>>20)
			}
		}
	}
}

// allocated is how many bytes have been allocated since the program started.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// Without goroutines for what is small, or for one worker. The runtime miscounts them now and
// then, as while it collects garbage: what it counts in one of some runs is right.
func TestSmallStartsNoGoroutine(t *testing.T) {
	noLeak(t)
	// src counts while it is read: later would be too late.
	count := func(s []byte, workers int) int {
		most := 0
		before := runtime.NumGoroutine()
		r := NewReader(readerFunc(func(p []byte) (int, error) {
			most = max(most, runtime.NumGoroutine()-before)
			if len(s) == 0 {
				return 0, io.EOF
			}
			n := copy(p[:min(len(p), 100)], s)
			s = s[n:]
			return n, nil
		}), workers)
		if _, err := r.WriteTo(io.Discard); err != nil {
			t.Fatal(err)
		}
		r.Close()
		return most
	}
	small, large := fakeStream(0, 1000), fakeStream(4, 1000)
	for _, c := range []struct {
		stream  []byte
		workers int
		want    bool
	}{{small, 4, false}, {large, 1, false}, {large, 4, true}} {
		var counts []int
		for range 10 {
			counts = append(counts, count(c.stream, c.workers))
		}
		if c.want && slices.Max(counts) <= 0 || !c.want && slices.Min(counts) > 0 {
			t.Errorf("%d bytes, %d workers: %d goroutines", len(c.stream), c.workers, counts)
		}
	}
}

// A frame that fails while later ones are already decoded fails in its place.
func TestFaultInOrder(t *testing.T) {
	noLeak(t)
	const frames = 12
	for bad := 0; bad < frames; bad += 1 + sampled(3) {
		var parts [][]byte
		for i := range frames {
			f := full(byte(i))
			if i == bad {
				f = fakeFrame{content: FrameContent - 1, stated: FrameContent, fill: byte(i)}.bytes()
			}
			parts = append(parts, f)
		}
		stream := join(join(parts...), fakeTable(entries(FrameContent, parts...)...))
		for _, w := range ways() {
			if w.name == "ReadAt" {
				continue
			}
			got, err := w.read(stream)
			wantClause(t, err, format.ZSTD6, format.ErrDamaged)
			if len(got) != bad*FrameContent {
				t.Errorf("%s: %d bytes before frame %d", w.name, len(got), bad)
			}
			var pe *format.ParseError
			if errors.As(err, &pe) && pe.Offset != int64(bad*len(parts[0])) {
				t.Errorf("%s: offset %d for frame %d", w.name, pe.Offset, bad)
			}
		}
	}
}
