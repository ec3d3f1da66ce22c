package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"bulla/format"
	"bulla/stream"
)

// A faultySink takes what is written to it, until its n-th call, counted from
// 0, which fails or takes less than it was given.
type faultySink struct {
	bytes.Buffer
	n, calls int
	err      error // nil: a short write that calls itself a success
	after    int   // calls after the one that failed
}

func (s *faultySink) Write(p []byte) (int, error) {
	s.calls++
	switch {
	case s.calls <= s.n:
		return s.Buffer.Write(p)
	case s.calls > s.n+1:
		s.after++
		return s.Buffer.Write(p)
	}
	n, _ := s.Buffer.Write(p[:len(p)/2])
	return n, s.err
}

// A sink that fails, at whatever call, has failed for good: Close says so,
// nothing more is written, and what was written is not a container.
func TestFailingSink(t *testing.T) {
	plain := plaintext(3*batch + 100)
	for _, workers := range []int{1, 2, 3} {
		for _, cause := range []error{errBroken, nil} {
			want := cause
			if want == nil {
				want = io.ErrShortWrite
			}
			for n := range 6 { // head, four batches, tail
				dst := &faultySink{n: n, err: cause}
				v := new(vault)
				w, err := stream.NewWriter(t.Context(), dst, to(v), &stream.WriterOptions{Workers: workers, Entropy: osMixer()})
				if n == 0 {
					if w != nil || !errors.Is(err, want) {
						t.Errorf("NewWriter with a broken sink: %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				w.Write(plain) // may fail or not, as the sink is reached or not
				if err := w.Close(); !errors.Is(err, want) {
					t.Errorf("%d workers, call %d: Close: %v, want %v", workers, n, err, want)
				}
				for name, err := range useAfter(w) {
					if !errors.Is(err, want) {
						t.Errorf("%d workers, call %d: %s after Close: %v, want %v", workers, n, name, err, want)
					}
				}
				if dst.after > 0 {
					t.Errorf("%d workers, call %d: %d writes after the one that failed", workers, n, dst.after)
				}
				wantUnfinished(t, dst.Bytes(), plain, v)
			}
		}
	}
}

// A keeper keeps the buffers that it gets, until its n-th call, which fails.
type keeper struct {
	kept [][]byte
	n    int
}

func (k *keeper) Write(p []byte) (int, error) {
	_, err := k.Keep(bytes.Clone(p))
	return len(p), err
}

func (k *keeper) Keep(p []byte) ([]byte, error) {
	if len(k.kept) == k.n {
		return p, errBroken
	}
	k.kept = append(k.kept, p)
	return make([]byte, len(p)), nil
}

// What a destination keeps does not change any more, and what it fails with sticks.
func TestKept(t *testing.T) {
	plain := plaintext(9*batch + 100)
	for _, workers := range []int{1, 2, 3} {
		for _, level := range []int{0, 1} {
			for _, n := range []int{1, 2, 5, 1000} { // head, batches, tail
				dst, v := &keeper{n: n}, new(vault)
				w, err := stream.NewWriter(t.Context(), dst, to(v), &stream.WriterOptions{Workers: workers, Level: level, Entropy: osMixer()})
				if err != nil {
					t.Fatal(err)
				}
				w.Write(plain)
				err = w.Close()
				b := bytes.Join(dst.kept, nil)
				if n < len(dst.kept)+1 {
					if !errors.Is(err, errBroken) || !errors.Is(w.Close(), errBroken) {
						t.Errorf("%d workers, level %d, call %d: %v", workers, level, n, err)
					}
					wantUnfinished(t, b, plain, v)
					continue
				}
				if got := ways[0].read(b, v, stream.ReaderOptions{}); err != nil || got.err != nil || !bytes.Equal(got.plain, plain) || w.Size() != int64(len(b)) {
					t.Errorf("%d workers, level %d: %v, %v, %d bytes", workers, level, err, got.err, w.Size())
				}
			}
		}
	}
}

// useAfter is what every call on a Writer that is done returns.
func useAfter(w *stream.Writer) map[string]error {
	_, write := w.Write([]byte("x"))
	_, nothing := w.Write(nil)
	src := &countingReader{r: bytes.NewReader([]byte("x"))}
	_, from := w.ReadFrom(src)
	if src.n > 0 {
		from = errors.New("ReadFrom read")
	}
	return map[string]error{"Write": write, "Write of nothing": nothing, "ReadFrom": from, "Close": w.Close()}
}

// wantUnfinished checks that nobody takes what a failed Writer left for a whole
// container, and that what they give of it was written.
func wantUnfinished(t *testing.T, b, plain []byte, v *vault) {
	t.Helper()
	for _, w := range ways {
		if got := w.read(b, v, stream.ReaderOptions{}); got.err == nil && len(got.warnings) == 0 || !bytes.HasPrefix(plain, got.plain) {
			t.Errorf("%s: %d bytes, %v", w.name, len(got.plain), got.err)
		}
	}
	if rep, err := verify(t, b, v); err == nil && rep.Valid() {
		t.Error("Verify: valid")
	}
}

// The error of a sink shows while there is still something to write.
func TestFailingSinkIsNoticed(t *testing.T) {
	for _, workers := range []int{1, 2} {
		dst := &faultySink{n: 1, err: errBroken}
		w := newWriter(t, dst, new(vault), stream.WriterOptions{Workers: workers})
		src := &countingReader{r: neverEnding{}}
		if n, err := w.ReadFrom(src); !errors.Is(err, errBroken) || n > 16*batch {
			t.Errorf("%d workers: ReadFrom: %d, %v", workers, n, err)
		}
		if err := w.Close(); !errors.Is(err, errBroken) {
			t.Errorf("%d workers: Close: %v", workers, err)
		}
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

// A source that fails inside ReadFrom, at whatever call, fails the Writer.
func TestFailingSource(t *testing.T) {
	plain := plaintext(2*batch + 100)
	for _, workers := range []int{1, 2} {
		for n := range 7 {
			for name, src := range map[string]io.Reader{
				"":           &faultySource{r: bytes.NewReader(plain), n: n, err: errBroken},
				"with bytes": &faultySource{r: bytes.NewReader(plain), n: n, err: errBroken, bytes: true},
				"wrapping EOF": &faultySource{r: bytes.NewReader(plain), n: n,
					err: errors.Join(io.EOF, errBroken)},
			} {
				var dst bytes.Buffer
				v := new(vault)
				w := newWriter(t, &dst, v, stream.WriterOptions{Workers: workers})
				if _, err := w.ReadFrom(src); !errors.Is(err, errBroken) {
					t.Errorf("call %d %s: ReadFrom: %v", n, name, err)
				}
				if err := w.Close(); !errors.Is(err, errBroken) {
					t.Errorf("call %d %s: Close: %v", n, name, err)
				}
				wantUnfinished(t, dst.Bytes(), plain, v)
			}
		}
	}
	for name, c := range map[string]struct {
		src  io.Reader
		want error
	}{
		"unexpected EOF":   {io.MultiReader(bytes.NewReader(plain), iotest.ErrReader(io.ErrUnexpectedEOF)), io.ErrUnexpectedEOF},
		"never gives":      {nothingReader{}, io.ErrNoProgress},
		"gives too much":   {impossibleReader(1), nil},
		"gives too little": {impossibleReader(-1), nil},
	} {
		var dst bytes.Buffer
		v := new(vault)
		w := newWriter(t, &dst, v, stream.WriterOptions{})
		if _, err := w.ReadFrom(c.src); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: ReadFrom: %v", name, err)
		}
		if err := w.Close(); err == nil {
			t.Errorf("%s: Close: %v", name, err)
		}
		wantUnfinished(t, dst.Bytes(), plain, v)
	}
}

// A faultySource fails at its n-th Read, counted from 0; with bytes, if it is
// to. Each Read before gives at most 100,000.
type faultySource struct {
	r        io.Reader
	n, calls int
	err      error
	bytes    bool
}

func (s *faultySource) Read(p []byte) (n int, err error) {
	p = p[:min(len(p), 100_000)]
	if s.calls++; s.calls <= s.n {
		return s.r.Read(p)
	}
	if s.bytes {
		n, _ = s.r.Read(p[:len(p)/2])
	}
	return n, s.err
}

type nothingReader struct{}

func (nothingReader) Read([]byte) (int, error) { return 0, nil }

type impossibleReader int

func (i impossibleReader) Read(p []byte) (int, error) {
	if i < 0 {
		return -1, nil
	}
	return len(p) + 1, nil
}

// Abort at any moment before Close has returned leaves no container.
func TestAbort(t *testing.T) {
	plain := plaintext(2*batch + 100)
	for _, workers := range []int{1, 2} {
		for _, n := range []int{0, 100, batch, len(plain)} {
			for _, cause := range []error{errBroken, nil} {
				want := cause
				if want == nil {
					want = stream.ErrAborted
				}
				var dst bytes.Buffer
				v := new(vault)
				w := newWriter(t, &dst, v, stream.WriterOptions{Workers: workers})
				w.Write(plain[:n])
				w.Abort(cause)
				w.Abort(errors.New("a second one does not count"))
				for name, err := range useAfter(w) {
					if !errors.Is(err, want) {
						t.Errorf("%s after Abort: %v, want %v", name, err, want)
					}
				}
				wantUnfinished(t, dst.Bytes(), plain, v)
			}
		}
	}
	// Also from inside of a write, the last one even.
	for n := range 3 {
		dst := &abortingSink{n: n}
		v := new(vault)
		dst.w = newWriter(t, dst, v, stream.WriterOptions{})
		dst.w.Write([]byte("plaintext"))
		if err := dst.w.Close(); !errors.Is(err, errBroken) && n > 0 {
			t.Errorf("Abort in write %d: Close: %v", n, err)
		}
	}
	// After Close it is too late.
	w := newWriter(t, io.Discard, new(vault), stream.WriterOptions{})
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	w.Abort(errBroken)
	for name, err := range useAfter(w) {
		if !errors.Is(err, stream.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

type abortingSink struct {
	w        *stream.Writer
	n, calls int
}

func (s *abortingSink) Write(p []byte) (int, error) {
	if s.calls == s.n && s.w != nil {
		s.w.Abort(errBroken)
	}
	s.calls++
	return len(p), nil
}

// A blockingSink passes n writes, then waits.
type blockingSink struct {
	n       int
	go_     chan struct{} // closed: go on
	err     error         // what the one that waited returns
	waiting atomic.Bool
}

func (s *blockingSink) Write(p []byte) (int, error) {
	if s.n--; s.n >= 0 {
		return len(p), nil
	}
	s.waiting.Store(true)
	<-s.go_
	if s.err != nil {
		return 0, s.err
	}
	return len(p), nil
}

// Abort, and the end of the context, free a Writer that waits for its sink, but
// Close gives the sink back only when it is not in use.
func TestAbortWhileSinkBlocks(t *testing.T) {
	for name, stop := range map[string]func(*stream.Writer, context.CancelCauseFunc){
		"Abort":   func(w *stream.Writer, _ context.CancelCauseFunc) { w.Abort(errBroken) },
		"context": func(_ *stream.Writer, cancel context.CancelCauseFunc) { cancel(errBroken) },
	} {
		for _, workers := range []int{2, 8} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					dst := &blockingSink{n: 1, go_: make(chan struct{})}
					w, err := stream.NewWriter(ctx, dst, to(new(vault)), &stream.WriterOptions{Workers: workers, Entropy: osMixer()})
					if err != nil {
						t.Fatal(err)
					}
					wrote := make(chan error, 1)
					closed := make(chan error, 1)
					go func() {
						_, err := w.ReadFrom(neverEnding{})
						wrote <- err
						closed <- w.Close()
					}()
					synctest.Wait()
					if !dst.waiting.Load() || len(wrote) > 0 {
						t.Fatal("the Writer does not wait for its sink")
					}
					stop(w, cancel)
					synctest.Wait()
					if len(wrote) == 0 {
						t.Fatal("ReadFrom still waits")
					}
					if err := <-wrote; !errors.Is(err, errBroken) {
						t.Errorf("ReadFrom: %v", err)
					}
					if len(closed) > 0 {
						t.Error("Close returned while the sink was in use")
					}
					close(dst.go_)
					if err := <-closed; !errors.Is(err, errBroken) {
						t.Errorf("Close: %v", err)
					}
				})
			})
		}
	}
}

// A Write that waits in the sink itself, as all do with one worker, ends with
// the sink; then the abort shows.
func TestAbortWhileSinkBlocksOneWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dst := &blockingSink{n: 1, go_: make(chan struct{})}
		w := newWriter(t, dst, new(vault), stream.WriterOptions{Workers: 1})
		go func() {
			synctest.Wait()
			w.Abort(errBroken)
			close(dst.go_)
		}()
		if _, err := w.Write(make([]byte, batch)); !errors.Is(err, errBroken) {
			t.Errorf("Write: %v", err)
		}
		if err := w.Close(); !errors.Is(err, errBroken) {
			t.Errorf("Close: %v", err)
		}
	})
}

// A source that blocks is not interrupted, but nothing comes of what it gives.
func TestAbortWhileSourceBlocks(t *testing.T) {
	for _, workers := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var dst bytes.Buffer
			v := new(vault)
			w, err := stream.NewWriter(ctx, &dst, to(v), &stream.WriterOptions{Workers: workers, Entropy: osMixer()})
			if err != nil {
				t.Fatal(err)
			}
			src, feed := io.Pipe()
			go func() {
				feed.Write(make([]byte, batch+1))
				synctest.Wait()
				cancel(errBroken)
				synctest.Wait()
				feed.Close()
			}()
			if _, err := w.ReadFrom(src); !errors.Is(err, errBroken) {
				t.Errorf("ReadFrom: %v", err)
			}
			if err := w.Close(); !errors.Is(err, errBroken) {
				t.Errorf("Close: %v", err)
			}
			wantUnfinished(t, dst.Bytes(), make([]byte, batch+1), v)
		})
	}
}

// A context that has ended before anything began is noticed at once.
func TestWriterCancelledBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errBroken)
		w, err := stream.NewWriter(ctx, io.Discard, to(new(vault)), &stream.WriterOptions{Entropy: osMixer()})
		if err == nil {
			synctest.Wait()
			_, err = w.Write([]byte("x"))
			if cerr := w.Close(); !errors.Is(cerr, errBroken) {
				t.Errorf("Close: %v", cerr)
			}
		}
		if !errors.Is(err, errBroken) {
			t.Error(err)
		}
	})
}

// The end of the context after Close is nobody's business.
func TestWriterCancelledAfter(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var dst bytes.Buffer
	v := new(vault)
	w, err := stream.NewWriter(ctx, &dst, to(v), &stream.WriterOptions{Entropy: osMixer()})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := w.Close(); !errors.Is(err, stream.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	wantPlain(t, dst.Bytes(), nil, v, stream.ReaderOptions{}, fewWays)
}

// What cannot become a container is refused before anything is written.
func TestNewWriterRefuses(t *testing.T) {
	hpke := bodyOf{format.SlotHPKE, make([]byte, format.HPKEBodySize)}
	classical := bodyOf{format.SlotAge, slices.Concat([]byte("age-encryption.org/v1\n-> X25519 abc\n"), make([]byte, 64))}
	errFull := errors.New("a *HeadFullError that says by how much")
	many := slices.Repeat([]stream.Recipient{new(vault)}, format.MaxSlots+1)
	for name, c := range map[string]struct {
		to   []stream.Recipient
		opts stream.WriterOptions
		want error
	}{
		"no recipients":        {nil, stream.WriterOptions{}, nil},
		"too many":             {many, stream.WriterOptions{}, errFull},
		"negative reserve":     {to(new(vault)), stream.WriterOptions{Reserve: -1}, nil},
		"huge reserve":         {to(new(vault)), stream.WriterOptions{Reserve: format.MaxSlots + 1}, nil},
		"unknown suite":        {to(new(vault)), stream.WriterOptions{Suite: 3}, format.ErrUnsupported},
		"failing recipient":    {[]stream.Recipient{new(vault), &vault{fail: errBroken}}, stream.WriterOptions{}, errBroken},
		"malformed slot":       {to(bodyOf{format.SlotKEK, []byte("short")}), stream.WriterOptions{}, format.ErrMalformed},
		"slots beyond a head":  {slices.Repeat(to(bodyOf{0x7001, make([]byte, 60_000)}), 5), stream.WriterOptions{}, errFull},
		"longer than promised": {to(liar{bodyOf{0x7001, make([]byte, 10_000)}}), stream.WriterOptions{}, errFull},
		"mixed classes":        {[]stream.Recipient{hpke, classical}, stream.WriterOptions{}, format.ErrMixedClasses},
	} {
		dst := &faultySink{}
		c.opts.Entropy = osMixer()
		w, err := stream.NewWriter(t.Context(), dst, c.to, &c.opts)
		if full, ok := errors.AsType[*stream.HeadFullError](err); ok && (full.Need > full.Room || full.Slots > format.MaxSlots) {
			err = errFull
		}
		if w != nil || err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if dst.calls > 0 {
			t.Errorf("%s: %d bytes were written", name, dst.Len())
		}
	}
	// What is only not advised can be had.
	w, err := stream.NewWriter(t.Context(), io.Discard, []stream.Recipient{hpke, classical}, &stream.WriterOptions{AllowClassical: true})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	w, err = stream.NewWriter(t.Context(), io.Discard, many[1:], nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
}

// A liar's slots are longer than it said.
type liar struct{ bodyOf }

func (liar) BodySize() int { return 0 }
