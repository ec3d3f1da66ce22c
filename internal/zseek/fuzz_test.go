package zseek

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"

	"bulla/format"
)

// maxFuzzed keeps a case short: a full frame takes some 70 bytes.
const maxFuzzed = 4 << 10

// clauseOf is the clause that err names, or "" if it names none.
func clauseOf(err error) format.Clause {
	var pe *format.ParseError
	if errors.As(err, &pe) {
		return pe.Clause
	}
	return ""
}

// FuzzScan compares the end of a frame that a scan finds without decoding
// with where the decoder ends.
func FuzzScan(f *testing.F) {
	serial(f)
	c := newCompressor(3)
	for _, content := range [][]byte{{1}, text(1, 300), text(2, 5000), noise(1, 400), make([]byte, 3000), append(noise(2, 300), text(3, 300)...)} {
		frame, err := c.compress(nil, content)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add(full(7))
	f.Add(short(1000, 7))
	f.Add(fakeFrame{content: 1000, sizeField: 4, window: 11 << 3, dictionary: []byte{0, 0}}.bytes())
	f.Add(fakeFrame{content: 300, raw: []byte("raw"), sizeField: 2}.bytes())
	f.Add(join(short(1000, 7), []byte("more")))
	for _, c := range corruptions() {
		if n := len(full(0)); len(c.stream) > n && len(c.stream) < maxFuzzed {
			f.Add(c.stream[n:])
		}
	}
	mine := newDecompressor(1)
	theirs, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*FrameContent))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxFuzzed || len(b) < magicSize || le.Uint32(b) != frameMagic {
			return
		}
		n := 0
		h, size, err := scan(func(need int) ([]byte, error) {
			if need < n || need > MaxFrameSize {
				t.Fatalf("%d bytes needed after %d", need, n)
			}
			n = need
			return inMemory(b, ErrCut)(n)
		})
		if err != nil {
			// What is damaged or cut is so for the decoder, too.
			if c := clauseOf(err); c == "" || c == format.ZSTD6 {
				if _, err := theirs.DecodeAll(b, nil); err == nil {
					t.Fatalf("the decoder accepts what the scanner does not (%d of %d bytes needed): %v", n, len(b), err)
				}
			}
			return
		}
		if n != size {
			t.Fatalf("a frame of %d bytes, of which %d were seen", size, n)
		}
		frame := b[:n]
		if again, err := scanFrame(frame); err != nil || again != h {
			t.Fatalf("scanned at once: %v, %v", again, err)
		}
		content, err := mine.decompress(nil, frame, h)
		if err != nil {
			return
		}
		content = bytes.Clone(content)
		twice, err := theirs.DecodeAll(join(frame, frame), nil)
		if err != nil || !bytes.Equal(twice, join(content, content)) {
			t.Fatalf("the decoder does not end where the scanner does: %v", err)
		}
		if _, err := theirs.DecodeAll(frame[:n-1], nil); err == nil {
			t.Fatal("the decoder ends before the scanner does")
		}
	})
}

// readBoth reads a stream in both ways, which must agree.
func readBoth(t *testing.T, stream []byte) {
	t.Helper()
	before := allocated()
	var streamed, placed digestWriter
	r := NewReader(bytes.NewReader(stream), 1)
	_, err1 := r.WriteTo(&streamed)
	if _, again := r.Read(make([]byte, 1)); err1 != nil && again != err1 || err1 == nil && again != io.EOF {
		t.Fatalf("%v, then %v", err1, again)
	}
	at, err2 := NewReaderAt(bytes.NewReader(stream), int64(len(stream)), 1)
	if err2 == nil {
		_, err2 = at.WriteTo(&placed)
	}
	if (err1 == nil) != (err2 == nil) {
		t.Fatalf("as a stream: %v; by the table: %v", err1, err2)
	}
	if err1 == nil && (streamed != placed || streamed.n != at.Size()) {
		t.Fatal("the content differs")
	}
	for _, err := range []error{err1, err2} {
		if err != nil && clauseOf(err) == "" {
			t.Fatalf("no clause: %v", err)
		}
	}
	if n := allocated() - before; n > 32<<20 {
		t.Fatalf("%d MiB allocated for %d bytes", n>>20, len(stream))
	}
}

// A digestWriter tells two contents apart without keeping them.
type digestWriter struct {
	n   int64
	sum uint64
}

func (d *digestWriter) Write(p []byte) (int, error) {
	d.n += int64(len(p))
	for i := 0; i+8 <= len(p); i += 8 {
		d.sum = d.sum*0x9E3779B97F4A7C15 + le.Uint64(p[i:])
	}
	for _, c := range p[len(p)&^7:] {
		d.sum = d.sum*0x9E3779B97F4A7C15 + uint64(c)
	}
	return len(p), nil
}

// FuzzReaders reads anything: both readers accept the same streams with the
// same content, name a clause for every other, and stay within their memory.
func FuzzReaders(f *testing.F) {
	serial(f)
	f.Add(compressed(f, nil))
	f.Add(compressed(f, []byte{1}))
	f.Add(compressed(f, text(1, 700)))
	f.Add(fakeStream(0, 1000))
	f.Add(fakeStream(2, 1))
	for _, c := range corruptions() {
		if len(c.stream) < maxFuzzed {
			f.Add(c.stream)
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) <= maxFuzzed {
			readBoth(t, stream)
		}
	})
}

func compressed(f *testing.F, content []byte) []byte { return compress(f, content, 1, 1) }

// FuzzTable reads any table after three sound frames: the two parsers agree,
// and only the right one is accepted.
func FuzzTable(f *testing.F) {
	serial(f)
	frames := join(full(0), full(1), short(1000, 2))
	right := fakeTable(entries(1000, full(0), full(1), short(1000, 2))...)
	f.Add(right)
	f.Add(right[:len(right)-1])
	f.Add(fakeTable())
	f.Add(join(right, right))
	for _, c := range corruptions() {
		if s, found := bytes.CutPrefix(c.stream, join(full(0), full(1))); found && len(s) > 20 {
			f.Add(s[len(short(1000, 9)):])
		}
	}
	f.Fuzz(func(t *testing.T, table []byte) {
		if len(table) > maxFuzzed {
			return
		}
		stream := join(frames, table)
		sum := newDigester()
		for i, frame := range [][]byte{full(0), full(1), short(1000, 2)} {
			sum.add(len(frame), []int{FrameContent, FrameContent, 1000}[i])
		}
		err := io.ErrUnexpectedEOF
		if len(table) >= magicSize && le.Uint32(table) == tableMagic {
			err = sum.readTable(bytes.NewReader(table[magicSize:]), int64(len(frames)))
		}
		if (err == nil) != bytes.Equal(table, right) {
			t.Fatalf("as a stream: %v", err)
		}
		parsed, err := ReadTable(bytes.NewReader(stream), int64(len(stream)))
		switch {
		case err != nil && bytes.Equal(table, right):
			t.Fatal(err)
		case err != nil && clauseOf(err) == "":
			t.Fatalf("no clause: %v", err)
		case err == nil:
			// By its own sums it may be right and yet give the frames other sizes.
			for i := range parsed.Frames() {
				if f := parsed.Frame(i); f.Size > MaxFrameSize || f.Offset+int64(f.Size) > int64(len(stream)) {
					t.Fatalf("frame %d: %v", i, f)
				}
			}
		}
	})
}
