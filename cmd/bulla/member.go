package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"bulla/internal/archive"
	"bulla/internal/safetext"
)

// memberMark stands between the name of a file and that of a member of the
// archive in it.
const memberMark = "::"

// splitMember takes a name apart: the name of a file, and that of a member if one
// is named. Of files whose names it begins with, the longest is meant. That a part
// is empty comes of a variable in a script that is, like with notEmpty.
func splitMember(arg string) (file, member string, err error) {
	file, member, marked := strings.Cut(arg, memberMark)
	for at := len(arg); at > 0; at = strings.LastIndex(arg[:min(at+1, len(arg))], memberMark) {
		if st, err := os.Stat(arg[:at]); err == nil && !st.IsDir() {
			file, member, marked = arg[:at], strings.TrimPrefix(arg[at:], memberMark), at < len(arg)
			break
		}
	}
	switch {
	case file == "":
		return "", "", usage("is a variable not set? name - for standard input", "the name of a file is empty")
	case marked && member == "":
		return "", "", usage("is a variable not set? leave "+memberMark+" out for all of the file", "the name of a member is empty")
	}
	return file, member, nil
}

// checkWholeFile refuses a member where a whole file is to be named.
func checkWholeFile(verb, arg, hint string) error {
	_, member, err := splitMember(arg)
	if err == nil && member != "" {
		err = usage(hint, "%s takes the name of a file, not of a member in it", verb)
	}
	return err
}

// openArchive opens the archive in a file.
func openArchive(r *randomAccess) (*archive.Archive, error) {
	size := r.size
	if size < 0 {
		size = archive.UnknownSize
	}
	a, err := archive.Open(r, size)
	return a, archiveError(r, err)
}

// archiveError words errors about an archive; nil stays nil.
func archiveError(r *randomAccess, err error) error {
	if err == nil {
		return nil
	}
	name := r.in.name
	if e, ok := errors.AsType[*archive.UnknownError](err); ok {
		f := &failure{exit: exitUnsupported, err: err, what: fmt.Sprintf("in %s there is %v", name, e), hint: "bulla cat shows what it is"}
		switch {
		case e.Compression != "":
			f.hint = fmt.Sprintf("its members cannot be told apart before it is decompressed: bulla cat %s | %s -dc | tar t", name, e.Compression)
		case r.size < 0:
			f.hint = "of a file whose end is missing only a tar can be read"
		}
		return f
	}
	if e, ok := errors.AsType[*archive.MissingError](err); ok {
		return &failure{exit: exitIO, err: err, what: fmt.Sprintf("there is no %s in the archive in %s", safetext.Printable(e.Name), name),
			hint: "bulla ls lists what there is"}
	}
	if e, ok := errors.AsType[*archive.UnsupportedError](err); ok {
		return &failure{exit: exitUnsupported, err: err, what: fmt.Sprintf("%s in the archive is %s", safetext.Printable(e.Name), e.Why),
			hint: "a program for such archives may know it: bulla cat " + name + " writes the archive"}
	}
	if e, ok := errors.AsType[*archive.LinkError](err); ok {
		return &failure{exit: exitRefused, err: err, what: fmt.Sprintf("%s in the archive is a hard link to %s, %s", safetext.Printable(e.Name), safetext.Printable(e.To), e.Why),
			hint: "bulla ls lists what there is"}
	}
	if errors.Is(err, archive.ErrDamaged) {
		return &failure{exit: exitBad, err: err, what: fmt.Sprintf("the archive in %s is damaged: %s", name, strings.TrimPrefix(err.Error(), archive.ErrDamaged.Error()+": ")),
			hint: "it was so before it was encrypted: the file around it is authentic"}
	}
	return about(name, err)
}

// A content is what cat writes ranges of.
type content struct {
	name   string
	member safetext.String // whose it is; "" if it is all of a file
	size   int64           // -1 if the end is missing
	pieces bool            // it does not lie in the file as it is: it may have holes
	write  func(w io.Writer, offset, length int64) (int64, error)
}

// whole is all of a file.
func (r *randomAccess) whole() *content {
	return &content{name: r.in.name, size: r.size, write: func(w io.Writer, offset, length int64) (int64, error) {
		n, err := r.WriteRange(r.ctx, w, offset, length)
		return n, about(r.in.name, err)
	}}
}

// member is one member of the archive in a file.
func (r *randomAccess) member(m *archive.Member) (*content, error) {
	at, _, ok, err := m.Extent() // which says what is wrong with a hard link
	switch {
	case err != nil:
		return nil, archiveError(r, err)
	case m.Kind == archive.Symlink:
		return nil, usage("name what it points to", "%s in the archive is a link to %s", safetext.Printable(m.Name), safetext.Printable(orElse(m.Link, "something else")))
	case m.Kind == archive.Dir:
		return nil, usage("bulla extract writes the files in a directory", "%s in the archive is a directory", safetext.Printable(m.Name))
	case m.Kind != archive.File:
		return nil, usage("bulla ls -l lists what there is", "%s in the archive is no file, but a device, a pipe or the like", safetext.Printable(m.Name))
	}
	c := &content{name: safetext.Printable(m.Name), member: safetext.String(m.Name), size: m.Size, pieces: !ok}
	c.write = func(w io.Writer, offset, length int64) (int64, error) {
		if !ok || m.Checked && length == m.Size {
			return r.writeOpened(w, m, offset, length)
		}
		n, err := r.WriteRange(r.ctx, w, at+offset, length)
		if err == nil && n < length {
			err = fmt.Errorf("%w: it ends within %s", archive.ErrDamaged, safetext.Printable(m.Name))
		}
		return n, archiveError(r, err)
	}
	return c, nil
}

// writeOpened writes a range of a member that is read from its beginning. If it
// is read to its end, its checksum is checked there.
func (r *randomAccess) writeOpened(w io.Writer, m *archive.Member, offset, length int64) (int64, error) {
	src, err := m.Open()
	if err != nil {
		return 0, archiveError(r, err)
	}
	if _, err := io.CopyN(io.Discard, src, offset); err != nil {
		return 0, archiveError(r, shortMember(m, err))
	}
	n, err := io.CopyN(w, &countedReader{src, r.done}, length)
	if err == nil && offset+length == m.Size {
		if _, err = io.ReadFull(src, make([]byte, 1)); err == io.EOF {
			err = nil
		}
		return n, archiveError(r, err)
	}
	return n, archiveError(r, shortMember(m, err))
}

// shortMember is about a member that ends before its size.
func shortMember(m *archive.Member, err error) error {
	if err == io.EOF {
		return fmt.Errorf("%w: %s is shorter than it says", archive.ErrDamaged, safetext.Printable(m.Name))
	}
	return err
}

// A countedReader counts what is read, for showing progress.
type countedReader struct {
	io.Reader
	done *atomic.Int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.done.Add(int64(n))
	return n, err
}
