package origin

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"bulla/format"
	"bulla/internal/parallel"
)

// container returns what has the sizes and the beginning of a container, and bytes that
// are no chunk of any key: nothing here looks into them.
func container(pages int, plain int64) []byte {
	b := make([]byte, format.ContainerSize(plain, int64(pages)*format.PageSize))
	rand.New(rand.NewSource(plain)).Read(b)
	copy(b, format.Magic)
	binary.BigEndian.PutUint16(b[offPages:], uint16(pages))
	copy(b[len(b)-pages*format.PageSize:], b[:pages*format.PageSize])
	return b
}

// rfc is MTH of RFC 9162, section 2.1.1, as it is defined there.
func rfc(leaves [][]byte) Hash {
	if len(leaves) == 1 {
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	left, right := rfc(leaves[:k]), rfc(leaves[k:])
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

const (
	segment  = format.SegmentSize
	offPages = 14 // in a head
)

// made is the statement of a container, and the roots.
func made(t testing.TB, c []byte, workers, step int) (*Statement, []Hash) {
	t.Helper()
	head := int(format.HeadSizeOf(c))
	m := new(Maker)
	m.Head(c[:head])
	run := (step + format.SealedChunkSize - 1) / format.SealedChunkSize
	batches := slices.Collect(slices.Chunk(c[head:len(c)-head], run*format.SealedChunkSize))
	order := rand.New(rand.NewSource(int64(len(c) + step))).Perm(len(batches))
	if err := parallel.Do(workers, len(order), func(_, i int) error { return m.Sealed(int64(order[i]*run), batches[order[i]]) }); err != nil {
		t.Fatal(err)
	}
	p, err := m.Finish()
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Int64
	q, err := NewPart(t.Context(), bytes.NewReader(c), int64(len(c)), workers, &done)
	if err != nil || !reflect.DeepEqual(p, q) || done.Load() != int64(len(c)) {
		t.Fatalf("NewPart: %v, %d of %d bytes; it differs from the Maker's: %v", err, done.Load(), len(c), !reflect.DeepEqual(p, q))
	}
	p.Time, p.Name = time.Unix(1e9, 0).UTC(), "a name"
	return &p.Statement, p.Roots
}

// The Maker's tree is the RFC's, for every number of chunks around a segment's and a
// batch's, every size of head, and in whatever order and batches the chunks come; and so is
// that of a container that there is.
func TestMaker(t *testing.T) {
	sizes := []int64{0, 1, format.ChunkSize - 1, format.ChunkSize, format.ChunkSize + 1, 5 * format.ChunkSize, 16 * format.ChunkSize, 17*format.ChunkSize - 1,
		segment - 1, segment, segment + 1, segment + 3*format.ChunkSize + 7, 2*segment + 5}
	for i, size := range sizes {
		for _, pages := range []int{1, 17, 64} {
			c := container(pages, size)
			steps := []int{100, 65552, 77777, len(c)}
			if len(c) > 1<<20 {
				steps = steps[(i+pages)%3+1:][:1]
			}
			chunks := slices.Collect(slices.Chunk(c[pages*format.PageSize:len(c)-pages*format.PageSize], format.SealedChunkSize))
			want := rfc(chunks)
			for j, step := range steps {
				s, roots := made(t, c, 1+(i+j)%3, step)
				if s.Size() != int64(len(c)) || s.Chunks != int64(len(chunks)) || s.Root != want || !bytes.Equal(s.Head[:], c[:96]) {
					t.Fatalf("%d bytes, %d pages, in steps of %d: %+v", size, pages, step, s)
				}
				if int64(len(roots)) != s.Segments() || s.Root != root(slices.Clone(roots)) {
					t.Fatalf("%d bytes: %d roots do not give the root", size, len(roots))
				}
				for k, leaves := range slices.Collect(slices.Chunk(chunks, format.SegmentChunks)) {
					if roots[k] != rfc(leaves) {
						t.Fatalf("%d bytes: root %d is not the segment's", size, k)
					}
				}
			}
		}
	}
}

// What is no container has no statement.
func TestMakerRefuses(t *testing.T) {
	whole := container(2, 100)
	bad := slices.Clone(whole)
	bad[offPages] = 0xff
	other := slices.Clone(whole)
	other[0] = 'x'
	for name, c := range map[string][]byte{"empty": nil, "a few bytes": whole[:50], "no tail": whole[:8192], "pages": bad, "magic": other,
		"a chunk too short for its tag": append(container(1, format.ChunkSize-1), 0)} {
		if _, err := NewPart(t.Context(), bytes.NewReader(c), int64(len(c)), 1, nil); err == nil {
			t.Errorf("%s: there is a statement", name)
		}
	}
	const sealed = format.SegmentChunks * format.SealedChunkSize
	for name, chunks := range map[string]map[int64]int{"none": nil, "the last is missing": {0: sealed},
		"a segment is missing": {0: sealed, 2 * format.SegmentChunks: 100}} {
		m := new(Maker)
		m.Head(whole)
		for i, n := range chunks {
			if err := m.Sealed(i, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m.Finish(); err == nil {
			t.Errorf("chunks, %s: there is a statement", name)
		}
	}
	if err := new(Maker).Sealed(MaxSegments*format.SegmentChunks, whole[:16]); !errors.Is(err, format.ErrUnsupported) {
		t.Errorf("too many segments: %v", err)
	}
	if _, err := NewPart(t.Context(), bytes.NewReader(whole), int64(len(whole))+100_000, 1, nil); err != io.ErrUnexpectedEOF {
		t.Errorf("a file that shrank: %v", err)
	}
	p, err := NewPart(t.Context(), bytes.NewReader(whole), int64(len(whole)), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := ed25519.GenerateKey(nil)
	if _, err := Sign(io.Discard, []*Part{p}, time.Now(), "two\nlines", signer(t, key)); !errors.Is(err, ErrName) {
		t.Error("a name of two lines")
	}
}

// There is one text for each statement, and one statement for each text.
func TestStatementText(t *testing.T) {
	s, _ := made(t, container(3, 100_000), 1, 1<<20)
	text := string(s.Text())
	if want := fmt.Sprintf("bulla statement 1\nhead: %x\nchunks: 2\npayload: 100032\nroot: %x\ntime: 2001-09-09T01:46:40Z\nname: a name\n", s.Head, s.Root); text != want {
		t.Fatalf("%s", text)
	}
	if got, err := ParseStatement([]byte(text)); err != nil || *got != *s {
		t.Fatalf("%+v, %v", got, err)
	}
	s.Name = ""
	if got, err := ParseStatement(s.Text()); err != nil || *got != *s {
		t.Fatalf("without a name: %+v, %v", got, err)
	}
	replaced := func(old, by string) string { return strings.Replace(text, old, by, 1) }
	for _, c := range []struct {
		name, text string
		clause     format.Clause
		kind       error
	}{
		{"empty", "", ORIGIN2, format.ErrUnsupported},
		{"another version", replaced("statement 1", "statement 2"), ORIGIN2, format.ErrUnsupported},
		{"an unknown line", text + "comment: x\n", ORIGIN2, format.ErrUnsupported},
		{"an unknown line between", replaced("root:", "tree: x\nroot:"), ORIGIN2, format.ErrUnsupported},
		{"no time", replaced("time: 2001-09-09T01:46:40Z\nname: a name\n", ""), ORIGIN2, format.ErrMalformed},
		{"two lines changed round", replaced("chunks: 2\npayload: 100032", "payload: 100032\nchunks: 2"), ORIGIN2, format.ErrUnsupported},
		{"upper case", strings.ToUpper(text), ORIGIN2, format.ErrUnsupported},
		{"hex in upper case", replaced("root: "+fmt.Sprintf("%x", s.Root), "root: "+fmt.Sprintf("%X", s.Root)), ORIGIN2, format.ErrMalformed},
		{"a sign", replaced("chunks: 2", "chunks: +2"), ORIGIN2, format.ErrMalformed},
		{"a zero in front", replaced("chunks: 2", "chunks: 02"), ORIGIN2, format.ErrMalformed},
		{"another zone", replaced("01:46:40Z", "02:46:40+01:00"), ORIGIN2, format.ErrMalformed},
		{"no end", strings.TrimSuffix(text, "\n"), ORIGIN2, format.ErrMalformed},
		{"carriage returns", strings.ReplaceAll(text, "\n", "\r\n"), ORIGIN2, format.ErrUnsupported},
		{"an escape in the name", replaced("a name", "a\x1b[2Jname"), ORIGIN2, format.ErrMalformed},
		{"too many chunks", replaced("chunks: 2", "chunks: 3"), ORIGIN3, format.ErrMalformed},
		{"no chunk", replaced("chunks: 2", "chunks: 0"), ORIGIN3, format.ErrMalformed},
		{"less than none", replaced("chunks: 2", "chunks: -9223372036854775808"), ORIGIN3, format.ErrMalformed},
		{"a huge number of chunks", replaced("chunks: 2", "chunks: 9223372036854775807"), ORIGIN3, format.ErrMalformed},
		{"a payload of less than nothing", replaced("100032", "-100032"), ORIGIN3, format.ErrMalformed},
		{"a payload of no container", replaced("100032", "65560"), ORIGIN3, format.ErrMalformed},
		{"no magic", replaced("head: 89", "head: 88"), ORIGIN3, format.ErrMalformed},
		{"too long", text + strings.Repeat("x", maxStatement), ORIGIN2, format.ErrMalformed},
	} {
		_, err := ParseStatement([]byte(c.text))
		if e, ok := errors.AsType[*Error](err); !ok || e.Clause != c.clause || !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzParseStatement(f *testing.F) {
	s, _ := made(f, container(1, 10), 1, 1<<20)
	f.Add(s.Text())
	s.Name = ""
	f.Add(s.Text())
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := ParseStatement(text); err == nil && !bytes.Equal(s.Text(), text) {
			t.Errorf("%q parses, and is not %q", text, s.Text())
		}
	})
}

// signedOf is what somebody has signed of c.
func signedOf(t testing.TB, c []byte) *Signed {
	s, roots := made(t, c, 2, 1<<20)
	return &Signed{Statement: *s, roots: roots}
}

// What was signed comes through as it is, in a stream and at random, to many at a time.
func TestReaders(t *testing.T) {
	for _, size := range []int64{0, 1000, segment - 1, segment, 2*segment + 99} {
		for _, workers := range []int{1, 2, 5} {
			c := container(2, size)
			s := signedOf(t, c)
			r := s.Reader(iotest.HalfReader(bytes.NewReader(c)), workers)
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, c) {
				t.Fatalf("%d bytes, %d workers: %d of %d bytes, %v", size, workers, len(got), len(c), err)
			}
			r.Close()
			at, err := s.ReaderAt(bytes.NewReader(c), int64(len(c)), workers)
			if err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for g := range int64(4) {
				all.Go(func() {
					random := rand.New(rand.NewSource(g))
					for range 100 {
						off := random.Int63n(int64(len(c)))
						p := make([]byte, random.Intn(200_000))
						n, err := at.ReadAt(p, off)
						if want := c[off:min(off+int64(len(p)), int64(len(c)))]; !bytes.Equal(p[:n], want) || (err == nil) != (n == len(p)) {
							t.Errorf("%d at %d: %d bytes, %v", len(p), off, n, err)
						}
					}
				})
			}
			all.Wait()
		}
	}
}

// A byte that was changed, anywhere in the payload, keeps its segment from coming out.
func TestReadersRefuse(t *testing.T) {
	c := container(1, 2*segment+1000)
	s := signedOf(t, c)
	for _, at := range []int64{4096, 4096 + 65551, 4096 + sealedSegmentSize - 1, 4096 + sealedSegmentSize, 4096 + 2*sealedSegmentSize, 4096 + s.Payload - 1} {
		bad := slices.Clone(c)
		bad[at] ^= 1
		first := 4096 + (at-4096)/sealedSegmentSize*sealedSegmentSize
		for _, workers := range []int{1, 3} {
			r := s.Reader(bytes.NewReader(bad), workers)
			got, err := io.ReadAll(r)
			r.Close()
			if e, ok := errors.AsType[*Error](err); !ok || e.Clause != ORIGIN8 || e.Offset != first || !bytes.Equal(got, c[:first]) {
				t.Errorf("changed at %d: %d bytes came out, %v", at, len(got), err)
			}
			ra, err := s.ReaderAt(bytes.NewReader(bad), int64(len(bad)), workers)
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 1)
			for _, off := range []int64{first, at} {
				if n, err := ra.ReadAt(p, off); n != 0 || !errors.Is(err, format.ErrForged) {
					t.Errorf("changed at %d: ReadAt of %d gives %d bytes, %v", at, off, n, err)
				}
			}
			if _, err := ra.ReadAt(p, 4096+(first+sealedSegmentSize)%(3*sealedSegmentSize)%s.Payload); first != 4096 && err != nil {
				t.Errorf("changed at %d: another segment: %v", at, err)
			}
		}
	}
}

// A container that goes on after its end, or ends before it: no byte of what was not
// signed comes out, and no byte of the tail before its end was seen.
func TestReadersOtherSize(t *testing.T) {
	c := container(1, segment+1000)
	s := signedOf(t, c)
	for _, more := range []int{1, 4096, 100_000} {
		r := s.Reader(bytes.NewReader(append(slices.Clone(c), make([]byte, more)...)), 2)
		got, err := io.ReadAll(r)
		r.Close()
		if e, ok := errors.AsType[*Error](err); !ok || e.Clause != ORIGIN8 || len(got) != len(c)-4096 {
			t.Errorf("%d bytes more: %d of %d come out, %v", more, len(got), len(c), err)
		}
	}
	for cut, want := range map[int]int{10: 10, 4096: 4096, 5000: 4096, 4096 + sealedSegmentSize: 4096 + sealedSegmentSize, 4096 + sealedSegmentSize + 5: 4096 + sealedSegmentSize,
		len(c) - 4096: len(c) - 4096, len(c) - 1: len(c) - 1} {
		r := s.Reader(bytes.NewReader(c[:cut]), 2)
		if got, err := io.ReadAll(r); err != nil || len(got) != want {
			t.Errorf("cut at %d: %d bytes come out, %v", cut, len(got), err)
		}
		r.Close()
	}
	for _, size := range []int{len(c) - 1, len(c) + 1} {
		if _, err := s.ReaderAt(bytes.NewReader(c), int64(size), 1); !errors.Is(err, format.ErrForged) {
			t.Errorf("%d bytes instead of %d: %v", size, len(c), err)
		}
	}
}

// A source that fails is no forgery, and a read that failed can be tried again.
func TestReadersSourceFails(t *testing.T) {
	c := container(1, segment+1000)
	s := signedOf(t, c)
	broken := errors.New("broken")
	r := s.Reader(io.MultiReader(bytes.NewReader(c[:50_000]), iotest.ErrReader(broken)), 2)
	if got, err := io.ReadAll(r); !errors.Is(err, broken) || len(got) > 50_000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r.Close()
	src := &flaky{ReaderAt: bytes.NewReader(c), err: broken}
	ra, err := s.ReaderAt(src, int64(len(c)), 1)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if _, err := ra.ReadAt(p, 5000); !errors.Is(err, broken) {
		t.Errorf("ReadAt: %v", err)
	}
	src.err = nil
	if _, err := ra.ReadAt(p, 5000); err != nil || !bytes.Equal(p, c[5000:5010]) {
		t.Errorf("ReadAt again: %v", err)
	}
}

type flaky struct {
	io.ReaderAt
	err error
}

func (f *flaky) ReadAt(p []byte, off int64) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, off)
}

func BenchmarkMaker(b *testing.B) {
	c := container(1, 8*segment)
	b.SetBytes(int64(len(c)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewPart(b.Context(), bytes.NewReader(c), int64(len(c)), 0, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// What is announced is announced to the source in whole segments, which are read.
func TestReadAhead(t *testing.T) {
	c := container(1, segment+1000)
	s := signedOf(t, c)
	src := &announced{Reader: bytes.NewReader(c)}
	r, err := s.ReaderAt(src, int64(len(c)), 2)
	if err != nil {
		t.Fatal(err)
	}
	head, end := s.HeadSize(), s.HeadSize()+s.Payload
	second := head + sealedSegmentSize
	for _, a := range []struct{ off, n, from, to int64 }{
		{0, s.Size(), head, end}, {head, s.Payload, head, end}, {head + 1, 1, head, second}, {second - 1, 2, head, end}, {end - 1, 1, second, end}, {end, 9, 0, 0}, {0, head, 0, 0},
	} {
		src.from, src.to = 0, 0
		if r.ReadAhead(a.off, a.n); src.from != a.from || src.to != a.to {
			t.Errorf("%d bytes at %d: %d to %d, not %d to %d", a.n, a.off, src.from, src.to, a.from, a.to)
		}
	}
}

type announced struct {
	*bytes.Reader
	from, to int64
}

func (a *announced) ReadAhead(off, n int64) { a.from, a.to = off, off+n }
