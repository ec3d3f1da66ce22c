package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bulla/internal/storage"
	"bulla/internal/storage/object"
	"bulla/internal/storage/s3"
	"bulla/internal/storage/s3/s3test"
)

type answer = func(w http.ResponseWriter, r *http.Request, next http.Handler)

// A setting is a real server, a proxy that does what a test wants, and who goes by it.
type setting struct {
	*s3test.Server
	t      *testing.T
	store  *s3.Store
	client *object.Client
	run    *storage.Run
	do     atomic.Pointer[answer] // nil: nothing but what the server does

	mu     sync.Mutex
	warned []string
}

func set(t *testing.T, args ...string) *setting {
	return around(t, s3test.Start(t, args...))
}

// around is the setting of a server that runs.
func around(t *testing.T, server *s3test.Server) *setting {
	s := &setting{Server: server, t: t}
	url := s.Proxy(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if do := s.do.Load(); do != nil {
			(*do)(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
	for _, v := range s3test.Env(url) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	s.again()
	return s
}

// again is another run.
func (s *setting) again() {
	s.client = &object.Client{Patience: object.Patience{Tries: 3, Wait: time.Millisecond}}
	s.client.Warn = func(what, _ string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.warned = append(s.warned, what)
	}
	s.store = s3.New(s.client)
	s.run = &storage.Run{Stores: map[string]storage.Store{"s3": s.store}}
}

func (s *setting) answer(do answer) { s.do.Store(&do) }

const name = "s3://bucket/x"

// big is more than one part.
const big = 18 << 20

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>12 ^ i*7)
	}
	return b
}

// renew is another run, with a store that keeps its word and has before as the object.
func (s *setting) renew(t *testing.T, before []byte) {
	t.Helper()
	s.do.Store(nil)
	s.again()
	s.store.Profile = &object.Honest
	if err := s.write(before, storage.Options{Force: true}); err != nil {
		t.Fatal(err)
	}
	s.client.Sent.Store(0)
}

func (s *setting) write(b []byte, opts storage.Options) error {
	p, err := s.run.Create(name, opts)
	if err == nil {
		_, err = p.Write(b)
		if err == nil {
			err = p.Commit()
		}
		p.Abort()
	}
	return err
}

// wants checks that the object has that content, or if it is nil that there is none, and
// that no upload is left.
func (s *setting) wants(want []byte) {
	s.t.Helper()
	s.do.Store(nil)
	got, err := os.ReadFile(filepath.Join(s.Dir, "bucket", "x"))
	if want == nil && err == nil || want != nil && !bytes.Equal(got, want) {
		s.t.Errorf("the object has %d bytes, %v", len(got), err)
	}
	if left, err := s.store.Uploads(s.t.Context(), name); len(left) > 0 || err != nil {
		s.t.Errorf("uploads are left: %v, %v", left, err)
	}
	for _, u := range must(s.store.Uploads(s.t.Context(), name)) {
		s.store.AbortUpload(s.t.Context(), u)
	}
	os.Remove(filepath.Join(s.Dir, "bucket", "x"))
}

func must[T any](v T, _ error) T { return v }

// isCall reports whether a request is one of these.
func isCall(r *http.Request, call string) bool {
	q := r.URL.Query()
	switch call {
	case "put":
		return r.Method == http.MethodPut && !q.Has("partNumber")
	case "begin":
		return r.Method == http.MethodPost && q.Has("uploads")
	case "part":
		return r.Method == http.MethodPut && q.Has("partNumber") && r.Header.Get("X-Amz-Copy-Source") == ""
	case "copy":
		return r.Header.Get("X-Amz-Copy-Source") != ""
	case "complete":
		return r.Method == http.MethodPost && q.Has("uploadId")
	case "get", "head":
		return r.Method == strings.ToUpper(call)
	}
	return false
}

func refuse(status int, code string) answer {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		io.Copy(io.Discard, r.Body)
		if status == 503 {
			w.Header().Set("Retry-After", "0")
		}
		s3test.Refuse(w, status, code)
	}
}

func reset(w http.ResponseWriter, _ *http.Request, _ http.Handler) { s3test.Reset(w) }

func hang(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	io.Copy(io.Discard, r.Body)
	select {
	case <-r.Context().Done():
	case <-time.After(time.Minute):
	}
}

// impatient has what hangs given up soon.
func (s *setting) impatient() { s.client.Silence, s.client.Attempt = time.Second, 2*time.Second }

// TestFaults has everything that goes wrong with writing: what comes of it, and how often
// it is tried (three times at most). Nothing is left of what fails, and no upload.
func TestFaults(t *testing.T) {
	s := set(t)
	for _, test := range []struct {
		call   string
		name   string
		fault  answer
		kind   storage.Kind
		calls  int64
		passes bool // the second time; then it succeeds
	}{
		{"put", "403", refuse(403, "AccessDenied"), storage.Denied, 1, false},
		{"put", "404", refuse(404, "NoSuchBucket"), storage.NotFound, 1, false},
		{"put", "412", refuse(412, "PreconditionFailed"), storage.Exists, 1, false},
		{"put", "429", refuse(429, "TooManyRequests"), storage.Unavailable, 3, true},
		{"put", "500", refuse(500, "InternalError"), storage.Unavailable, 3, true},
		{"put", "503", refuse(503, "SlowDown"), storage.Unavailable, 3, true},
		{"put", "reset", reset, storage.Unavailable, 3, true},
		{"put", "silent", hang, storage.Unavailable, 3, false},
		{"put", "expired", refuse(400, "ExpiredToken"), storage.Expired, 3, true},
		{"put", "skewed", refuse(403, "RequestTimeTooSkewed"), storage.Skewed, 3, true},
		{"put", "bad digest", refuse(400, "BadDigest"), storage.Unavailable, 3, true},
		{"put", "400", refuse(400, "InvalidArgument"), storage.Refused, 1, false},
		{"put", "lost answer", s3test.Swallow, 0, 2, false},
		{"begin", "403", refuse(403, "AccessDenied"), storage.Denied, 1, false},
		{"begin", "500", refuse(500, "InternalError"), storage.Unavailable, 3, true},
		{"begin", "reset", reset, storage.Unavailable, 3, true},
		{"part", "403", refuse(403, "AccessDenied"), storage.Denied, -1, false},
		{"part", "404", refuse(404, "NoSuchUpload"), storage.NotFound, -1, false},
		{"part", "500", refuse(500, "InternalError"), storage.Unavailable, -1, true},
		{"part", "reset", reset, storage.Unavailable, -1, true},
		{"part", "silent", hang, storage.Unavailable, -1, true},
		{"part", "no ETag", func(w http.ResponseWriter, r *http.Request, _ http.Handler) { io.Copy(io.Discard, r.Body) }, storage.Unavailable, -1, true},
		{"complete", "403", refuse(403, "AccessDenied"), storage.Denied, 1, false},
		{"complete", "412", refuse(412, "PreconditionFailed"), storage.Exists, 1, false},
		{"complete", "409", refuse(409, "ConditionalRequestConflict"), storage.Exists, 1, false},
		{"complete", "404", refuse(404, "NoSuchUpload"), storage.Lost, 1, false},
		{"complete", "500", refuse(500, "InternalError"), storage.Unavailable, 3, true},
		{"complete", "200 with an error", refuse(200, "InternalError"), storage.Unavailable, 3, true},
		{"complete", "reset", reset, storage.Unavailable, 3, true},
		{"complete", "lost answer", s3test.Swallow, 0, 3, false},
		{"head", "403", refuse(403, ""), 0, -1, false}, // who may only write is not told what there is
	} {
		for _, passes := range []bool{false, true} {
			if passes && (!test.passes || testing.Short() && test.call != "put") {
				continue
			}
			t.Run(fmt.Sprint(test.call, "/", test.name, "/", passes), func(t *testing.T) {
				s.t = t
				s.again()
				s.store.Profile = &object.Honest
				if test.name == "silent" {
					s.impatient()
				}
				want := content(1000)
				if test.call != "put" && test.call != "head" {
					want = content(big)
				}
				var calls atomic.Int64
				s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					if isCall(r, test.call) && (calls.Add(1) == 1 || !passes) {
						test.fault(w, r, next)
						return
					}
					next.ServeHTTP(w, r)
				})
				err := s.write(want, storage.Options{})
				if test.kind == 0 || passes {
					if err != nil {
						t.Error(err)
					}
					s.wants(want)
					return
				}
				if e, ok := errors.AsType[*storage.Error](err); !ok || e.Kind != test.kind {
					t.Errorf("got %v, want %v", err, test.kind)
				}
				if n := calls.Load(); test.calls > 0 && n != test.calls {
					t.Errorf("%d calls, want %d", n, test.calls)
				}
				s.wants(nil)
			})
		}
	}
}

// Everything that goes wrong with reading, as far as S3 says it in its own way. The rest is
// in the tests of packages object and web.
func TestReadFaults(t *testing.T) {
	s := set(t)
	want := content(3 << 20)
	for _, test := range []struct {
		name  string
		fault answer
		kind  storage.Kind
		calls int64
	}{
		{"403", refuse(403, "AccessDenied"), storage.Denied, 1},
		{"404", refuse(404, "NoSuchKey"), storage.NotFound, 1},
		{"412", refuse(412, "PreconditionFailed"), storage.Changed, 1},
		{"416", refuse(416, "InvalidRange"), storage.Shrunk, 1},
		{"429", refuse(429, "SlowDown"), storage.Unavailable, 3},
		{"503", refuse(503, "SlowDown"), storage.Unavailable, 3},
		{"reset", reset, storage.Unavailable, 3},
		{"silent", hang, storage.Unavailable, 3},
		{"expired", refuse(400, "ExpiredToken"), storage.Expired, 3},
		{"skewed", refuse(403, "RequestTimeTooSkewed"), storage.Skewed, 3},
		{"no range", func(w http.ResponseWriter, r *http.Request, _ http.Handler) { w.Write(make([]byte, 10)) }, storage.Unavailable, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.t = t
			s.again()
			if err := s.write(want, storage.Options{Force: true}); err != nil {
				t.Fatal(err)
			}
			b, err := s.run.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			var calls atomic.Int64
			s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				calls.Add(1)
				test.fault(w, r, next)
			})
			if test.name == "silent" {
				s.impatient()
			}
			_, err = b.At().ReadAt(make([]byte, 100), 1<<20)
			if e, ok := errors.AsType[*storage.Error](err); !ok || e.Kind != test.kind {
				t.Errorf("got %v, want %v", err, test.kind)
			}
			if n := calls.Load(); n < test.calls || n > test.calls+1 { // net/http tries once more on a connection that was in use
				t.Errorf("%d calls, want %d", n, test.calls)
			}
			s.wants(want)
		})
	}
}

// A part that the store refuses ends the write, whatever else is under way, and the error
// says how many it takes. With that number given it fits, or is refused from the start.
func TestPartLimit(t *testing.T) {
	s := set(t, "--mp-max-parts", "3")
	s.client.Tries = 40 // some refusals end the connection, and are not seen
	err := s.write(content(100<<20), storage.Options{})
	if !errors.Is(err, storage.PartRefused) || !strings.Contains(err.Error(), "it takes 3 parts") {
		t.Error(err)
	}
	s.wants(nil)
	s.store.MaxParts = 3
	want := content(100 << 20)
	if err := s.write(want, storage.Options{}); err != nil {
		t.Error(err)
	}
	if len(s.warned) != 1 || !strings.Contains(s.warned[0], "no more than 117440512 bytes in 3 parts") {
		t.Errorf("%q", s.warned)
	}
	s.wants(want)
	if err := s.write(content(120<<20), storage.Options{}); !errors.Is(err, storage.TooLarge) {
		t.Error(err)
	}
	s.wants(nil)
	if err := s.write(want, storage.Options{Size: 400 << 20}); err != nil { // known beforehand, the parts are larger
		t.Error(err)
	}
	s.wants(want)
	if _, err := s.run.Create(name, storage.Options{Size: 100 << 40}); !errors.Is(err, storage.TooLarge) {
		t.Error(err)
	}
}

// An upload ends with its run's context, and leaves nothing.
func TestInterrupted(t *testing.T) {
	s := set(t)
	for _, call := range []string{"begin", "part", "complete"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		s.run.Context = ctx
		why := errors.New("why")
		s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if isCall(r, call) {
				cancel(why)
				if call == "complete" {
					hang(w, r, next)
				}
			}
			next.ServeHTTP(w, r)
		})
		if err := s.write(content(big), storage.Options{}); err == nil || !strings.Contains(err.Error(), why.Error()) {
			t.Errorf("%s: %v", call, err)
		}
		s.wants(nil)
	}
}

// resigned has next do a request that was changed on the way.
func resigned(w http.ResponseWriter, r *http.Request, next http.Handler) {
	env := make(map[string]string)
	for _, v := range s3test.Env("") {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	signed := r.Clone(r.Context())
	r.Header.Del("Authorization")
	signed.Header = make(http.Header)
	for name, values := range r.Header {
		if strings.HasPrefix(strings.ToLower(name), "x-amz-") {
			signed.Header[name] = values
		}
	}
	signed.URL.Host = r.Host
	creds := aws.Credentials{AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"]}
	v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(r.Context(), creds, signed, r.Header.Get("X-Amz-Content-Sha256"), "s3", "us-east-1", time.Now())
	for _, name := range []string{"Authorization", "X-Amz-Date"} {
		r.Header.Set(name, signed.Header.Get(name))
	}
	next.ServeHTTP(w, r)
}

// liar is a store that takes conditions and does not look at them, as some do.
func liar(w http.ResponseWriter, r *http.Request, next http.Handler) {
	q := r.URL.Query()
	if !q.Has("uploadId") || r.Header.Get("If-Match")+r.Header.Get("If-None-Match")+r.Header.Get("X-Amz-Copy-Source-If-Match") == "" {
		next.ServeHTTP(w, r)
		return
	}
	for _, name := range []string{"If-Match", "If-None-Match", "X-Amz-Copy-Source-If-Match"} {
		r.Header.Del(name)
	}
	resigned(w, r, next)
}

// That a store lies is found out, and what can be is done all the same.
func TestLiar(t *testing.T) {
	s := set(t)
	s.answer(liar)
	before := content(24 << 20)
	if err := s.write(before, storage.Options{}); err != nil {
		t.Fatal(err)
	}
	if len(s.warned) != 1 || !strings.Contains(s.warned[0], "ignores If-None-Match") {
		t.Errorf("%q", s.warned)
	}
	p, err := s.run.Patch(name, storage.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(edit(before)...); !errors.Is(err, storage.Unsafe) {
		t.Error(err)
	}
	p.Close()
	if p, err = s.run.Patch(name, storage.PatchOptions{Unsafe: true}); err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(edit(before)...); err != nil {
		t.Error(err)
	}
	p.Close()
	s.wants(edited(before))
	if entries, _ := filepath.Glob(filepath.Join(s.Dir, "bucket", "*probe*")); len(entries) > 0 {
		t.Errorf("the probe leaves %q", entries)
	}

	// One that appears meanwhile is seen before the last call.
	s.again()
	w, err := s.run.Create(name, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(content(big))
	theirs := content(10)
	other := &storage.Run{Stores: s.run.Stores}
	if o, err := other.Create(name, storage.Options{}); err != nil {
		t.Fatal(err)
	} else {
		o.Write(theirs)
		o.Commit()
	}
	s.answer(liar)
	if err := w.Commit(); !errors.Is(err, storage.Exists) {
		t.Error(err)
	}
	s.wants(theirs)

	// A store that honours them is not warned of.
	s.again()
	s.warned = nil
	if err := s.write(before, storage.Options{}); err != nil || len(s.warned) > 0 {
		t.Errorf("%v, %q", err, s.warned)
	}
	s.wants(before)
}

// edit is a new head and a new tail for an object.
func edit(b []byte) []storage.Change {
	const n = 8192
	end := int64(len(b) - n)
	return []storage.Change{{Offset: 0, Old: b[:n], New: bytes.Repeat([]byte("head"), n/4)}, {Offset: end, Old: b[end:], New: bytes.Repeat([]byte("tail"), n/4)}}
}

func edited(b []byte) []byte {
	b = bytes.Clone(b)
	for _, c := range edit(b) {
		copy(b[c.Offset:], c.New)
	}
	return b
}

// What a patch moves is a few MiB, and stopped at each of its requests it leaves the old
// or the new, and no upload.
func TestPatch(t *testing.T) {
	s := set(t)
	before := content(64<<20 + 12345)
	after := edited(before)
	patch := func() error {
		p, err := s.run.Patch(name, storage.PatchOptions{})
		if err != nil {
			return err
		}
		defer p.Close()
		return p.Apply(edit(before)...)
	}
	s.renew(t, before)
	if err := patch(); err != nil {
		t.Error(err)
	}
	if n := s.client.Sent.Load() + s.client.Received.Load(); n > 12<<20 {
		t.Errorf("%d bytes were moved", n)
	}
	s.wants(after)

	before = content(24<<20 + 12345)
	after = edited(before)
	for at := int64(1); ; at++ {
		s.renew(t, before)
		var calls atomic.Int64
		s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if calls.Add(1) == at {
				refuse(403, "AccessDenied")(w, r, next)
				return
			}
			next.ServeHTTP(w, r)
		})
		err := patch()
		s.do.Store(nil)
		got, _ := os.ReadFile(filepath.Join(s.Dir, "bucket", "x"))
		switch {
		case bytes.Equal(got, before) && err != nil, bytes.Equal(got, after):
		default:
			t.Errorf("request %d: neither the old nor the new, %v", at, err)
		}
		s.wants(got)
		if calls.Load() < at {
			break
		}
	}

	if testing.Short() {
		return
	}
	// Lost answers, and calls that have to be made again.
	for _, call := range []string{"begin", "part", "copy", "complete"} {
		for _, fault := range []answer{reset, s3test.Swallow, refuse(200, "InternalError")} {
			s.renew(t, before)
			var calls atomic.Int64
			s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if isCall(r, call) && calls.Add(1) == 1 {
					fault(w, r, next)
					return
				}
				next.ServeHTTP(w, r)
			})
			if err := patch(); err != nil {
				t.Errorf("%s: %v", call, err)
			}
			s.do.Store(nil)
			for _, u := range must(s.store.Uploads(t.Context(), name)) { // a beginning whose answer is lost
				if call != "begin" {
					t.Errorf("%s: an upload is left", call)
				}
				s.store.AbortUpload(t.Context(), u)
			}
			s.wants(after)
		}
	}
}

// An object is replaced by a longer or a shorter one, too. What stays in its place the store
// copies, and stopped at any request it leaves the old or the new.
func TestReplace(t *testing.T) {
	s := set(t)
	before := content(24<<20 + 12345)
	const at = 22 << 20
	for what, after := range map[string][]byte{
		"inserted":        slices.Concat(before[:at], []byte("inserted"), before[at:]),
		"missing":         slices.Concat(before[:at], before[at+100_000:]),
		"cut":             before[:at],
		"cut to a little": before[:1000],
		"appended":        slices.Concat(before, content(3<<20)),
	} {
		if testing.Short() && what != "inserted" && what != "cut" {
			continue
		}
		replace := func() error {
			p, err := s.run.Patch(name, storage.PatchOptions{})
			if err != nil {
				return err
			}
			defer p.Close()
			d := p.InPlace()
			for off := min(at, len(after)); off < len(after); off += 1 << 20 {
				if _, err := d.WriteAt(after[off:min(len(after), off+1<<20)], int64(off)); err != nil {
					return err
				}
			}
			if err := d.Truncate(int64(len(after))); err != nil {
				return err
			}
			if got, err := io.ReadAll(io.NewSectionReader(d, 0, 1<<40)); err != nil || !bytes.Equal(got, after) {
				t.Errorf("%s: it reads %d bytes, %v", what, len(got), err)
			}
			return d.Sync()
		}
		s.renew(t, before)
		if err := replace(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if n, most := s.client.Sent.Load(), int64(len(after)-min(at, len(after))+10<<20); n > most {
			t.Errorf("%s: %d bytes were sent, more than %d", what, n, most)
		}
		s.wants(after)
		s.renew(t, before)
		p, err := s.run.Patch(name, storage.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		d := p.InPlace()
		d.Truncate(at)
		other := &storage.Run{Stores: s.run.Stores}
		o, err := other.Create(name, storage.Options{Force: true})
		if err == nil {
			o.Write(after)
			err = o.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Sync(); !errors.Is(err, storage.Changed) {
			t.Errorf("%s: %v", what, err)
		}
		p.Close()
		s.wants(after)
		for at := int64(1); ; at++ {
			s.renew(t, before)
			var calls atomic.Int64
			s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Method != http.MethodGet && calls.Add(1) == at {
					refuse(403, "AccessDenied")(w, r, next)
					return
				}
				next.ServeHTTP(w, r)
			})
			err := replace()
			s.do.Store(nil)
			if calls.Load() < at {
				break
			}
			if got, _ := os.ReadFile(filepath.Join(s.Dir, "bucket", "x")); err != nil && bytes.Equal(got, before) {
				s.wants(before)
			} else if s.wants(after); err == nil {
				t.Errorf("%s: request %d failed, and that is no error", what, at)
			}
			if testing.Short() {
				break
			}
		}
	}
}

// Somebody else who changes the object at the same time is noticed, whenever that is.
func TestPatchRace(t *testing.T) {
	s := set(t)
	for _, call := range []string{"begin", "part", "copy", "complete"} {
		s.again()
		s.store.Profile = &object.Honest
		before, theirs := content(24<<20), content(30)
		if err := s.write(before, storage.Options{Force: true}); err != nil {
			t.Fatal(err)
		}
		other := &storage.Run{Stores: s.run.Stores}
		p, err := s.run.Patch(name, storage.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var once sync.Once
		s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if isCall(r, call) {
				once.Do(func() {
					s.do.Store(nil)
					o, err := other.Create(name, storage.Options{Force: true})
					if err == nil {
						o.Write(theirs)
						err = o.Commit()
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			next.ServeHTTP(w, r)
		})
		if err := p.Apply(edit(before)...); !errors.Is(err, storage.Changed) {
			t.Errorf("%s: %v", call, err)
		}
		p.Close()
		s.wants(theirs)
	}
}

func (s *setting) api() *api.Client {
	cfg, err := config.LoadDefaultConfig(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return api.NewFromConfig(cfg, func(o *api.Options) { o.UsePathStyle = true })
}

// In a bucket that keeps versions a patch adds one only if it is told to, and names or
// deletes the other. A version that is locked stays.
func TestVersions(t *testing.T) {
	s := set(t)
	c := s.api()
	if _, err := c.PutBucketVersioning(t.Context(), &api.PutBucketVersioningInput{Bucket: aws.String("bucket"),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	versions := func() (n int) {
		out, err := c.ListObjectVersions(t.Context(), &api.ListObjectVersionsInput{Bucket: aws.String("bucket"), Prefix: aws.String("x")})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Versions)
	}
	before := content(30 << 20)
	patch := func(b []byte, opts storage.PatchOptions) error {
		s.again()
		s.warned = nil
		s.store.Profile = &object.Honest
		p, err := s.run.Patch(name, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		return p.Apply(edit(b)...)
	}
	if err := s.write(before, storage.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := patch(before, storage.PatchOptions{}); !errors.Is(err, storage.Versioned) || versions() != 1 {
		t.Error(err, versions())
	}
	if err := patch(before, storage.PatchOptions{Keep: true}); err != nil || versions() != 2 || len(s.warned) != 1 || !strings.Contains(s.warned[0], "stays") {
		t.Error(err, versions(), s.warned)
	}
	if err := patch(edited(before), storage.PatchOptions{DeleteOld: true}); err != nil || versions() != 2 {
		t.Error(err, versions())
	}

	if _, err := c.CreateBucket(t.Context(), &api.CreateBucketInput{Bucket: aws.String("locked"), ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutObject(t.Context(), &api.PutObjectInput{Bucket: aws.String("locked"), Key: aws.String("x"), Body: bytes.NewReader(before),
		ObjectLockMode: types.ObjectLockModeGovernance, ObjectLockRetainUntilDate: aws.Time(time.Now().Add(time.Hour))}); err != nil {
		t.Fatal(err)
	}
	p, err := s.run.Patch("s3://locked/x", storage.PatchOptions{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Apply(edit(before)...); !errors.Is(err, storage.Retained) {
		t.Error(err)
	}
}

// A patch keeps what else is known of an object.
func TestPatchKeepsAttributes(t *testing.T) {
	s := set(t)
	c := s.api()
	before := content(30 << 20)
	if _, err := c.PutObject(t.Context(), &api.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("x"), Body: bytes.NewReader(before),
		ContentType: aws.String("application/x-bulla"), Metadata: map[string]string{"team": "blue"}, Tagging: aws.String("a=b%20c")}); err != nil {
		t.Fatal(err)
	}
	p, err := s.run.Patch(name, storage.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Apply(edit(before)...); err != nil {
		t.Fatal(err)
	}
	h, err := c.HeadObject(t.Context(), &api.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String("x")})
	if err != nil || aws.ToString(h.ContentType) != "application/x-bulla" || h.Metadata["team"] != "blue" {
		t.Error(h.ContentType, h.Metadata, err)
	}
	tags, err := c.GetObjectTagging(t.Context(), &api.GetObjectTaggingInput{Bucket: aws.String("bucket"), Key: aws.String("x")})
	if err != nil || len(tags.TagSet) != 1 || *tags.TagSet[0].Value != "b c" {
		t.Error(tags, err)
	}
}

// A bucket that locks its objects by default wants a sum, and gets one.
func TestSums(t *testing.T) {
	s := set(t)
	var without atomic.Int64
	for _, want := range [][]byte{content(1000), content(big)} {
		s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if (isCall(r, "put") || isCall(r, "part")) && r.Header.Get("Content-MD5") == "" {
				without.Add(1)
				io.Copy(io.Discard, r.Body)
				w.WriteHeader(400)
				fmt.Fprint(w, "<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required</Message></Error>")
				return
			}
			next.ServeHTTP(w, r)
		})
		if err := s.write(want, storage.Options{}); err != nil {
			t.Error(err)
		}
		s.wants(want)
	}
	if without.Load() != 1 {
		t.Errorf("%d were sent without", without.Load())
	}
}

// What is slow is not given up while it moves.
func TestSlow(t *testing.T) {
	s := set(t)
	s.client.Silence = 2 * time.Second // less than the eight pieces take together
	want := content(2 << 20)
	if err := s.write(want, storage.Options{}); err != nil {
		t.Fatal(err)
	}
	s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		for b := range bytesIn(rec.Body.Bytes(), 256<<10) {
			time.Sleep(300 * time.Millisecond)
			w.Write(b)
			w.(http.Flusher).Flush()
		}
	})
	b, err := s.run.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got, err := io.ReadAll(b.Stream())
	if err != nil || !bytes.Equal(got, want) || s.client.Retries.Load() > 0 {
		t.Error(len(got), err, s.client.Retries.Load())
	}
}

func bytesIn(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 && yield(b[:min(n, len(b))]) {
			b = b[min(n, len(b)):]
		}
	}
}

// An endpoint without TLS is warned of, unless it is this machine.
func TestPlainEndpoint(t *testing.T) {
	s := set(t)
	s.run.Open(name)
	if len(s.warned) > 0 {
		t.Errorf("%q", s.warned)
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://store.invalid")
	s.again()
	s.impatient() // with who should know the name
	if _, err := s.run.Open(name); !errors.Is(err, storage.Unavailable) {
		t.Error(err)
	}
	if len(s.warned) != 1 || !strings.Contains(s.warned[0], "store.invalid is spoken to without TLS") {
		t.Errorf("%q", s.warned)
	}
}

// An answer that never ends is not kept in memory.
func TestEndlessAnswer(t *testing.T) {
	s := set(t)
	const most = 128 << 20
	more := bytes.Repeat([]byte("x"), 1<<20)
	for status, method := range map[int]string{http.StatusInternalServerError: http.MethodGet, http.StatusOK: http.MethodPost} {
		var sent atomic.Int64
		s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method != method {
				next.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(status)
			io.WriteString(w, "<Error>")
			n := 0
			for n < most {
				k, err := w.Write(more)
				if n += k; err != nil {
					break
				}
			}
			sent.Store(max(sent.Load(), int64(n)))
		})
		var err error
		if method == http.MethodGet {
			_, err = s.run.Open(name)
		} else {
			err = s.write(content(big), storage.Options{Force: true})
		}
		if err == nil || sent.Load() == 0 || sent.Load() >= most {
			t.Errorf("%d: %v, after %d bytes", status, err, sent.Load())
		}
	}
}

// A list that never ends is an error, whether its pages repeat or not.
func TestEndlessList(t *testing.T) {
	s := set(t)
	const give = 5000 // pages, then it ends after all
	for _, repeats := range []bool{true, false} {
		pages := 0
		s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			q, last := r.URL.Query(), ""
			pages++
			if !repeats {
				last = strconv.Itoa(pages)
			}
			body := "<IsTruncated>" + strconv.FormatBool(pages < give) + "</IsTruncated><NextContinuationToken>t" + last + "</NextContinuationToken>" +
				"<NextKeyMarker>k" + last + "</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker><NextVersionIdMarker>v</NextVersionIdMarker>"
			switch {
			case q.Has("uploads"):
				body = "<ListMultipartUploadsResult>" + body + "</ListMultipartUploadsResult>"
			case q.Has("versions"):
				body = "<ListVersionsResult>" + body + "</ListVersionsResult>"
			default:
				body = "<ListBucketResult>" + body + "</ListBucketResult>"
			}
			io.WriteString(w, body)
		})
		for what, list := range map[string]func() error{
			"objects":  func() error { _, err := s.store.List(t.Context(), name); return err },
			"uploads":  func() error { _, err := s.store.Uploads(t.Context(), name); return err },
			"versions": func() error { _, err := s.store.DeleteVersions(t.Context(), name); return err },
		} {
			pages = 0
			if err := list(); !errors.Is(err, storage.Refused) {
				t.Errorf("%s, repeating: %v: %v after %d pages", what, repeats, err, pages)
			} else if repeats && pages != 2 {
				t.Errorf("%s: %d pages", what, pages)
			}
		}
	}
}

// No request follows where a store sends it.
func TestRedirected(t *testing.T) {
	s := set(t)
	for _, status := range []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasPrefix(r.URL.Path, "/elsewhere") {
				t.Errorf("%s %s, after a redirect with %d", r.Method, r.URL, status)
				s3test.Refuse(w, http.StatusForbidden, "AccessDenied")
				return
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})
		if _, err := s.run.Open(name); !errors.Is(err, storage.Refused) {
			t.Errorf("%d: read: %v", status, err)
		}
		if err := s.write(content(big), storage.Options{Force: true}); !errors.Is(err, storage.Refused) {
			t.Errorf("%d: written: %v", status, err)
		}
	}
}
