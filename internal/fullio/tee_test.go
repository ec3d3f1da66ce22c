package fullio

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A taker keeps what it gets.
type taker struct{ bytes.Buffer }

func (t *taker) Keep(p []byte) ([]byte, error) {
	t.Write(p)
	return bytes.Repeat([]byte{'-'}, len(p)), nil
}

// What goes through is what also gets it, and what can be asked of a file or a pipe still can.
func TestTee(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	conn := struct {
		io.ReadWriter
		syscall.Conn
	}{f, f}
	for name, of := range map[string]struct {
		dst        io.ReadWriter
		conn, file bool
	}{
		"a file": {f, true, true}, "a pipe": {conn, true, false}, "neither": {new(bytes.Buffer), false, false},
	} {
		f.Truncate(0)
		f.Seek(0, io.SeekStart)
		var also taker
		w := Both(of.dst, &also)
		io.WriteString(w, "te")
		if instead, err := w.Keep([]byte("xt")); string(instead) != "--" || err != nil {
			t.Errorf("%s: %q, %v instead of what is kept", name, instead, err)
		}
		f.Seek(0, io.SeekStart)
		var read strings.Builder
		r := Tee(of.dst, &read)
		if b, err := io.ReadAll(r); string(b) != "text" || also.String() != "text" || read.String() != "text" || err != nil {
			t.Errorf("%s: %q, %q, %q, %v", name, b, also.String(), read.String(), err)
		}
		_, wconn := w.(syscall.Conn)
		_, rconn := r.(syscall.Conn)
		_, file := w.(interface{ Stat() (fs.FileInfo, error) })
		if wconn != of.conn || rconn != of.conn || file != of.file {
			t.Errorf("%s: connections %v and %v, a file %v", name, wconn, rconn, file)
		}
	}
}

// What the first does not take, the other does not get, and p stays the caller's.
func TestBothFails(t *testing.T) {
	var also taker
	full := errors.New("full")
	w := Both(writer(func(p []byte) (int, error) { return len(p) - 1, full }), &also)
	p := []byte("text")
	if instead, err := w.Keep(p); &instead[0] != &p[0] || err != full || also.Len() > 0 {
		t.Errorf("%q, %v, and the other has %q", instead, err, also.String())
	}
	short := Both(writer(func(p []byte) (int, error) { return len(p) - 1, nil }), &also)
	if instead, err := short.Keep(p); &instead[0] != &p[0] || err != io.ErrShortWrite || also.Len() > 0 {
		t.Errorf("%q, %v, and the other has %q", instead, err, also.String())
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
