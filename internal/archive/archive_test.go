package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bulla/internal/archive"
)

// when is a time that every format can hold.
var when = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

// A file is a member to be made.
type file struct {
	name, data, link string
	kind             byte
}

// tarOf makes a tar of some files.
func tarOf(t testing.TB, f tar.Format, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range files {
		h := &tar.Header{Name: m.name, Typeflag: m.kind, Linkname: m.link, Size: int64(len(m.data)), Mode: 0o640, ModTime: when,
			Uid: 7, Gid: 8, Uname: "someone", Format: f}
		if m.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if f == tar.FormatPAX {
			h.PAXRecords = map[string]string{"COMMENT.x": "makes it one with extended headers"}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipOf makes a zip of some files, the data stored or compressed.
func zipOf(t testing.TB, method uint16, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range files {
		h := &zip.FileHeader{Name: m.name, Method: method, Modified: when}
		switch m.kind {
		case tar.TypeDir:
			h.SetMode(fs.ModeDir | 0o755)
		case tar.TypeSymlink:
			h.SetMode(fs.ModeSymlink | 0o777)
		case tar.TypeFifo:
			h.SetMode(fs.ModeNamedPipe | 0o600)
		default:
			h.SetMode(0o640)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, m.data+m.link); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t testing.TB, b []byte) *archive.FS {
	t.Helper()
	a, err := archive.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func list(t testing.TB, a *archive.FS) (all []*archive.Member) {
	t.Helper()
	for m, err := range a.Members() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// data is what a member holds, read on and at any place.
func data(t testing.TB, src []byte, a *archive.FS, m *archive.Member) string {
	t.Helper()
	f, err := a.OpenMember(m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := f.(*archive.RandomFile); ok {
		at := make([]byte, m.Size)
		if n, err := r.ReadAt(at, 0); int64(n) != m.Size || err != nil && err != io.EOF || string(at) != string(b) {
			t.Errorf("%s is not the same read at any place: %v", m.Name, err)
		}
		var whole []byte
		for _, p := range r.Pieces() {
			whole = append(whole, make([]byte, p.Offset-int64(len(whole)))...)
			if src != nil {
				whole = append(whole, src[p.At:p.At+p.Length]...)
			}
		}
		if whole = append(whole, make([]byte, max(0, m.Size-int64(len(whole))))...); src != nil && string(whole) != string(b) {
			t.Errorf("%s: the pieces do not hold the data", m.Name)
		}
	}
	return string(b)
}

// pieces is how many pieces a member is in; -1 if it is in none.
func pieces(t testing.TB, a *archive.FS, m *archive.Member) int {
	t.Helper()
	f, err := a.OpenMember(m)
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := f.(*archive.RandomFile); ok {
		return len(r.Pieces())
	}
	return -1
}

// members are those of a selection, in the order of the archive.
func members(t testing.TB, s *archive.Selection) (all []*archive.Selected) {
	t.Helper()
	for m, err := range s.Members(archive.File, archive.Dir, archive.Symlink, archive.HardLink, archive.Other) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

var long = strings.Repeat("a long name/", 20) + "end"

var tree = []file{
	{name: "dir/", kind: tar.TypeDir},
	{name: "dir/one", data: "first"},
	{name: "dir/empty"},
	{name: "two", data: strings.Repeat("second ", 1000)},
	{name: "dir/link", kind: tar.TypeSymlink, link: "one"},
	{name: "last", data: "z"},
}

func TestFormats(t *testing.T) {
	archives := map[string][]byte{
		"ustar":        tarOf(t, tar.FormatUSTAR, tree...),
		"pax":          tarOf(t, tar.FormatPAX, append(slices.Clone(tree), file{name: long, data: "deep"})...),
		"gnu":          tarOf(t, tar.FormatGNU, append(slices.Clone(tree), file{name: long, data: "deep"})...),
		"zip, stored":  zipOf(t, zip.Store, tree...),
		"zip, deflate": zipOf(t, zip.Deflate, tree...),
	}
	for name, b := range archives {
		t.Run(name, func(t *testing.T) {
			a := open(t, b)
			all := list(t, a)
			kinds := []archive.Kind{archive.Dir, archive.File, archive.File, archive.File, archive.Symlink, archive.File, archive.File}
			for i, m := range all {
				want := file{name: long, data: "deep"}
				if i < len(tree) {
					want = tree[i]
				}
				if m.Name != want.name || m.Kind != kinds[i] || !m.ModTime.Equal(when) {
					t.Errorf("member %d is %+v", i, m)
				}
				if m.Kind != archive.File {
					continue
				}
				if m.Size != int64(len(want.data)) || m.Mode != 0o640 || data(t, b, a, m) != want.data {
					t.Errorf("%s: %d bytes, mode %v", m.Name, m.Size, m.Mode)
				}
				n := min(1, len(want.data))
				if name == "zip, deflate" {
					n = -1
				}
				if got := pieces(t, a, m); got != n {
					t.Errorf("%s has %d pieces", m.Name, got)
				}
			}
			isZip := strings.HasPrefix(name, "zip")
			if to, err := a.LinkOf(all[4]); to != "one" || err != nil {
				t.Errorf("the link leads to %q, %v", to, err)
			}
			if owner := all[1].Owner; !isZip && owner != "someone/8" || isZip && owner != "" {
				t.Errorf("the owner is %q", owner)
			}
		})
	}
}

// What tar itself makes, with a sparse file.
func TestRealTar(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the tar of this system makes no sparse members")
	}
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "holes"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("far out"), 10<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plain"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--format=gnu"}, {"--format=pax", "--sparse-version=0.0"}, {"--format=pax", "--sparse-version=0.1"}, {"--format=pax", "--sparse-version=1.0"}} {
		b, err := exec.Command("tar", append(args, "-C", dir, "-c", "-S", "./holes", "./plain")...).Output()
		if errors.Is(err, exec.ErrNotFound) {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(args, err)
		}
		a := open(t, b)
		all := list(t, a)
		if len(all) != 2 || all[0].Name != "./holes" || all[0].Size != 10<<20+7 {
			t.Fatalf("%v: %+v", args, all)
		}
		if len(b) > 1<<20 {
			t.Fatalf("%v: not a sparse tar: %d bytes", args, len(b))
		}
		if got := data(t, b, a, all[0]); got != strings.Repeat("\x00", 10<<20)+"far out" {
			t.Errorf("%v: the sparse member has %d bytes", args, len(got))
		}
		if got := data(t, b, a, all[1]); got != "text" {
			t.Errorf("%v: the member behind is %q", args, got)
		}
	}
}

func TestSelect(t *testing.T) {
	b := tarOf(t, tar.FormatPAX,
		file{name: "./", kind: tar.TypeDir},
		file{name: "./a", data: "old a"},
		file{name: "./d/", kind: tar.TypeDir},
		file{name: "./d/b", data: "b"},
		file{name: "./hard", kind: tar.TypeLink, link: "./a"},
		file{name: "./a", data: "new a"},
		file{name: "./d/harder", kind: tar.TypeLink, link: "hard"},
		file{name: "./dd", data: "not in d"})
	a := open(t, b)
	names := func(s *archive.Selection) string {
		var all []string
		for _, m := range members(t, s) {
			all = append(all, m.Path)
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct{ ask, want string }{
		{"a", "a"}, {"./a", "a"}, {"d", "d d/b d/harder"}, {"d/", "d d/b d/harder"}, {"a d/b", "d/b a"}, {"dd", "dd"},
		{".", ". d d/b hard a d/harder dd"}, {"", ". d d/b hard a d/harder dd"},
		{"*", "d d/b hard a d/harder dd"}, {"d/*", "d/b d/harder"}, {"[ad]", "d d/b a d/harder"}, {"./?d", "dd"},
	} {
		s, err := a.Select(strings.Fields(c.ask)...)
		if err != nil || s.End != nil || len(s.Missing) > 0 || names(s) != c.want {
			t.Errorf("%s: %s, without %q, %v", c.ask, names(s), s.Missing, err)
		}
	}
	one := func(name string) string {
		t.Helper()
		m, err := a.Find(name, false)
		if err != nil {
			t.Fatal(err)
		}
		found := data(t, b, a, m)
		s, err := a.Select(name)
		if err != nil || s.Count != 1 {
			t.Fatalf("%s: %+v, %v", name, s, err)
		}
		if d := data(t, b, a, members(t, s)[0].Member); d != found {
			t.Errorf("%s: %q by Select, %q by Find", name, d, found)
		}
		return found
	}
	// Of several members of a name the last counts, and for a link what it was then.
	if got := one("a"); got != "new a" {
		t.Errorf("a is %q", got)
	}
	for _, name := range []string{"hard", "d/harder"} {
		if got := one(name); got != "old a" {
			t.Errorf("%s is %q", name, got)
		}
	}
	if m, err := a.Find("a", true); err != nil || data(t, b, a, m) != "old a" {
		t.Errorf("the first a is %+v, %v", m, err)
	}
	if m, err := a.Find("hard", true); err != nil || data(t, b, a, m) != "old a" {
		t.Errorf("the first link is %+v, %v", m, err)
	}
	for _, name := range []string{"nothing", "d/", "b", "/a"} {
		if name == "d/" {
			name = "d/nothing"
		}
		s, err := a.Select("a", name)
		if err != nil || names(s) != "a" || !slices.Equal(s.Missing, []string{name}) {
			t.Errorf("%s: %s, without %q, %v", name, names(s), s.Missing, err)
		}
		if _, err := a.Find(name, true); !errors.As(err, new(*archive.MissingError)) {
			t.Errorf("first %s: %v", name, err)
		}
	}
	if m, err := a.Find("nothing", false); m != nil || !errors.As(err, new(*archive.MissingError)) {
		t.Errorf("nothing is %+v, %v", m, err)
	}
}

// A hard link that leads to no file is the only one that is no good.
func TestHardLinks(t *testing.T) {
	link := func(name, to string) file { return file{name: name, kind: tar.TypeLink, link: to} }
	files := []file{
		{name: "f", data: "x"},
		{name: "sym", kind: tar.TypeSymlink, link: "f"},
		{name: "dir/", kind: tar.TypeDir},
		{name: "dev", kind: tar.TypeChar},
		link("to f", "f"), link("dir/to sym", "sym"), link("to dev", "dev"),
		link("to dir", "dir"), link("to nothing", "/etc/passwd"), link("to itself", "to itself"), link("to later", "later"),
		{name: "later", data: "x"},
		link("l0", "f"),
	}
	for i := range 12 {
		files = append(files, link(fmt.Sprint("l", i+1), fmt.Sprint("l", i)))
	}
	a := open(t, tarOf(t, tar.FormatGNU, files...))
	s, err := a.Select()
	if err != nil || s.Count != len(files) {
		t.Fatal(s.Count, err)
	}
	for i, m := range members(t, s) {
		found, err := a.Find(m.Name, false)
		if err != nil || m.Name != files[i].name || found.Name != m.Name {
			t.Errorf("%s is %+v by Find, %v", m.Name, found, err)
		}
		_, err = a.OpenMember(m.Member)
		switch e := (*archive.LinkError)(nil); m.Name {
		case "to dir", "to nothing", "to itself", "to later":
			if !errors.As(err, &e) || e.Name != m.Name || m.Kind != archive.HardLink {
				t.Errorf("%s is %+v: %v", m.Name, m.Member, err)
			}
		case "dir/to sym":
			if to, err := a.LinkOf(m.Member); m.Kind != archive.Symlink || to != "f" {
				t.Errorf("%s is %+v, %v", m.Name, m.Member, err)
			}
		case "to dev":
			if m.Kind != archive.Other {
				t.Errorf("%s is %+v", m.Name, m.Member)
			}
		case "to f", "later", "l0", "l1", "l7", "l8", "l12":
			if m.Kind != archive.File || m.Size != 1 || err != nil || found.Size != 1 && m.Name != "l8" && m.Name != "l12" {
				t.Errorf("%s is %+v: %v", m.Name, m.Member, err)
			}
			if want := map[string]string{"later": "", "to f": "f", "l0": "f", "l1": "l0", "l7": "l6", "l8": "l7", "l12": "l11"}[m.Name]; m.LinkTo != want {
				t.Errorf("%s has the data of %q", m.Name, m.LinkTo)
			}
		}
	}
	// A chain that leads out of the selection is not followed for ever.
	if m, err := a.Find("l12", false); err != nil || m.Kind != archive.HardLink {
		t.Errorf("l12 is %+v, %v", m, err)
	}
}

// Sparse members are opened where they are: none takes a walk to it.
func TestSparseReadsItself(t *testing.T) {
	const n = 200
	v := &virtual{pieces: map[int64][]byte{}}
	var b bytes.Buffer
	for i := range n {
		b.Write(sparseMember(fmt.Sprint("s", i)))
	}
	v.pieces[0], v.size = b.Bytes(), int64(b.Len()+1024)
	a, err := archive.Open(v, v.size)
	if err != nil {
		t.Fatal(err)
	}
	all := list(t, a)
	if len(all) != n {
		t.Fatal(len(all))
	}
	for i, m := range all {
		v.read.Store(0)
		if got := data(t, nil, a, m); got != "\x00\x00\x00"+m.Name || v.read.Load() > 12*512 {
			t.Fatalf("member %d is %q, %d bytes read", i, got, v.read.Load())
		}
	}
}

// A virtual is a source of size bytes that are zero but for some pieces. It
// counts what is read.
type virtual struct {
	pieces map[int64][]byte
	size   int64
	read   atomic.Int64
}

func (v *virtual) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), max(0, v.size-off)))
	v.read.Add(int64(n))
	clear(p[:n])
	for at, piece := range v.pieces {
		if skip := off - at; skip >= 0 && skip < int64(len(piece)) {
			copy(p[:n], piece[skip:])
		} else if skip < 0 && -skip < int64(n) {
			copy(p[-skip:n], piece)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Listing a tar of 2 TiB reads its headers, and little more than one byte each;
// pulling a member reads that as well.
func TestReadsOnlyWhatIsAskedFor(t *testing.T) {
	const count, size, small = 64, 32<<30 + 5, 1000
	v := &virtual{pieces: map[int64][]byte{}}
	put := func(name string, size int64) {
		var b bytes.Buffer
		if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, Format: tar.FormatGNU}); err != nil {
			t.Fatal(err)
		}
		v.pieces[v.size] = b.Bytes()
		v.size += int64(b.Len()) + (size+511)/512*512
	}
	for i := range count {
		put(fmt.Sprint("big", i), size)
	}
	at := v.size + 512
	put("small", small)
	v.pieces[at] = []byte("the data")
	v.size += 1024

	a, err := archive.Open(v, v.size)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(list(t, a)); n != count+1 {
		t.Fatalf("%d members", n)
	}
	v.read.Store(0)
	s, err := a.Select("small")
	if err != nil {
		t.Fatal(err)
	}
	got := members(t, s)
	r, err := a.OpenMember(got[0].Member)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil || len(b) != small || !bytes.HasPrefix(b, []byte("the data")) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if p := r.(*archive.RandomFile).Pieces(); len(p) != 1 || p[0] != (archive.Piece{Offset: 0, At: at, Length: small}) {
		t.Errorf("the data lies at %v", p)
	}
	// A header and the rest of a last block for each member, and the data once.
	if n, most := v.read.Load(), int64((count+3)*2*512+small); n > most {
		t.Errorf("%d bytes were read, of which %d are headers", n, (count+1)*512)
	}
	v.read.Store(0)
	if _, err := a.Find("big0", true); err != nil || v.read.Load() > 2*512 {
		t.Errorf("the first header took %d bytes; %v", v.read.Load(), err)
	}
}

func TestUnknown(t *testing.T) {
	random := bytes.Repeat([]byte("neither this nor that. "), 100)
	for _, c := range []struct {
		name, compression string
		b                 []byte
	}{
		{"nothing", "", nil},
		{"text", "", random},
		{"short text", "", random[:100]},
		{"gzip", "gzip", append([]byte("\x1f\x8b\x08"), random...)},
		{"zstd", "zstd", append([]byte("\x28\xb5\x2f\xfd"), random...)},
		{"xz", "xz", append([]byte("\xfd7zXZ\x00"), random...)},
		{"bzip2", "bzip2", append([]byte("BZh9"), random...)},
		{"lz4", "lz4", append([]byte("\x04\x22\x4d\x18"), random...)},
	} {
		for _, size := range []int64{int64(len(c.b)), archive.UnknownSize} {
			_, err := archive.Open(bytes.NewReader(c.b), size)
			var e *archive.UnknownError
			if !errors.As(err, &e) || e.Compression != c.compression {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
	// A tar is one without its end, too; a zip is not.
	if a, err := archive.Open(bytes.NewReader(tarOf(t, tar.FormatPAX, tree...)), archive.UnknownSize); err != nil || len(list(t, a)) != len(tree) {
		t.Error(err)
	}
	if _, err := archive.Open(bytes.NewReader(zipOf(t, zip.Store, tree...)), archive.UnknownSize); !errors.As(err, new(*archive.UnknownError)) {
		t.Error(err)
	}
	// A zip is one behind a program that unpacks it, too.
	b := append(bytes.Clone(random), zipOf(t, zip.Store, tree...)...)
	a := open(t, b)
	all := list(t, a)
	if len(all) != len(tree) || data(t, b, a, all[1]) != "first" {
		t.Error("a zip behind something else")
	}
	// An empty tar is zeros, up to the end and not without one. A disk image is
	// none for beginning with them.
	if n := len(list(t, open(t, make([]byte, 10240)))); n != 0 {
		t.Errorf("an empty tar has %d members", n)
	}
	image := make([]byte, 10240)
	image[9000] = 1
	for name, v := range map[string]*virtual{
		"a disk image":       {pieces: map[int64][]byte{0: image}, size: 10240},
		"an empty disk":      {size: 1 << 40},
		"one without an end": {size: 10240},
	} {
		size := v.size
		if name == "one without an end" {
			size = archive.UnknownSize
		}
		if _, err := archive.Open(v, size); !errors.As(err, new(*archive.UnknownError)) || v.read.Load() > 1<<17 {
			t.Errorf("%s: %v, %d bytes read", name, err, v.read.Load())
		}
	}
}

// What is cut off anywhere, or changed anywhere, ends in an error or in members,
// and in no panic; and what is wrong with the archive is told from what is wrong
// with its source.
func TestDamage(t *testing.T) {
	for name, b := range map[string][]byte{
		"tar": tarOf(t, tar.FormatPAX, tree...),
		"gnu": tarOf(t, tar.FormatGNU, file{name: long, data: "deep"}),
		"zip": zipOf(t, zip.Deflate, tree...),
	} {
		for size := 0; size < len(b); size += 37 {
			walk(t, fmt.Sprint(name, " cut at ", size), b[:size])
			bad := bytes.Clone(b)
			bad[size] ^= 0x55
			walk(t, fmt.Sprint(name, " changed at ", size), bad)
		}
	}
	// The end of a member is missing: it is listed, and does not come out as whole.
	b := tarOf(t, tar.FormatUSTAR, file{name: "m", data: strings.Repeat("x", 2000)})
	a := open(t, b[:1500])
	m, err := a.Find("m", true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.OpenMember(m)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); len(got) != 1500-512 || !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// A byte of a zip's data is another.
	b = zipOf(t, zip.Deflate, file{name: "m", data: strings.Repeat("x", 2000)})
	b[bytes.Index(b, []byte("PK\x07\x08"))-3] ^= 1 // before the descriptor that follows the data
	a = open(t, b)
	if m, err = a.Find("m", true); err != nil {
		t.Fatal(err)
	}
	if r, err = a.OpenMember(m); err == nil {
		_, err = io.ReadAll(r)
	}
	if !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("changed data of a zip came out: %v", err)
	}
	b = zipOf(t, zip.Store, file{name: "m", data: "stored"})
	b[bytes.Index(b, []byte("stored"))] ^= 1
	a = open(t, b)
	if m, err = a.Find("m", true); err != nil || !m.Checked {
		t.Fatal(m, err)
	}
	if r, err = a.OpenMember(m); err == nil {
		_, err = io.ReadAll(r)
	}
	if !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("changed data of a zip came out: %v", err)
	}
}

func walk(t *testing.T, name string, b []byte) {
	t.Helper()
	a, err := archive.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		if !errors.Is(err, archive.ErrDamaged) && !errors.As(err, new(*archive.UnknownError)) {
			t.Errorf("%s: %v", name, err)
		}
		return
	}
	n := 0
	for m, err := range a.Members() {
		if err != nil {
			if !errors.Is(err, archive.ErrDamaged) && !errors.As(err, new(*archive.UnsupportedError)) {
				t.Errorf("%s: %v", name, err)
			}
		} else if r, err := a.OpenMember(m); err == nil {
			io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		}
		if n++; n > 1000 {
			t.Fatalf("%s: no end", name)
		}
	}
}

// failing is a source that fails from some offset on.
type failing struct {
	io.ReaderAt
	from int64
}

var errSource = errors.New("bad sector")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if n := f.from - off; n < int64(len(p)) {
		n, _ := f.ReaderAt.ReadAt(p[:max(0, n)], off)
		return n, errSource
	}
	return f.ReaderAt.ReadAt(p, off)
}

func TestSourceErrors(t *testing.T) {
	for _, b := range [][]byte{
		tarOf(t, tar.FormatPAX, tree...), tarOf(t, tar.FormatGNU, file{name: long, data: "deep"}), zipOf(t, zip.Deflate, tree...), zipOf(t, zip.Store, tree...),
	} {
		for from := int64(0); from < int64(len(b)); from += 101 {
			err := readAll(failing{bytes.NewReader(b), from}, int64(len(b)))
			// What ends a tar is read by nobody.
			if errors.Is(err, archive.ErrDamaged) || !errors.Is(err, errSource) && (err != nil || from < int64(len(b))-512) {
				t.Errorf("from %d of %d on: %v", from, len(b), err)
			}
		}
	}
}

func readAll(src io.ReaderAt, size int64) error {
	a, err := archive.Open(src, size)
	if err != nil {
		return err
	}
	for m, err := range a.Members() {
		if err != nil {
			return err
		}
		if m.Kind != archive.File {
			continue
		}
		r, err := a.OpenMember(m)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return err
		}
	}
	return nil
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"a":             "a",
		"a/b":           "a/b",
		"./a//b/":       "a/b",
		"././a":         "a",
		".":             ".",
		"./":            ".",
		"a/../b":        "b",
		"...":           "...",
		"-rf":           "-rf",
		"ünï":           "ünï",
		"":              ".",
		"..":            "",
		"../a":          "",
		"./../a":        "",
		"a/../../b":     "",
		"/a":            "",
		"//a":           "",
		".//a":          "a",
		"a\nb":          "a\nb",
		"a\tb/../../..": "",
	} {
		got, ok := archive.Path(name)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q is %q, %v", name, got, ok)
		}
	}
}

func TestNoData(t *testing.T) {
	for _, b := range [][]byte{
		tarOf(t, tar.FormatGNU, file{name: "d/", kind: tar.TypeDir}, file{name: "p", kind: tar.TypeFifo}, file{name: "c", kind: tar.TypeChar}, file{name: "s", kind: tar.TypeSymlink, link: "x"}),
		zipOf(t, zip.Store, file{name: "d/", kind: tar.TypeDir}, file{name: "p", kind: tar.TypeFifo}),
	} {
		a := open(t, b)
		for _, m := range list(t, a) {
			if _, err := a.OpenMember(m); err == nil {
				t.Errorf("a %s has data", m.Kind)
			}
		}
	}
	// A member that is encrypted inside a zip is listed, and not opened.
	b := zipOf(t, zip.Store, file{name: "secret", data: "x"})
	for _, sig := range []string{"PK\x03\x04", "PK\x01\x02"} {
		at := bytes.Index(b, []byte(sig))
		if b[at+6] |= 1; sig == "PK\x01\x02" {
			b[at+8] |= 1
		}
	}
	a := open(t, b)
	if _, err := a.OpenMember(list(t, a)[0]); !errors.As(err, new(*archive.UnsupportedError)) || !strings.Contains(err.Error(), "encrypted") {
		t.Error(err)
	}
}

// A zip's member of another method, and ones that cannot be as large as they say,
// do not come out; nor does a link to more than a name.
func TestZipMembers(t *testing.T) {
	central := func(b []byte) []byte { return b[bytes.Index(b, []byte("PK\x01\x02")):] }
	b := zipOf(t, zip.Store, file{name: "m", data: "x"})
	b[bytes.Index(b, []byte("PK\x03\x04"))+8] = 14
	central(b)[10] = 14
	a := open(t, b)
	if _, err := a.OpenMember(list(t, a)[0]); !errors.As(err, new(*archive.UnsupportedError)) || !strings.Contains(err.Error(), "method 14") {
		t.Error(err)
	}
	var w bytes.Buffer
	z := zip.NewWriter(&w)
	z.CreateRaw(&zip.FileHeader{Name: "m", UncompressedSize64: 1<<63 + 5, CompressedSize64: 0, Method: zip.Deflate})
	z.Close()
	a = open(t, w.Bytes())
	m := list(t, a)[0]
	if _, err := a.OpenMember(m); m.Size < 0 || !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("a member of %d bytes: %v", m.Size, err)
	}
	for _, n := range []int{1, 4095, 4096, 100_000} {
		to := strings.Repeat("x", n)
		a := open(t, zipOf(t, zip.Deflate, file{name: "l", kind: tar.TypeSymlink, link: to}))
		if got, err := a.LinkOf(list(t, a)[0]); n < 4096 && (err != nil || got != to) || n >= 4096 && !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("a link of %d bytes: %d, %v", n, len(got), err)
		}
	}
}

// Where a tar breaks off, what is before it counts.
func TestBrokenOff(t *testing.T) {
	b := tarOf(t, tar.FormatUSTAR, file{name: "d/a", data: "a"}, file{name: "d/l", kind: tar.TypeLink, link: "d/a"}, file{name: "b", data: "b"}, file{name: "z"})
	b[3*512+512+512+100] ^= 1 // in the header of z
	a := open(t, b)
	for _, name := range []string{"d/a", "d/l", "b"} {
		m, err := a.Find(name, false)
		if !errors.Is(err, archive.ErrDamaged) || m == nil || data(t, b, a, m) != name[len(name)-1:] && name != "d/l" {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if m, err := a.Find("z", false); m != nil || !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("z: %+v, %v", m, err)
	}
	s, err := a.Select("d", "z", "b")
	if err != nil {
		t.Fatal(err)
	}
	if got := members(t, s); len(got) != 3 || got[1].Kind != archive.File || !slices.Equal(s.Missing, []string{"z"}) || !errors.Is(s.End, archive.ErrDamaged) {
		t.Errorf("%v, without %q, %v", got, s.Missing, s.End)
	}
}

// GNU tar's directories with lists of names, and labels of tapes.
func TestGNUTypes(t *testing.T) {
	b := tarOf(t, tar.FormatUSTAR, file{name: "label", kind: tar.TypeReg}, file{name: "d", data: "Yf\x00", kind: tar.TypeReg}, file{name: "d/f", data: "x"})
	for at, kind := range map[int]byte{0: 'V', 512: 'D'} {
		h := b[at : at+512]
		sum := 0
		h[156] = kind
		copy(h[148:], "        ")
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	}
	a := open(t, b)
	all := list(t, a)
	if len(all) != 2 || all[0].Name != "d" || all[0].Kind != archive.Dir || all[0].Size != 0 || data(t, b, a, all[1]) != "x" {
		t.Errorf("%+v", all)
	}
}

// A global header of pax is no member.
func TestGlobalHeader(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "global", PAXRecords: map[string]string{"comment": "of git"}})
	w.WriteHeader(&tar.Header{Name: "f", Size: 1, Mode: 0o600})
	w.Write([]byte("x"))
	w.Close()
	a := open(t, b.Bytes())
	all := list(t, a)
	if len(all) != 1 || all[0].Name != "f" || data(t, b.Bytes(), a, all[0]) != "x" {
		t.Errorf("%+v", all)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(tarOf(f, tar.FormatPAX, tree...))
	f.Add(tarOf(f, tar.FormatGNU, file{name: long, data: "deep"}))
	f.Add(zipOf(f, zip.Deflate, tree...))
	f.Fuzz(func(t *testing.T, b []byte) {
		walk(t, "fuzzed", b)
		if a, err := archive.Open(bytes.NewReader(b), int64(len(b))); err == nil {
			a.Select(".")
		}
	})
}
