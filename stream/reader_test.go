package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"bulla/format"
	"bulla/stream"
)

func newReader(t testing.TB, src io.Reader, id stream.Identity, workers int) *stream.Reader {
	t.Helper()
	r, err := stream.NewReader(t.Context(), src, with(id), &stream.ReaderOptions{Workers: workers})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantStuck checks that a Reader returns an error that wraps want, or is it,
// from now on.
func wantStuck(t *testing.T, r *stream.Reader, want error) {
	t.Helper()
	for i := 0; i < 2 && !t.Failed(); i++ {
		n, err := r.Read(make([]byte, 10))
		if n != 0 || !errors.Is(err, want) {
			t.Errorf("Read: %d, %v, want %v", n, err, want)
		}
		if n, err := r.Read(nil); n != 0 || !errors.Is(err, want) {
			t.Errorf("Read of nothing: %d, %v, want %v", n, err, want)
		}
		dst := &faultySink{n: 100}
		if n, err := r.WriteTo(dst); n != 0 || !errors.Is(err, want) || dst.calls > 0 {
			t.Errorf("WriteTo: %d, %d calls, %v, want %v", n, dst.calls, err, want)
		}
	}
}

// An error of the source is told as it is, after what came before it; it is
// not taken for the end, whatever it wraps.
func TestReaderFailingSource(t *testing.T) {
	v, plain := new(vault), plaintext(3*batch)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	clean := &faultySource{r: bytes.NewReader(container), n: 1000}
	io.Copy(io.Discard, newReader(t, clean, v, 1))
	for name, cause := range map[string]error{"an error": errBroken, "an error that wraps EOF": fmt.Errorf("%w: %w", errBroken, io.EOF)} {
		t.Run(name, func(t *testing.T) {
			for n := range 2 * clean.calls {
				workers, partly := 1+n%2, n >= clean.calls
				src := &faultySource{r: bytes.NewReader(container), n: n % clean.calls, err: cause, bytes: partly}
				r, err := stream.NewReader(t.Context(), src, with(v), &stream.ReaderOptions{Workers: workers})
				if err != nil && n%clean.calls < 2 {
					if !errors.Is(err, errBroken) {
						t.Fatalf("call %d: NewReader: %v", n, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if !errors.Is(err, errBroken) || errors.Is(err, format.ErrTruncated) || !bytes.HasPrefix(plain, got) {
					t.Fatalf("call %d: %d bytes, %v", n, len(got), err)
				}
				wantStuck(t, r, errBroken)
				r.Close()
			}
		})
	}
	// It is not lost on a source that broke exactly at the end.
	for _, cut := range []int{0, 1, headSize, headSize + 16} {
		src := io.MultiReader(bytes.NewReader(container[:len(container)-cut]), iotest.ErrReader(errBroken))
		r := newReader(t, src, v, 2)
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, errBroken) {
			t.Errorf("%d bytes before the end: %v", cut, err)
		}
		r.Close()
	}
}

// The verified prefix comes first, then an error, never io.EOF, and for good.
func TestReaderErrorsStick(t *testing.T) {
	v, plain := new(vault), plaintext(3*batch)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	bad := flipped(container, len(container)/2, 0)
	for _, workers := range []int{1, 2} {
		r := newReader(t, bytes.NewReader(bad), v, workers)
		got, err := io.ReadAll(onlyReader{r})
		if !errors.Is(err, format.ErrDamaged) || !bytes.HasPrefix(plain, got) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		wantStuck(t, r, format.ErrDamaged)
		r.Close()
		wantStuck(t, r, format.ErrDamaged)
		r.Close()
	}
}

// A sink that fails ends the Reader: how much of a batch it took is not known,
// so nothing that comes after could be right.
func TestWriteToFailingSink(t *testing.T) {
	v, plain := new(vault), plaintext(3*batch+100)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	for _, workers := range []int{1, 2} {
		for n := range 4 {
			for _, cause := range []error{errBroken, nil} {
				want := cause
				if want == nil {
					want = io.ErrShortWrite
				}
				dst := &faultySink{n: n, err: cause}
				r := newReader(t, bytes.NewReader(container), v, workers)
				if k, err := r.WriteTo(dst); !errors.Is(err, want) || k > int64(dst.Len()) {
					t.Errorf("call %d: WriteTo: %d, %v", n, k, err)
				}
				if dst.after > 0 || !bytes.HasPrefix(plain, dst.Bytes()) {
					t.Errorf("call %d: %d writes after the one that failed", n, dst.after)
				}
				wantStuck(t, r, want)
				r.Close()

				dst = &faultySink{n: n, err: cause}
				ra, err := stream.NewReaderAt(t.Context(), bytes.NewReader(container), int64(len(container)), with(v), &stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Workers: workers}})
				if err != nil {
					t.Fatal(err)
				}
				if k, err := ra.WriteTo(dst); !errors.Is(err, want) || k > int64(dst.Len()) || dst.after > 0 {
					t.Errorf("call %d: ReaderAt.WriteTo: %d, %v", n, k, err)
				}
				ra.Close()
			}
		}
	}
}

// A closed Reader gives nothing more, though it may hold more.
func TestReaderClosed(t *testing.T) {
	v, plain := new(vault), plaintext(3*batch)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	for _, workers := range []int{1, 2} {
		for _, n := range []int{0, 1, chunk, batch, batch + 1} {
			synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
				r := newReader(t, bytes.NewReader(container), v, workers)
				if _, err := io.ReadFull(r, make([]byte, n)); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if err := r.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
					wantStuck(t, r, stream.ErrClosed)
				}
			})
		}
	}
}

// Nobody has to close a Reader to be rid of its goroutines, once it is at the end.
func TestReaderEndsByItself(t *testing.T) {
	v, plain := new(vault), plaintext(5*batch)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	for _, b := range [][]byte{container, flipped(container, len(container)-headSize-20, 0), container[:len(container)-1]} {
		synctest.Test(t, func(t *testing.T) {
			r := newReader(t, bytes.NewReader(b), v, 3)
			io.Copy(io.Discard, r)
			wantGoroutines(t, 0)
			r.Close()
		})
	}
}

// wantGoroutines checks how many goroutines this bubble has beyond the test's own.
func wantGoroutines(t *testing.T, want int) {
	t.Helper()
	synctest.Wait()
	buf := make([]byte, 1<<20)
	stacks := bytes.Split(buf[:runtime.Stack(buf, true)], []byte("\n\n"))
	var here [][]byte
	for _, s := range stacks {
		if bytes.Contains(s, []byte("bulla/stream.")) && !bytes.Contains(s, []byte("wantGoroutines")) {
			here = append(here, s)
		}
	}
	if len(here) != want {
		t.Errorf("%d goroutines, not %d:\n%s", len(here), want, bytes.Join(here, []byte("\n\n")))
	}
}

// A stream of one batch starts no goroutine, nor does one worker for any.
func TestSmallStreamsStartNothing(t *testing.T) {
	for _, c := range []struct{ n, workers int }{{0, 8}, {100, 8}, {batch - 1, 8}, {5 * batch, 1}} {
		synctest.Test(t, func(t *testing.T) {
			v, plain := new(vault), plaintext(c.n)
			var dst bytes.Buffer
			w := newWriter(t, &dst, v, stream.WriterOptions{Workers: c.workers})
			w.Write(plain)
			wantGoroutines(t, 0)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			at := &watchedSource{b: dst.Bytes(), look: func() { wantNone(t) }}
			r := newReader(t, io.NewSectionReader(at, 0, int64(dst.Len())), v, c.workers)
			if n, err := io.Copy(io.Discard, r); n != int64(c.n) || err != nil {
				t.Errorf("%d bytes: %d, %v", c.n, n, err)
			}
			r.Close()
			if _, err := stream.Verify(t.Context(), at, int64(dst.Len()), with(v), &stream.VerifyOptions{Workers: c.workers}); err != nil {
				t.Error(err)
			}
		})
	}
}

// wantNone checks that this is the test's own goroutine.
func wantNone(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<16)
	if s := buf[:runtime.Stack(buf, false)]; !bytes.Contains(s, []byte("TestSmallStreamsStartNothing")) || bytes.Contains(s, []byte("created by bulla/stream.")) {
		t.Errorf("another goroutine is at work:\n%s", s)
	}
}

type watchedSource struct {
	b    []byte
	look func()
}

func (w *watchedSource) ReadAt(p []byte, off int64) (int, error) {
	w.look()
	return bytes.NewReader(w.b).ReadAt(p, off)
}

// A gate gives what it has before it waits to be opened.
type gate struct {
	before io.Reader
	open   chan struct{}
	after  io.Reader
}

func (g *gate) Read(p []byte) (int, error) {
	if n, err := g.before.Read(p); err == nil {
		return n, nil
	}
	<-g.open
	return g.after.Read(p)
}

// The end of the context frees a Read that waits for the source.
func TestReaderCancelledWhileSourceBlocks(t *testing.T) {
	v, plain := new(vault), plaintext(5*batch)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		const at = 3*batch + 12345
		src := &gate{before: bytes.NewReader(container[:at]), open: make(chan struct{}), after: bytes.NewReader(container[at:])}
		r, err := stream.NewReader(ctx, src, with(v), &stream.ReaderOptions{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, r)
			read <- err
		}()
		synctest.Wait()
		if len(read) > 0 {
			t.Fatalf("Read does not wait: %v", <-read)
		}
		cancel(errBroken)
		synctest.Wait()
		if len(read) == 0 {
			t.Fatal("Read still waits")
		}
		if err := <-read; !errors.Is(err, errBroken) {
			t.Errorf("Read: %v", err)
		}
		closed := make(chan struct{})
		go func() { r.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close returned while the source was in use")
		default:
		}
		close(src.open)
		<-closed
		wantStuck(t, r, errBroken)
	})
}

// Close from another goroutine, at any time: it waits for the source, the Read
// that waited ends with ErrClosed, and the source is then left alone.
func TestReaderClosedWhileSourceBlocks(t *testing.T) {
	v, plain := new(vault), plaintext(5*batch)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	for _, workers := range []int{1, 2} {
		for _, at := range []int{headSize, headSize + batch, headSize + 3*batch} {
			t.Run(fmt.Sprintf("%d workers, after %d bytes", workers, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
					after := &countingReader{r: bytes.NewReader(container[at:])}
					src := &gate{before: bytes.NewReader(container[:at]), open: make(chan struct{}), after: after}
					r := newReader(t, src, v, workers)
					read, closed := make(chan error, 1), make(chan int, 1)
					go func() { read <- copyAll(r) }()
					synctest.Wait() // for the source to block
					go func() {
						r.Close()
						closed <- after.n
					}()
					synctest.Wait() // for Close to wait
					if len(closed) > 0 {
						t.Error("Close returned while the source was in use")
					}
					close(src.open)
					if err := <-read; !errors.Is(err, stream.ErrClosed) {
						t.Errorf("Read: %v", err)
					}
					if n := <-closed; n < after.n {
						t.Errorf("%d bytes were read from the source after Close", after.n-n)
					}
				})
			})
		}
	}
}

// copyAll reads all of r, and returns a panic as an error.
func copyAll(r *stream.Reader) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	_, err = io.Copy(io.Discard, r)
	return err
}

// Close while another goroutine is reading, with nothing to wait for: either
// finishes what it does. It is the race detector that has something to say here.
func TestReaderClosedWhileReading(t *testing.T) {
	v := new(vault)
	container := encrypt(t, plaintext(3*batch), v, stream.WriterOptions{})
	for i := range 60 {
		r := newReader(t, bytes.NewReader(container), v, 1+i%2)
		read := make(chan error)
		go func() { read <- copyAll(r) }()
		for range i {
			runtime.Gosched()
		}
		r.Close()
		if err := <-read; err != nil && !errors.Is(err, stream.ErrClosed) {
			t.Fatal(err)
		}
	}
}

// Progress is what has been taken, or given, in bytes of plaintext.
func TestDone(t *testing.T) {
	for _, n := range []int{0, 1, chunk, batch + 100, 3*batch + 1} {
		for _, workers := range []int{1, 2} {
			v, plain := new(vault), plaintext(n)
			var write, read, readAt, checked atomic.Int64
			container := encrypt(t, plain, v, stream.WriterOptions{Workers: workers, Done: &write})
			streamed := ways[0].read(container, v, stream.ReaderOptions{Workers: workers, Done: &read})
			seeking := ways[1].read(container, v, stream.ReaderOptions{Workers: workers, Done: &readAt})
			_, err := stream.Verify(t.Context(), bytes.NewReader(container), int64(len(container)), with(v), &stream.VerifyOptions{Workers: workers, Done: &checked})
			if err := firstOf(streamed.err, seeking.err, err); err != nil {
				t.Fatal(err)
			}
			for who, c := range map[string]*atomic.Int64{"Writer": &write, "Reader": &read, "ReaderAt": &readAt, "Verify": &checked} {
				if c.Load() != int64(n) {
					t.Errorf("%s has done %d bytes of %d", who, c.Load(), n)
				}
			}
		}
	}
}

// Close may come while Read looks at the tail, for which it needs the keys.
func TestReaderCloseAtTail(t *testing.T) {
	v := new(vault)
	c := encrypt(t, plaintext(100), v, stream.WriterOptions{Reserve: 100})
	p := split(t, c)
	p.tail = rewrappedHead(t, v.keys(t, c), p.head, func(h *format.Head) { h.Generation = 2 })
	c = p.join()
	for i := range 200 {
		r, err := stream.NewReader(t.Context(), bytes.NewReader(c), with(v), &stream.ReaderOptions{Workers: 1 + i%2})
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		go func() {
			_, err := io.Copy(io.Discard, onlyReader{r})
			r.Warnings()
			read <- err
		}()
		time.Sleep(time.Duration(i) * time.Microsecond)
		r.Close()
		if err := <-read; err != nil && !errors.Is(err, stream.ErrClosed) {
			t.Fatal(err)
		}
	}
}

// The end of the context is the end of all that reads or writes, compressed or not.
func TestContextEnds(t *testing.T) {
	for _, level := range []int{0, 1} {
		v := new(vault)
		c := encrypt(t, plaintext(6<<20), v, stream.WriterOptions{Level: level})
		for name, work := range map[string]func(context.Context, io.Writer, func()) error{
			"ReaderAt.WriteRange": func(ctx context.Context, dst io.Writer, cancel func()) error {
				r, err := stream.NewReaderAt(ctx, bytes.NewReader(c), int64(len(c)), with(v), nil)
				if err != nil {
					return err
				}
				defer r.Close()
				cancel()
				_, err = r.WriteRange(ctx, dst, 0, int64(len(c)))
				return err
			},
			"Reader.WriteTo": func(ctx context.Context, dst io.Writer, cancel func()) error {
				r, err := stream.NewReader(ctx, bytes.NewReader(c), with(v), nil)
				if err != nil {
					return err
				}
				defer r.Close()
				cancel()
				_, err = r.WriteTo(dst)
				return err
			},
			"Writer.ReadFrom": func(ctx context.Context, dst io.Writer, cancel func()) error {
				w, err := stream.NewWriter(ctx, dst, to(v), &stream.WriterOptions{Level: level, Entropy: osMixer()})
				if err != nil {
					return err
				}
				defer w.Close()
				cancel()
				_, err = w.ReadFrom(endless{})
				return err
			},
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			if err := work(ctx, io.Discard, func() { cancel(errBroken) }); !errors.Is(err, errBroken) {
				t.Errorf("level %d: %s: %v", level, name, err)
			}
		}
		// In Verify, it is seen after the chunks, too: while frames are decoded.
		ctx, cancel := context.WithCancelCause(t.Context())
		src := &lateReaderAt{ReaderAt: bytes.NewReader(c), after: len(c)/batch + 8, late: func() { cancel(errBroken) }}
		if _, err := stream.Verify(ctx, src, int64(len(c)), with(v), nil); level > 0 && !errors.Is(err, errBroken) {
			t.Errorf("level %d: Verify: %v", level, err)
		}
		cancel(nil)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A lateReaderAt calls late at a read.
type lateReaderAt struct {
	io.ReaderAt
	reads atomic.Int64
	after int
	late  func()
}

func (l *lateReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if l.reads.Add(1) == int64(l.after) {
		l.late()
	}
	return l.ReaderAt.ReadAt(p, off)
}
