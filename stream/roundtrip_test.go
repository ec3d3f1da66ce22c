package stream_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

const (
	chunk   = format.ChunkSize
	segment = format.SegmentSize
	batch   = stream.BatchSize
)

// edges are the sizes at which something changes: the last chunk, batch or
// segment is empty, full, or begun.
func edges(around ...int) (sizes []int) {
	for _, n := range around {
		for _, d := range []int{-1, 0, 1} {
			if n+d >= 0 {
				sizes = append(sizes, n+d)
			}
		}
	}
	return sizes
}

var suites = []format.Suite{format.AES256GCM, format.ChaCha20Poly1305}

func TestRoundTripSizes(t *testing.T) {
	sizes := edges(0, chunk, 2*chunk, batch-chunk, batch, batch+chunk, 2*batch, 3*batch)
	big := edges(segment-chunk, segment, segment+batch, 2*segment)
	for i, workers := range []int{1, 2, 3, 8, 64} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			t.Parallel()
			for j, n := range append(sizes, big...) {
				for k, suite := range suites {
					by := ways
					if n > 3*batch+1 {
						if (i+j+k)%3 != 0 { // each size meets each number of workers or suite, not all of both
							continue
						}
						by = fewWays
					}
					v, plain := new(vault), plaintext(n)
					container := encrypt(t, plain, v, stream.WriterOptions{Workers: workers, Suite: suite})
					if want := format.ContainerSize(int64(n), format.PageSize); int64(len(container)) != want {
						t.Errorf("%d bytes make a container of %d, not %d", n, len(container), want)
					}
					if parseHead(t, container).Suite != suite {
						t.Errorf("the suite is not %v", suite)
					}
					wantPlain(t, container, plain, v, stream.ReaderOptions{Workers: workers}, by)
					if rep, err := verify(t, container, v); err != nil || !rep.Valid() || rep.Failed != 0 || rep.Authentic != rep.Layout.Chunks {
						t.Errorf("%d bytes: Verify: %+v, %v", n, rep, err)
					}
				}
			}
		})
	}
}

// writings are the ways to put bytes into a Writer.
var writings = []struct {
	name  string
	write func(w *stream.Writer, plain []byte) error
}{
	{"Write at once", func(w *stream.Writer, p []byte) error { _, err := w.Write(p); return err }},
	{"Write of 1000", inSteps(1000)},
	{"Write of a chunk", inSteps(chunk)},
	{"Write of a chunk and a byte", inSteps(chunk + 1)},
	{"Write of a batch", inSteps(batch)},
	{"Write of a batch less one", inSteps(batch - 1)},
	{"ReadFrom", readingFrom(func(r io.Reader) io.Reader { return r })},
	{"ReadFrom halves", readingFrom(iotest.HalfReader)},
	{"ReadFrom data with EOF", readingFrom(iotest.DataErrReader)},
	{"ReadFrom, with reads of nothing", readingFrom(func(r io.Reader) io.Reader { return &lazyReader{r: r} })},
	{"ReadFrom in two halves, Write between", func(w *stream.Writer, p []byte) error {
		third := len(p) / 3
		_, err1 := w.ReadFrom(bytes.NewReader(p[:third]))
		_, err2 := w.Write(p[third : 2*third])
		_, err3 := w.ReadFrom(bytes.NewReader(p[2*third:]))
		return firstOf(err1, err2, err3)
	}},
}

func inSteps(n int) func(*stream.Writer, []byte) error {
	return func(w *stream.Writer, p []byte) error {
		_, err := io.CopyBuffer(onlyWriter{w}, onlyReader{bytes.NewReader(p)}, make([]byte, n))
		return err
	}
}

func readingFrom(wrap func(io.Reader) io.Reader) func(*stream.Writer, []byte) error {
	return func(w *stream.Writer, p []byte) error {
		n, err := w.ReadFrom(wrap(bytes.NewReader(p)))
		if err == nil && n != int64(len(p)) {
			err = fmt.Errorf("ReadFrom took %d bytes of %d", n, len(p))
		}
		return err
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// lazyReader gives nothing every other time.
type lazyReader struct {
	r   io.Reader
	odd bool
}

func (l *lazyReader) Read(p []byte) (int, error) {
	if l.odd = !l.odd; l.odd {
		return 0, nil
	}
	return l.r.Read(p)
}

// readings are ways to read that differ in the caller's buffer or the source.
var readings = append([]way{
	{"one byte at a time from the source", streamed(iotest.OneByteReader, io.ReadAll)},
	{"halves from the source", streamed(iotest.HalfReader, io.ReadAll)},
	{"data with EOF from the source", streamed(iotest.DataErrReader, io.ReadAll)},
	{"nothing every other time from the source", streamed(func(r io.Reader) io.Reader { return &lazyReader{r: r} }, io.ReadAll)},
	{"buffer of 1", streamed(nil, buffered(1))},
	{"buffer of 1000", streamed(nil, buffered(1000))},
	{"buffer of a chunk", streamed(nil, buffered(chunk))},
	{"buffer of a batch and a byte", streamed(nil, buffered(batch+1))},
	{"half with Read, half with WriteTo", streamed(nil, func(r io.Reader) ([]byte, error) {
		var dst bytes.Buffer
		if _, err := io.CopyN(&dst, onlyReader{r}, 100_000); err != nil && err != io.EOF {
			return dst.Bytes(), err
		}
		_, err := r.(io.WriterTo).WriteTo(&dst)
		return dst.Bytes(), err
	})},
}, ways...)

func buffered(n int) func(io.Reader) ([]byte, error) {
	return func(r io.Reader) ([]byte, error) {
		var dst bytes.Buffer
		_, err := io.CopyBuffer(onlyWriter{&dst}, onlyReader{r}, make([]byte, n))
		return dst.Bytes(), err
	}
}

// Every way to write makes a container that every way to read takes.
func TestRoundTripWays(t *testing.T) {
	plain := plaintext(batch + chunk + 1000)
	for _, workers := range []int{1, 2} {
		for _, writing := range writings {
			t.Run(fmt.Sprintf("%s, %d workers", writing.name, workers), func(t *testing.T) {
				t.Parallel()
				var dst bytes.Buffer
				v := new(vault)
				w := newWriter(t, &dst, v, stream.WriterOptions{Workers: workers})
				if err := writing.write(w, plain); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				by := fewWays
				if writing.name == writings[0].name {
					by = readings
				}
				wantPlain(t, dst.Bytes(), plain, v, stream.ReaderOptions{Workers: workers}, by)
			})
		}
	}
}

// The standard library's idea of what a reader does.
func TestReaderIsAReader(t *testing.T) {
	for _, n := range []int{0, 1, 1000, batch + 1000} {
		v, plain := new(vault), plaintext(n)
		container := encrypt(t, plain, v, stream.WriterOptions{})
		r, err := stream.NewReader(t.Context(), bytes.NewReader(container), with(v), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, plain); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("Read at the end: %d, %v", n, err)
		}
		if n, err := r.WriteTo(io.Discard); n != 0 || err != nil {
			t.Errorf("WriteTo at the end: %d, %v", n, err)
		}
		r.Close()
	}
}

// The real slot types, all at once and each alone.
func TestRoundTripKeys(t *testing.T) {
	kek, err := keyslot.GenerateKEK(osMixer())
	if err != nil {
		t.Fatal(err)
	}
	cheap := &keyslot.PassphraseOptions{KiB: format.MinPassphraseKiB, Passes: 1}
	passphrase, err := keyslot.NewPassphraseRecipient([]byte("passphrase"), cheap)
	if err != nil {
		t.Fatal(err)
	}
	v := new(vault)
	plain := plaintext(100)
	var dst bytes.Buffer
	w, err := stream.NewWriter(t.Context(), &dst, []stream.Recipient{v, passphrase, kek}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(plain)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, id := range []stream.Identity{v, kek, passphraseIdentity("passphrase")} {
		wantPlain(t, dst.Bytes(), plain, id, stream.ReaderOptions{}, ways)
	}
	for _, id := range []stream.Identity{new(vault), passphraseIdentity("wrong")} {
		for _, way := range ways {
			if got := way.read(dst.Bytes(), id, stream.ReaderOptions{}); clauseOf(got.err) != format.SLOT3 || len(got.plain) > 0 {
				t.Errorf("%s with a wrong key: %v", way.name, got.err)
			}
		}
	}
}
