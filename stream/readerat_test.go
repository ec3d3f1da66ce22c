package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"bulla/format"
	"bulla/stream"
)

func newReaderAt(t testing.TB, container []byte, id stream.Identity, workers int) *stream.ReaderAt {
	t.Helper()
	r, err := stream.NewReaderAt(t.Context(), bytes.NewReader(container), int64(len(container)), with(id), &stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Workers: workers}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Any range gives what the same range of the plaintext does, to many at a time.
func TestReadAtRanges(t *testing.T) {
	const n = 9*chunk + 1234
	v, plain := new(vault), plaintext(n)
	r := newReaderAt(t, encrypt(t, plain, v, stream.WriterOptions{}), v, 2)
	want := bytes.NewReader(plain)
	check := func(off int64, length int) {
		got, expected := make([]byte, length), make([]byte, length)
		k, err := r.ReadAt(got, off)
		wantK, wantErr := want.ReadAt(expected, off)
		if length == 0 {
			wantErr = nil // bytes.Reader has its own idea of reading nothing at the end
		}
		if k != wantK || err != wantErr || !bytes.Equal(got[:k], expected[:k]) {
			t.Errorf("%d bytes at %d: %d, %v, want %d, %v", length, off, k, err, wantK, wantErr)
		}
	}
	for _, off := range edges(0, chunk, 4*chunk, 9*chunk, n, n+chunk) {
		for _, length := range edges(0, 1000, chunk, 2*chunk, n) {
			check(int64(off), length)
		}
	}
	var all sync.WaitGroup
	for g := range uint64(4) {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, g))
			for range 200 {
				check(rng.Int64N(n+100), rng.IntN([]int{10, 5000, 3 * chunk}[rng.IntN(3)]))
			}
		})
	}
	all.Wait()
	if k, err := r.ReadAt(make([]byte, 1), -1); k != 0 || err == nil || err == io.EOF {
		t.Errorf("a negative offset: %d, %v", k, err)
	}
	if k, err := r.ReadAt(make([]byte, 1), 1<<62); k != 0 || err != io.EOF {
		t.Errorf("far beyond the end: %d, %v", k, err)
	}
}

// More segments than a ReaderAt keeps the keys of, back and forth.
func TestReadAtManySegments(t *testing.T) {
	const segments = 18
	v, plain := new(vault), plaintext(segments*segment+5)
	r := newReaderAt(t, encrypt(t, plain, v, stream.WriterOptions{}), v, 2)
	var all sync.WaitGroup
	for g := range uint64(3) {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(2, g))
			buf := make([]byte, 100)
			for range 300 {
				off := rng.Int64N(segments) * segment
				if n, err := r.ReadAt(buf, off); n != len(buf) || err != nil || !bytes.Equal(buf, plain[off:][:n]) {
					t.Errorf("at %d: %d, %v", off, n, err)
				}
			}
		})
	}
	all.Wait()
}

// The standard library's idea of a reader that can seek.
func TestSectionReader(t *testing.T) {
	for _, n := range []int{0, 1, 1000, chunk, 3*chunk + 17} {
		v, plain := new(vault), plaintext(n)
		r := newReaderAt(t, encrypt(t, plain, v, stream.WriterOptions{}), v, 2)
		size, err := r.Size()
		if err != nil || size != int64(n) {
			t.Errorf("size is %d, %v", size, err)
		}
		if err := iotest.TestReader(io.NewSectionReader(r, 0, size), plain); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// WriteTo may be called many times, and at the same time as ReadAt.
func TestReaderAtConcurrently(t *testing.T) {
	v, plain := new(vault), plaintext(3*batch+5)
	r := newReaderAt(t, encrypt(t, plain, v, stream.WriterOptions{}), v, 3)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			var dst bytes.Buffer
			if n, err := r.WriteTo(&dst); n != int64(len(plain)) || err != nil || !bytes.Equal(dst.Bytes(), plain) {
				t.Errorf("WriteTo: %d, %v", n, err)
			}
			buf := make([]byte, 2*chunk)
			if n, err := r.ReadAt(buf, chunk-10); n != len(buf) || err != nil || !bytes.Equal(buf, plain[chunk-10:][:n]) {
				t.Errorf("ReadAt: %d, %v", n, err)
			}
			if w := r.Warnings(); len(w) > 0 {
				t.Errorf("warnings: %v", w)
			}
		})
	}
	all.Wait()
}

// Where a chunk is bad, what lies before it in the range is given, nothing of
// it, and the rest can be had by asking behind it.
func TestReadAtBadChunk(t *testing.T) {
	v, plain := new(vault), plaintext(4*chunk+9)
	bad := flipped(encrypt(t, plain, v, stream.WriterOptions{}), headSize+format.SealedChunkSize+77, 1)
	r := newReaderAt(t, bad, v, 2)
	for range 2 { // an error does not stick: the next range may be good
		for _, c := range []struct{ off, length, want int }{
			{0, 4*chunk + 9, chunk}, {chunk - 10, 20, 10}, {chunk, 1, 0}, {chunk, chunk, 0}, {chunk + 5, 5, 0}, {2*chunk - 1, 2, 0},
			{0, chunk, chunk}, {2 * chunk, 2*chunk + 9, 2*chunk + 9}, {10, 100, 100},
		} {
			buf := bytes.Repeat([]byte{0xaa}, c.length)
			n, err := r.ReadAt(buf, int64(c.off))
			var ce *stream.ChunkError
			if failed := errors.As(err, &ce) && ce.Index == 1; n != c.want || failed != (c.want < c.length) {
				t.Errorf("%d bytes at %d: %d, %v", c.length, c.off, n, err)
			}
			if !bytes.Equal(buf[:n], plain[c.off:][:n]) {
				t.Errorf("%d bytes at %d: wrong ones", c.length, c.off)
			}
			if len(buf) > n+100 && bytes.Contains(buf[n:], plain[c.off+n:][:100]) {
				t.Errorf("%d bytes at %d: the buffer holds what is not authentic", c.length, c.off)
			}
		}
	}
}

// A badReaderAt fails its n-th call, counted from 0, in one of the ways there are.
type badReaderAt struct {
	mu       sync.Mutex
	b        []byte
	n, calls int
	from     bool // all calls from the n-th on
	fail     func(p []byte, good int) (int, error)
}

func (s *badReaderAt) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	s.calls++
	bad := s.calls == s.n+1 || s.from && s.calls > s.n
	s.mu.Unlock()
	n, err := bytes.NewReader(s.b).ReadAt(p, off)
	if bad {
		return s.fail(p, n)
	}
	return n, err
}

// Whatever call of the source fails, it shows as that failure, and no byte is
// given that is not the plaintext's.
func TestReaderAtFailingSource(t *testing.T) {
	v, plain := new(vault), plaintext(2*batch+100)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	broken := func([]byte, int) (int, error) { return 0, errBroken }
	for _, o := range []stream.ReaderAtOptions{{ReaderOptions: stream.ReaderOptions{Workers: 1}}, {ReaderOptions: stream.ReaderOptions{Workers: 2}}, {ReaderOptions: stream.ReaderOptions{Workers: 1}, AllowTruncated: true}} {
		for n := range callsOf(t, container, v, plain, readSome) {
			for _, from := range []bool{false, true} {
				err := readSome(t, &badReaderAt{b: container, n: n, from: from, fail: broken}, v, plain, o)
				// One copy of the head that cannot be read is made up for by the other.
				if !errors.Is(err, errBroken) && (from || n >= 3) {
					t.Errorf("call %d, %+v: %v", n, o, err)
				}
			}
		}
		// What could not be read is not judged, and is no violation of anything.
		for n := range callsOf(t, container, v, plain, verifyAll) {
			for _, from := range []bool{false, true} {
				err := verifyAll(t, &badReaderAt{b: container, n: n, from: from, fail: broken}, v, plain, o)
				if retried := err == nil && !from; !errors.Is(err, errBroken) && !retried {
					t.Errorf("call %d, %+v: Verify: %v", n, o, err)
				}
			}
		}
	}
}

// callsOf is how many calls of the source f makes with one worker, if none fails.
func callsOf(t *testing.T, container []byte, v *vault, plain []byte, f func(*testing.T, io.ReaderAt, *vault, []byte, stream.ReaderAtOptions) error) int {
	t.Helper()
	src := &badReaderAt{b: container, n: -1}
	if err := f(t, src, v, plain, stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Workers: 1}}); err != nil {
		t.Fatal(err)
	}
	return src.calls
}

// readSome opens a container, reads it in two ways, and returns the first
// error. Whatever it gets must be the plaintext's.
func readSome(t *testing.T, src io.ReaderAt, v *vault, plain []byte, o stream.ReaderAtOptions) error {
	t.Helper()
	r, err := stream.NewReaderAt(t.Context(), src, format.ContainerSize(int64(len(plain)), headSize), with(v), &o)
	if err != nil {
		return err
	}
	defer r.Close()
	var dst bytes.Buffer
	n, err := r.WriteTo(&dst)
	if n != int64(dst.Len()) || !bytes.HasPrefix(plain, dst.Bytes()) || err == nil && n != int64(len(plain)) {
		t.Errorf("WriteTo: %d bytes of %d, %v", n, len(plain), err)
	}
	if err != nil {
		return err
	}
	buf := make([]byte, 3*chunk)
	k, err := r.ReadAt(buf, 10)
	if !bytes.Equal(buf[:k], plain[10:][:k]) || err == nil && k != len(buf) {
		t.Errorf("ReadAt: %d bytes, %v", k, err)
	}
	return err
}

// verifyAll verifies a container, and returns a violation as an error.
func verifyAll(t *testing.T, src io.ReaderAt, v *vault, plain []byte, o stream.ReaderAtOptions) error {
	t.Helper()
	rep, err := stream.Verify(t.Context(), src, format.ContainerSize(int64(len(plain)), headSize), with(v), &stream.VerifyOptions{Workers: o.Workers})
	if err == nil && rep.Valid() && rep.Authentic != rep.Layout.Chunks {
		t.Errorf("Verify: valid, with %d of %d chunks", rep.Authentic, rep.Layout.Chunks)
	}
	if err == nil && !rep.Valid() {
		return fmt.Errorf("findings: %v", rep.Findings)
	}
	return err
}

// A source that became shorter, or breaks the rules of io.ReaderAt by giving
// less without an error, is never a source of plaintext.
func TestReaderAtShortReads(t *testing.T) {
	v, plain := new(vault), plaintext(2*batch+100)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	for name, fail := range map[string]func([]byte, int) (int, error){
		"EOF":                  func([]byte, int) (int, error) { return 0, io.EOF },
		"half, then EOF":       func(_ []byte, n int) (int, error) { return n / 2, io.EOF },
		"nothing and no error": func([]byte, int) (int, error) { return 0, nil },
		"half and no error":    func(_ []byte, n int) (int, error) { return n / 2, nil },
		"EOF with all bytes":   func(_ []byte, n int) (int, error) { return n, io.EOF },
	} {
		for n := range callsOf(t, container, v, plain, readSome) {
			src := &badReaderAt{b: container, n: n, fail: fail}
			err := readSome(t, src, v, plain, stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Workers: 1}})
			if fine := name == "EOF with all bytes"; err != nil && fine || err == nil && !fine && n >= 3 {
				t.Errorf("%s at call %d: %v", name, n, err)
			}
		}
	}
	// A chunk that does not open is read once more, to say why. If that fails
	// the chunk has still not opened.
	bad := flipped(container, headSize+100, 0)
	for name, fail := range map[string]func([]byte, int) (int, error){
		"error":             func([]byte, int) (int, error) { return 0, errBroken },
		"EOF":               func([]byte, int) (int, error) { return 0, io.EOF },
		"half and no error": func(_ []byte, n int) (int, error) { return n / 2, nil },
	} {
		opening := &badReaderAt{b: bad, n: -1}
		size := int64(len(bad))
		if _, err := stream.NewReaderAt(t.Context(), opening, size, with(v), &stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Workers: 1}}); err != nil {
			t.Fatal(err)
		}
		src := &badReaderAt{b: bad, n: opening.calls + 1, fail: fail}
		r, err := stream.NewReaderAt(t.Context(), src, size, with(v), &stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Workers: 1}})
		if err != nil {
			t.Fatal(err)
		}
		buf := bytes.Repeat([]byte{0xaa}, 10)
		if n, err := r.ReadAt(buf, 0); n != 0 || err == nil {
			t.Errorf("%s: ReadAt of a bad chunk: %d, %v", name, n, err)
		}
		src.calls = opening.calls
		if n, err := r.ReadAt(make([]byte, chunk), 0); n != 0 || err == nil {
			t.Errorf("%s: ReadAt of a whole bad chunk: %d, %v", name, n, err)
		}
		src.calls = opening.calls
		var dst bytes.Buffer
		if n, err := r.WriteTo(&dst); n != 0 || dst.Len() != 0 || err == nil {
			t.Errorf("%s: WriteTo from a bad chunk on: %d bytes, %v", name, n, err)
		}
		r.Close()
	}
}

// A size that is not the source's is noticed.
func TestReaderAtWrongSize(t *testing.T) {
	v, plain := new(vault), plaintext(chunk+100)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	for _, size := range []int64{-1 << 63, -1, 0, 1, headSize, 2*headSize + 15, int64(len(container)) - 1, int64(len(container)) + 1, 1 << 40, 1<<63 - 1} {
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("size %d: panic: %v", size, p)
				}
			}()
			if _, err := stream.NewReaderAt(t.Context(), bytes.NewReader(container), size, with(v), nil); err == nil {
				t.Errorf("size %d is taken", size)
			}
			if rep, err := stream.Verify(t.Context(), bytes.NewReader(container), size, with(v), nil); err == nil && rep.Valid() {
				t.Errorf("size %d is valid", size)
			}
		}()
	}
}

// A closed ReaderAt has no keys, and says so.
func TestReaderAtClosed(t *testing.T) {
	v := new(vault)
	r := newReaderAt(t, encrypt(t, plaintext(3*chunk), v, stream.WriterOptions{}), v, 1)
	r.ReadAt(make([]byte, 10), 0)
	r.Close()
	r.Close()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("panic: %v", p)
		}
	}()
	if n, err := r.ReadAt(make([]byte, 10), 0); n != 0 || !errors.Is(err, stream.ErrClosed) {
		t.Errorf("ReadAt: %d, %v", n, err)
	}
	if n, err := r.WriteTo(io.Discard); n != 0 || !errors.Is(err, stream.ErrClosed) {
		t.Errorf("WriteTo: %d, %v", n, err)
	}
}
