package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"bulla/internal/archive"
)

// crossed has links of all kinds, and names that are written in many ways.
var crossed = []file{
	{name: "./a/", kind: tar.TypeDir},
	{name: "./a//one", data: "the first"},
	{name: "implied/by/this", data: strings.Repeat("long enough to be read in many pieces ", 2000)},
	{name: "up", kind: tar.TypeSymlink, link: "implied/by/../../a/one"},
	{name: "a/dir", kind: tar.TypeSymlink, link: "../implied"},
	{name: "empty"},
	{name: "ünï", data: "x"},
}

func TestIsFS(t *testing.T) {
	for name, b := range map[string][]byte{
		"ustar":        tarOf(t, tar.FormatUSTAR, crossed[:6]...),
		"pax":          tarOf(t, tar.FormatPAX, crossed...),
		"gnu":          tarOf(t, tar.FormatGNU, append(slices.Clone(crossed), file{name: long, data: "deep"}, file{name: "hard", kind: tar.TypeLink, link: "a/one"})...),
		"sparse":       slices.Concat(sparseMember("holes"), sparseMember("in/more"), tarOf(t, tar.FormatGNU, crossed...)),
		"zip, stored":  zipOf(t, zip.Store, crossed...),
		"zip, deflate": zipOf(t, zip.Deflate, crossed...),
		"behind":       append([]byte("MZ, a program that unpacks"), zipOf(t, zip.Deflate, crossed...)...),
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t, b)
			if err := fstest.TestFS(a, "a/one", "implied/by/this", "up", "a/dir", "empty"); err != nil {
				t.Error(err)
			}
			for path, want := range map[string]string{"up": "the first", "a/dir/by/this": crossed[2].data, "a/dir/../a/one": ""} {
				got, err := fs.ReadFile(a, path)
				if string(got) != want || (err == nil) != (want != "") {
					t.Errorf("%s holds %.20q, %v", path, got, err)
				}
			}
			if to, err := a.ReadLink("up"); to != crossed[3].link || err != nil {
				t.Errorf("up leads to %q, %v", to, err)
			}
			if st, err := a.Lstat("a/one"); err != nil || st.Sys().(*archive.Member).Name != "./a//one" || st.Mode() != 0o640 {
				t.Errorf("a/one is %+v, %v", st, err)
			}
			if st, err := a.Stat("implied/by"); err != nil || st.Sys() != nil || !st.IsDir() {
				t.Errorf("implied/by is %+v, %v", st, err)
			}
		})
	}
}

// Where a link leads nowhere, that is its own error.
func TestLinksOut(t *testing.T) {
	link := func(name, to string) file { return file{name: name, kind: tar.TypeSymlink, link: to} }
	a := open(t, tarOf(t, tar.FormatGNU,
		link("abs", "/etc/passwd"), link("up", "../x"), link("loop", "loop"), link("a", "b"), link("b", "a"), link("gone", "nothing"),
		link("d/round", "../d/f"), file{name: "d/f", data: "f"}, link("dir", "d"), file{name: "f", data: "f"}, link("through", "f/x")))
	for _, name := range []string{"abs", "up", "loop", "a", "b", "gone", "through", "gone/x", "f/x", "dir/nothing", "", "/f", "./f", "d/../f", ".."} {
		if _, err := a.Open(name); !errors.As(err, new(*fs.PathError)) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := a.Stat(name); err == nil {
			t.Errorf("%s has something behind it", name)
		}
	}
	for _, name := range []string{"d/round", "dir/round", "dir/f"} {
		if b, err := fs.ReadFile(a, name); string(b) != "f" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if all, err := a.ReadDir("dir"); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := a.ReadDir("f"); err == nil {
		t.Error("a file is a directory")
	}
}

// One name is one place, however it is written: the last counts, in zips as well.
func TestOneNameOnePlace(t *testing.T) {
	files := []file{
		{name: "dup//x", data: "old"}, {name: "dup/x", data: "new"},
		{name: "d//one", data: "1"}, {name: "./e/./two/", data: "", kind: tar.TypeDir}, {name: "/abs", data: "a"}, {name: "../out", data: "o"},
	}
	for name, b := range map[string][]byte{"tar": tarOf(t, tar.FormatGNU, files...), "zip": zipOf(t, zip.Deflate, files...)} {
		a := open(t, b)
		for _, ask := range []string{"dup/x", "dup//x", "./dup/x"} {
			m, err := a.Find(ask, false)
			if err != nil || data(t, b, a, m) != "new" {
				t.Errorf("%s: %s is %+v, %v", name, ask, m, err)
			}
		}
		for ask, want := range map[string]string{"d/one": "1", "/abs": "a", "../out": "o", "//abs": "a"} {
			if m, err := a.Find(ask, false); err != nil || data(t, b, a, m) != want {
				t.Errorf("%s: %s is %+v, %v", name, ask, m, err)
			}
		}
		s, err := a.Select()
		if err != nil || s.Count != 5 {
			t.Errorf("%s: %d members, %v", name, s.Count, err)
		}
		for _, m := range members(t, s) {
			if inside := m.Name != "/abs" && m.Name != "../out"; m.Local != inside {
				t.Errorf("%s: %s is local: %v", name, m.Name, m.Local)
			}
		}
		if all, err := a.ReadDir("."); err != nil || fmt.Sprint(all) != "[d d/ d dup/ d e/]" {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}

// A member that would be in another, or another in it, has no place.
func TestMisplaced(t *testing.T) {
	for _, c := range []struct{ members, places, misplaced string }{
		{"a a/b", "a", "a/b"},
		{"a/b a", "a/b", "a"},
		{"a a/ a/b", "a/ a/b", ""},
		{"a/ a", "a", ""},
		{"a/ a a/b", "a", "a/b"},
		{"a/ a/b a", "a/ a/b", "a"},
		{". ./ a", "./ a", "."},
	} {
		var files []file
		for name := range strings.FieldsSeq(c.members) {
			f := file{name: name, data: "x"}
			if strings.HasSuffix(name, "/") {
				f = file{name: name, kind: tar.TypeDir}
			}
			files = append(files, f)
		}
		for _, b := range [][]byte{tarOf(t, tar.FormatUSTAR, files...), zipOf(t, zip.Store, files...)} {
			a := open(t, b)
			s, err := a.Select()
			if err != nil {
				t.Fatal(err)
			}
			var places, misplaced []string
			for _, m := range members(t, s) {
				places = append(places, m.Name)
			}
			for m, err := range s.Misplaced() {
				if err != nil {
					t.Fatal(err)
				}
				misplaced = append(misplaced, m.Name)
			}
			if strings.Join(places, " ") != c.places || strings.Join(misplaced, " ") != c.misplaced {
				t.Errorf("%s: %v have a place, and %v none", c.members, places, misplaced)
			}
		}
	}
}

// A damaged place is an error of the file that lies there.
func TestErrorsOfOne(t *testing.T) {
	b := zipOf(t, zip.Deflate, file{name: "a", data: strings.Repeat("x", 5000)}, file{name: "b", data: "b"}, file{name: "c", data: "c"})
	b[bytes.Index(b, []byte("PK\x07\x08"))-3] ^= 1
	sector := open(t, b)
	if _, err := fs.ReadFile(sector, "a"); !errors.Is(err, archive.ErrDamaged) {
		t.Error(err)
	}
	for _, name := range []string{"b", "c"} {
		if got, err := fs.ReadFile(sector, name); string(got) != name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	// A record of the directory that is not valid: it is marked as larger than its
	// fields, and has no others.
	at := bytes.LastIndex(b, []byte("PK\x01\x02"))
	at = bytes.LastIndex(b[:at], []byte("PK\x01\x02"))
	copy(b[at+20:], "\xff\xff\xff\xff")
	var names []string
	var bad int
	for m, err := range open(t, b).Members() {
		if errors.Is(err, archive.ErrDamaged) {
			bad++
		} else if err != nil {
			t.Fatal(err)
		} else {
			names = append(names, m.Name)
		}
	}
	if bad != 1 || strings.Join(names, " ") != "a c" {
		t.Errorf("%d are bad, and there is %v", bad, names)
	}
	// A source that fails where one file lies.
	whole := tarOf(t, tar.FormatUSTAR, file{name: "a", data: strings.Repeat("a", 3000)}, file{name: "b", data: "b"})
	hole := &badPlace{bytes.NewReader(whole), 1000, 2000}
	f, err := archive.Open(hole, int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.ReadFile(f, "a"); !errors.Is(err, errSource) || errors.Is(err, archive.ErrDamaged) {
		t.Error(err)
	}
	if got, err := fs.ReadFile(f, "b"); string(got) != "b" {
		t.Errorf("%q, %v", got, err)
	}
}

// A badPlace cannot be read between two offsets.
type badPlace struct {
	io.ReaderAt
	from, to int64
}

func (r *badPlace) ReadAt(p []byte, off int64) (int, error) {
	if off < r.to && off+int64(len(p)) > r.from {
		return 0, errSource
	}
	return r.ReaderAt.ReadAt(p, off)
}

// Files are opened and read by many at once.
func TestConcurrent(t *testing.T) {
	for _, b := range [][]byte{tarOf(t, tar.FormatPAX, crossed...), zipOf(t, zip.Deflate, crossed...), zipOf(t, zip.Store, crossed...)} {
		a := open(t, b)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					for path, want := range map[string]string{"up": "the first", "a/dir/by/this": crossed[2].data} {
						if got, err := fs.ReadFile(a, path); string(got) != want {
							t.Errorf("%s: %d bytes, %v", path, len(got), err)
						}
					}
				}
			})
		}
		wg.Wait()
	}
}
