package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"bulla/format"
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
func openArchive(r *randomAccess) (*archive.FS, error) {
	size := r.size
	if size < 0 {
		size = archive.UnknownSize
	}
	a, err := archive.Open(untilDone{r}, size)
	return a, archiveError(r, err)
}

// untilDone is what a search through an archive reads, which may take long: it ends
// with the verb.
type untilDone struct{ *randomAccess }

func (r untilDone) ReadAt(p []byte, off int64) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.randomAccess.ReadAt(p, off)
}

// archiveError words errors about an archive; nil stays nil.
func archiveError(r *randomAccess, err error) error {
	if err == nil {
		return nil
	}
	name := r.in.name
	f := &failure{exit: exitRefused, err: err, hint: "bulla ls lists the members"}
	if e, ok := errors.AsType[*archive.UnknownError](err); ok {
		f.exit, f.what, f.hint = exitUnsupported, fmt.Sprintf("%s holds no archive: it is %v", name, e), "bulla cat shows what it is"
		switch {
		case e.Compression != "":
			f.what = fmt.Sprintf("%s holds no tar or zip, but something compressed with %s", name, e.Compression)
			f.hint = fmt.Sprintf("decompress it first: bulla cat %s | %s -dc | tar t", r.in.pasted(), e.Compression)
		case r.size < 0:
			f.hint = "without its end only a tar can be read"
		}
		return f
	}
	if e, ok := errors.AsType[*archive.MissingError](err); ok {
		f.exit, f.what = exitIO, fmt.Sprintf("no member %s in the archive in %s", safetext.Printable(e.Name), name)
		return f
	}
	if e, ok := errors.AsType[*archive.UnsupportedError](err); ok {
		f.exit, f.what = exitUnsupported, fmt.Sprintf("%s in the archive is %s", safetext.Printable(e.Name), e.Why)
		f.hint = "another program may know it: bulla cat " + r.in.pasted() + " writes the archive"
		return f
	}
	if e, ok := errors.AsType[*archive.LinkError](err); ok {
		f.what = fmt.Sprintf("%s in the archive is a hard link to %s, %s", safetext.Printable(e.Name), safetext.Printable(e.To), e.Why)
		return f
	}
	if e, ok := errors.AsType[*archive.LimitError](err); ok {
		f.exit, f.what = exitUnsupported, fmt.Sprintf("the archive in %s has too many members: %v", name, e)
		f.hint = "name fewer of them, or use: bulla cat " + r.in.pasted() + " | tar x"
		return f
	}
	if errors.Is(err, archive.ErrDamaged) {
		f.exit, f.what = exitBad, fmt.Sprintf("the archive in %s is damaged: %s", name, strings.TrimPrefix(err.Error(), archive.ErrDamaged.Error()+": "))
		f.hint = "it was so before it was encrypted: the file around it is authentic"
		return f
	}
	return about(name, err)
}

// A content is what cat writes ranges of, and extract all.
type content struct {
	name   string
	member safetext.String // whose it is; "" if it is all of a file
	size   int64           // -1 if the end is missing
	holes  bool            // it is not in one piece, and may have long parts that are zero
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
func (r *randomAccess) member(in *archive.FS, m *archive.Member) (*content, error) {
	name := safetext.Printable(m.Name)
	switch m.Kind {
	case archive.Symlink:
		to, err := in.LinkOf(m)
		if err != nil {
			return nil, archiveError(r, err)
		}
		return nil, usage("name what it leads to", "%s in the archive is a link to %s", name, safetext.Printable(to))
	case archive.Dir:
		return nil, usage("bulla extract writes the files in a directory", "%s in the archive is a directory", name)
	case archive.Other:
		return nil, usage("bulla ls -l lists the members", "%s in the archive is no file, but a device, a pipe or the like", name)
	}
	f, err := in.OpenMember(m)
	if err != nil {
		return nil, archiveError(r, err)
	}
	random, ok := f.(*archive.RandomFile)
	c := &content{name: name, member: safetext.String(m.Name), size: m.Size, holes: !ok || len(random.Pieces()) != 1 || random.Pieces()[0].Length < m.Size}
	used := false
	c.write = func(w io.Writer, offset, length int64) (n int64, err error) {
		if ok && !(m.Checked && length == m.Size) {
			n, err = r.writePieces(w, random.Pieces(), offset, length)
		} else {
			if used { // it begins anew
				f, err = in.OpenMember(m)
			}
			if used = true; err == nil {
				n, err = r.writeFrom(w, f, offset, length, m.Size)
			}
		}
		if errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, archive.ErrDamaged) {
			err = fmt.Errorf("%w: it ends within %s", archive.ErrDamaged, name)
		}
		return n, archiveError(r, err)
	}
	return c, nil
}

// atOnce is how much is opened without the workers, which take longer to begin.
const atOnce = 4 * format.ChunkSize

// writePieces writes a range of what lies in the file in pieces, and skips the holes
// between them if w can.
func (r *randomAccess) writePieces(w io.Writer, pieces []archive.Piece, offset, length int64) (n int64, err error) {
	end := offset + length
	i, _ := slices.BinarySearchFunc(pieces, offset, func(p archive.Piece, at int64) int { return cmp.Compare(p.Offset+p.Length-1, at) })
	for _, p := range pieces[i:] {
		if p.Offset >= end {
			break
		}
		at := max(offset, p.Offset)
		k, err := r.writeHole(w, at-offset)
		if n += k; err != nil {
			return n, err
		}
		k, err = r.writePiece(w, p.At+at-p.Offset, min(end, p.Offset+p.Length)-at)
		if n += k; err != nil {
			return n, err
		}
		offset = at + k
	}
	k, err := r.writeHole(w, end-offset)
	return n + k, err
}

// writePiece writes what lies in the file from a place on.
func (r *randomAccess) writePiece(w io.Writer, at, length int64) (n int64, err error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	if length > atOnce {
		n, err = r.WriteRange(r.ctx, w, at, length)
	} else {
		if r.buf == nil {
			r.buf = make([]byte, atOnce)
		}
		k, readErr := r.ReadAt(r.buf[:length], at)
		r.done.Add(int64(k))
		k, err = w.Write(r.buf[:k])
		if n = int64(k); err == nil && n < length && readErr != io.EOF {
			err = readErr
		}
	}
	if err == nil && n < length {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// writeHole writes zeros, if they cannot be skipped.
func (r *randomAccess) writeHole(w io.Writer, length int64) (n int64, err error) {
	if s, ok := w.(interface{ Skip(int64) error }); ok {
		return length, s.Skip(length)
	}
	zeros := make([]byte, min(length, atOnce))
	for n < length && err == nil && r.ctx.Err() == nil {
		var k int
		k, err = w.Write(zeros[:min(length-n, atOnce)])
		n += int64(k)
	}
	return n, cmp.Or(err, context.Cause(r.ctx))
}

// writeFrom writes a range of what is read from its beginning. If it is read to its
// end, its checksum is checked there.
func (r *randomAccess) writeFrom(w io.Writer, src io.Reader, offset, length, size int64) (int64, error) {
	src = &countedReader{src, r.done, r.ctx}
	n, err := io.CopyN(io.Discard, src, offset)
	if err == nil {
		n, err = io.CopyN(w, src, length)
	}
	if err == nil && offset+length == size {
		if _, err = io.ReadFull(src, make([]byte, 1)); err == io.EOF {
			err = nil
		}
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// A countedReader counts what is read, for showing progress, until the verb ends.
type countedReader struct {
	io.Reader
	done *atomic.Int64
	ctx  context.Context
}

func (c *countedReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.Reader.Read(p)
	c.done.Add(int64(n))
	return n, err
}
