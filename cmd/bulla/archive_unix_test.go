//go:build unix

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// sealFile writes what fill makes to a container of that name in a directory
// that has a key.
func sealFile(t *testing.T, dir, name string, fill func(io.Writer) error) {
	t.Helper()
	var b bytes.Buffer
	if err := fill(&b); err != nil {
		t.Fatal(err)
	}
	if c := start(t, dir, &b, "encrypt", "-o", name); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tarWith makes a tar of headers; a regular file holds its name.
func tarWith(headers ...tar.Header) func(io.Writer) error {
	return func(dst io.Writer) error {
		w := tar.NewWriter(dst)
		for _, h := range headers {
			if h.Mode = 0o644; h.Typeflag == 0 {
				h.Typeflag, h.Size = tar.TypeReg, int64(len(h.Name))
			}
			if err := w.WriteHeader(&h); err != nil {
				return err
			}
			if h.Typeflag == tar.TypeReg {
				io.WriteString(w, h.Name)
			}
		}
		return w.Close()
	}
}

// everything lists all that is below a directory, with the content of files.
func everything(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		switch {
		case d.IsDir():
			if path == filepath.Join(dir, ".config") {
				return filepath.SkipDir
			}
		case d.Type() == fs.ModeSymlink:
			to, _ := os.Readlink(path)
			all[name] = "-> " + to
		default:
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all[name] = string(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Nothing of an archive is written outside the directory, whatever its names
// and links are, and nothing that a name of it says is done to a terminal.
func TestExtractHostile(t *testing.T) {
	link := func(name, to string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
	}
	file := func(name string) tar.Header { return tar.Header{Name: name} }
	for _, c := range []struct {
		name    string
		members []tar.Header
		want    map[string]string
		code    int
	}{
		{"parent", []tar.Header{file("../evil"), file("ok")}, map[string]string{"ok": "ok"}, exitRefused},
		{"hidden parent", []tar.Header{file("a/../../evil"), file("a/../b")}, map[string]string{"b": "a/../b"}, exitRefused},
		{"absolute", []tar.Header{file("/evil"), file("ok")}, map[string]string{"ok": "ok"}, exitRefused},
		{"control characters", []tar.Header{file("a\x1b[2Jb"), file("c\nd"), file("ok")}, map[string]string{"ok": "ok"}, exitRefused},
		{"link out, and through it", []tar.Header{link("out", ".."), file("out/evil"), file("ok")}, map[string]string{"ok": "ok", "out": "-> .."}, exitRefused},
		{"link to the root", []tar.Header{link("l", "/"), file("l/evil")}, map[string]string{"l": "-> /"}, exitRefused},
		{"links that lead anywhere", []tar.Header{link("abs", "/etc/passwd"), link("up", "../../victim"), link("d/none", "nothing")}, map[string]string{"abs": "-> /etc/passwd", "up": "-> ../../victim", "d/none": "-> nothing"}, 0},
		{"links over links", []tar.Header{link("a", "b/.."), link("b", "."), link("c", "a/.."), file("c/evil")},
			map[string]string{"a": "-> b/..", "b": "-> .", "c": "-> a/.."}, exitRefused},
		{"link inside, and through it", []tar.Header{{Name: "d/", Typeflag: tar.TypeDir}, link("l", "d"), file("l/f")}, map[string]string{"l": "-> d"}, exitRefused},
		{"link inside, and another through it", []tar.Header{link("d/l/m", "../x"), link("d/l", "e"), {Name: "d/e/", Typeflag: tar.TypeDir}}, map[string]string{"d/l/m": "-> ../x"}, exitRefused},
		{"link inside, and another behind it", []tar.Header{{Name: "d/e/", Typeflag: tar.TypeDir}, link("d/l", "e"), link("d/l/m", "../x")}, map[string]string{"d/l": "-> e"}, exitRefused},
		{"file over its own link", []tar.Header{link("l", "target"), file("target"), file("l")}, map[string]string{"l": "l", "target": "target"}, 0},
		{"hard link out", []tar.Header{file("a"), {Name: "h", Typeflag: tar.TypeLink, Linkname: "../victim"}}, map[string]string{"a": "a"}, exitRefused},
		{"hard link", []tar.Header{file("a"), {Name: "h", Typeflag: tar.TypeLink, Linkname: "a"}}, map[string]string{"a": "a", "h": "a"}, 0},
		{"devices", []tar.Header{{Name: "c", Typeflag: tar.TypeChar}, {Name: "p", Typeflag: tar.TypeFifo}, file("ok")}, map[string]string{"ok": "ok"}, exitRefused},
		{"a file where a directory must be", []tar.Header{file("a"), file("a/b"), file("c")}, map[string]string{"a": "a", "c": "c"}, exitRefused},
		{"a directory where a file must be", []tar.Header{file("a/b"), file("a"), file("c")}, map[string]string{"a/b": "a/b", "c": "c"}, exitRefused},
		{"no names", []tar.Header{{Name: "./", Typeflag: tar.TypeDir}, file("."), file("c")}, map[string]string{"c": "c"}, exitRefused},
		{"hard links to others than files", []tar.Header{{Name: "d/", Typeflag: tar.TypeDir}, {Name: "h", Typeflag: tar.TypeLink, Linkname: "d"}, {Name: "i", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"},
			link("s", "c"), {Name: "t", Typeflag: tar.TypeLink, Linkname: "s"}, file("c")}, map[string]string{"c": "c", "s": "-> c", "t": "-> c"}, exitRefused},
		{"a long name", []tar.Header{file(strings.Repeat("x", 300)), file("c")}, map[string]string{"c": "c"}, exitRefused},
		{"times that no file has", []tar.Header{{Name: "a", ModTime: time.Unix(1<<40, 0)}, {Name: "b", ModTime: time.Unix(-1<<40, 0)}}, map[string]string{"a": "a", "b": "b"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := workDir(t)
			victim := filepath.Join(dir, "victim")
			if err := os.WriteFile(victim, []byte("untouched"), 0o600); err != nil {
				t.Fatal(err)
			}
			sealFile(t, dir, "x.bulla", tarWith(c.members...))
			if err := os.Mkdir(filepath.Join(dir, "out"), 0o700); err != nil {
				t.Fatal(err)
			}
			run := start(t, dir, nil, "extract", "-C", "out", "x.bulla", ".")
			if got := run.code(); got != c.code {
				t.Errorf("exit code %d, not %d: %s", got, c.code, run.errs.String())
			}
			if strings.ContainsAny(run.errs.String(), "\x1b\x07") {
				t.Errorf("it said %q", run.errs.String())
			}
			got := everything(t, dir)
			if got["victim"] != "untouched" {
				t.Error("a file outside was changed")
			}
			delete(got, "victim")
			delete(got, "x.bulla")
			for name, content := range c.want {
				if got[filepath.Join("out", name)] != content {
					t.Errorf("%s holds %q, not %q", name, got[filepath.Join("out", name)], content)
				}
				delete(got, filepath.Join("out", name))
			}
			if len(got) > 0 {
				t.Errorf("there is also %v", got)
			}
		})
	}
}

// Whatever an archive holds, and whatever links stand in the directory before, all
// that is written is in the directory, and the links are as in the archive.
func TestExtractRandom(t *testing.T) {
	dir := workDir(t)
	out, outside := filepath.Join(dir, "out"), filepath.Join(dir, "outside")
	names := []string{"a", "b", "a/b", "b/a", "a/b/c", "c", "./a//c", "b/../c", "../outside/x", "c/x"}
	targets := []string{"a", "b", "..", "../..", ".", "../outside", outside, filepath.Join(outside, "x"), "a/../../outside", "c", "/", "b/a"}
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 7))
		pick := func(s []string) string { return s[random.IntN(len(s))] }
		for _, d := range []string{out, outside} {
			if err := os.Mkdir(d, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		write(t, filepath.Join(outside, "x"), "untouched")
		if seed%2 > 0 { // something stands there before
			os.Symlink(pick(targets), filepath.Join(out, pick([]string{"a", "b", "c"})))
		}
		links := map[string]bool{}
		var headers []tar.Header
		for range 1 + random.IntN(8) {
			h := tar.Header{Name: pick(names)}
			switch random.IntN(5) {
			case 0, 1:
				h.Typeflag, h.Linkname = tar.TypeSymlink, pick(targets)
				links[h.Linkname] = true
			case 2:
				h.Typeflag, h.Linkname = tar.TypeLink, pick(names)
			case 3:
				h.Typeflag = tar.TypeDir
			}
			headers = append(headers, h)
		}
		sealFile(t, dir, "x.bulla", tarWith(headers...))
		args := []string{"extract", "-q", "--no-sync", "-C", "out", "x.bulla"}
		if seed%3 > 0 {
			args = append(args, "--force")
		}
		c := start(t, dir, nil, args...)
		if got := c.code(); got != 0 && got != exitRefused {
			t.Errorf("seed %d: exit code %d: %s", seed, got, c.errs.String())
		}
		if got := everything(t, outside); len(got) != 1 || got["x"] != "untouched" {
			t.Errorf("seed %d: outside there is %v, of %+v", seed, got, headers)
		}
		for name, content := range everything(t, out) {
			if to, ok := strings.CutPrefix(content, "-> "); ok && !links[to] && seed%2 == 0 {
				t.Errorf("seed %d: there is a link %s to %s, of %+v", seed, name, to, headers)
			}
		}
		for _, d := range []string{out, outside, filepath.Join(dir, "x.bulla")} {
			os.RemoveAll(d)
		}
	}
	if got := everything(t, dir); len(got) > 0 {
		t.Errorf("there is also %v", got)
	}
}

// What is wrong with one member of a zip keeps no other from being written, and
// the worst says how it ends.
func TestExtractBadMembers(t *testing.T) {
	for _, c := range []struct {
		name string
		bad  func(b []byte) // the local header and the directory's entry of the first member, and its data
		says string
		code int
	}{
		{"method", func(b []byte) { local(b)[8], central(b)[10] = 14, 14 }, "compressed with method 14 of zip", exitUnsupported},
		{"encrypted", func(b []byte) { local(b)[6] |= 1; central(b)[8] |= 1 }, "encrypted inside the zip", exitUnsupported},
		{"checksum", func(b []byte) { b[bytes.Index(b, []byte("the content"))] ^= 1 }, "checksum", exitBad},
		{"size", func(b []byte) { copy(central(b)[20:], "\xff\xff\xff\xfe\xff\xff\xff\xfe") }, "damaged", exitBad},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := workDir(t)
			sealFile(t, dir, "x.bulla", func(dst io.Writer) error {
				var b bytes.Buffer
				w := zip.NewWriter(&b)
				for _, name := range []string{"bad", "good"} {
					f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
					if err != nil {
						return err
					}
					io.WriteString(f, "the content of "+name)
				}
				w.Close()
				c.bad(b.Bytes())
				_, err := dst.Write(b.Bytes())
				return err
			})
			if err := os.Mkdir(filepath.Join(dir, "out"), 0o700); err != nil {
				t.Fatal(err)
			}
			run := start(t, dir, nil, "extract", "-C", "out", "x.bulla", ".")
			if got := run.code(); got != c.code || !strings.Contains(run.errs.String(), "warning: bad is not written") || !strings.Contains(run.errs.String(), c.says) {
				t.Errorf("exit code %d: %s", got, run.errs.String())
			}
			if got := everything(t, filepath.Join(dir, "out")); len(got) != 1 || got["good"] != "the content of good" {
				t.Errorf("%q", got)
			}
			if run := start(t, dir, nil, "cat", "x.bulla::bad"); run.code() != c.code {
				t.Errorf("cat: %s", run.errs.String())
			}
		})
	}
}

func local(b []byte) []byte   { return b[bytes.Index(b, []byte("PK\x03\x04")):] }
func central(b []byte) []byte { return b[bytes.Index(b, []byte("PK\x01\x02")):] }

// An extraction that is interrupted leaves nothing that is not whole.
func TestExtractInterrupted(t *testing.T) {
	dir := workDir(t)
	sealFile(t, dir, "x.bulla", func(dst io.Writer) error {
		var many bytes.Buffer
		const pieces = 1 << 20 // as many as a file may have: they take a while
		for i := range pieces {
			fmt.Fprintf(&many, ",%d,1", 2*i)
		}
		w := tar.NewWriter(dst)
		w.WriteHeader(&tar.Header{Name: "a", Size: 5, Mode: 0o600})
		io.WriteString(w, "whole")
		w.Flush()
		// Package tar writes no sparse files, nor an extended header of that size.
		block := func(h tar.Header) []byte {
			var b bytes.Buffer
			h.Mode, h.Format = 0o600, tar.FormatUSTAR
			tar.NewWriter(&b).WriteHeader(&h)
			return b.Bytes()[:512]
		}
		record := func(key, value string) string {
			n := len(key) + len(value) + 3
			for len(fmt.Sprint(n))+len(key)+len(value)+3 > n {
				n++
			}
			return fmt.Sprintf("%d %s=%s\n", n, key, value)
		}
		pax := record("GNU.sparse.size", fmt.Sprint(2*pieces)) + record("GNU.sparse.name", "endless") + record("GNU.sparse.map", many.String()[1:])
		header := block(tar.Header{Name: "pax", Typeflag: tar.TypeReg, Size: int64(len(pax))})
		sum := 0
		header[156] = tar.TypeXHeader
		copy(header[148:], "        ")
		for _, c := range header {
			sum += int(c)
		}
		copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
		_, err := dst.Write(slices.Concat(header, []byte(pax), make([]byte, -len(pax)&511), block(tar.Header{Name: "x", Typeflag: tar.TypeReg, Size: pieces}), make([]byte, pieces+1024)))
		return err
	})
	out := filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	c := start(t, dir, nil, "extract", "-C", "out", "x.bulla", ".")
	waitFor(t, "both are begun", func() bool { return names(t, out) == ".bulla-endless.partial a" })
	c.Process.Signal(os.Interrupt)
	if got := c.code(); got != exitInterrupted {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	if got := names(t, out); got != "a" {
		t.Errorf("the directory holds %s", got)
	}
}

// A link that stands in the directory already leads nobody out of it either.
func TestExtractOverLinks(t *testing.T) {
	dir := workDir(t)
	out, elsewhere := filepath.Join(dir, "out"), filepath.Join(dir, "elsewhere")
	for _, d := range []string{out, elsewhere} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(elsewhere, filepath.Join(out, "d")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(elsewhere, "f"), []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(elsewhere, "f"), filepath.Join(out, "f")); err != nil {
		t.Fatal(err)
	}
	sealFile(t, dir, "x.bulla", tarWith(tar.Header{Name: "d/f"}, tar.Header{Name: "f"}))
	c := start(t, dir, nil, "extract", "--force", "-C", "out", "x.bulla", "d/f")
	if got := c.code(); got != exitRefused || !strings.Contains(c.errs.String(), "leads out of the directory over a link") {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	if c := start(t, dir, nil, "extract", "-C", "out", "x.bulla", "f"); c.code() != exitRefused {
		t.Error("a link was replaced without --force")
	}
	if c := start(t, dir, nil, "extract", "--force", "-C", "out", "x.bulla", "f"); c.code() != 0 {
		t.Error(c.errs.String())
	}
	got := everything(t, dir)
	if got["elsewhere/f"] != "untouched" || got["out/f"] != "f" {
		t.Errorf("%v", got)
	}
}

// The same from a zip, whose links are data.
func TestExtractHostileZip(t *testing.T) {
	dir := workDir(t)
	sealFile(t, dir, "x.bulla", func(dst io.Writer) error {
		w := zip.NewWriter(dst)
		for _, m := range [][2]string{{"../evil", ""}, {"ok", ""}, {"l", ".."}, {"m", "ok"}, {"/abs", ""}} {
			h := &zip.FileHeader{Name: m[0]}
			h.SetMode(0o644)
			content := m[0]
			if m[1] != "" {
				h.SetMode(fs.ModeSymlink | 0o777)
				content = m[1]
			}
			f, err := w.CreateHeader(h)
			if err != nil {
				return err
			}
			io.WriteString(f, content)
		}
		return w.Close()
	})
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := start(t, dir, nil, "extract", "-C", "out", "x.bulla", ".", "../evil", "/abs")
	if got := c.code(); got != exitRefused {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	got := everything(t, dir)
	delete(got, "x.bulla")
	if len(got) != 3 || got["out/ok"] != "ok" || got["out/m"] != "-> ok" || got["out/l"] != "-> .." {
		t.Errorf("%v", got)
	}
}

// Names that are one without their first parts are one place, and a hard link is of
// the file that it was made of. What is too deep for most programs is not made.
func TestExtractStripped(t *testing.T) {
	dir := workDir(t)
	deep := strings.Repeat("d/", 2048)
	sealFile(t, dir, "x.bulla", tarWith(tar.Header{Name: "x/f"}, tar.Header{Name: "y/f"}, tar.Header{Name: "z/link", Typeflag: tar.TypeLink, Linkname: "x/f"},
		tar.Header{Name: "x/s", Typeflag: tar.TypeSymlink, Linkname: ".."}, tar.Header{Name: "y/s/below"}, tar.Header{Name: deep + "f"}))
	for _, force := range []string{"--force=false", "--force"} {
		c := start(t, dir, nil, "extract", "-C", "out", force, "--strip-components", "1", "x.bulla", "x", "y", "z")
		if got := c.code(); got != exitRefused || !strings.Contains(c.errs.String(), "y/s/below is not written: another member") {
			t.Errorf("exit code %d: %s", got, c.errs.String())
		}
		got := everything(t, filepath.Join(dir, "out"))
		if len(got) != 3 || got["f"] != "y/f" || got["link"] != "x/f" || got["s"] != "-> .." {
			t.Errorf("%v", got)
		}
	}
	c := start(t, dir, nil, "extract", "-C", "deep", "x.bulla", "d")
	if got := c.code(); got != exitRefused || !strings.Contains(c.errs.String(), "its name is too long") {
		t.Errorf("exit code %d: %s", got, c.errs.String())
	}
	if got := names(t, filepath.Join(dir, "deep")); got != "" {
		t.Errorf("there is %s", got)
	}
	if c := start(t, dir, nil, "extract", "-C", "none", "--strip-components", "4000000000", "x.bulla", "x"); c.code() != 0 {
		t.Error(c.errs.String())
	}
}

// Names are shown so that a terminal does nothing at them, one a line.
func TestListHostile(t *testing.T) {
	dir := workDir(t)
	names := []string{"plain", "../up", "/abs", "a\x1b]0;title\x07b", "new\nline", "c1\u009b31m", "latin\xe9", "raw\x9b31m", "right\u202eleft", "wide 🙂"}
	var headers []tar.Header
	for _, n := range names {
		headers = append(headers, tar.Header{Name: n, Uname: "an\x1bna", Gname: "g"})
	}
	headers = append(headers, tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "to\x1b"})
	sealFile(t, dir, "x.bulla", tarWith(headers...))
	for _, args := range [][]string{{}, {"-l"}, {"--json"}} {
		var out bytes.Buffer
		c := &command{Cmd: exec.Command("bulla", append(append([]string{"ls"}, args...), "x.bulla")...), t: t}
		c.Dir, c.Stdout, c.Stderr = dir, &out, &c.errs
		c.Env = append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if c.code() != 0 {
			t.Fatal(c.errs.String())
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != len(headers) {
			t.Errorf("%v: %d lines for %d members", args, len(lines), len(headers))
		}
		if !utf8.ValidString(out.String()) || strings.ContainsFunc(strings.ReplaceAll(out.String(), "\n", ""), func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' }) {
			t.Errorf("%v: %q", args, out.String())
		}
		if len(args) == 0 || args[0] != "--json" {
			continue
		}
		for i, line := range lines[:len(names)] {
			var m struct {
				Name string
				Raw  []byte `json:"name_base64"`
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			if got := m.Name; len(m.Raw) == 0 && got != names[i] || len(m.Raw) > 0 && string(m.Raw) != names[i] {
				t.Errorf("%q is %q, %q", names[i], got, m.Raw)
			}
		}
	}
}

// One rule for members that cannot be made: what the system says of one is no reason
// to leave out the others, but what the next would meet as well is.
func TestExtractCannot(t *testing.T) {
	e := &extraction{extractFlags: &extractFlags{dir: "out"}}
	for errno, code := range map[syscall.Errno]int{
		syscall.EPERM: exitRefused, syscall.EACCES: exitRefused, syscall.ENOSYS: exitRefused, syscall.EOPNOTSUPP: exitRefused, syscall.ENAMETOOLONG: exitRefused,
		syscall.EINVAL: exitRefused, syscall.EILSEQ: exitRefused, syscall.ENOTDIR: exitRefused, syscall.EFBIG: exitRefused, syscall.ELOOP: exitRefused,
		syscall.ENOSPC: exitIO, syscall.EDQUOT: exitIO, syscall.EROFS: exitIO, syscall.EIO: exitIO, syscall.EMFILE: exitIO,
	} {
		for _, err := range []error{&os.LinkError{Op: "symlinkat", Old: "x", New: "l", Err: errno}, &fs.PathError{Op: "openat", Path: "l", Err: errno}} {
			f := explain(e.about("l", err))
			if f.exit != code || !strings.Contains(f.what, "out/l") || !strings.Contains(f.what, errno.Error()) {
				t.Errorf("%v: %d, %s", err, f.exit, f.what)
			}
		}
	}
}

// What is extracted is what tar extracts: a system's configuration, and a source tree.
func TestExtractLikeTar(t *testing.T) {
	if missing(t, "tar") || runtime.GOOS != "linux" {
		t.Skip("takes GNU tar")
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(strings.TrimSpace(string(goroot)), "src")
	trees := []string{"/etc", src}
	if testing.Short() {
		trees[1] = filepath.Join(src, "net")
	}
	for _, tree := range trees {
		dir := workDir(t)
		sealFile(t, dir, "x.bulla", func(dst io.Writer) error {
			pack := exec.Command("tar", "-C", filepath.Dir(tree), "--ignore-failed-read", "-cf", "-", filepath.Base(tree))
			pack.Stdout = dst
			if err := pack.Run(); err != nil && os.Geteuid() == 0 && pack.ProcessState.ExitCode() != 1 { // 1: a file changed meanwhile, and the archive is whole all the same
				return err
			}
			return nil
		})
		c := start(t, dir, nil, "extract", "-C", "ours", "x.bulla")
		if c.code() != 0 || c.errs.Len() > 0 {
			t.Error(c.errs.String())
		}
		unpack := exec.Command("sh", "-c", "mkdir tar && bulla cat x.bulla | tar x -C tar && diff -r --no-dereference tar ours && for d in tar ours; do (cd $d && find . -mindepth 1 ! -type l -printf '%p %y %T@ %n\n' | sort) > $d.list; done; diff tar.list ours.list")
		unpack.Dir, unpack.Env = dir, append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
		if out, err := unpack.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%.2000s", tree, err, out)
		}
	}
}
