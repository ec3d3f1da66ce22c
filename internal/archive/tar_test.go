package archive_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"bulla/internal/archive"
)

// A header is a block of a tar with a checksum that fits.
func header(name string, kind byte, size int64) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], "0000600\x000000000\x000000000\x00")
	copy(b[124:], fmt.Sprintf("%011o\x0000000000000\x00        %c", size, kind))
	copy(b[257:], "ustar\x0000")
	return sum(b)
}

// sum sets the checksum of a header.
func sum(b []byte) []byte {
	n := 0
	copy(b[148:], "        ")
	for _, c := range b[:512] {
		n += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", n))
	return b
}

// blocks is data filled up to whole blocks.
func blocks(data string) []byte {
	return append([]byte(data), make([]byte, -len(data)&511)...)
}

func record(key, value string) string {
	n := len(key) + len(value) + 3
	for len(fmt.Sprint(n))+len(key)+len(value)+3 != n {
		n++
	}
	return fmt.Sprintf("%d %s=%s\n", n, key, value)
}

func pax(records ...string) []byte {
	all := strings.Join(records, "")
	return append(header("pax", tar.TypeXHeader, int64(len(all))), blocks(all)...)
}

func regular(name, data string) []byte {
	return append(header(name, tar.TypeReg, int64(len(data))), blocks(data)...)
}

// sparseMember is an entry of a tar in the way of GNU tar's pax format 1.0: a hole
// of three bytes and the name.
func sparseMember(name string) []byte {
	return slices.Concat(pax(record("GNU.sparse.major", "1"), record("GNU.sparse.minor", "0"), record("GNU.sparse.name", name), record("GNU.sparse.realsize", fmt.Sprint(3+len(name)))),
		header("x", tar.TypeReg, int64(512+len(name))), blocks(fmt.Sprintf("1\n3\n%d\n", len(name))), blocks(name))
}

var tarEnd = make([]byte, 1024)

// walked is the names of the members, and ! where one is damaged, and what the
// errors say.
func walked(t *testing.T, a *archive.FS) (names, says string) {
	t.Helper()
	var all []string
	for m, err := range a.Members() {
		switch {
		case err == nil:
			all = append(all, m.Name)
		case errors.Is(err, archive.ErrDamaged) || errors.As(err, new(*archive.UnsupportedError)):
			all, says = append(all, "!"), says+err.Error()+"\n"
		default:
			t.Fatal(err)
		}
	}
	return strings.Join(all, " "), says
}

// What GNU tar reads is read, and what is bad of it does not end the list.
func TestTarMembers(t *testing.T) {
	big := record("SCHILY.xattr.user.big", strings.Repeat("x", 3<<20))
	bad := header("bad", tar.TypeReg, 3)
	bad[0] ^= 1
	for _, c := range []struct {
		name  string
		b     []byte
		names string
		says  string
	}{
		{"extended header over 1 MiB", slices.Concat(pax(big, record("path", "named")), regular("x", "x"), regular("y", "y"), tarEnd), "named y", ""},
		{"NUL in a path", slices.Concat(pax(record("path", "nul\x00behind")), regular("x", "x"), regular("y", "y"), tarEnd), "nul y", ""},
		{"NUL in a long name", slices.Concat(header("././@LongLink", 'L', 11), blocks("nul\x00behind\x00"), regular("x", "x"), tarEnd), "nul", ""},
		{"a name that is too long", slices.Concat(pax(record("path", strings.Repeat("n", 70_000))), regular("x", "x"), regular("y", "y"), tarEnd), "! y", "a name of 70000 bytes"},
		{"a long name that is too long", slices.Concat(header("L", 'L', 70_000), blocks(strings.Repeat("n", 70_000)), regular("x", "x"), regular("y", "y"), tarEnd), "! y", "a name of 70000 bytes"},
		{"a bad checksum", slices.Concat(regular("a", "a"), bad, blocks("bad"), regular("b", "b"), tarEnd), "a ! b", "no header at byte 1024"},
		{"a bad extended header", slices.Concat(pax("5 a=b\n"), regular("a", "a"), regular("b", "b"), tarEnd), "! b", "extended header is not valid"},
		{"a bad number in it", slices.Concat(pax(record("size", "many")), regular("a", "a"), regular("b", "b"), tarEnd), "! b", `"many" as its size`},
		{"a bad size", slices.Concat(sum(append(append(header("a", '0', 0)[:124:124], "8888888888888"...), header("a", '0', 0)[137:]...)), regular("b", "b"), tarEnd), "! b", "no valid size"},
		{"zeros between", slices.Concat(regular("a", "a"), make([]byte, 512), regular("b", "b"), tarEnd), "a ! b", "a block of zeros at byte 1024"},
		{"no end", slices.Concat(regular("a", "a")), "a", ""},
		{"half an end", slices.Concat(regular("a", "a"), make([]byte, 512)), "a", ""},
		{"something behind the end", slices.Concat(regular("a", "a"), tarEnd, regular("b", "b")), "a", ""},
		{"cut in the padding", regular("a", "a")[:700], "a !", "it ends unexpectedly, at byte 700"},
		{"cut behind the data", regular("a", "a")[:513], "a !", "it ends unexpectedly, at byte 513"},
		{"cut in the data", regular("a", strings.Repeat("a", 1000))[:700], "a !", "it ends unexpectedly, at byte 700"},
		{"cut in a header", slices.Concat(regular("a", "a"), regular("b", "b")[:100]), "a !", "it ends unexpectedly, at byte 1124"},
		{"cut behind an extended header", slices.Concat(regular("a", "a"), pax(record("path", "b"))), "a !", "it ends unexpectedly, at byte 2048"},
		{"a directory of the oldest kind", slices.Concat(header("d/", 0, 0), regular("d/f", "f"), tarEnd), "d/ d/f", ""},
		{"a link that has a size", slices.Concat(header("l", '1', 512), regular("b", "b"), tarEnd), "l b", ""},
		{"times and owners", slices.Concat(pax(record("mtime", "-1.5"), record("uid", "7"), record("gname", "staff"), record("ctime", "x")), regular("a", "a"), tarEnd), "a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := open(t, c.b)
			names, says := walked(t, a)
			if names != c.names || !strings.Contains(says, c.says) || (says == "") != (c.says == "") {
				t.Errorf("%s: %s", names, says)
			}
			for name := range strings.FieldsSeq(strings.ReplaceAll(names, "!", "")) {
				if m, err := a.Find(name, true); m == nil || m.Name != name {
					t.Errorf("%s is %+v, %v", name, m, err)
				}
			}
		})
	}
	a := open(t, slices.Concat(pax(record("mtime", "-1.5"), record("uid", "7"), record("gname", "staff")), regular("a", "a"), tarEnd))
	if m := list(t, a)[0]; !m.ModTime.Equal(time.Unix(-1, -5e8)) || m.Owner != "7/staff" {
		t.Errorf("%+v", m)
	}
}

// What is damaged is searched once, and not from each header before it.
func TestResyncOnce(t *testing.T) {
	const n = 3000
	for name, end := range map[string][]byte{"cut": nil, "bad": bytes.Repeat([]byte("x"), 2048)} {
		b := append(bytes.Repeat(pax(record("comment", "x")), n), end...)
		v := &virtual{pieces: map[int64][]byte{0: b}, size: int64(len(b))}
		a, err := archive.Open(v, v.size)
		if err != nil {
			t.Fatal(err)
		}
		if names, _ := walked(t, a); names != "!" {
			t.Errorf("%s: %q", name, names)
		}
		if read := v.read.Load(); read > 10*v.size {
			t.Errorf("%s: %d bytes read of %d", name, read, v.size)
		}
	}
}

// What GNU tar says of the same: that the list is as long.
func TestTarsLikeGNU(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the tar of this system may be another")
	}
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	for i, b := range [][]byte{
		slices.Concat(pax(record("SCHILY.xattr.user.big", strings.Repeat("x", 3<<20)), record("path", "named")), regular("x", "x"), regular("y", "y"), tarEnd),
		slices.Concat(pax(record("path", "nul\x00behind")), regular("x", "x"), regular("y", "y"), tarEnd),
		regular("a", "a")[:700],
		slices.Concat(regular("a", "a"), header("bad", 'x', 3)[:511], []byte{1}, regular("b", "b"), tarEnd),
	} {
		path := filepath.Join(dir, fmt.Sprint(i, ".tar"))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("tar", "tf", path).Output()
		names, says := walked(t, open(t, b))
		names = strings.Join(strings.Fields(strings.ReplaceAll(names, "!", "")), "\n") + "\n"
		if string(out) != names || (err != nil) != (says != "") {
			t.Errorf("tar %d: %q, %v; here %q, %q", i, out, err, names, says)
		}
	}
}

// A file of holes costs what is read of it, whatever its size.
func TestHoles(t *testing.T) {
	const far = 1<<63 - 100
	for name, b := range map[string][]byte{
		"1.0": slices.Concat(pax(record("GNU.sparse.major", "1"), record("GNU.sparse.minor", "0"), record("GNU.sparse.name", "f"), record("GNU.sparse.realsize", fmt.Sprint(int64(far+50)))),
			header("x", '0', 512+512+3), blocks(fmt.Sprintf("3\n5\n512\n%d\n3\n%d\n0\n", int64(far), int64(far+50))), blocks(strings.Repeat("d", 512)), blocks("end"), regular("next", "n"), tarEnd),
		"0.1": slices.Concat(pax(record("GNU.sparse.size", fmt.Sprint(int64(far+50))), record("GNU.sparse.numblocks", "2"), record("GNU.sparse.name", "f"), record("GNU.sparse.map", fmt.Sprintf("5,512,%d,3", int64(far)))),
			header("x", '0', 515), blocks(strings.Repeat("d", 512)+"end"), regular("next", "n"), tarEnd),
		"0.0": slices.Concat(pax(record("path", "f"), record("GNU.sparse.size", fmt.Sprint(int64(far+50))), record("GNU.sparse.numblocks", "2"), record("GNU.sparse.offset", "5"), record("GNU.sparse.numbytes", "512"),
			record("GNU.sparse.offset", fmt.Sprint(int64(far))), record("GNU.sparse.numbytes", "3")),
			header("f", '0', 515), blocks(strings.Repeat("d", 512)+"end"), regular("next", "n"), tarEnd),
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t, b)
			if names, says := walked(t, a); names != "f next" || says != "" {
				t.Fatal(names, says)
			}
			m, err := a.Find("f", false)
			if err != nil || m.Size != far+50 {
				t.Fatalf("%+v, %v", m, err)
			}
			f, err := a.OpenMember(m)
			if err != nil {
				t.Fatal(err)
			}
			r := f.(*archive.RandomFile)
			if n := len(r.Pieces()); n != 2 {
				t.Errorf("%d pieces", n)
			}
			for off, want := range map[int64]string{0: "\x00\x00\x00\x00\x00dd", 515: "dd\x00\x00", 1 << 50: "\x00\x00", far - 1: "\x00end\x00"} {
				got := make([]byte, len(want))
				if _, err := r.ReadAt(got, off); string(got) != want || err != nil {
					t.Errorf("at %d: %q, %v", off, got, err)
				}
			}
			if _, err := r.Seek(-50, io.SeekEnd); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(r); len(rest) != 50 || err != nil {
				t.Errorf("%d bytes, %v", len(rest), err)
			}
		})
	}
	// Maps that cannot be.
	for _, m := range []string{"5,512,4,3", "5,600", "-1,5", "5", "5,x", "9223372036854775807,5", strings.Repeat("1,0,", 1<<20) + "1,0"} {
		b := slices.Concat(pax(record("GNU.sparse.size", "5000"), record("GNU.sparse.name", "f"), record("GNU.sparse.map", m)), header("x", '0', 515), blocks(strings.Repeat("d", 515)), regular("next", "n"), tarEnd)
		a := open(t, b)
		found, err := a.Find("f", false)
		if err == nil {
			_, err = a.OpenMember(found)
		}
		if !errors.Is(err, archive.ErrDamaged) && !errors.As(err, new(*archive.UnsupportedError)) {
			t.Errorf("%.20s: %v", m, err)
		}
		if names, _ := walked(t, a); !strings.HasSuffix(names, " next") {
			t.Errorf("%.20s: %s", m, names)
		}
	}
}

// FuzzLikePackageTar compares with package tar: of what that reads to its end, names,
// kinds, links, sizes and data are the same.
func FuzzLikePackageTar(f *testing.F) {
	f.Add(tarOf(f, tar.FormatPAX, crossed...))
	f.Add(tarOf(f, tar.FormatGNU, append(slices.Clone(crossed), file{name: long, data: "deep"})...))
	f.Add(append(sparseMember("s"), tarEnd...))
	f.Add(slices.Concat(pax(record("GNU.sparse.size", "600"), record("GNU.sparse.numblocks", "1"), record("GNU.sparse.name", "f"), record("GNU.sparse.map", "5,512")), header("x", '0', 512), blocks(strings.Repeat("d", 512)), tarEnd))
	f.Fuzz(func(t *testing.T, b []byte) {
		type member struct {
			name, link, data string
			size             int64
			time             time.Time
		}
		var want []member
		for r := tar.NewReader(bytes.NewReader(b)); ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil || len(h.Name) > 1000 || h.Size > 1<<20 || h.Typeflag == tar.TypeGNUSparse {
				return
			}
			if r := h.PAXRecords; strings.Contains(fmt.Sprint(r), "GNU.sparse") && !(r["GNU.sparse.major"] == "1" && r["GNU.sparse.minor"] == "0" && r["GNU.sparse.realsize"] != "") &&
				!(r["GNU.sparse.size"] != "" && r["GNU.sparse.map"] != "" && r["GNU.sparse.numblocks"] != "") {
				return // half of it, which GNU tar reads in one way and package tar in another
			}
			m := member{h.Name, h.Linkname, "", 0, h.ModTime}
			d, err := io.ReadAll(r)
			if err != nil {
				return
			}
			switch h.Typeflag {
			case tar.TypeReg, tar.TypeCont:
				if strings.HasSuffix(h.Name, "/") {
					return // which is a directory to GNU tar
				}
				m.data, m.size = string(d), h.Size
			case tar.TypeXGlobalHeader, 'V', 'X':
				return
			}
			want = append(want, m)
		}
		if len(want) == 0 {
			return
		}
		a, err := archive.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for m, err := range a.Members() {
			switch {
			case errors.Is(err, archive.ErrDamaged) && i == len(want):
				return // it is cut in the padding, which package tar does not mind
			case err != nil || i == len(want):
				t.Fatalf("%v, %v behind %+v", m, err, want)
			}
			got := member{m.Name, m.Link, "", m.Size, m.ModTime}
			if m.Kind == archive.File {
				got.data = data(t, nil, a, m)
			}
			if w := want[i]; got.name != w.name || got.link != w.link || got.data != w.data || got.size != w.size || !got.time.Equal(w.time) {
				t.Errorf("%+v, not %+v", got, w)
			}
			i++
		}
		if i < len(want) {
			t.Errorf("%d of %d", i, len(want))
		}
	})
}
