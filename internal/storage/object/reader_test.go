package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"bulla/internal/storage"
)

// A thing is an object in memory, and what its server does wrong.
type thing struct {
	content  []byte
	etag     string
	sizeless bool                                                 // Stat does not say how large it is
	fault    func(request int, body io.Reader) (io.Reader, error) // nil: none

	mu       sync.Mutex
	requests int
	now      atomic.Int64
	most     int64 // requests at the same time
}

func (s *thing) Get(_ context.Context, off, n int64, of *Info) (io.ReadCloser, *Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if off >= int64(len(s.content)) {
		return nil, nil, StatusFailure("thing", 416, nil, "", "")
	}
	var body io.Reader = bytes.NewReader(s.content[off:min(off+n, int64(len(s.content)))])
	if s.fault != nil {
		var err error
		if body, err = s.fault(s.requests, body); err != nil {
			return nil, nil, err
		}
	}
	s.most = max(s.most, s.now.Add(1))
	return &closing{body, func() { s.now.Add(-1) }}, s.info(), nil
}

func (s *thing) info() *Info { return &Info{Size: int64(len(s.content)), ETag: s.etag} }

func (s *thing) Stat(context.Context) (*Info, error) {
	i := s.info()
	if s.sizeless {
		i.Size = -1
	}
	return i, nil
}

type closing struct {
	io.Reader
	close func()
}

func (c *closing) Close() error { c.close(); return nil }

var quick = Patience{Tries: 3, Wait: time.Millisecond, Silence: 100 * time.Millisecond}

func open(t *testing.T, s *thing) (*Reader, *Client) {
	t.Helper()
	c := &Client{Patience: quick}
	r, err := c.Open(t.Context(), "s3://b/thing", s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, c
}

func content(n int) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(1)).Read(b)
	return b
}

// Every range reads as what is there, in order, at random, announced and not, by many at
// once, while the answers break off.
func TestReader(t *testing.T) {
	const size = 30 << 20
	s := &thing{content: content(size), etag: `"1"`}
	s.fault = func(n int, body io.Reader) (io.Reader, error) {
		if n%3 == 0 {
			return io.LimitReader(body, 100<<10), nil // enough to have got somewhere
		}
		return body, nil
	}
	r, _ := open(t, s)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			rnd := rand.New(rand.NewSource(int64(i)))
			for range 30 {
				off, n := rnd.Int63n(size), rnd.Int63n(1<<uint(10+rnd.Intn(12)))
				if i%2 == 0 {
					r.ReadAhead(off, n)
				}
				b := make([]byte, n)
				k, err := r.ReadAt(b, off)
				if want := min(n, size-off); int64(k) != want || (err == nil) != (k == len(b)) || err != nil && err != io.EOF {
					t.Errorf("%d bytes from %d on: %d, %v", n, off, k, err)
				}
				if !bytes.Equal(b[:k], s.content[off:off+int64(k)]) {
					t.Errorf("%d bytes from %d on are others", n, off)
				}
			}
		})
	}
	all.Wait()
	got, err := io.ReadAll(r.Stream())
	if err != nil || !bytes.Equal(got, s.content) {
		t.Error(len(got), err)
	}
	if n := len(r.pieces); n > maxKept+2*ahead {
		t.Errorf("%d pieces are kept", n)
	}
}

// How many requests reading takes, how much of it is for nothing, and that several are
// under way at the same time.
func TestReaderRequests(t *testing.T) {
	const size = 64 << 20
	for name, test := range map[string]struct {
		read               func(r *Reader)
		requests, received int64
		most               int64
	}{
		"one small": {func(r *Reader) { r.ReadAt(make([]byte, 100), 20<<20) }, 2, 128 << 10, 1},
		"head and end": {func(r *Reader) {
			r.ReadAt(make([]byte, 4096), 0)
			r.ReadAt(make([]byte, 4096), size-4096)
			r.ReadAt(make([]byte, 65552), size-4096-65552)
		}, 2, 192 << 10, 1},
		"1 MiB announced": {func(r *Reader) {
			r.ReadAhead(10<<20+5, 1<<20)
			for i := range int64(4) {
				r.ReadAt(make([]byte, 256<<10), 10<<20+5+i<<18)
			}
		}, 2, 1<<20 + 64<<10, 1},
		"in order":  {func(r *Reader) { io.Copy(io.Discard, io.NewSectionReader(r, 0, size)) }, 24, size, guessed},
		"announced": {func(r *Reader) { io.Copy(io.Discard, r.Stream()) }, 20, size + 64<<10, ahead},
		"each 20 KiB a little": {func(r *Reader) {
			for off := int64(0); off < 20<<20; off += 20 << 10 {
				r.ReadAt(make([]byte, 512), off)
			}
		}, 20, 20<<20 + guessed*maxPiece + maxPiece, 2},
	} {
		synctest.Test(t, func(t *testing.T) { // where it takes time all that is under way has begun
			s := &thing{content: make([]byte, size), etag: `"1"`}
			s.fault = func(_ int, body io.Reader) (io.Reader, error) {
				return iotest.DataErrReader(&slow{body}), nil
			}
			r, c := open(t, s)
			test.read(r)
			time.Sleep(time.Second) // requests made ahead go on
			if n := c.Requests.Load(); n > test.requests {
				t.Errorf("%s: %d requests", name, n)
			}
			if n := c.Received.Load(); n > test.received {
				t.Errorf("%s: %d bytes received", name, n)
			}
			if s.most < test.most {
				t.Errorf("%s: %d requests at the same time", name, s.most)
			}
		})
	}
}

type slow struct{ io.Reader }

func (s *slow) Read(p []byte) (int, error) {
	time.Sleep(time.Microsecond)
	p = p[:min(len(p), 1<<20)]
	return s.Reader.Read(p)
}

// An object that changes while it is read is an error of that kind, whatever else the
// server says; one that is gone on with where it broke is not asked for again from the
// beginning.
func TestReaderChanged(t *testing.T) {
	for name, change := range map[string]func(s *thing){
		"other ETag": func(s *thing) { s.etag = `"2"` },
		"no ETag":    func(s *thing) { s.etag = "" },
		"longer":     func(s *thing) { s.content = append(s.content, 1) },
	} {
		s := &thing{content: content(1 << 20), etag: `"1"`}
		r, _ := open(t, s)
		s.mu.Lock()
		change(s)
		s.mu.Unlock()
		if _, err := r.ReadAt(make([]byte, 10), 500<<10); !errors.Is(err, storage.Changed) {
			t.Errorf("%s: %v", name, err)
		}
		if err := r.Recheck(); !errors.Is(err, storage.Changed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReaderResumes(t *testing.T) {
	s := &thing{content: content(10 << 20), etag: `"1"`}
	s.fault = func(n int, body io.Reader) (io.Reader, error) {
		if n < 2 {
			return body, nil
		}
		return io.LimitReader(body, 300<<10), nil
	}
	r, c := open(t, s)
	got := make([]byte, 2<<20)
	r.ReadAhead(5<<20, 2<<20)
	if _, err := r.ReadAt(got, 5<<20); err != nil || !bytes.Equal(got, s.content[5<<20:7<<20]) {
		t.Error(err)
	}
	if n := c.Received.Load(); n != 2<<20+minPiece {
		t.Errorf("%d bytes received", n)
	}
	s.fault = func(n int, body io.Reader) (io.Reader, error) { return io.LimitReader(body, 1<<10), nil }
	if _, err := r.ReadAt(got, 1<<20); !errors.Is(err, storage.Unavailable) {
		t.Errorf("what gives too little for ever: %v", err)
	}
}

func TestReaderEmpty(t *testing.T) {
	r, _ := open(t, &thing{etag: `"1"`})
	if n, err := r.ReadAt(make([]byte, 1), 0); n != 0 || err != io.EOF || r.Size() != 0 {
		t.Error(n, err, r.Size())
	}
}

// A context's end ends everything, with its cause.
func TestReaderContext(t *testing.T) {
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	s := &thing{content: content(1 << 20), etag: `"1"`}
	c := &Client{}
	r, err := c.Open(ctx, "s3://b/x", s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s.fault = func(int, io.Reader) (io.Reader, error) {
		cancel(why)
		return nil, errors.New("reset")
	}
	if _, err := r.ReadAt(make([]byte, 1), 500<<10); err != why {
		t.Error(err)
	}
}

func TestRange(t *testing.T) {
	for header, want := range map[string]string{
		"bytes 5-9/10":                    "10 true",
		"bytes 5-9/123":                   "123 true",
		"bytes 0-9/123":                   "0 false",
		"bytes 5-9/*":                     "0 false",
		"bytes */10":                      "0 false",
		"":                                "0 false",
		"bytes 5-12/4":                    "0 false",
		"bytes -5-12/10":                  "0 false",
		"bytes 5-9/999999999999999999999": "0 false",
	} {
		size, err := Range(header, 5)
		if got := fmt.Sprint(size, err == nil); got != want {
			t.Errorf("%q: %s", header, got)
		}
	}
}

// A server that does not say the size again has not changed the object by that.
func TestRecheckSizeless(t *testing.T) {
	s := &thing{content: content(10), etag: `"1"`, sizeless: true}
	r, _ := open(t, s)
	if err := r.Recheck(); err != nil {
		t.Error(err)
	}
	if s.etag = `"2"`; !errors.Is(r.Recheck(), storage.Changed) {
		t.Error("a change was not noticed")
	}
}
