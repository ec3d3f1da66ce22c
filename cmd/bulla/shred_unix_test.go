//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bulla/format"
	"bulla/internal/storage/s3/s3test"
	"bulla/parity"
)

// TestShredCut is about a file of which a run that was killed has destroyed a part: all of
// the head, some of it, the head and some of the tail. The next run finishes it, and what
// was in its slots is nowhere in it.
func TestShredCut(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	name := filepath.Join(dir, "c.bulla")
	if err := os.WriteFile(filepath.Join(dir, "plain"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, nil, "encrypt", "-q", "--parity", "5%", "-o", "c.bulla", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	parity := name + paritySuffix
	spare, err := os.ReadFile(parity)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, err := format.ParseHead(whole)
	if err != nil {
		t.Fatal(err)
	}
	for what, cut := range map[string]func(b []byte){
		"nothing yet":                   func([]byte) {},
		"the first bytes":               func(b []byte) { copy(b, format.ShreddedMark) },
		"the first sector":              func(b []byte) { clear(b[:512]); copy(b, format.ShreddedMark) },
		"all of the head but its start": func(b []byte) { clear(b[512 : 256<<10]) },
		"the head":                      func(b []byte) { clear(b[:256<<10]); copy(b, format.ShreddedMark) },
		"the head and a part of the tail": func(b []byte) {
			clear(b[:256<<10])
			copy(b, format.ShreddedMark)
			clear(b[len(b)-256<<10 : len(b)-2048])
		},
	} {
		b := bytes.Clone(whole)
		cut(b)
		write(t, parity, string(spare))
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if c := start(t, dir, nil, "shred", "-q", "--yes", "c.bulla"); c.code() != 0 {
			t.Fatalf("%s: %s", what, c.errs.String())
		}
		after, err := os.ReadFile(name)
		if err != nil || len(after) != len(whole) {
			t.Fatal(len(after), err)
		}
		if bytes.Contains(after, head.Slots[0].Body[:32]) || bytes.Contains(after, head.Salt[:]) {
			t.Errorf("%s: its head is still there", what)
		}
		if after, err := os.ReadFile(parity); err != nil || !bytes.Contains(spare, head.Slots[0].Body[:32]) || bytes.Contains(after, head.Slots[0].Body[:32]) {
			t.Errorf("%s: its head is still in the parity file (%v)", what, err)
		}
		os.Remove(filepath.Join(dir, "repaired"))
		if c := start(t, dir, nil, "repair", "-o", "repaired", "c.bulla"); c.code() == 0 {
			t.Errorf("%s: it was repaired", what)
		}
		if c := start(t, dir, nil, "decrypt", "-o", "-", "c.bulla"); c.code() != exitUnsupported {
			t.Errorf("%s: %s", what, c.errs.String())
		}
	}
}

// TestShredKilled kills shred wherever it is just then. The file opens, or it is destroyed,
// and the next run destroys it.
func TestShredKilled(t *testing.T) {
	kills := 10
	if os.Getenv("BULLA_LONG") != "" {
		kills = 200
	}
	dir := workDir(t)
	if err := os.WriteFile(filepath.Join(dir, "plain"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, nil, "encrypt", "-q", "-o", "c.bulla", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	whole, err := os.ReadFile(filepath.Join(dir, "c.bulla"))
	if err != nil {
		t.Fatal(err)
	}
	takes := 20 * time.Millisecond
	for i := range kills {
		if err := os.WriteFile(filepath.Join(dir, "c.bulla"), whole, 0o600); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		c := start(t, dir, nil, "shred", "-q", "--yes", "c.bulla")
		if i > 0 {
			time.Sleep(rand.N(takes))
			c.Process.Kill()
		}
		c.Wait()
		if i == 0 {
			takes = time.Since(began)
		}
		if c := start(t, dir, nil, "shred", "-q", "--yes", "c.bulla"); c.code() != 0 {
			t.Fatal(c.errs.String())
		}
		if c := start(t, dir, nil, "decrypt", "-o", "-", "c.bulla"); c.code() != exitUnsupported {
			t.Fatalf("it opens: %s", c.errs.String())
		}
	}
}

// TestShredRoles is about what is no file of its own: a set goes with its root, whatever
// there is of its volumes, and a part of a set does not go.
func TestShredRoles(t *testing.T) {
	t.Parallel()
	for role, want := range map[format.Role]struct {
		code      int
		out, errs string
	}{
		format.RoleRoot:   {0, "it is the root of a set: nothing opens its volumes any more", ""},
		format.RoleGrant:  {0, "1 recipient can open it", ""},
		format.RoleVolume: {exitRefused, "", "x is a volume: destroying it ends nothing, and damages its set\nbulla: hint: name the set's root"},
		format.RoleIndex:  {exitRefused, "", "x is a set index: destroying it ends nothing"},
	} {
		dir := t.TempDir()
		part := format.Part{Role: role}
		if role.InSet() {
			part.Set = format.SetID{1}
		}
		ofRole(t, dir, "x", part)
		before, err := os.ReadFile(filepath.Join(dir, "x"))
		if err != nil {
			t.Fatal(err)
		}
		code, out, errs := saidBy(dir, nil, "shred", "--yes", "x")
		if code != want.code || !strings.Contains(out, want.out) || !strings.Contains(errs, want.errs) {
			t.Errorf("%v: %d, %s%s", role, code, out, errs)
		}
		after, err := os.ReadFile(filepath.Join(dir, "x"))
		if err != nil || bytes.Equal(before, after) != (code != 0) || code == 0 && bytes.Contains(after, before[64:96]) {
			t.Errorf("%v: it is there, or is not (%v)", role, err)
		}
	}
}

// TestShredObjects is about objects in a store: in a bucket that keeps versions overwriting
// one destroys nothing.
func TestShredObjects(t *testing.T) {
	srv := s3test.Start(t)
	for _, v := range s3test.Env(srv.URL) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	dir := workDir(t)
	if err := os.WriteFile(filepath.Join(dir, "plain"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, says string, args ...string) {
		t.Helper()
		if code, out, errs := saidBy(dir, nil, args...); code != want || !strings.Contains(out+errs, says) {
			t.Errorf("%q: %d, %s%s", args, code, out, errs)
		}
	}
	run(0, "", "encrypt", "-o", "s3://bucket/a.bulla", "plain")
	run(0, "1 recipient can open it", "shred", "--dry-run", "s3://bucket/a.bulla")
	run(0, "", "verify", "s3://bucket/a.bulla")
	run(0, "", "shred", "--yes", "s3://bucket/a.bulla")
	run(exitUnsupported, "it was destroyed by bulla shred", "verify", "s3://bucket/a.bulla")

	key := os.Getenv("AWS_ACCESS_KEY_ID")
	api := s3.New(s3.Options{BaseEndpoint: &srv.URL, Region: "us-east-1", UsePathStyle: true, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: key, SecretAccessKey: key}, nil
	})})
	bucket := aws.String("bucket")
	if _, err := api.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		run(0, "", "encrypt", "--force", "--parity", "5", "-o", "s3://bucket/v.bulla", "plain") // of the parity, too
	}
	run(0, "", "encrypt", "-o", "s3://bucket/v.bulla.other", "plain")
	run(exitRefused, "--all-versions deletes it with all of its versions", "shred", "--yes", "s3://bucket/v.bulla")
	run(0, "", "verify", "s3://bucket/v.bulla")
	run(0, "", "shred", "--yes", "--all-versions", "s3://bucket/v.bulla")
	run(exitIO, "", "verify", "s3://bucket/v.bulla")
	run(0, "", "verify", "s3://bucket/v.bulla.other")
	left, err := api.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: bucket, Prefix: aws.String("v.bulla")})
	if err != nil || len(left.Versions) != 1 || len(left.DeleteMarkers) != 0 {
		t.Errorf("%d versions and %d marks are left (%v)", len(left.Versions), len(left.DeleteMarkers), err)
	}
}

// An object that is repaired and cannot be read back is not sent to those who edit recipients.
func TestRepairUnread(t *testing.T) {
	srv := s3test.Start(t)
	var written atomic.Bool
	url := srv.Proxy(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && written.Load() && strings.HasSuffix(r.URL.Path, "/x.bulla") {
			s3test.Refuse(w, http.StatusForbidden, "AccessDenied")
			return
		}
		next.ServeHTTP(w, r)
		if r.Method != http.MethodGet && r.Method != http.MethodHead && strings.HasSuffix(r.URL.Path, "/x.bulla") && r.Header.Get("If-Match") != "" {
			written.Store(true)
		}
	})
	for _, v := range s3test.Env(url) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), strings.Repeat("plaintext.", 100_000))
	if code, _, errs := saidBy(dir, nil, "encrypt", "-q", "--parity", "20%", "-o", "s3://bucket/x.bulla", "plain"); code != 0 {
		t.Fatal(errs)
	}
	object := filepath.Join(srv.Dir, "bucket", "x.bulla")
	f, err := os.OpenFile(object, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt(make([]byte, 100), 100_000)
	f.Close()
	code, out, errs := saidBy(dir, nil, "repair", "s3://bucket/x.bulla")
	if code != exitIO || !strings.Contains(errs, "run it again once it can be read and written") || strings.Contains(errs, "recipients") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	written.Store(false)
	if code, out, errs := saidBy(dir, nil, "repair", "s3://bucket/x.bulla"); code != 0 {
		t.Errorf("again: %d, %s%s", code, out, errs)
	}
}

// An object whose old version may not be deleted is changed all the same, which is no success, and so
// is the copy of the head in its parity object.
func TestOldVersionStays(t *testing.T) {
	srv := s3test.Start(t)
	url := srv.Proxy(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/v.bulla") {
			s3test.Refuse(w, http.StatusForbidden, "AccessDenied")
			return
		}
		next.ServeHTTP(w, r)
	})
	for _, v := range s3test.Env(url) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	key, bucket := os.Getenv("AWS_ACCESS_KEY_ID"), aws.String("bucket")
	api := s3.New(s3.Options{BaseEndpoint: &srv.URL, Region: "us-east-1", UsePathStyle: true, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: key, SecretAccessKey: key}, nil
	})})
	if _, err := api.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	dir := workDir(t)
	saidBy(dir, nil, "keygen", "-q", "-o", "other")
	_, public, _ := saidBy(dir, nil, "keygen", "-y", "other")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "plain"), []byte("hello"), 0o600), os.WriteFile(filepath.Join(dir, "pub"), []byte(public), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"encrypt", "--parity", "5", "-o", "s3://bucket/v.bulla", "plain"}, 0},
		{[]string{"recipients", "add", "-q", "--delete-old-version", "-R", "pub", "s3://bucket/v.bulla"}, exitIO},
		{[]string{"head", "export", "-o", "head", "s3://bucket/v.bulla"}, 0},
	} {
		if code, out, errs := saidBy(dir, nil, c.args...); code != c.code {
			t.Fatalf("%q: %d, %s%s", c.args, code, out, errs)
		}
	}
	par, err := api.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("v.bulla.parity")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(par.Body)
	head, herr := os.ReadFile(filepath.Join(dir, "head"))
	if err != nil || herr != nil || !bytes.Equal(b[parity.HeadAt:][:len(head)], head) {
		t.Errorf("the parity object has another head: %v, %v", err, herr)
	}
}
