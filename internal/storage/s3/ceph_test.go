package s3_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bulla/internal/storage"
	"bulla/internal/storage/s3/s3test"
)

// Ceph's radosgw answers 200 to a last call under a condition that it has not looked at, gives no
// ETag with it, and takes any number of parts. That is found out; what it does otherwise is as
// with any store. It takes gigabytes of memory, so BULLA_LONG has to be set.
func TestCeph(t *testing.T) {
	if os.Getenv("BULLA_LONG") == "" {
		return
	}
	s := around(t, s3test.StartCeph(t))
	again := func() {
		s.again()
		s.client.Patience.Silence, s.client.Patience.Attempt = 30*time.Second, time.Minute
	}
	again()
	read := func() []byte {
		t.Helper()
		b, err := s.run.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		got, err := io.ReadAll(b.Stream())
		if err != nil {
			t.Error(err)
		}
		return got
	}
	none := func() {
		t.Helper()
		if left, err := s.store.Uploads(t.Context(), name); len(left) > 0 || err != nil {
			t.Errorf("uploads are left: %v, %v", left, err)
		}
	}

	if _, err := s.run.Open(name); !errors.Is(err, storage.NotFound) {
		t.Error(err)
	}
	for i, n := range []int{big, 0, 1, 5<<20 - 1, 5 << 20, 8 << 20, 8<<20 + 1, 64<<20 + 12345} {
		again()
		if err := s.write(content(n), storage.Options{Force: i > 0}); err != nil {
			t.Fatal(n, err)
		}
		if !bytes.Equal(read(), content(n)) {
			t.Errorf("%d bytes are not what was written", n)
		}
		none()
	}
	if len(s.warned) != 1 || !strings.Contains(s.warned[0], "ignores If-None-Match") {
		t.Errorf("%q", s.warned)
	}
	before := read()
	for _, n := range []int{1, big} {
		again()
		if err := s.write(content(n), storage.Options{}); !errors.Is(err, storage.Exists) {
			t.Errorf("%d bytes over an object that is there: %v", n, err)
		}
	}
	none()

	// A range, and an object that changes under its reader.
	b, err := s.run.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 1<<20)
	if _, err := b.At().ReadAt(part, 33333333); err != nil || !bytes.Equal(part, before[33333333:33333333+1<<20]) {
		t.Error("a range is something else", err)
	}
	again()
	if err := s.write(content(big), storage.Options{Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.At().ReadAt(part, 5); !errors.Is(err, storage.Changed) {
		t.Error(err)
	}
	b.Close()

	// New ends are refused, as someone else's would be lost, unless that is accepted.
	again()
	before = read()
	for _, unsafe := range []bool{false, true} {
		p, err := s.run.Patch(name, storage.PatchOptions{Unsafe: unsafe})
		if err != nil {
			t.Fatal(err)
		}
		err = p.Apply(edit(before)...)
		p.Close()
		if unsafe && err != nil || !unsafe && !errors.Is(err, storage.Unsafe) {
			t.Error(unsafe, err)
		}
		want := before
		if unsafe {
			want = edited(before)
		}
		if !bytes.Equal(read(), want) {
			t.Error(unsafe, "neither the old nor the new")
		}
		none()
	}

	// Lost answers and broken connections.
	for _, call := range []string{"put", "begin", "part", "complete"} {
		for i, fault := range []answer{reset, s3test.Swallow, refuse(500, "InternalError"), refuse(503, "SlowDown")} {
			n := big
			if call == "put" {
				n = 1000
			}
			var broken atomic.Bool
			again()
			s.answer(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if isCall(r, call) && broken.CompareAndSwap(false, true) {
					fault(w, r, next)
					return
				}
				next.ServeHTTP(w, r)
			})
			err := s.write(content(n), storage.Options{Force: true})
			s.do.Store(nil)
			if err != nil || !bytes.Equal(read(), content(n)) {
				t.Errorf("%s, fault %d: %v", call, i, err)
			}
			for _, u := range must(s.store.Uploads(t.Context(), name)) { // a beginning whose answer is lost
				if call != "begin" {
					t.Errorf("%s, fault %d: an upload is left", call, i)
				}
				s.store.AbortUpload(t.Context(), u)
			}
		}
	}
}
