package zseek

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"bulla/format"
)

// The tests open thousands of small streams, each with buffers of 4 MiB.
// Collecting those less often, within half a GiB, halves the time it takes.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	debug.SetMemoryLimit(512 << 20)
	os.Exit(m.Run())
}

// text makes n bytes that compress, the same ones for the same seed.
func text(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, n+16)
	for len(b) < n {
		b = fmt.Appendf(b, "%d squared is %d; ", r.IntN(1000), r.IntN(1000000))
	}
	return b[:n]
}

// noise makes n bytes that do not.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

// mixture makes n bytes of both, in stretches of different length.
func mixture(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	var b []byte
	for len(b) < n {
		if k := 1 + r.IntN(1<<20); r.IntN(2) == 0 {
			b = append(b, text(seed+uint64(len(b)), k)...)
		} else {
			b = append(b, noise(seed+uint64(len(b)), k)...)
		}
	}
	return b[:n]
}

// compress returns the stream that a Writer makes of content.
func compress(t testing.TB, content []byte, level, workers int) []byte {
	t.Helper()
	var dst bytes.Buffer
	w, err := NewWriter(&dst, level, workers)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dst.Bytes()
}

// A fakeFrame is a frame made by hand, of any content at the cost of four bytes
// for 128 KiB of it.
type fakeFrame struct {
	content    int    // in RLE blocks
	fill       byte   // what it consists of
	stated     uint64 // content size in the header; 0 means content
	sizeField  int    // size of that, 1, 2, 4 or 8 bytes; 0 means 8, -1 that there is none
	window     int    // window descriptor, 0 for a single segment
	dictionary []byte // id
	descriptor byte   // further bits
	raw        []byte // content in raw blocks, after the rest
	junk       []byte // after the header, in place of blocks
}

func (f fakeFrame) bytes() []byte {
	b := le.AppendUint32(nil, frameMagic)
	d := f.descriptor | byte(max(0, slices.Index([]int{0, 1, 2, 0, 4}, len(f.dictionary))))
	if len(f.dictionary) == 4 {
		d = f.descriptor | 3
	}
	field := f.sizeField
	if field == 0 {
		field = 8
	}
	d |= map[int]byte{-1: 0, 1: 0, 2: 1 << 6, 4: 2 << 6, 8: 3 << 6}[field]
	if f.window == 0 {
		d |= descriptorSingle
	}
	b = append(b, d)
	if f.window != 0 {
		b = append(b, byte(f.window))
	}
	b = append(b, f.dictionary...)
	stated := f.stated
	if stated == 0 {
		stated = uint64(f.content + len(f.raw))
	}
	switch field {
	case 1:
		b = append(b, byte(stated))
	case 2:
		b = le.AppendUint16(b, uint16(stated-256))
	case 4:
		b = le.AppendUint32(b, uint32(stated))
	case 8:
		b = le.AppendUint64(b, stated)
	}
	if f.junk != nil {
		return append(b, f.junk...)
	}
	for n := f.content; n > 0 || len(f.raw) == 0; n -= maxBlock {
		k := max(0, min(n, maxBlock))
		b = appendBlock(b, n <= maxBlock && len(f.raw) == 0, blockRLE, k)
		b = append(b, f.fill)
		if n <= maxBlock {
			break
		}
	}
	for p := f.raw; len(p) > 0; {
		k := min(len(p), maxBlock)
		b = appendBlock(b, k == len(p), blockRaw, k)
		b = append(b, p[:k]...)
		p = p[k:]
	}
	return b
}

func appendBlock(b []byte, last bool, kind, size int) []byte {
	h := size<<3 | kind<<1
	if last {
		h |= 1
	}
	return append(b, byte(h), byte(h>>8), byte(h>>16))
}

// full is a frame of FrameContent bytes.
func full(fill byte) []byte { return fakeFrame{content: FrameContent, fill: fill}.bytes() }

// short is a frame of n bytes.
func short(n int, fill byte) []byte { return fakeFrame{content: n, fill: fill}.bytes() }

// An entry of a table: a frame and its content.
type tableEntry struct{ size, content uint32 }

func fakeTable(entries ...tableEntry) []byte {
	b := le.AppendUint32(nil, tableMagic)
	b = le.AppendUint32(b, uint32(len(entries)*entrySize+footerSize))
	for _, e := range entries {
		b = le.AppendUint32(le.AppendUint32(b, e.size), e.content)
	}
	b = le.AppendUint32(b, uint32(len(entries)))
	return le.AppendUint32(append(b, 0), footerMagic)
}

// entries is what a right table of full frames and a last one of n bytes says.
func entries(last int, frames ...[]byte) []tableEntry {
	var e []tableEntry
	for _, f := range frames {
		e = append(e, tableEntry{uint32(len(f)), FrameContent})
	}
	e[len(e)-1].content = uint32(last)
	return e
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// fakeStream is a stream with a right table of full frames and a short last one.
func fakeStream(fulls, last int) []byte {
	var frames [][]byte
	for i := range fulls {
		frames = append(frames, full(byte(i)))
	}
	frames = append(frames, short(last, 0xEE))
	return join(join(frames...), fakeTable(entries(last, frames...)...))
}

// A way of reading all of a stream.
type way struct {
	name string
	at   bool // by the table
	read func(stream []byte) ([]byte, error)
}

func ways() []way {
	var all []way
	for _, n := range workerCounts() {
		all = append(all,
			way{fmt.Sprintf("Read/%d", n), false, func(s []byte) ([]byte, error) {
				r := NewReader(bytes.NewReader(s), n)
				defer r.Close()
				return io.ReadAll(r)
			}},
			way{fmt.Sprintf("WriteTo/%d", n), false, func(s []byte) ([]byte, error) {
				r := NewReader(bytes.NewReader(s), n)
				defer r.Close()
				var b bytes.Buffer
				_, err := r.WriteTo(&b)
				return b.Bytes(), err
			}},
			way{fmt.Sprintf("ReaderAt.WriteTo/%d", n), true, func(s []byte) ([]byte, error) {
				r, err := NewReaderAt(bytes.NewReader(s), int64(len(s)), n)
				if err != nil {
					return nil, err
				}
				var b bytes.Buffer
				_, err = r.WriteTo(&b)
				return b.Bytes(), err
			}})
	}
	return append(all, way{"ReadAt", true, func(s []byte) ([]byte, error) {
		r, err := NewReaderAt(bytes.NewReader(s), int64(len(s)), 2)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	}})
}

// workerCounts is with how many workers a test runs.
func workerCounts() []int {
	if raceEnabled {
		return []int{3}
	}
	return []int{1, 3}
}

// serial skips, under the race detector, what has no goroutines.
func serial(t testing.TB) {
	if raceEnabled {
		t.Skip("no goroutines, so no races")
	}
}

// sampled returns 1, or n under the race detector.
func sampled(n int) int {
	if raceEnabled {
		return n
	}
	return 1
}

// wantClause checks that err names a clause and is of a kind.
func wantClause(t *testing.T, err error, c format.Clause, kind error) {
	t.Helper()
	var pe *format.ParseError
	switch {
	case !errors.As(err, &pe):
		t.Errorf("error %v, want one of clause %s", err, c)
	case pe.Clause != c:
		t.Errorf("clause %s (%v), want %s", pe.Clause, err, c)
	case kind != nil && !errors.Is(err, kind):
		t.Errorf("error %v, want one of kind %q", err, kind)
	}
}

func equal(t *testing.T, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		n := 0
		for n < min(len(got), len(want)) && got[n] == want[n] {
			n++
		}
		t.Fatalf("%d bytes that differ at %d from %d wanted", len(got), n, len(want))
	}
}

// noLeak fails if the test leaves goroutines behind.
func noLeak(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 12_000 { // a minute
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
	})
}

// zstdCommand returns the path of the reference implementation's command.
func zstdCommand(t *testing.T) string {
	t.Helper()
	p, err := exec.LookPath("zstd")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no zstd command")
		}
		t.Skip("no zstd command to compare with")
	}
	return p
}

var errBroken = errors.New("broken")

// A brokenReader gives n bytes and then errBroken.
type brokenReader struct {
	r io.Reader
	n int
}

func (b *brokenReader) Read(p []byte) (int, error) {
	if b.n == 0 {
		return 0, errBroken
	}
	n, err := b.r.Read(p[:min(len(p), b.n)])
	b.n -= n
	return n, err
}

// A brokenWriter takes n calls and then gives errBroken.
type brokenWriter struct {
	bytes.Buffer
	calls int
	late  int // calls after that
}

func (b *brokenWriter) Write(p []byte) (int, error) {
	if b.calls == 0 {
		b.late++
		return 0, errBroken
	}
	b.calls--
	return b.Buffer.Write(p)
}
