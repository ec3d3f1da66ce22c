package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/archive"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

// memberMark stands between the name of a file and that of a member of the
// archive in it.
const memberMark = "::"

// splitMember takes a name apart: the name of a file, and that of a member if one
// is named. Of files whose names it begins with, the longest is meant. That a part
// is empty comes of a variable in a script that is, like with notEmpty.
func splitMember(arg string) (file, member string, err error) {
	file, member, marked := cutMember(arg)
	for at := len(arg); at > 0 && storage.Scheme(arg) == ""; at = strings.LastIndex(arg[:min(at+1, len(arg))], memberMark) {
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

// cutMember cuts a name at the first mark, of a URL after its authority, which may be
// an address with colons: https://[::1]/x.
func cutMember(arg string) (file, member string, marked bool) {
	authority := len(storage.Scheme(arg))
	if authority > 0 {
		authority += len("://")
		if slash := strings.IndexByte(arg[authority:], '/'); slash >= 0 {
			authority += slash
		} else {
			authority = len(arg)
		}
	}
	file, member, marked = strings.Cut(arg[authority:], memberMark)
	return arg[:authority] + file, member, marked
}

// openMembers opens the archive in the file of that name, which is not to name a
// member in it; hint says what else does.
func (a *app) openMembers(cmd *cobra.Command, f *randomFlags, name, hint string) (r *randomAccess, in *archive.FS, err error) {
	_, member, err := splitMember(name)
	if err == nil && member != "" {
		err = usage(hint, "%s takes the name of a file, not of a member in it", cmd.Name())
	}
	if err == nil {
		r, err = a.openRandom(cmd.Context(), f, name, func(*input) error { return nil })
	}
	if err != nil {
		return nil, nil, err
	}
	if in, err = openArchive(r); err != nil {
		r.Close()
	}
	return r, in, err
}

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
	var (
		unknown     *archive.UnknownError
		missing     *archive.MissingError
		unsupported *archive.UnsupportedError
		link        *archive.LinkError
		limit       *archive.LimitError
	)
	switch {
	case errors.As(err, &unknown):
		f.exit, f.what, f.hint = exitUnsupported, fmt.Sprintf("%s holds no archive: it is %v", name, unknown), "bulla cat shows what it is"
		if unknown.Compression != "" {
			f.what = fmt.Sprintf("%s holds no tar or zip, but something compressed with %s", name, unknown.Compression)
			f.hint = fmt.Sprintf("decompress it first: bulla cat %s | %s -dc | tar t", r.in.pasted(), unknown.Compression)
		} else if r.size < 0 {
			f.hint = "without its end only a tar can be read"
		}
	case errors.As(err, &missing):
		f.exit, f.what = exitIO, fmt.Sprintf("no member %s in the archive in %s", safetext.Printable(missing.Name), name)
	case errors.As(err, &unsupported):
		f.exit, f.what = exitUnsupported, fmt.Sprintf("%s in the archive is %s", safetext.Printable(unsupported.Name), unsupported.Why)
		f.hint = "another program may know it: bulla cat " + r.in.pasted() + " writes the archive"
	case errors.As(err, &link):
		f.what = fmt.Sprintf("%s in the archive is a hard link to %s, %s", safetext.Printable(link.Name), safetext.Printable(link.To), link.Why)
	case errors.As(err, &limit):
		f.exit, f.what = exitUnsupported, fmt.Sprintf("the archive in %s has too many members: %v", name, limit)
		f.hint = "name fewer of them, or use: bulla cat " + r.in.pasted() + " | tar x"
	case errors.Is(err, archive.ErrDamaged):
		f.exit, f.what = exitBad, fmt.Sprintf("the archive in %s is damaged: %s", name, strings.TrimPrefix(err.Error(), archive.ErrDamaged.Error()+": "))
		f.hint = "it was so before it was encrypted: the file around it is authentic"
	default:
		return about(name, err)
	}
	return f
}

// A content is what cat writes ranges of, and extract all.
type content struct {
	name   string
	member safetext.String // whose it is; "" if it is all of a file
	size   int64           // -1 if the end is missing
	from   *randomAccess
	data   archive.RangeWriter
}

func (c *content) write(w io.Writer, offset, length int64) (int64, error) {
	n, err := c.data.WriteRange(c.from.ctx, w, offset, length)
	return n, archiveError(c.from, err)
}

func (r *randomAccess) whole() *content {
	return &content{name: r.in.name, size: r.size, from: r, data: r}
}

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
	c, err := in.Content(m, piecewise{r}, r.done)
	if err != nil {
		return nil, archiveError(r, err)
	}
	return &content{name: name, member: safetext.String(m.Name), size: m.Size, from: r, data: c}, nil
}

// atOnce is how much is opened without the workers, which take longer to begin.
const atOnce = 4 * format.ChunkSize

// A piecewise reader writes pieces of a file, of which many may be small.
type piecewise struct{ *randomAccess }

func (p piecewise) WriteRange(ctx context.Context, w io.Writer, at, length int64) (int64, error) {
	if length > atOnce {
		return p.randomAccess.WriteRange(ctx, w, at, length)
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if p.buf == nil {
		p.buf = make([]byte, atOnce)
	}
	k, readErr := p.ReadAt(p.buf[:length], at)
	p.done.Add(int64(k))
	n, err := w.Write(p.buf[:k])
	if err == nil && int64(n) < length && readErr != io.EOF {
		err = readErr
	}
	return int64(n), err
}
