package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bulla/internal/storage"
	"bulla/internal/storage/object"
)

const size = 3<<20 + 5

var content = bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]

// serve starts a server whose answers to GET, from the second on, are made by handle.
func serve(t *testing.T, handle http.HandlerFunc) (*Store, *object.Client, string) {
	t.Helper()
	var n atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && n.Add(1) > 1 && handle != nil {
			handle(w, r)
			return
		}
		good(w, r)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	c := &object.Client{Patience: object.Patience{Tries: 3, Wait: time.Millisecond, MaxWait: 2 * time.Second}}
	s := New(c)
	s.http.Transport.(*http.Transport).TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig
	t.Cleanup(s.http.CloseIdleConnections)
	return s, c, "https://user:secret@" + strings.TrimPrefix(srv.URL, "https://") + "/x.bulla?sig=secret"
}

func good(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"one"`)
	http.ServeContent(w, r, "x", time.Unix(1e9, 0), bytes.NewReader(content))
}

// drop closes the connection, with a reset if hard.
func drop(w http.ResponseWriter, hard bool) {
	conn, _, _ := http.NewResponseController(w).Hijack()
	if tc, ok := conn.(*tls.Conn); ok && hard {
		tc.NetConn().(*net.TCPConn).SetLinger(0)
		tc.NetConn().Close()
	}
	conn.Close()
}

// part answers with a range, of which it sends only the beginning, and then does more.
func part(w http.ResponseWriter, r *http.Request, n int, more func()) {
	var off, last int
	fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &off, &last)
	w.Header().Set("ETag", `"one"`)
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, last, size))
	w.Header().Set("Content-Length", fmt.Sprint(last-off+1))
	w.WriteHeader(http.StatusPartialContent)
	w.Write(content[off:min(off+n, last+1)])
	w.(http.Flusher).Flush()
	more()
}

// TestFaults has everything that goes wrong with reading: what comes of it, and how often
// it is tried (three times at most). Zero stands for success after a fault that passes.
func TestFaults(t *testing.T) {
	status := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(n) }
	}
	hang := func(r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	}
	for name, test := range map[string]struct {
		fault    http.HandlerFunc
		kind     storage.Kind
		requests int64 // beside the first
	}{
		"403":    {status(403), storage.Denied, 1},
		"404":    {status(404), storage.NotFound, 1},
		"412":    {status(412), storage.Changed, 1},
		"416":    {status(416), storage.Shrunk, 1},
		"418":    {status(418), storage.Refused, 1},
		"429":    {status(429), storage.Unavailable, 3},
		"500":    {status(500), storage.Unavailable, 3},
		"503":    {status(503), storage.Unavailable, 3},
		"reset":  {func(w http.ResponseWriter, r *http.Request) { drop(w, true) }, storage.Unavailable, 3},
		"closed": {func(w http.ResponseWriter, r *http.Request) { drop(w, false) }, storage.Unavailable, 3},
		"short body": {func(w http.ResponseWriter, r *http.Request) {
			part(w, r, 100, func() { drop(w, true) })
		}, storage.Unavailable, 3},
		"stalled body": {func(w http.ResponseWriter, r *http.Request) { part(w, r, 100, func() { hang(r) }) }, storage.Unavailable, 3},
		"silent":       {func(w http.ResponseWriter, r *http.Request) { hang(r) }, storage.Unavailable, 3},
		"slow": {func(w http.ResponseWriter, r *http.Request) {
			part(w, r, 1, func() {
				for i := range 20 {
					time.Sleep(20 * time.Millisecond)
					w.Write(content[i : i+1])
					w.(http.Flusher).Flush()
				}
				drop(w, false)
			})
		}, storage.Unavailable, 3},
		"another range": {func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=7-100")
			good(w, r)
		}, storage.Unavailable, 3},
		"no range any more": {func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			good(w, r)
		}, storage.Refused, 1},
		"changed ETag": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"two"`)
			r.Header.Del("If-Match")
			http.ServeContent(w, r, "x", time.Unix(1e9, 0), bytes.NewReader(content))
		}, storage.Changed, 1},
		"no ETag any more": {func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-Match")
			http.ServeContent(w, r, "x", time.Unix(1e9, 0), bytes.NewReader(content))
		}, storage.Changed, 1},
		"other length": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"one"`)
			http.ServeContent(w, r, "x", time.Unix(1e9, 0), bytes.NewReader(content[:2<<20]))
		}, storage.Changed, 1},
		"other coding": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			good(w, r)
		}, storage.Refused, 1},
		"redirected to http": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/x", http.StatusFound)
		}, storage.Unavailable, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hangs := name == "silent" || name == "stalled body"
			s, c, name := serve(t, test.fault)
			o, err := s.Open(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			if hangs { // the others may take their time
				c.Silence = 200 * time.Millisecond
			}
			_, err = o.At().ReadAt(make([]byte, 10<<10), 1<<20)
			e, ok := errors.AsType[*storage.Error](err)
			if !ok || e.Kind != test.kind {
				t.Errorf("got %v, want %v", err, test.kind)
			} else if strings.Contains(e.Error(), "secret") {
				t.Errorf("it tells a secret: %v", e)
			}
			if n := c.Requests.Load() - 1; n != test.requests || c.Retries.Load() != n-1 {
				t.Errorf("%d requests, %d retries", n, c.Retries.Load())
			}
		})
	}
}

// What passes is got over, and the store's word on how long to wait is heeded.
func TestFaultsPass(t *testing.T) {
	var n atomic.Int64
	began := time.Now()
	s, c, name := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
		case 2:
			part(w, r, 70<<10, func() { drop(w, true) })
		case 3:
			drop(w, true)
		default:
			good(w, r)
		}
	})
	o, err := s.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	got := make([]byte, 200<<10)
	if _, err := o.At().ReadAt(got, 1<<20); err != nil || !bytes.Equal(got, content[1<<20:][:200<<10]) {
		t.Error(err)
	}
	if time.Since(began) < time.Second {
		t.Error("Retry-After was not heeded")
	}
	if n := c.Retries.Load(); n != 3 {
		t.Errorf("%d retries", n)
	}
}

// What a server is told of what is asked for.
func TestRequest(t *testing.T) {
	s, _, name := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("If-Match"); got != `"one"` {
			t.Errorf("If-Match: %s", got)
		}
		if user, pass, _ := r.BasicAuth(); user != "user" || pass != "secret" || r.URL.RawQuery != "sig=secret" {
			t.Errorf("%s %s %v", user, pass, r.URL)
		}
		good(w, r)
	})
	o, err := s.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	got, err := io.ReadAll(o.Stream())
	if err != nil || !bytes.Equal(got, content) || o.Size() != size {
		t.Error(len(got), o.Size(), err)
	}
	if err := o.Recheck(); err != nil {
		t.Error(err)
	}
}

// Who is redirected to is not told from where: the URL may have a signature in it.
func TestRedirected(t *testing.T) {
	s, _, name := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x.bulla" {
			http.Redirect(w, r, "https://"+r.Host+"/elsewhere", http.StatusFound)
			return
		}
		if v := r.Header.Get("Referer"); v != "" {
			t.Errorf("Referer: %s", v)
		}
		good(w, r)
	})
	o, err := s.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := o.At().ReadAt(make([]byte, 10), 1<<20); err != nil {
		t.Error(err)
	}
}

// Opening fails as reading does, and never says what is secret.
func TestOpenFails(t *testing.T) {
	s, c, name := serve(t, nil)
	s.http.Transport.(*http.Transport).TLSClientConfig = nil // does not know the certificate
	var warned string
	c.Warn = func(what, _ string) { warned = what }
	for name, kind := range map[string]storage.Kind{
		name:                             storage.Untrusted,
		"https://":                       storage.BadURL,
		"https:///path":                  storage.BadURL,
		"https://127.0.0.1:1/x?secret":   storage.Unavailable,
		"https://no.such.invalid/secret": storage.Unavailable,
	} {
		_, err := s.Open(t.Context(), name)
		e, ok := errors.AsType[*storage.Error](err)
		if !ok || e.Kind != kind {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(e.Error(), "secret") && !strings.Contains(name, "/secret") {
			t.Errorf("it tells a secret: %v", e)
		}
	}
	if _, err := s.Plan(t.Context(), name, storage.Options{}); !errors.Is(err, storage.ReadOnly) {
		t.Error(err)
	}
	if warned != "" {
		t.Error(warned)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	if _, err := s.Open(ctx, name); err != why {
		t.Error(err)
	}
}

// Without ETag, time and size must be the same, which is warned of; without ranges a server
// is of no use.
func TestPlainServers(t *testing.T) {
	at := time.Unix(1e9, 0)
	ranges := true
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ranges {
			r.Header.Del("Range")
		}
		http.ServeContent(w, r, "x", at, bytes.NewReader(content))
	}))
	defer srv.Close()
	c := &object.Client{}
	s := New(c)
	s.http = srv.Client()
	warned := 0
	c.Warn = func(string, string) { warned++ }
	o, err := s.Open(t.Context(), srv.URL)
	if err != nil || warned != 1 || o.At() == nil {
		t.Fatal(err, warned)
	}
	if _, err := o.At().ReadAt(make([]byte, 10), 1<<20); err != nil {
		t.Error(err)
	}
	at = at.Add(time.Second)
	if _, err := o.At().ReadAt(make([]byte, 10), 2<<20); !errors.Is(err, storage.Changed) {
		t.Error(err)
	}
	o.Close()

	ranges = false
	if _, err = s.Open(t.Context(), srv.URL); !errors.Is(err, storage.Refused) {
		t.Error(err)
	}
}
