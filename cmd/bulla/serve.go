package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/browse"
	"bulla/internal/console"
	"bulla/internal/picture"
	"bulla/internal/safetext"
)

type serveFlags struct {
	randomFlags
	whole bool
	port  uint16
}

func serveCommand(a *app) *cobra.Command {
	s := &serveFlags{}
	cmd := &cobra.Command{
		Use:   "serve FILE",
		Short: "Show what a file holds in a browser",
		Long: `Print the address of a page that shows the members of the tar or zip in FILE, or,
if FILE holds no archive, its plaintext as one file: look around, search, read
texts, see pictures, download files and ranges of them, and see who may open FILE
and how it is laid out. It goes on until Ctrl-C.

Only programs on this machine can reach the page, and only with the address, which
is another one each time: whoever has it can read what is in FILE, so keep it to
yourself. Nothing can be changed. The page has no script and loads nothing from
elsewhere, and browsers are told to keep nothing of it.`,
		Example: `  bulla serve backup.tar.bulla
  bulla serve --port 8080 backup.tar.bulla   for ssh -L 8080:localhost:8080`,
		Args:              exactlyOne,
		ValidArgsFunction: completeContainers,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.serve(cmd, s, args[0]) },
	}
	cmd.Flags().BoolVar(&s.whole, "whole", false, "show the plaintext as one file, even if it is an archive")
	cmd.Flags().Uint16Var(&s.port, "port", 0, "listen on port `N` of this machine (default: any that is free)")
	s.randomFlags.register(a, cmd)
	return cmd
}

// served is what serve --json says.
type served struct {
	safetext.InputField
	URL string `json:"url"`
}

// tokenBytes is how much of a page's address is secret.
const tokenBytes = 16

func (a *app) serve(cmd *cobra.Command, s *serveFlags, name string) error {
	r, tree, err := a.openTree(cmd, &s.randomFlags, s.whole, name)
	if err != nil {
		return err
	}
	secret := make([]byte, tokenBytes)
	if err := entropy.Default().Fill("bulla serve", secret); err != nil {
		return err
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(s.port))))
	if err != nil {
		return &failure{exit: exitIO, err: err, what: "cannot listen: " + err.Error(), hint: "name another --port, or leave it out"}
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	told := a.faultsOf(r)
	site := &browse.Site{Name: r.in.name, Tree: tree, Token: base64.RawURLEncoding.EncodeToString(secret),
		Hosts: []string{"127.0.0.1:" + port, "localhost:" + port}, Fault: told.tell, About: told.about}
	server := &http.Server{Handler: site, ReadHeaderTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return cmd.Context() }}
	defer context.AfterFunc(cmd.Context(), func() { server.Close() })()
	address := "http://" + site.Hosts[0] + "/" + site.Token + "/"
	if a.json {
		a.printJSON(served{r.in.given.AsInput(), address})
	} else {
		a.printf("%s\n", address)
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return a.outErr
}

// about says of the file what shows once it is open, and what was found damaged so far.
func (f *faults) about() browse.About {
	r := f.from
	h := r.Head()
	n, size := int64(h.HeadSize()), r.in.size
	marks := f.damage()
	if r.cut != nil {
		marks = append(marks, picture.Mark{Offset: size, Label: "the end is missing"})
	}
	about := browse.About{Facts: [][2]string{
		{"Container", fmt.Sprintf("%s (%d bytes)", console.Bytes(size), size)}, {"Suite", h.Suite.String()}, {"Coding", h.Coding.String()},
		{"Generation of the head", strconv.Itoa(int(h.Generation))}}}
	if r.size >= 0 {
		about.Facts = append(about.Facts, [2]string{"Plaintext", fmt.Sprintf("%s (%d bytes)", console.Bytes(r.size), r.size)})
	}
	for _, w := range r.Warnings() {
		about.Facts = append(about.Facts, [2]string{"Warning", w.String()})
		marks = append(marks, picture.Mark{Offset: w.Offset, Length: w.Length, Label: w.String()})
	}
	at := n - int64(format.Room(h.Pages)) - format.MACSize - 4 // the checksum
	for i := range h.Slots {
		d := h.Slots[i].Describe()
		text := d.Text + ", " + d.Class
		if i == r.OpenedSlot() {
			text += ": the one that opened it"
		}
		about.Slots = append(about.Slots, text)
		for _, copyAt := range []int64{0, size - n} {
			marks = append(marks, picture.Mark{Offset: copyAt + at, Length: int64(h.Slots[i].Size()), Label: fmt.Sprintf("slot %d: %s", i+1, text), Class: "bulla-slot"})
		}
		at += int64(h.Slots[i].Size())
	}
	about.Picture = picture.Container(size, n, marks)
	return about
}

// damage is what of the file was found not to be authentic.
func (f *faults) damage() (marks []picture.Mark) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.bad {
		marks = append(marks, picture.Mark{Offset: e.Offset, Length: e.Length, Label: e.Error()})
	}
	return marks
}
