package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/stream"
)

// A headSource is where a head comes from: a file, in which it has two copies, a
// stream, of which only the beginning is read, a detached head, or a file and a
// detached head together.
type headSource struct {
	name     string // as shown
	given    safetext.Name
	in       *input         // a regular file; nil: there is a detached head alone, or a stream
	patch    *storage.Patch // nil: nothing is to be written in place
	detached []byte         // or the head at the beginning of a stream; nil: there is none
	whole    bool           // its head is to be written in place: nothing of it may be missing
	mend     bool           // a good copy of its head is to be written over one that is forged
}

// openHeadSource opens the file of that name and reads the detached head; either
// may be "", for none. Of a stream the beginning is read, which is like a detached
// head.
func (a *app) openHeadSource(file, detached string) (*headSource, error) {
	s := &headSource{name: printable(detached), given: safetext.Name(storage.Shown(detached))}
	if file == "" {
		return s, s.addDetached(a, detached)
	}
	in, err := a.openInput(file)
	if err != nil {
		return nil, err
	}
	s.name, s.given = in.name, in.given
	if in.regular && (detached != "" || !in.isDetachedHead()) {
		s.in = in
		return s, s.addDetached(a, detached)
	}
	defer in.Close()
	if detached != "" {
		return nil, usage("name only the detached head, or a file", "%s is a stream, of which only the beginning is read", s.name)
	}
	s.detached, err = format.ReadHead(in.Stream())
	return s, about(s.name, err)
}

// openForChange opens a file whose head is to be written in place, and keeps
// others from doing the same.
func (a *app) openForChange(file, detached string, opts storage.PatchOptions) (*headSource, error) {
	p, err := a.files.Patch(file, opts)
	if errors.Is(err, storage.NotPatchable) {
		return nil, withHint(err, "make a detached head instead, with -o HEAD: see bulla help head")
	}
	if err != nil {
		return nil, a.remake(file, err)
	}
	in := a.newInput(p.Blob, file)
	if r := in.role(); r == format.RoleVolume || r == format.RoleIndex {
		err = usage(roleHints[r], "%s is a %v: it has no recipients of its own", in.name, r)
	} else {
		err = a.accepted(in)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	s := &headSource{name: in.name, given: in.given, in: in, patch: p, whole: true}
	if s.in.isDetachedHead() {
		s.close()
		return nil, usage("name it with --head, and another to be written with -o", "%s is a detached head: it is not changed in place", s.name)
	}
	if p.Unlocked != nil && !p.InStore() {
		a.note("%s cannot be locked (%v): see to it that nobody else changes it meanwhile", s.name, causeOf(p.Unlocked))
	}
	return s, s.addDetached(a, detached)
}

// addDetached reads a detached head; on failure it closes s.
func (s *headSource) addDetached(a *app, detached string) (err error) {
	if detached == "" {
		return nil
	}
	if s.detached, err = a.readHead(detached); err == nil && s.in != nil {
		err = s.in.checkHead(detached, s.detached)
	}
	if err != nil {
		s.close()
	}
	return err
}

func (s *headSource) close() {
	if s.in != nil {
		s.in.Close()
	}
}

// open opens the head with one of the identities. That a copy of it is not good,
// or the file's end missing, is no error where no more than the head is wanted.
func (s *headSource) open(ctx context.Context, ids *identities) (h *stream.HeadEditor, err error) {
	ids.near(s.in)
	if s.in != nil {
		h, err = stream.EditHead(ctx, s.in.At(), s.in.size, ids.all, &stream.HeadOptions{Head: s.detached, AllowTruncated: !s.whole, Mend: s.mend})
	} else {
		h, err = stream.EditDetachedHead(ctx, s.detached, ids.all)
	}
	return h, about(s.name, ids.explain(err))
}

// save writes the head to both of its places in the file.
func (s *headSource) save(h *stream.HeadEditor) error {
	writes, err := h.Writes()
	var changes []storage.Change
	for _, w := range writes {
		changes = append(changes, storage.Change(w))
	}
	if err == nil {
		err = s.patch.Apply(changes...)
	}
	return about(s.name, err)
}

// stranger is the head as far as it shows without a key: the newest there is,
// which is not authenticated, and what is wrong with the file.
func (s *headSource) stranger(a *app) (*format.Head, []format.Finding, error) {
	if s.in == nil {
		h, err := format.ParseDetachedHead(s.detached)
		return h, nil, err
	}
	r := format.Check(s.in.At(), s.in.size)
	h, err := r.Newest(s.detached)
	if err == nil {
		a.tellOlder(s.name, s.detached, h)
	}
	return h, r.Findings, err
}

// tellFaults warns of what is wrong with the copies of the head in the file. That
// a detached head is newer than both is not.
func (a *app) tellFaults(s *headSource, h *stream.HeadEditor) {
	a.tellOlder(s.name, s.detached, h.Head())
	if cut := h.Truncated(); cut != nil { // whatever is wrong with the end: it may be damaged, or have more after it
		f := explain(about(s.name, cut))
		a.warn(f.what, f.hint)
		return
	}
	faults := slices.DeleteFunc(h.Faults(), func(f format.Finding) bool {
		return f.Clause == format.TAIL2 && bytes.Equal(s.detached, h.Encoded())
	})
	a.tellFound(s.name, faults, s.detached != nil)
}

// tellCopies warns of copies of the head that are damaged or stale (TAIL-3), or a
// detached head that is, as every verb does that reads a file: the content is what
// it was all the same.
func (a *app) tellCopies(name string, found []format.Finding, detached []byte, counts *format.Head) {
	a.tellOlder(name, detached, counts)
	a.tellFound(name, found, detached != nil)
}

func (a *app) tellFound(name string, found []format.Finding, detached bool) {
	for _, f := range found {
		a.warn(name+": "+f.Message+citing(f), "the content is not affected; bulla "+mender(detached)+" makes both copies of the head good and equal")
	}
}

// tellOlder warns of a detached head, if there is one, that is older than the head
// that counts.
func (a *app) tellOlder(name string, detached []byte, counts *format.Head) {
	if detached == nil || counts == nil {
		return
	}
	if h, err := format.ParseDetachedHead(detached); err == nil && h.Older(counts) != "" {
		a.warn(fmt.Sprintf("%s: the detached head is stale: %s [%s]", name, h.Older(counts), format.READ4),
			"the content is not affected; bulla head export makes a new one: discard this one")
	}
}

// mender is the verb that makes both copies of the head in a file sound. A detached
// head that opened it may be the only good one.
func mender(detached bool) string {
	if detached {
		return "head restore --head HEAD"
	}
	return "recipients repair"
}

// citing is the clause of a finding, where its message does not end in it.
func citing(f format.Finding) string {
	clause := " [" + string(f.Clause) + "]"
	if strings.HasSuffix(f.Message, clause) {
		return ""
	}
	return clause
}

// isDetachedHead reports whether a file is a head alone.
func (in *input) isDetachedHead() bool {
	return in.regular && in.size <= format.MaxHeadSize && format.Check(in.At(), in.size).IsDetachedHead()
}

// A headFlag names a detached head for a verb that reads a file.
type headFlag struct{ file string }

func (h *headFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&h.file, "head", "", "use the detached head in `FILE` beside the file's own: the newest counts")
}

// read returns the detached head for in; nil if none is named.
func (h *headFlag) read(a *app, in *input) ([]byte, error) {
	if h.file == "" {
		return nil, nil
	}
	b, err := a.readHead(h.file)
	if err != nil {
		return nil, err
	}
	return b, in.checkHead(h.file, b)
}

// readHead reads a detached head: a copy of a head in a file of its own. What
// follows it is ignored, so that the head of a copy of the container will do.
func (a *app) readHead(name string) ([]byte, error) {
	f, err := a.openFor(name, "the detached head")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := format.ReadHead(f)
	if err != nil {
		return nil, err
	}
	if _, err := format.ParseDetachedHead(b); err != nil {
		return nil, about(printable(name), err)
	}
	return b, nil
}

// checkHead refuses a detached head that belongs to another container, as far as
// the container says which it is (READ-4), and one that says two (COPY-1).
func (in *input) checkHead(name string, detached []byte) error {
	if !in.regular {
		return nil
	}
	err := format.ReadCopies(in.At(), in.size).Conflict(detached)
	if pe, ok := errors.AsType[*format.ParseError](err); !ok || pe.Clause != format.READ4 {
		return about(in.name, err)
	}
	return usage("a head opens the file it was exported from, and copies of that", "%s is not the head of %s", printable(name), in.name)
}
