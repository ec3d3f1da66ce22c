// Package browse shows the tree in an archive as pages for a browser: directories,
// search, text and pictures, downloads of files and of ranges, and what can be said of
// the container around it. There is no script.
//
//	/TOKEN/tree/PATH    a directory, or a file with what can be shown of it
//	/TOKEN/data/PATH    a file, or with ?range= a part, to be saved
//	/TOKEN/image/PATH   a picture, to be shown
//	/TOKEN/find?q=WORD  paths with a word in them
//	/TOKEN/about        the container
//	/TOKEN/style.css
//
// Whoever has the token may read. Pages load nothing from elsewhere and are part of no
// other page, what is in the archive is never a page or a script of this origin, and a
// name that was made to lead here, as by DNS rebinding, is refused.
package browse

import (
	"bytes"
	"crypto/subtle"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"bulla/internal/archive"
	"bulla/internal/console"
	"bulla/internal/safetext"
)

// A Site is what is shown.
type Site struct {
	Name  string // of the file
	Tree  *archive.FS
	Token string   // that begins every path
	Hosts []string // by which the site is reached: "127.0.0.1:8080"

	About func() About
	Fault func(path string, err error) string // is told what is wrong, and words it
}

// About is what there is to say of the container.
type About struct {
	Picture template.HTML
	Facts   [][2]string
	Slots   []string // who may open it
}

const (
	maxRows    = 10_000   // of a directory
	maxFound   = 1000     // by a search
	maxPreview = 64 << 10 // bytes of a text
)

// pictures are the types of content that a browser is told of. Others, such as SVG,
// may hold scripts.
var pictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"}

var (
	//go:embed page.html
	pageText string
	//go:embed style.css
	style []byte
)

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"shown": safetext.Printable,
	"size":  console.Bytes,
	"when":  when,
}).Parse(pageText))

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

// A view is what a page is made of.
type view struct {
	*Site
	Title, Query, Problem string
	Path                  string
	Rows                  []row
	Cut                   string // what is not shown
	File                  fs.FileInfo
	Text                  string
	Image                 bool
	About                 *About
}

type row struct {
	Path, Name string
	Info       fs.FileInfo
	Link       string
}

// Dir reports whether a row is a directory.
func (r row) Dir() bool { return r.Info.IsDir() }

// URL is where a path is to be had: "tree", "data" or "image".
func (s *Site) URL(kind, p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/" + s.Token + "/" + kind + "/" + strings.TrimPrefix(strings.Join(parts, "/"), ".")
}

// Crumbs are the directories on the way to a path.
func (v *view) Crumbs() (all []row) {
	for p := v.Path; p != "." && p != ""; p = path.Dir(p) {
		all = append(all, row{Path: p, Name: path.Base(p)})
	}
	slices.Reverse(all)
	return all
}

// Mode is the type and permissions as ls shows them.
func (s *Site) Mode(i fs.FileInfo) string { return (&archive.Member{Mode: i.Mode()}).ModeText() }

func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
		h.Set(name, value)
	}
	parts := append(strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3), "", "")
	p := path.Clean(parts[2])
	switch {
	case !slices.Contains(s.Hosts, r.Host), subtle.ConstantTimeCompare([]byte(parts[0]), []byte(s.Token)) != 1:
		http.Error(w, "This address is not complete, or of a run that has ended: use the one that bulla serve printed.", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "nothing can be changed here", http.StatusMethodNotAllowed)
	case parts[1] == "style.css":
		h.Set("Content-Type", "text/css; charset=utf-8")
		w.Write(style)
	case parts[1] == "data", parts[1] == "image":
		s.data(w, r, p, parts[1] == "image")
	case parts[1] == "find":
		s.find(w, r)
	case parts[1] == "about":
		about := s.About()
		s.write(w, http.StatusOK, &view{Title: "The container", About: &about})
	case parts[1] == "tree", parts[1] == "":
		s.show(w, p)
	default:
		s.fail(w, p, fs.ErrNotExist)
	}
}

func (s *Site) write(w http.ResponseWriter, status int, v *view) {
	v.Site = s
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// fail shows why a path cannot be.
func (s *Site) fail(w http.ResponseWriter, p string, err error) {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		s.write(w, http.StatusNotFound, &view{Title: "Not found", Path: p, Problem: "There is no such file in the archive."})
		return
	}
	s.write(w, http.StatusInternalServerError, &view{Title: "Not readable", Path: p, Problem: s.Fault(p, err)})
}

func (s *Site) row(p string) (row, error) {
	i, err := s.Tree.Lstat(p)
	if err != nil {
		return row{}, err
	}
	r := row{Path: p, Name: path.Base(p), Info: i}
	if i.Mode().Type() == fs.ModeSymlink {
		r.Link, _ = s.Tree.ReadLink(p)
	}
	return r, nil
}

// show shows a directory or a file.
func (s *Site) show(w http.ResponseWriter, p string) {
	st, err := s.Tree.Stat(p)
	v := &view{Title: path.Base(p), Path: p, File: st}
	switch {
	case err != nil:
	case st.IsDir():
		v.File = nil
		var all []fs.DirEntry
		all, err = s.Tree.ReadDir(p)
		if len(all) > maxRows {
			v.Cut = fmt.Sprintf("Only %d of %d are shown: search for others.", maxRows, len(all))
			all = all[:maxRows]
		}
		for _, e := range all {
			row, rowErr := s.row(path.Join(p, e.Name()))
			if rowErr != nil {
				err = rowErr
				break
			}
			v.Rows = append(v.Rows, row)
		}
	case st.Mode().IsRegular():
		err = s.preview(v)
	}
	if err != nil {
		s.fail(w, p, err)
		return
	}
	s.write(w, http.StatusOK, v)
}

// preview sets what can be shown of a file: text, or that it is a picture.
func (s *Site) preview(v *view) error {
	r, err := s.Tree.OpenAt(v.Path)
	if err != nil {
		return err
	}
	b := make([]byte, min(maxPreview, v.File.Size()))
	if n, err := r.ReadAt(b, 0); n < len(b) {
		v.Problem = s.Fault(v.Path, err)
		b = b[:n]
	}
	v.Image = slices.Contains(pictures, http.DetectContentType(b))
	if text := new(safetext.Filter); !v.Image && text.Accept(b) {
		v.Text = string(b)
		if int64(len(b)) < v.File.Size() {
			v.Cut = "This is the beginning: the rest is in the file."
		}
	}
	return nil
}

// find shows the paths that have the words asked for in them.
func (s *Site) find(w http.ResponseWriter, r *http.Request) {
	v := &view{Title: "Search", Query: r.URL.Query().Get("q")}
	word := strings.ToLower(v.Query)
	err := fs.WalkDir(s.Tree, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || r.Context().Err() != nil:
			return errors.Join(err, r.Context().Err())
		case p == "." || !strings.Contains(strings.ToLower(p), word):
			return nil
		case len(v.Rows) == maxFound:
			v.Cut = fmt.Sprintf("Only the first %d are shown.", maxFound)
			return fs.SkipAll
		}
		row, err := s.row(p)
		v.Rows = append(v.Rows, row)
		return err
	})
	if err != nil {
		s.fail(w, ".", err)
		return
	}
	s.write(w, http.StatusOK, v)
}

// data writes a file, or a range of it. What fails within it breaks the connection off,
// so that nobody takes it for complete.
func (s *Site) data(w http.ResponseWriter, r *http.Request, p string, image bool) {
	st, err := s.Tree.Stat(p)
	var from io.ReaderAt
	if err == nil {
		from, err = s.Tree.OpenAt(p)
	}
	if err != nil {
		s.fail(w, p, err)
		return
	}
	section, name := io.NewSectionReader(from, 0, st.Size()), path.Base(p)
	if text := r.URL.Query().Get("range"); text != "" {
		wanted, err := console.ParseRange(text)
		var offset, length int64
		if err == nil {
			offset, length, err = wanted.Resolve(st.Size())
		}
		if err != nil {
			s.write(w, http.StatusBadRequest, &view{Title: "No such range", Path: p, Problem: err.Error() + ". " + console.RangeForms})
			return
		}
		section, name = io.NewSectionReader(section, offset, length), name+".part"
	}
	kind := "application/octet-stream"
	if image {
		start := make([]byte, 512)
		n, _ := section.ReadAt(start, 0)
		if is := http.DetectContentType(start[:n]); slices.Contains(pictures, is) {
			kind = is
		}
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Content-Type", kind)
	if kind == "application/octet-stream" {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": strings.ToValidUTF8(name, "_")}))
	}
	http.ServeContent(w, r, "", time.Time{}, &faulty{section, func(err error) { s.Fault(p, err) }})
}

// A faulty reader says why it fails, which ServeContent does not.
type faulty struct {
	*io.SectionReader
	fault func(error)
}

func (f *faulty) Read(b []byte) (int, error) {
	n, err := f.SectionReader.Read(b)
	if err != nil && err != io.EOF {
		f.fault(err)
	}
	return n, err
}
