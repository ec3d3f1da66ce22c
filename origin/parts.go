package origin

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/fullio"
	"bulla/set"
)

// Opener returns an Opener of the parts of the set as they were signed. A part that was
// not signed, or is not the one that was signed in its place, does not open; of one that
// does no byte of a segment is read that was not signed: see ReaderAt. s is what was
// signed of the root (ORIGIN-10).
//
// Each part that is open holds what a ReaderAt holds.
func (s *Signed) Opener(open set.Opener, workers int) set.Opener {
	return func(ctx context.Context, suffix string) (set.File, error) {
		f, r, err := s.openPart(ctx, open, suffix, workers)
		return &partFile{r, f}, err
	}
}

// File returns f as it was hashed: a segment that is not what was hashed is not read. It fails
// with an *Error if f has another size. It holds what a ReaderAt holds.
func (p *Part) File(f set.File, workers int) (set.File, error) {
	r, err := (&Signed{Statement: p.Statement, roots: p.Roots}).ReaderAt(f, f.Size(), workers)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &partFile{r, f}, nil
}

// A partFile is a part of which only what was signed is read.
type partFile struct {
	*ReaderAt
	set.File
}

func (f *partFile) ReadAt(p []byte, off int64) (int, error) { return f.ReaderAt.ReadAt(p, off) }

// Close also drops the segments, as whoever has read f may be in memory for longer.
func (f *partFile) Close() error {
	f.ReaderAt.segments = nil
	return f.File.Close()
}

// part is what was signed of the part with that suffix.
func (s *Signed) part(suffix string) (*Signed, error) {
	if s.Set == nil {
		return nil, forged(ORIGIN10, "the signature is of the root alone, and not of the set")
	}
	switch last := len(s.Set) - 1; suffix {
	case "":
		return s, nil
	case set.IndexSuffix:
		return s.Set[last], nil
	default:
		v, err := strconv.Atoi(suffix[1:])
		if err != nil || v+1 >= last {
			return nil, forged(ORIGIN10, "it is no part of the set that was signed")
		}
		return s.Set[v+1], nil
	}
}

// openPart opens a part, and what reads it as it was signed. It fails with an *Error if it
// is another, or has another size.
func (s *Signed) openPart(ctx context.Context, open set.Opener, suffix string, workers int) (set.File, *ReaderAt, error) {
	p, err := s.part(suffix)
	if err != nil {
		return nil, nil, err
	}
	f, err := open(ctx, suffix)
	if err != nil {
		return nil, nil, err
	}
	if usable := format.ReadCopies(f, f.Size()).Usable(); len(usable) > 0 { // else nothing opens it
		err = p.CheckHead(usable[0].Raw)
	}
	var r *ReaderAt
	if err == nil {
		r, err = p.ReaderAt(f, f.Size(), workers)
	}
	if err != nil {
		f.Close()
	}
	return f, r, err
}

// VerifySet checks all parts of a set, the root too, without a key. It returns what is not
// as it was signed, with the name of the part. An error means that the work could not be done.
func (s *Signed) VerifySet(ctx context.Context, open set.Opener, workers int) (found []set.Finding, err error) {
	for _, suffix := range set.Suffixes(max(0, len(s.Set)-2)) {
		err := s.verifyPart(ctx, open, suffix, workers)
		e, isFinding := errors.AsType[*Error](err)
		switch {
		case errors.Is(err, fs.ErrNotExist): // SET-1
			e = &Error{format.SET1, format.ErrTruncated, 0, "a part of the set is missing"}
		case err == nil:
			continue
		case s.Set == nil:
			return []set.Finding{{Finding: e.Finding()}}, nil
		case !isFinding:
			return found, &set.PartError{Suffix: suffix, Err: err}
		}
		found = append(found, set.Finding{Suffix: suffix, Finding: e.Finding()})
	}
	return found, nil
}

func (s *Signed) verifyPart(ctx context.Context, open set.Opener, suffix string, workers int) error {
	f, _, err := s.openPart(ctx, open, suffix, workers)
	if err != nil {
		return err
	}
	defer f.Close()
	p, _ := s.part(suffix)
	return p.Verify(ctx, f, f.Size(), workers)
}

// Verify checks that the container of size bytes that src holds is the one that was signed; the
// head is the caller's affair: see CheckHead. It fails with an *Error if it is not, with what src
// fails with, io.ErrUnexpectedEOF if it is shorter, and with the cause of ctx's end.
func (s *Signed) Verify(ctx context.Context, src io.ReaderAt, size int64, workers int) error {
	if _, err := s.ReaderAt(src, size, workers); err != nil { // it has another size
		return err
	}
	r := s.Reader(fullio.Counted{Src: io.NewSectionReader(src, 0, size), Done: new(atomic.Int64), Ctx: ctx}, workers)
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	if err == nil && n < size { // src ended before it
		err = io.ErrUnexpectedEOF
	}
	return err
}
