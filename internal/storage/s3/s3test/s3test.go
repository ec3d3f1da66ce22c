// Package s3test starts a real S3 server for tests, versitygw, and a proxy before it that
// does what networks and other stores do wrong.
package s3test

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A Server is one that runs. Its buckets are folders in Dir, and objects files in them.
type Server struct {
	URL, Dir string
}

const key = "testtesttesttest"

// Start starts a server that has an empty bucket "bucket", or skips the test where there is none
// to be started. It gets the arguments before those of its backend.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("versitygw")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("versitygw is not here, so object storage is not tested")
		}
		t.Skip("versitygw is not here")
	}
	s := &Server{Dir: t.TempDir()}
	os.Mkdir(filepath.Join(s.Dir, "bucket"), 0o755)
	address := freeAddress(t)
	s.URL = "http://" + address
	versions := t.TempDir()
	cmd := exec.Command(program, append(append([]string{"--quiet", "--port", address}, args...), "posix", "--versioning-dir", versions, s.Dir)...)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+key, "ROOT_SECRET_KEY="+key)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 1200 { // a minute
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("versitygw does not answer")
	return nil
}

//go:embed ceph.sh
var cephScript string

// StartCeph starts Ceph's radosgw, which honours fewer conditions, in memory and with an empty
// bucket "bucket". It has no Dir. It takes a quarter of a minute and gigabytes, so that it is for
// long forms of tests alone; it skips where the server is not installed.
func StartCeph(t testing.TB) *Server {
	t.Helper()
	for _, name := range []string{"ceph-mon", "ceph-osd", "ceph-mgr", "radosgw", "ceph", "curl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("no radosgw: ", err)
		}
	}
	args := []string{"-c", cephScript, "ceph.sh", t.TempDir()}
	for range 3 {
		_, port, _ := net.SplitHostPort(freeAddress(t))
		args = append(args, port)
	}
	gateway := args[len(args)-1]
	cmd := exec.Command("sh", append(args, key)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("radosgw does not start: %q, %v", line, err)
	}
	return &Server{URL: "http://127.0.0.1:" + gateway}
}

// ports is how many this process has tried.
var ports atomic.Int64

// freeAddress is one that nobody listens on, nor is given before a server does: its port is none
// of those that systems choose, and other processes try others.
func freeAddress(t testing.TB) string {
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+(int64(os.Getpid())*7919+ports.Add(1))%22_000))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// Env is the environment in which a server, or a proxy of it, is used.
func Env(url string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + url, "AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + key, "AWS_REGION=us-east-1",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
	}
}

// Proxy starts a server that has do answer. Whatever do passes on to the next handler
// goes to this server.
func (s *Server) Proxy(t testing.TB, do func(w http.ResponseWriter, r *http.Request, next http.Handler)) string {
	t.Helper()
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	next := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) { panic(http.ErrAbortHandler) },
		ErrorLog:     log.New(io.Discard, "", 0),
		Transport:    &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true, ExpectContinueTimeout: time.Second},
	}
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { do(w, r, next) }))
	front.Config.ErrorLog = next.ErrorLog
	front.Start()
	t.Cleanup(front.Close)
	return front.URL
}

// Reset ends the connection of a request without an answer.
func Reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// Swallow has next do a request, and resets the connection in place of the answer.
func Swallow(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	Reset(w)
}

// Refuse answers as S3 does if something is wrong.
func Refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>said the test</Message></Error>", code)
}
