package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/zseek"
)

// A Report is what Verify found.
type Report struct {
	*format.Report // what a stranger can say, and all findings

	Keyed      bool   // an identity opened the container, so everything was checked, or the slice asked for
	Generation uint32 // of the head that counts
	Authentic  int64  // chunks that opened
	Failed     int64  // chunks that did not
	Decoded    bool   // the payload is compressed, and all of it was decompressed
	Slice      Slice  // what of it was to be checked
}

// maxFindings bounds a report on a container that is damaged all over.
const maxFindings = 1000

// Verify checks the container of size bytes in src against the specification
// and authenticates every chunk, releasing nothing. What is wrong with the
// container is in the report's findings, all of it: a bad chunk does not end
// the work.
//
// An error means that the work could not be done: an error of src, the cause of
// ctx's end, or, when no identity opens the container, what NewReaderAt returns
// then. The report is never nil, and has in any case what could be checked.
func Verify(ctx context.Context, src io.ReaderAt, size int64, identities []Identity, opts *VerifyOptions) (*Report, error) {
	return VerifySlice(ctx, src, size, Slice{}, identities, opts)
}

// VerifySlice is [Verify] for a part of the chunks, and the last one.
func VerifySlice(ctx context.Context, src io.ReaderAt, size int64, slice Slice, identities []Identity, opts *VerifyOptions) (*Report, error) {
	o := opts.orDefault()
	rep := &Report{Report: format.Check(src, size), Slice: slice}
	if err := slice.check(); err != nil {
		return rep, err
	}
	if len(rep.Copies.Usable()) == 0 && o.head == nil {
		return rep, rep.Err // the findings say why
	}
	r, err := openAt(ctx, src, size, rep.Copies, identities, &o, false)
	if pe, ok := errors.AsType[*format.ParseError](err); ok && (pe.Clause == format.HEAD13 || pe.Clause == format.COPY1) {
		rep.add(pe.Finding())
		return rep, rep.Err
	}
	if err != nil {
		return rep, err
	}
	defer r.Close()
	if err := r.op.genuine(true); err != nil {
		return rep, err
	}
	rep.opened(r.op)
	if o.ends && !r.partial {
		if ended, err := rep.checkEnds(ctx, r); ended {
			return rep, cmp.Or(err, rep.Err)
		}
	}
	err = rep.checkSlice(ctx, r, slice)
	if r.partial {
		if trailing, ok := errors.AsType[*TrailingError](r.nameSize()); ok {
			rep.add(trailing.Finding())
		}
	}
	if err == nil && rep.Failed == 0 && !r.partial && slice == (Slice{}) {
		err = rep.checkCoding(ctx, r)
	}
	return rep, cmp.Or(err, rep.Err)
}

// opened judges the copies of the head anew, now that one has opened: a key tells
// more about them. The findings about the size stand.
func (rep *Report) opened(op *opened) {
	rep.Keyed, rep.Generation = true, op.head.Head.Generation
	rep.Findings = slices.DeleteFunc(rep.Findings, func(f format.Finding) bool {
		return f.Clause != format.FILE1 && f.Clause != format.FILE2 && f.Clause != format.FILE3
	})
	rep.Findings = append(rep.Findings, op.compare(op.own(), rep.Copies, rep.Size)...)
}

// add adds a finding, if it is not there already.
func (rep *Report) add(f format.Finding) {
	if f.Clause == format.FILE4 { // all that follows is too much
		f.Length = rep.Size - f.Offset
	}
	same := func(g format.Finding) bool { return g.Clause == f.Clause && g.Offset == f.Offset }
	if !slices.ContainsFunc(rep.Findings, same) {
		rep.Findings = append(rep.Findings, f)
	}
}

// checkChunks authenticates the chunks first to end-1, of which there is at
// least one. ended is true if there is no use in going on.
func (rep *Report) checkChunks(ctx context.Context, r *payloadAt, first, end int64) (ended bool, err error) {
	pull := r.scan(first, end, (*batch).openAll)
	defer pull.Close()
	for b := pull.Next(); b != nil; b = pull.Next() {
		if b.err != nil {
			return true, b.err
		}
		rep.Authentic += b.opened
		r.done.Add(b.openedBytes)
		for _, i := range b.bad {
			if r.partial && r.mayBeFinal(i) {
				continue // it need not be a chunk: the end may lie in it
			}
			if end, err := rep.addBad(r, i); end {
				return true, err
			}
		}
		if err := context.Cause(ctx); err != nil {
			return true, err
		}
	}
	return false, nil
}

// addBad adds a finding for chunk i, which did not open; end is true if there is
// no use in going on. The error is why the reason cannot be told: that the chunk
// is bad stands all the same.
func (rep *Report) addBad(r *payloadAt, i int64) (end bool, err error) {
	rep.Failed++
	err = r.name(i)
	f, named := findingOf(err)
	if named && f.Clause != format.CHUNK1 { // the container ends here, or should
		rep.add(f)
		return true, nil
	}
	offset, length := r.chunk(i)
	rep.addChunk(&ChunkError{i, offset, length})
	if named {
		err = nil
	}
	return err != nil, err
}

// addChunk adds a chunk to the finding on its neighbour, or makes a new one.
func (rep *Report) addChunk(e *ChunkError) {
	if n := len(rep.Findings); n > 0 {
		f := &rep.Findings[n-1]
		if f.Clause == format.CHUNK1 && f.Offset+f.Length == e.Offset {
			f.Length += e.Length
			first := e.Index - (f.Length-1)/format.SealedChunkSize
			f.Message = fmt.Sprintf("chunks %d to %d failed authentication", first, e.Index)
			return
		}
	}
	if len(rep.Findings) < maxFindings {
		rep.Findings = append(rep.Findings, e.Finding())
	}
}

// openAll opens every chunk of the batch and notes those that fail.
func (b *batch) openAll() {
	room := grow(b.out, batchPlain)
	b.out, b.opened, b.openedBytes = room[:0], 0, 0
	for i := 0; i*format.SealedChunkSize < b.n; i++ {
		index := b.first + int64(i)
		plain, err := b.keyOf(i).Open(room[:0], b.chunk(i), index, &b.nonce)
		if err != nil {
			b.bad = append(b.bad, index)
			continue
		}
		b.opened++
		b.openedBytes += int64(len(plain))
	}
}

// checkEnds authenticates what no segment has that ReaderAt.Segments counts, and decompresses the frames
// that have a part of that. ended is false if the end is not sound enough to tell what that is.
func (rep *Report) checkEnds(ctx context.Context, r *payloadAt) (ended bool, err error) {
	if r.openLast() != nil {
		return false, nil
	}
	var z *zseek.ReaderAt
	if r.op.head.Head.Coding == format.Zstd {
		if z, err = zseek.NewReaderAt(frameSource{r}, r.layout.PlainSize, r.workers); err != nil {
			return false, nil
		}
	}
	left := r.segments(z)
	if _, err = rep.checkChunks(ctx, r, left*format.SegmentChunks, r.layout.Chunks); err == nil && z != nil && rep.Failed == 0 {
		first := frameAt(z.Table(), left*format.SegmentSize) * zseek.FrameContent
		_, err = z.WriteRange(&meter{ctx, io.Discard, new(atomic.Int64)}, first, z.Size()-first)
		err = rep.decoded(r.layout, err)
	}
	return true, err
}

// decoded notes how decompressing came out.
func (rep *Report) decoded(l format.Layout, err error) error {
	if pe, ok := errors.AsType[*format.ParseError](err); ok {
		f := pe.Finding()
		f.Offset = l.OffsetOf(pe.Offset)
		rep.add(f)
		return nil
	}
	rep.Decoded = err == nil
	return err
}

// checkCoding checks that what is sealed in a container, all of whose chunks are
// authentic, is what its coding says (ZSTD-1 to ZSTD-6). It decompresses
// everything and keeps nothing.
func (rep *Report) checkCoding(ctx context.Context, r *payloadAt) error {
	if r.op.head.Head.Coding == format.Plain {
		return nil
	}
	z, err := zseek.NewReaderAt(r, r.layout.PlainSize, r.workers)
	if err == nil {
		_, err = z.WriteTo(&meter{ctx, io.Discard, new(atomic.Int64)})
	}
	return rep.decoded(r.layout, err)
}

// A Slice is one of Of parts of a container, number N, counted from 1. Checking
// one of thirty each night has checked everything after thirty nights.
//
// The parts are runs of whole segments, as equal as that allows, and always the
// same for a container: segments floor((N-1) * S / Of) to floor(N * S / Of) - 1
// of its S. Of a container with fewer segments than parts some are empty.
type Slice struct{ N, Of int }

func (s Slice) check() error {
	if s != (Slice{}) && (s.N < 1 || s.N > s.Of) {
		return fmt.Errorf("there is no slice %d of %d", s.N, s.Of)
	}
	return nil
}

// Chunks are the chunks, first to end-1, that the slice has of that many. The
// slice must be the zero Slice or have 1 <= N <= Of.
func (s Slice) Chunks(all int64) (first, end int64) {
	if s == (Slice{}) {
		return 0, all
	}
	segments := (all + format.SegmentChunks - 1) / format.SegmentChunks
	bound := func(n int) int64 {
		high, low := bits.Mul64(uint64(n), uint64(segments))
		at, _ := bits.Div64(high, low, uint64(s.Of))
		return min(int64(at)*format.SegmentChunks, all)
	}
	return bound(s.N - 1), bound(s.N)
}

// checkSlice authenticates the chunks of a slice, and the last chunk, which says
// whether the container is cut off.
func (rep *Report) checkSlice(ctx context.Context, r *payloadAt, s Slice) error {
	all := r.layout.Chunks
	first, end := s.Chunks(all)
	if first < end {
		if ended, err := rep.checkChunks(ctx, r, first, end); ended || err != nil {
			return err
		}
	}
	if end == all || all == 0 {
		return nil
	}
	_, err := rep.checkChunks(ctx, r, all-1, all)
	return err
}
