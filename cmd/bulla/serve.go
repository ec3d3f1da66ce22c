package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/archive"
	"bulla/internal/browse"
	"bulla/internal/console"
	"bulla/internal/picture"
	"bulla/internal/safetext"
	"bulla/set"
	"bulla/stream"
)

func serveCommand(a *app) *cobra.Command {
	f := &randomFlags{}
	cmd := newVerb("serve FILE", "Show what a file holds in a browser", exactlyOne,
		func(cmd *cobra.Command, args []string) error { return a.serve(cmd, f, args[0]) })
	f.register(a, cmd)
	f.grantFlag.register(cmd)
	return cmd
}

// served is what serve --json says.
type served struct {
	safetext.InputField
	URL string `json:"url"`
}

// tokenBytes is how much of a page's address is secret.
const tokenBytes = 16

func (a *app) serve(cmd *cobra.Command, f *randomFlags, name string) error {
	l, err := a.look(cmd, f, name)
	if err != nil {
		return err
	}
	secret := make([]byte, tokenBytes)
	if err := entropy.Default().Fill("bulla serve", secret); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	site := &browse.Site{Name: l.from.in.name, Tree: l.tree, Token: base64.RawURLEncoding.EncodeToString(secret),
		Hosts: []string{"127.0.0.1:" + port, "localhost:" + port}, Fault: l.tell, About: l.about}
	server := &http.Server{Handler: site, ReadHeaderTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10} // no WriteTimeout: a download may take hours
	defer context.AfterFunc(cmd.Context(), func() { server.Close() })()
	address := "http://" + site.Hosts[0] + "/" + site.Token + "/"
	if a.json {
		a.printJSON(served{l.from.in.given.AsInput(), address})
	} else {
		a.printf("%s\n", address)
	}
	if a.outErr != nil {
		return a.outErr
	}
	err = server.Serve(listener)
	return cmp.Or(context.Cause(cmd.Context()), err)
}

// about says of the file what shows once it is open, and what was found damaged so far.
func (l *look) about() *browse.About {
	r, size := l.from, l.from.in.size
	about := new(browse.About)
	fact := func(what, format string, args ...any) {
		about.Facts = append(about.Facts, [2]string{what, fmt.Sprintf(format, args...)})
	}
	fact("Container", "%s (%d bytes)", console.Bytes(size), size)
	if r.size >= 0 { // of all volumes, if it is a set
		fact("Plaintext", "%s (%d bytes)", console.Bytes(r.size), r.size)
	}
	s, isSet := r.plaintext.(setPlaintext)
	var volumes []int64
	if isSet {
		for _, v := range s.Volumes() {
			volumes = append(volumes, v.Size)
		}
		fact("Volumes", "%d", len(volumes))
	}
	if g, ok := r.plaintext.(grantedPlaintext); ok { // whose holder cannot judge the head
		for _, x := range g.Ranges() {
			fact("Granted", "%d bytes from %d on", x.Length, x.Offset)
		}
		return about
	}
	h := r.Head()
	n := int64(h.HeadSize())
	fact("Suite", "%v", h.Suite)
	fact("Coding", "%v", h.Coding)
	fact("Generation of the head", "%d", h.Generation)
	var marks []picture.Mark
	at := n - int64(format.Room(h.Pages)) - format.MACSize - 4 // where slots begin: at the end are a MAC and a checksum
	for i := range h.Slots {
		d, length := h.Slots[i].Describe(), int64(h.Slots[i].Size())
		text := d.Text + ", " + d.Class
		if i == r.OpenedSlot() {
			text += ": the one that opened it"
		}
		about.Slots = append(about.Slots, text)
		label := fmt.Sprintf("slot %d: %s", i+1, text)
		marks = append(marks, picture.Mark{Offset: at, Length: length, Label: label, Class: "bulla-slot"}, picture.Mark{Offset: size - n + at, Length: length, Label: label, Class: "bulla-slot"})
		at += length
	}
	var warnings []set.Finding
	if isSet {
		warnings = s.ReaderAt.Warnings()
	} else {
		for _, w := range r.Warnings() {
			warnings = append(warnings, set.Finding{Finding: w})
		}
	}
	for _, w := range warnings {
		text := inPart(w).String()
		fact("Warning", "%s", text)
		marks = append(marks, picture.Mark{Part: partOf(w.Suffix, len(volumes)), Offset: w.Offset, Length: w.Length, Label: text})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for path, err := range l.told {
		m := picture.Mark{Label: path + ": " + err.Error()}
		part, inPart := errors.AsType[*set.PartError](err)
		if inPart {
			m.Part = partOf(part.Suffix, len(volumes))
		}
		chunk, inChunk := errors.AsType[*stream.ChunkError](err)
		if inChunk {
			m.Offset, m.Length = chunk.Offset, chunk.Length
		}
		if inPart || inChunk {
			marks = append(marks, m)
		}
	}
	if r.cut != nil {
		marks = append(marks, picture.Mark{Offset: size, Label: "the end is missing"})
	}
	about.Picture = picture.Container(size, n, marks)
	if isSet {
		about.Picture = picture.Set(size, volumes, marks)
	}
	return about
}

// A look is what is in a file, as a tree that many look at: the archive in it, or if
// there is none a single file. It tells once of each path what is
// wrong with it.
type look struct {
	app  *app
	from *randomAccess
	tree *archive.FS

	mu   sync.Mutex
	told map[string]error
}

const maxTold = 1000 // more nobody reads

// look opens a file. It stays open until the program ends.
func (a *app) look(cmd *cobra.Command, f *randomFlags, name string) (*look, error) {
	r, err := a.openRandom(cmd.Context(), f, name, func(*input) error { return nil })
	if err != nil {
		return nil, err
	}
	tree, err := archive.Open(r, max(r.size, archive.UnknownSize))
	if r.size >= 0 && errors.As(err, new(*archive.UnknownError)) {
		var when time.Time
		if st := r.in.Info(); st != nil {
			when = st.ModTime()
		}
		tree, err = archive.Single(strings.TrimSuffix(filepath.Base(string(r.in.given)), containerSuffix), r, r.size, when), nil
	}
	if err == nil {
		_, err = tree.Lstat(".") // reads all headers, which may take long
	}
	return &look{app: a, from: r, tree: tree, told: make(map[string]error)}, archiveError(r, err)
}

// tell tells and returns what err is.
func (l *look) tell(path string, err error) string {
	what := firstLine(explain(archiveError(l.from, err)).what)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.told) < maxTold && l.told[path] == nil {
		l.told[path] = err
		l.app.warn(safetext.Printable(path)+": "+what, "")
	}
	return what
}
