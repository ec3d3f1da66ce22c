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
	"context"
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

	About func() *About
	Fault func(path string, err error) string // is told what is wrong, and words it
}

// About is what there is to say of the container.
type About struct {
	Picture template.HTML
	Facts   [][2]string
	Slots   []string // who may open it; none if that cannot be judged
}

const (
	maxFound   = 1000     // by a search
	maxPreview = 64 << 10 // bytes of a text
	unknown    = "application/octet-stream"
)

// pictures are the types of content that a browser is told of. Others, such as SVG,
// may hold scripts.
var pictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"}

// kindOf is the type of a picture that may be shown, and unknown of all else.
func kindOf(start []byte) string {
	if kind := http.DetectContentType(start); slices.Contains(pictures, kind) {
		return kind
	}
	return unknown
}

var (
	//go:embed page.html
	pageText string
	//go:embed style.css
	style []byte

	page = template.Must(template.New("page").Funcs(template.FuncMap{"shown": safetext.Printable, "size": console.Bytes}).Parse(pageText))
)

// A view is what a page is made of.
type view struct {
	*Site
	Title, Path string
	Query       string // what was searched for
	Problem     string
	Rows        []row  // of a directory, or what was found
	File        *row   // or it is a file,
	Text        string // which is text
	Image       bool   // or a picture
	Cut         string // what is not shown of it
	About       *About
}

// A row is a path.
type row struct {
	Path, Name, Link string
	fs.FileInfo
}

func (r row) Permissions() string { return (&archive.Member{Mode: r.Mode()}).ModeText() }

func (r row) When() string {
	if t := r.ModTime(); !t.IsZero() {
		return t.Local().Format("2006-01-02 15:04")
	}
	return ""
}

func (s *Site) row(p string) (row, error) {
	st, err := s.Tree.Lstat(p)
	link, _ := s.Tree.ReadLink(p)
	return row{p, path.Base(p), link, st}, err
}

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

func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, value := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		h.Set(name, value)
	}
	parts := append(strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3), "", "")
	v := &view{Site: s, Path: path.Join(".", parts[2])}
	v.Title = path.Base(v.Path)
	var err error
	switch kind := parts[1]; {
	case !slices.Contains(s.Hosts, r.Host), subtle.ConstantTimeCompare([]byte(parts[0]), []byte(s.Token)) != 1:
		http.Error(w, "This address is not complete, or of a run that has ended: use the one that bulla serve printed.", http.StatusForbidden)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "nothing can be changed here", http.StatusMethodNotAllowed)
		return
	case kind == "style.css":
		h.Set("Content-Type", "text/css; charset=utf-8")
		w.Write(style)
		return
	case kind == "data", kind == "image":
		if err = s.data(w, r, v, kind == "image"); err == nil {
			return
		}
	case kind == "find":
		v.Title, v.Path, v.Query = "Search", "", r.URL.Query().Get("q")
		err = v.find(r.Context())
	case kind == "about":
		v.Title, v.Path, v.About = "The container", "", s.About()
	case kind == "tree", kind == "":
		err = v.show()
	default:
		err = fs.ErrNotExist
	}
	v.write(w, err)
}

// write writes the page, or one that says what is wrong.
func (v *view) write(w http.ResponseWriter, err error) {
	status := http.StatusOK
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		status, v = http.StatusNotFound, &view{Site: v.Site, Title: "Not found", Path: v.Path, Problem: "There is no such file in the archive."}
	} else if err != nil {
		status, v = http.StatusInternalServerError, &view{Site: v.Site, Title: "Not readable", Path: v.Path, Problem: v.Fault(v.Path, err)}
	}
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// show has the page show a directory or a file.
func (v *view) show() error {
	st, err := v.Tree.Stat(v.Path)
	if err != nil || !st.IsDir() {
		v.File = &row{v.Path, v.Title, "", st}
		if err == nil && st.Mode().IsRegular() {
			err = v.preview(st.Size())
		}
		return err
	}
	all, err := v.Tree.ReadDir(v.Path)
	for i := 0; i < len(all) && err == nil; i++ {
		var r row
		r, err = v.row(path.Join(v.Path, all[i].Name()))
		v.Rows = append(v.Rows, r)
	}
	return err
}

// preview sets what can be shown of a file: text, or that it is a picture.
func (v *view) preview(size int64) error {
	r, err := v.Tree.OpenAt(v.Path)
	if err != nil {
		return err
	}
	b := make([]byte, min(maxPreview, size))
	if n, err := r.ReadAt(b, 0); n < len(b) {
		v.Problem = v.Fault(v.Path, err)
		b = b[:n]
	}
	v.Image = kindOf(b) != unknown
	if text := new(safetext.Filter); !v.Image && text.Accept(b) {
		v.Text = string(b)
		if int64(len(b)) < size {
			v.Cut = "This is the beginning: the rest is in the file."
		}
	}
	return nil
}

// find has the page show the paths that what was searched for is in.
func (v *view) find(ctx context.Context) error {
	word := strings.ToLower(v.Query)
	return fs.WalkDir(v.Tree, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case p == "." || !strings.Contains(strings.ToLower(p), word):
			return nil
		case len(v.Rows) == maxFound:
			v.Cut = fmt.Sprintf("Only the first %d are shown.", maxFound)
			return fs.SkipAll
		}
		r, err := v.row(p)
		v.Rows = append(v.Rows, r)
		return err
	})
}

// data writes a file, or a range of it. What fails within it breaks the connection off,
// so that nobody takes it for complete.
func (s *Site) data(w http.ResponseWriter, r *http.Request, v *view, image bool) error {
	st, err := s.Tree.Stat(v.Path)
	if err != nil {
		return err
	}
	from, err := s.Tree.OpenAt(v.Path)
	if err != nil {
		return err
	}
	section, name, kind := io.NewSectionReader(from, 0, st.Size()), v.Title, unknown
	if text := r.URL.Query().Get("range"); text != "" {
		var offset, length int64
		wanted, err := console.ParseRange(text)
		if err == nil {
			offset, length, err = wanted.Resolve(st.Size())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return nil
		}
		section, name = io.NewSectionReader(section, offset, length), name+".part"
	}
	if image {
		start := make([]byte, 512)
		n, _ := section.ReadAt(start, 0)
		kind = kindOf(start[:n])
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	if h.Set("Content-Type", kind); kind == unknown {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": strings.ToValidUTF8(name, "_")}))
	}
	http.ServeContent(w, r, "", time.Time{}, &faulty{section, func(err error) { s.Fault(v.Path, err) }})
	return nil
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
