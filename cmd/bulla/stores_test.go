package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rogpeppe/go-internal/testscript"

	"bulla/format"
	"bulla/internal/seal"
	"bulla/internal/storage"
	"bulla/internal/storage/s3/s3test"
	"bulla/keyslot"
)

// serveHTTPS serves a folder, with ETags, but for what is refused (nil: nothing), and returns its URL and a file with
// the server's certificate.
func serveHTTPS(dir, temp string, refused func(*http.Request) bool) (url, cert string, stop func(), err error) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused != nil && refused(r) {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		b, err := os.ReadFile(filepath.Join(dir, filepath.Clean("/"+r.URL.Path)))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(b)))
		http.ServeFile(w, r, filepath.Join(dir, filepath.Clean("/"+r.URL.Path)))
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	cert = filepath.Join(temp, ".cert.pem")
	err = os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600)
	return srv.URL, cert, srv.Close, err
}

// httpsCmd serves the script's folder as $HTTPS.
func httpsCmd(ts *testscript.TestScript, _ bool, _ []string) {
	url, cert, stop, err := serveHTTPS(ts.MkAbs("."), ts.MkAbs("."), nil)
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv("HTTPS", url)
	ts.Setenv("SSL_CERT_FILE", cert)
}

// s3Cmd starts an S3 server, with arguments of its own, whose buckets are folders in $S3DIR:
// bucket, versions, which keeps versions, and locked. "s3 lock KEY" locks an object in that.
func s3Cmd(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		if len(args) == 2 && args[0] == "lock" {
			_, err := s3API(ts).PutObjectRetention(t.Context(), &api.PutObjectRetentionInput{Bucket: aws.String("locked"), Key: &args[1],
				Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeGovernance, RetainUntilDate: aws.Time(time.Now().Add(time.Hour))}})
			ts.Check(err)
			return
		}
		srv := s3test.Start(t, args...)
		ts.Setenv("S3DIR", srv.Dir)
		for _, v := range s3test.Env(srv.URL) {
			name, value, _ := strings.Cut(v, "=")
			ts.Setenv(name, value)
		}
		c, versions := s3API(ts), aws.String("versions")
		_, err := c.CreateBucket(t.Context(), &api.CreateBucketInput{Bucket: versions})
		ts.Check(err)
		_, err = c.PutBucketVersioning(t.Context(), &api.PutBucketVersioningInput{Bucket: versions,
			VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
		ts.Check(err)
		_, err = c.CreateBucket(t.Context(), &api.CreateBucketInput{Bucket: aws.String("locked"), ObjectLockEnabledForBucket: aws.Bool(true)})
		ts.Check(err)
	}
}

// s3API is who looks after the script's server.
func s3API(ts *testscript.TestScript) *api.Client {
	creds := aws.Credentials{AccessKeyID: ts.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: ts.Getenv("AWS_SECRET_ACCESS_KEY")}
	return api.New(api.Options{BaseEndpoint: aws.String(ts.Getenv("AWS_ENDPOINT_URL")), Region: ts.Getenv("AWS_REGION"), UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return creds, nil })})
}

// killedUpload has a run killed that has begun to upload an object.
func killedUpload(t *testing.T, dir string, env []string, name string) {
	t.Helper()
	cmd := exec.Command("bulla", "encrypt", "-o", name)
	cmd.Dir, cmd.Env = dir, env
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = in.Write(make([]byte, 40<<20))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for range 3000 { // a minute and more
		list := exec.Command("bulla", "storage", "uploads", name)
		list.Env = env
		if out, err := list.Output(); err == nil && len(out) > 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("it does not upload")
}

// An object that is written through connections that break, by a run that is killed and
// started again, is whole or absent; what an interrupted one began can be removed; and no
// part that the store has acknowledged is sent again. BULLA_LONG has more of each.
func TestStoreKills(t *testing.T) {
	t.Parallel()
	if os.Getenv("BULLA_LONG") == "" {
		storeKills(t, s3test.Start(t), 64<<20, 3, 10)
		return
	}
	storeKills(t, s3test.Start(t), 5<<30, 20, 50)
	storeKills(t, s3test.StartCeph(t), 2<<30, 20, 50)
}

func storeKills(t *testing.T, srv *s3test.Server, size int64, kills, resets int) {
	var mu sync.Mutex
	rnd := rand.New(rand.NewSource(1))
	got := make(map[string]bool) // parts that were acknowledged
	url := srv.Proxy(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		q := r.URL.Query()
		part := q.Get("uploadId") + " " + q.Get("partNumber")
		mu.Lock()
		if q.Has("partNumber") && got[part] {
			t.Errorf("part %s is sent again", part)
		}
		breaks := q.Has("uploadId") && r.Method == http.MethodPut && resets > 0 && rnd.Intn(3) == 0
		if breaks {
			resets--
		}
		after := rnd.Int63n(16 << 20)
		mu.Unlock()
		if breaks {
			io.CopyN(io.Discard, r.Body, after)
			s3test.Reset(w)
			return
		}
		rec := &noting{ResponseWriter: w}
		next.ServeHTTP(rec, r)
		if q.Has("partNumber") && rec.status == http.StatusOK {
			mu.Lock()
			got[part] = true
			mu.Unlock()
		}
	})
	dir := t.TempDir()
	env := append(append(os.Environ(), envConfigDir+"="+dir), s3test.Env(url)...)
	bulla := func(in io.Reader, args ...string) *exec.Cmd {
		cmd := exec.Command("bulla", args...)
		cmd.Env, cmd.Dir, cmd.Stdin = env, dir, in
		return cmd
	}
	if out, err := bulla(nil, "keygen", "--default").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	plain := func() io.Reader { return io.LimitReader(rand.New(rand.NewSource(2)), size) }
	for i := range kills {
		name := fmt.Sprintf("s3://bucket/killed%d.bulla", i)
		cmd := bulla(plain(), "encrypt", "-o", name)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		wait := time.Duration(50+rnd.Intn(500)) * time.Millisecond
		mu.Unlock()
		time.Sleep(wait)
		cmd.Process.Kill()
		if cmd.Wait() != nil && bulla(nil, "inspect", name).Run() == nil { // at its very end
			if out, err := bulla(nil, "verify", name).CombinedOutput(); err != nil {
				t.Errorf("a run that was killed has made an object that is not whole: %v\n%s", err, out)
			}
		}
	}
	if out, err := bulla(plain(), "encrypt", "-o", "s3://bucket/x.bulla").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sum := sha256.New()
	cmd := bulla(nil, "decrypt", "-o", "-", "s3://bucket/x.bulla")
	cmd.Stdout = sum
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	want := sha256.New()
	io.Copy(want, plain())
	if !bytes.Equal(sum.Sum(nil), want.Sum(nil)) {
		t.Error("it is something else")
	}
	if out, err := bulla(nil, "storage", "uploads", "--abort", "s3://bucket").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := bulla(nil, "storage", "uploads", "s3://bucket").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v, left: %s", err, out)
	}
}

// BenchmarkStoreDelay is how much slower an object is read, one byte after the other, if the store
// takes 50 ms longer to answer each request.
func BenchmarkStoreDelay(b *testing.B) {
	srv := s3test.Start(b)
	far := srv.Proxy(b, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		time.Sleep(50 * time.Millisecond)
		next.ServeHTTP(w, r)
	})
	near := srv.Proxy(b, func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) })
	dir := b.TempDir()
	run := func(url string, in io.Reader, args ...string) time.Duration {
		cmd := exec.Command("bulla", args...)
		cmd.Dir, cmd.Stdin, cmd.Env = dir, in, append(append(os.Environ(), envConfigDir+"="+dir), s3test.Env(url)...)
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return time.Since(start)
	}
	const size = 2 << 30
	run(near, nil, "keygen", "--default")
	run(near, io.LimitReader(rand.New(rand.NewSource(2)), size), "encrypt", "-o", "s3://bucket/x.bulla")
	var took [2]time.Duration
	b.ResetTimer()
	for range b.N {
		for i, url := range []string{near, far} {
			took[i] += run(url, nil, "decrypt", "-o", os.DevNull, "--force", "s3://bucket/x.bulla")
		}
	}
	b.ReportMetric(float64(took[0])/float64(took[1]), "speed/undelayed")
	b.ReportMetric(float64(size)*float64(b.N)/took[0].Seconds()/1e6, "MB/s")
}

// A noting writer knows the status that was written to it.
type noting struct {
	http.ResponseWriter
	status int
}

func (n *noting) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// What reading takes: a range of 1 MiB four requests and not much more than its bytes,
// 1,000 members of a tar forty.
func TestStoreRequests(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	dir := t.TempDir()
	env := append(append(os.Environ(), envConfigDir+"="+dir), s3test.Env(srv.URL)...)
	bulla := func(in io.Reader, args ...string) (stdout []byte, asked asked) {
		t.Helper()
		cmd := exec.Command("bulla", append(args, "--json")...)
		cmd.Env, cmd.Dir, cmd.Stdin = env, dir, in
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, stderr.Bytes())
		}
		if i := bytes.Index(stderr.Bytes(), []byte(`{"storage":`)); i >= 0 {
			json.Unmarshal(bytes.TrimSuffix(stderr.Bytes()[i+len(`{"storage":`):], []byte("}\n")), &asked)
		}
		return stdout, asked
	}
	bulla(nil, "keygen", "--default")

	plain := make([]byte, 50<<20)
	rand.New(rand.NewSource(3)).Read(plain)
	bulla(bytes.NewReader(plain), "encrypt", "-o", "s3://bucket/big.bulla")
	got, a := bulla(nil, "cat", "--range", "33333333+1M", "s3://bucket/big.bulla")
	if !bytes.Equal(got, plain[33333333:33333333+1<<20]) {
		t.Error("it is something else")
	}
	if a.Requests == 0 || a.Requests > 4 || a.Received > 1<<20*13/10 {
		t.Errorf("a range took %d requests and %d bytes", a.Requests, a.Received)
	}

	// 100 GiB, of which only the chunks are there that this takes.
	bulla(nil, "keygen", "--kek", "-o", "kek")
	bulla(strings.NewReader("small"), "encrypt", "--kek", "kek", "-o", "small.bulla")
	const at int64 = 77<<30 + 12345
	layHuge(t, filepath.Join(dir, "small.bulla"), filepath.Join(dir, "kek"), filepath.Join(srv.Dir, "bucket", "huge.bulla"), 100<<30, at, at+1<<20)
	got, a = bulla(nil, "cat", "--kek", "kek", "--range", fmt.Sprint(at, "+1M"), "s3://bucket/huge.bulla")
	if want := hugeContent(at / format.ChunkSize)[at%format.ChunkSize:]; len(got) != 1<<20 || !bytes.HasPrefix(got, want) {
		t.Error("it is something else")
	}
	if a.Requests == 0 || a.Requests > 4 || a.Received > 1<<20*13/10 {
		t.Errorf("a range of 100 GiB took %d requests and %d bytes", a.Requests, a.Received)
	}

	var archive bytes.Buffer
	tw := tar.NewWriter(&archive)
	for i := range 1000 {
		tw.WriteHeader(&tar.Header{Name: fmt.Sprintf("f%04d", i), Size: 20 << 10, Mode: 0o600})
		tw.Write(plain[i<<10 : i<<10+20<<10])
	}
	tw.Close()
	for _, flags := range [][]string{nil, {"--level", "1"}} {
		bulla(&archive, append([]string{"encrypt", "--force", "-o", "s3://bucket/tar.bulla"}, flags...)...)
		if _, a = bulla(nil, "ls", "s3://bucket/tar.bulla"); a.Requests > 40 {
			t.Errorf("to list 1,000 members took %d requests", a.Requests)
		}
		if _, a = bulla(nil, "extract", "--no-sync", "--force", "s3://bucket/tar.bulla"); a.Requests == 0 || a.Requests > 40 {
			t.Errorf("1,000 members took %d requests", a.Requests)
		}
		b, err := os.ReadFile(filepath.Join(dir, "f0999"))
		if err != nil || !bytes.Equal(b, plain[999<<10:999<<10+20<<10]) {
			t.Error(err)
		}
		archive.Reset()
		tw := tar.NewWriter(&archive)
		for i := range 1000 {
			tw.WriteHeader(&tar.Header{Name: fmt.Sprintf("f%04d", i), Size: 20 << 10, Mode: 0o600})
			tw.Write(plain[i<<10 : i<<10+20<<10])
		}
		tw.Close()
	}
}

// hugeContent is what a chunk of a huge container has.
func hugeContent(chunk int64) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%016d", chunk)), format.ChunkSize/16)
}

// layHuge makes a sparse container of so many bytes, of whose chunks only those are there that
// hold the bytes from first to last, and the last of all. Its head is that of a small one.
func layHuge(t *testing.T, small, kekFile, to string, size, first, last int64) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(small)
	must(err)
	raw, err := format.ReadHead(bytes.NewReader(b))
	must(err)
	h, err := format.ParseHead(raw)
	must(err)
	b, err = os.ReadFile(kekFile)
	must(err)
	kek, err := keyslot.ParseKEK(b)
	must(err)
	cek, err := kek.Unwrap(t.Context(), &h.Slots[0], &h.Preamble)
	must(err)
	keys, err := seal.NewKeys(cek, &h.Preamble)
	must(err)
	f, err := os.Create(to)
	must(err)
	defer f.Close()
	end := size / format.ChunkSize // a short chunk, the last
	lay := func(i int64, plain []byte) {
		key, err := keys.Key(i, i == end, nil)
		must(err)
		_, err = f.WriteAt(key.Seal(nil, plain, i, new(seal.Nonce)), format.ChunkOffset(int64(len(raw)), i))
		must(err)
	}
	for i := first / format.ChunkSize; i <= last/format.ChunkSize; i++ {
		lay(i, hugeContent(i))
	}
	lay(end, []byte("the end"))
	_, err = f.WriteAt(raw, 0)
	must(err)
	st, err := f.Stat()
	must(err)
	_, err = f.WriteAt(raw, st.Size())
	must(err)
}

// Ctrl-C leaves no upload, whatever is under way.
func TestStoreInterrupted(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	dir := t.TempDir()
	env := append(append(os.Environ(), envConfigDir+"="+dir), s3test.Env(srv.URL)...)
	if out, err := (&exec.Cmd{Path: bullaPath(t), Args: []string{"bulla", "keygen", "--default"}, Env: env}).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command("bulla", "encrypt", "-o", "s3://bucket/x.bulla")
	cmd.Env = env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Write(make([]byte, 40<<20))
	cmd.Process.Signal(os.Interrupt)
	in.Close()
	cmd.Wait()
	list := exec.Command("bulla", "storage", "uploads", "s3://bucket")
	list.Env = env
	if out, err := list.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v, left: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(srv.Dir, "bucket", "x.bulla")); err == nil {
		t.Error("there is an object")
	}
}

func bullaPath(t *testing.T) string {
	path, err := exec.LookPath("bulla")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// What a store does wrong has a message, a hint and an exit code.
func TestStoreErrors(t *testing.T) {
	exits := map[storage.Kind]int{storage.BadURL: exitUsage, storage.ReadOnly: exitUsage, storage.NotFound: exitIO, storage.Denied: exitIO,
		storage.NoCredentials: exitIO, storage.Expired: exitIO, storage.Skewed: exitIO, storage.Untrusted: exitIO, storage.Unavailable: exitIO,
		storage.Refused: exitIO, storage.PartRefused: exitIO, storage.TooLarge: exitRefused, storage.Unsafe: exitRefused,
		storage.Versioned: exitRefused, storage.Retained: exitRefused, storage.Lingers: exitIO, storage.Changed: exitChanged, storage.Exists: exitRefused}
	for k := storage.BadURL; k <= storage.Lingers; k++ {
		if _, ok := exits[k]; !ok {
			t.Errorf("%v is not in the table", k)
		}
	}
	for k, exit := range exits {
		f := explain(&storage.Error{Kind: k, Name: "s3://b/x", Err: errors.New("the cause")})
		if f.exit != exit || !strings.Contains(f.what, "s3://b/x") || f.hint == "" && k != storage.Refused && k != storage.Retained {
			t.Errorf("%v: %d, %s; %s", k, f.exit, f.what, f.hint)
		}
		if hidden := k == storage.Unsafe || k == storage.Retained; !hidden && !strings.Contains(f.what, "the cause") {
			t.Errorf("%v: no cause in %s", k, f.what)
		}
	}
}
