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
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
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
