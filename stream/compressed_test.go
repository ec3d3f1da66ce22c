package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"github.com/klauspost/compress/zstd"

	"bulla/format"
	"bulla/stream"
)

// frame is how much content a Zstandard frame of coding 1 holds (ZSTD-1).
const frame = 2 << 20

// compressible is n bytes, half of which can be guessed.
func compressible(n int) []byte {
	b := plaintext(n)
	for i := range b {
		if i%8192 < 4096 {
			b[i] = byte(i >> 12)
		}
	}
	return b
}

var compressed = stream.WriterOptions{Level: 1}

// With compression, too, every way to write makes what every way to read takes.
func TestCompressedRoundTrip(t *testing.T) {
	for i, n := range []int{0, 1, batch, frame - 1, frame, frame + 1, 2*frame + 12345} {
		for j, workers := range []int{1, 2, 8} {
			writing := writings[(3*i+j)%len(writings)]
			t.Run(fmt.Sprintf("%d bytes, %d workers, %s", n, workers, writing.name), func(t *testing.T) {
				t.Parallel()
				var dst bytes.Buffer
				v, plain := new(vault), compressible(n)
				o := compressed
				o.Workers = workers
				w := newWriter(t, &dst, v, o)
				if err := writing.write(w, plain); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				container := dst.Bytes()
				by := ways
				if n > 1 && n < frame { // the slow ones once
					by = readings
				}
				wantPlain(t, container, plain, v, stream.ReaderOptions{Workers: workers}, by)
				if rep, err := verify(t, container, v); err != nil || !rep.Valid() {
					t.Errorf("Verify: %v, %v", rep.Findings, err)
				}
				if h := parseHead(t, container); h.Coding != format.Zstd || n >= batch && len(container) > n*3/4 {
					t.Errorf("coding %v, %d bytes in %d", h.Coding, n, len(container))
				}
			})
		}
	}
}

// Raw gives what any Zstandard decoder reads.
func TestRaw(t *testing.T) {
	v, plain := new(vault), compressible(frame+5000)
	container := encrypt(t, plain, v, compressed)
	for _, w := range ways {
		raw := w.read(container, v, stream.ReaderOptions{Raw: true})
		if raw.err != nil {
			t.Fatal(raw.err)
		}
		d, err := zstd.NewReader(bytes.NewReader(raw.plain))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(d); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes, %v", w.name, len(got), err)
		}
		d.Close()
	}
}

// Neither workers nor steps show in a compressed container.
func TestCompressedParallelEqualsSerial(t *testing.T) {
	plain := compressible(2*frame + 100_000)
	var serial []byte
	for i, workers := range []int{1, 2, 3, 16} {
		cryptotest.SetGlobalRandom(t, 7)
		var dst bytes.Buffer
		w := newWriter(t, &dst, fixedKEK(t), stream.WriterOptions{Level: 1, Workers: workers})
		if err := writings[2*i].write(w, plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if serial == nil {
			serial = dst.Bytes()
		}
		if !bytes.Equal(dst.Bytes(), serial) {
			t.Errorf("%d workers, %s: another container", workers, writings[2*i].name)
		}
	}
}

// Progress counts plaintext, not what is sealed.
func TestCompressedDone(t *testing.T) {
	const n = frame + 5000
	var write, read, readAt atomic.Int64
	v, plain := new(vault), compressible(n)
	container := encrypt(t, plain, v, stream.WriterOptions{Level: 1, Done: &write})
	streamed := ways[0].read(container, v, stream.ReaderOptions{Done: &read})
	seeking := ways[1].read(container, v, stream.ReaderOptions{Done: &readAt})
	if err := firstOf(streamed.err, seeking.err); err != nil {
		t.Fatal(err)
	}
	for who, c := range map[string]*atomic.Int64{"Writer": &write, "Reader": &read, "ReaderAt": &readAt} {
		if c.Load() != n {
			t.Errorf("%s has done %d bytes of %d", who, c.Load(), n)
		}
	}
}

// A failure on either side of the compression leaves no container.
func TestCompressedFailures(t *testing.T) {
	plain := compressible(2*frame + 100)
	for _, workers := range []int{1, 2} {
		o := stream.WriterOptions{Level: 1, Workers: workers}
		for n := 1; n < 12; n++ {
			dst := &faultySink{n: n, err: errBroken}
			v := new(vault)
			w := newWriter(t, dst, v, o)
			w.Write(plain)
			if err := w.Close(); dst.calls > n && !errors.Is(err, errBroken) || dst.after > 0 {
				t.Errorf("%d workers, sink call %d: Close: %v, %d writes after", workers, n, err, dst.after)
			} else if err == nil {
				break // there are no more calls
			}
			if err := useAfter(w)["Write"]; !errors.Is(err, errBroken) {
				t.Errorf("%d workers, sink call %d: Write after Close: %v", workers, n, err)
			}
			wantUnfinished(t, dst.Bytes(), plain, v)
		}
		for _, n := range []int{0, 1, 21, 41} { // the source gives 100,000 bytes a call
			var dst bytes.Buffer
			v := new(vault)
			w := newWriter(t, &dst, v, o)
			if _, err := w.ReadFrom(&faultySource{r: bytes.NewReader(plain), n: n, err: errBroken}); !errors.Is(err, errBroken) {
				t.Errorf("%d workers, source call %d: ReadFrom: %v", workers, n, err)
			}
			for name, err := range useAfter(w) {
				if !errors.Is(err, errBroken) {
					t.Errorf("%d workers, source call %d: %s: %v", workers, n, name, err)
				}
			}
			wantUnfinished(t, dst.Bytes(), plain, v)
		}
		for _, n := range []int{0, 100, frame, len(plain)} {
			var dst bytes.Buffer
			v := new(vault)
			w := newWriter(t, &dst, v, o)
			w.Write(plain[:n])
			w.Abort(errBroken)
			for name, err := range useAfter(w) {
				if !errors.Is(err, errBroken) {
					t.Errorf("%d workers, Abort after %d bytes: %s: %v", workers, n, name, err)
				}
			}
			wantUnfinished(t, dst.Bytes(), plain, v)
		}
		w := newWriter(t, io.Discard, new(vault), o)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		for name, err := range useAfter(w) {
			if !errors.Is(err, stream.ErrClosed) {
				t.Errorf("%d workers: %s after Close: %v", workers, name, err)
			}
		}
	}
}

// Damage is noticed before anything of it is decompressed, truncation is told,
// and what was given before is a prefix of the plaintext.
func TestCompressedDamage(t *testing.T) {
	v, plain := new(vault), compressible(2*frame+100)
	container := encrypt(t, plain, v, compressed)
	l, _ := format.NewLayout(int64(len(container)), headSize)
	for _, i := range []int64{0, 1, l.Chunks / 2, l.Chunks - 1} {
		off, n := l.Chunk(i)
		for _, bad := range [][]byte{flipped(container, int(off+n/2), 0), container[:off+n/2]} {
			for _, w := range ways {
				got := w.read(bad, v, stream.ReaderOptions{Workers: 2})
				if c := clauseOf(got.err); !slices.Contains([]format.Clause{format.CHUNK1, format.FILE1, format.FILE2}, c) || !bytes.HasPrefix(plain, got.plain) {
					t.Errorf("chunk %d, %s: %d bytes, %v", i, w.name, len(got.plain), got.err)
				}
			}
			if rep, err := verify(t, bad, v); err != nil || rep.Valid() {
				t.Errorf("chunk %d: Verify: %v, %v", i, rep.Findings, err)
			}
		}
	}
}

// A Reader's errors stick with compression as they do without.
func TestCompressedReaderErrorsStick(t *testing.T) {
	v, plain := new(vault), compressible(2*frame+100)
	container := encrypt(t, plain, v, compressed)
	bad := flipped(container, len(container)-headSize-100_000, 0)
	for _, workers := range []int{1, 2} {
		r := newReader(t, bytes.NewReader(bad), v, workers)
		if got, err := io.ReadAll(onlyReader{r}); !errors.Is(err, format.ErrDamaged) || !bytes.HasPrefix(plain, got) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		wantStuck(t, r, format.ErrDamaged)
		r.Close()
		wantStuck(t, r, format.ErrDamaged)

		r = newReader(t, bytes.NewReader(container), v, workers)
		if _, err := r.WriteTo(&faultySink{n: 1, err: errBroken}); !errors.Is(err, errBroken) {
			t.Errorf("WriteTo: %v", err)
		}
		wantStuck(t, r, errBroken)
		r.Close()

		synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
			r := newReader(t, bytes.NewReader(container), v, workers)
			io.ReadFull(r, make([]byte, 1000))
			r.Close()
			wantStuck(t, r, stream.ErrClosed)
		})
	}
}

// Abort, and the end of the context, free a Writer whose sink blocks.
func TestCompressedAbortWhileSinkBlocks(t *testing.T) {
	for _, workers := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			dst := &blockingSink{n: 1, go_: make(chan struct{})}
			w, err := stream.NewWriter(ctx, dst, to(new(vault)), &stream.WriterOptions{Level: 1, Workers: workers, Entropy: osMixer()})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 2)
			go func() {
				_, err := w.ReadFrom(&generator{pattern: plaintext(1 << 20), n: 1 << 40})
				done <- err
				done <- w.Close()
			}()
			synctest.Wait()
			if !dst.waiting.Load() || len(done) > 0 {
				t.Fatal("the Writer does not wait for its sink")
			}
			cancel(errBroken)
			synctest.Wait()
			close(dst.go_)
			if err := <-done; !errors.Is(err, errBroken) {
				t.Errorf("ReadFrom: %v", err)
			}
			if err := <-done; !errors.Is(err, errBroken) {
				t.Errorf("Close: %v", err)
			}
		})
	}
}
