package main

import (
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bulla/internal/storage/s3/s3test"
)

// serveHTTPS serves a folder, with ETags, and returns its URL and a file with the server's
// certificate.
func serveHTTPS(dir, temp string) (url, cert string, stop func(), err error) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	url, cert, stop, err := serveHTTPS(ts.MkAbs("."), ts.MkAbs("."))
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv("HTTPS", url)
	ts.Setenv("SSL_CERT_FILE", cert)
}

// s3Cmd starts an S3 server, with arguments of its own, whose buckets are folders in $S3DIR,
// and of which one is s3://bucket.
func s3Cmd(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		srv := s3test.Start(t, args...)
		ts.Setenv("S3DIR", srv.Dir)
		for _, v := range s3test.Env(srv.URL) {
			name, value, _ := strings.Cut(v, "=")
			ts.Setenv(name, value)
		}
	}
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
	for range 200 {
		list := exec.Command("bulla", "storage", "uploads", name)
		list.Env = env
		if out, err := list.Output(); err == nil && len(out) > 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("it does not upload")
}
