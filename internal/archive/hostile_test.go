package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"bulla/internal/archive"
)

// A link to nothing is that member's error.
func TestLinkToNothing(t *testing.T) {
	for name, b := range map[string][]byte{
		"tar": tarOf(t, tar.FormatUSTAR, file{name: "l", kind: tar.TypeSymlink}, file{name: "f", data: "f"}),
		"zip": zipOf(t, zip.Store, file{name: "l", kind: tar.TypeSymlink}, file{name: "f", data: "f"}),
	} {
		a := open(t, b)
		if to, err := a.LinkOf(list(t, a)[0]); to != "" || !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s: to %q, %v", name, to, err)
		}
		if _, err := a.ReadLink("l"); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := fs.Stat(a, "l"); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := fs.ReadFile(a, "f"); string(got) != "f" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// overlapping is a zip of n members with the same data.
func overlapping(t *testing.T, n int) []byte {
	b := zipOf(t, zip.Deflate, file{name: "000000", data: strings.Repeat("x", 1<<20)})
	at := bytes.Index(b, []byte("PK\x01\x02"))
	end := bytes.Index(b, []byte("PK\x05\x06"))
	record := b[at:end]
	all := bytes.Clone(b[:at])
	for i := range n {
		copy(record[46:], fmt.Sprintf("%06d", i))
		all = append(all, record...)
	}
	tail := bytes.Clone(b[end:])
	le := binary.LittleEndian
	le.PutUint16(tail[8:], uint16(n))
	le.PutUint16(tail[10:], uint16(n))
	le.PutUint32(tail[12:], uint32(n*len(record)))
	return append(all, tail...)
}

// A zip in which more data lies than there is room for is a bomb.
func TestOverlapping(t *testing.T) {
	a := open(t, overlapping(t, 1))
	if s, err := a.Select(); err != nil || s.End != nil || s.Count != 1 {
		t.Error(err)
	}
	a = open(t, overlapping(t, 60_000))
	s, err := a.Select()
	if err != nil || !errors.Is(s.End, archive.ErrDamaged) || s.Bytes > 1100*int64(60_000*60) {
		t.Errorf("%v, %v, %d bytes", err, s.End, s.Bytes)
	}
}

// A damaged place costs little more than the way to the next header.
func TestResyncNear(t *testing.T) {
	const n = 2000
	b := append(bytes.Repeat(append(bytes.Repeat([]byte("x"), 512), header("f", '0', 0)...), n)[512:], tarEnd...)
	v := &virtual{pieces: map[int64][]byte{0: b}, size: int64(len(b))}
	a, err := archive.Open(v, v.size)
	if err != nil {
		t.Fatal(err)
	}
	if names, _ := walked(t, a); strings.Count(names, "f") != n || strings.Count(names, "!") != n-1 {
		t.Error(len(names))
	}
	if read := v.read.Load(); read > 10*v.size {
		t.Errorf("%d bytes read of %d", read, v.size)
	}
}
