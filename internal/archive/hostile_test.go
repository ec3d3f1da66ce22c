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

// Without their first parts several members may have one name: the last counts, and a
// hard link is of what it was of.
func TestStrip(t *testing.T) {
	b := tarOf(t, tar.FormatGNU,
		file{name: "x/", kind: tar.TypeDir}, file{name: "x/f", data: "x"}, file{name: "y/f", data: "y"}, file{name: "z/link", kind: tar.TypeLink, link: "x/f"}, file{name: "z/l2", kind: tar.TypeLink, link: "y/f"},
		file{name: "x/d", data: "file"}, file{name: "y/d/below", data: "below"}, file{name: "short", data: "s"}, file{name: "/abs/g", data: "g"}, file{name: "../h", data: "h"})
	for parts, want := range []string{
		"x x/f y/f z/link>x/f z/l2>y/f x/d y/d/below short /abs/g! ../h! without",
		"f link l2>f d abs/g! h! without y/d/below",
		"below g! without",
		"without",
	} {
		a := open(t, b)
		s, err := a.Select()
		if err == nil {
			err = s.Strip(parts)
		}
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range members(t, s) {
			what := m.Path
			if m.LinkTo != "" {
				what += ">" + m.LinkTo
			}
			if !m.Local {
				what += "!"
			}
			all = append(all, what)
			if want := map[string]string{"f": "y", "link": "x", "l2": "y"}[m.Path]; want != "" && data(t, b, a, m.Member) != want {
				t.Errorf("%s does not hold %s", m.Path, want)
			}
		}
		all = append(all, "without")
		for m, err := range s.Misplaced() {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m.Name)
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("without %d: %s", parts, got)
		}
	}
}

// What is dropped from a selection is not given again, and links to it are files.
func TestDrop(t *testing.T) {
	b := tarOf(t, tar.FormatUSTAR, file{name: "a", data: "a"}, file{name: "l", kind: tar.TypeLink, link: "a"}, file{name: "b", data: "b"})
	a := open(t, b)
	s, err := a.Select()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for range 2 {
		for m, err := range s.Members(archive.File) {
			if err != nil || m.LinkTo != "" || data(t, b, a, m.Member) == "" {
				t.Errorf("%+v, %v", m, err)
			}
			if names = append(names, m.Path); m.Path != "l" {
				s.Drop(m)
			}
		}
	}
	if got := strings.Join(names, " "); got != "a l b l" {
		t.Error(got)
	}
}
