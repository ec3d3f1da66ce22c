package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/seal"
	"bulla/internal/zseek"
)

// A Target is a container that a grant is on.
type Target interface {
	io.ReaderAt
	Size() int64 // in bytes
}

// GrantOptions are the options of [OpenGrant]. The zero value, and a nil pointer, are right
// for most uses.
type GrantOptions struct {
	Workers int           // how many batches are opened at a time; 0 means GOMAXPROCS
	Done    *atomic.Int64 // grows by the bytes of plaintext that were opened, if not nil
}

// A Granted reads the ranges that a grant gives. All methods but Close are safe for
// concurrent use.
type Granted struct {
	header   grantHeader
	parts    []*granted
	open     func(format.Part) (Target, error)
	opts     GrantOptions
	warnings []format.Finding

	mu      sync.Mutex
	readers []*grantedAt // of parts; nil until they are needed
}

// OpenGrant opens the grant of size bytes in src with one of the identities. When a range
// is first read, open gives the container that it is in: the target, or for a set the volume of
// that number. open is called for each part once, and keeps what it opens.
//
// It fails as [NewReaderAt] does, with a *RoleError if src is no grant, and a
// *format.ParseError with a clause GRANT-n if it does not hold one.
func OpenGrant(ctx context.Context, src io.ReaderAt, size int64, identities []Identity, open func(format.Part) (Target, error), opts *GrantOptions) (*Granted, error) {
	r := format.Check(src, size)
	if h, err := r.Newest(nil); err == nil && r.Copies.Conflict(nil) == nil && h.Role == format.RoleGrant && h.Coding != format.Plain {
		return nil, malformedGrant(format.GRANT1, 0, "a grant is not compressed")
	}
	c, err := NewReaderAt(ctx, src, size, identities, &ReaderAtOptions{ReaderOptions: ReaderOptions{Role: format.RoleGrant, Workers: 1}})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if c.layout.PlainSize > maxGrant {
		return nil, malformedGrant(format.GRANT4, 0, "a grant is not longer than 256 MiB")
	}
	b := make([]byte, c.layout.PlainSize)
	if _, err := c.ReadAt(b, 0); err != nil {
		return nil, err
	}
	g := &Granted{open: open, opts: *cmp.Or(opts, new(GrantOptions)), warnings: c.Warnings()}
	if g.header, g.parts, err = parseGrant(b); err != nil {
		clear(b)
		return nil, err
	}
	g.readers = make([]*grantedAt, len(g.parts))
	return g, nil
}

// Size returns how long the target's plaintext is, as the grant says.
func (g *Granted) Size() int64 { return int64(min(g.header.Size, math.MaxInt64)) }

// Warnings returns what is amiss with the copies of the grant's own head: see
// [ReaderAt.Warnings]. A holder cannot judge those of the target.
func (g *Granted) Warnings() []format.Finding { return g.warnings }

// Ranges returns what is granted of the target's plaintext, in order. Ranges that touch are
// one.
func (g *Granted) Ranges() (all []Range) {
	for i := range g.parts {
		r := g.place(i)
		if n := len(all); n > 0 && all[n-1].Offset+all[n-1].Length == r.Offset {
			all[n-1].Length += r.Length
		} else {
			all = append(all, r)
		}
	}
	return all
}

// place is where part i stands in the target's plaintext.
func (g *Granted) place(i int) Range {
	p := g.parts[i]
	return Range{Offset: int64(uint64(p.Number)*g.header.VolumeSize + p.From), Length: int64(p.To - p.From)}
}

// NotGrantedError is returned for a range that is not granted whole.
type NotGrantedError struct{ Range }

func (e *NotGrantedError) Error() string {
	return fmt.Sprintf("bytes %d to %d are not all granted [%s]", e.Offset, e.Offset+e.Length-1, format.GRANT12)
}

// A TargetError says in which container something is wrong that a grant is on.
type TargetError struct {
	format.Part
	Err error
}

func (e *TargetError) Error() string {
	if e.Role == format.RoleVolume {
		return fmt.Sprintf("volume %06d: %v", e.Number, e.Err)
	}
	return e.Err.Error()
}

func (e *TargetError) Unwrap() error { return e.Err }

// ReadAt gives len(p) bytes of plaintext from offset off on, or if that goes
// beyond the end of a target that is granted whole, as many as there are, with io.EOF. Nothing is read of a range that is not
// granted whole: a *NotGrantedError.
func (g *Granted) ReadAt(p []byte, off int64) (int, error) {
	n := g.cut(off, int64(len(p)))
	read := 0
	err := g.each(off, n, func(r *grantedAt, at, k int64) error {
		m, err := r.ReadAt(p[read:read+int(k)], at)
		read += m
		return err
	})
	if err == nil && n < int64(len(p)) {
		err = io.EOF
	}
	return read, err
}

// WriteRange writes the n bytes from offset off on to w, reading and opening in parallel,
// until ctx ends. See [ReaderAt.WriteRange], and ReadAt.
func (g *Granted) WriteRange(ctx context.Context, w io.Writer, off, n int64) (written int64, err error) {
	dst := newSink(w)
	n = g.cut(off, n)
	err = g.each(off, n, func(r *grantedAt, at, k int64) error {
		m, err := r.writeRange(ctx, dst, at, k)
		written += m
		return err
	})
	return written, dst.end(err)
}

// WriteTo writes all of the plaintext to w, if that is granted.
func (g *Granted) WriteTo(w io.Writer) (int64, error) {
	return g.WriteRange(context.Background(), w, 0, math.MaxInt64)
}

// cut returns how much there is of a range that goes beyond the end of a target that is
// granted whole.
func (g *Granted) cut(off, n int64) int64 {
	if all := g.Ranges(); all[0] == (Range{Length: g.Size()}) && off >= 0 {
		return min(n, max(0, g.Size()-off))
	}
	return n
}

// each calls do with the pieces of a range, once it is known that all of it is granted.
func (g *Granted) each(off, n int64, do func(r *grantedAt, at, n int64) error) error {
	if off < 0 || n < 0 {
		return errors.New("negative offset or length")
	}
	g.mu.Lock()
	closed := g.readers == nil
	g.mu.Unlock()
	if closed {
		return ErrClosed
	}
	asked := Range{Offset: off, Length: n}
	within := func(r Range) bool { return r.Offset <= off && n <= r.Offset+r.Length-off }
	if n > 0 && !slices.ContainsFunc(g.Ranges(), within) {
		return &NotGrantedError{asked}
	}
	for i := range g.parts {
		p := g.place(i)
		from, to := max(off, p.Offset), min(off+n, p.Offset+p.Length)
		if from >= to {
			continue
		}
		r, err := g.reader(i)
		if err == nil {
			err = do(r, from-p.Offset, to-from)
		}
		if err != nil {
			return &TargetError{g.parts[i].Part, err}
		}
	}
	return nil
}

// reader returns the reader of part i.
func (g *Granted) reader(i int) (*grantedAt, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.readers[i] == nil {
		p := g.parts[i]
		src, err := g.open(p.Part)
		if err == nil {
			err = p.fits(src)
		}
		if err != nil {
			return nil, err
		}
		g.readers[i] = p.reader(src, &g.opts)
	}
	return g.readers[i], nil
}

// fits compares a part with its container (COPY-1, GRANT-11).
func (p *granted) fits(src Target) error {
	head, err := intactAt(src, 0, format.MaxHeadSize)
	if err != nil {
		return err
	}
	tail, err := intactAt(src, src.Size()-int64(p.HeadSize()), int64(p.HeadSize()))
	if err != nil {
		return err
	}
	if len(tail) != p.HeadSize() {
		tail = nil
	}
	another := func(b []byte) bool { return b != nil && string(b[:format.IdentitySize]) != string(p.Identity[:]) }
	switch {
	case head != nil && tail != nil && string(head[:format.IdentitySize]) != string(tail[:format.IdentitySize]):
		return &format.ParseError{Clause: format.COPY1, Field: "tail", Offset: src.Size() - int64(len(tail)), Kind: format.ErrForged, Reason: "the head and the tail belong to two different containers"}
	case src.Size() != int64(p.Size):
		return malformedGrant(format.GRANT11, 0, fmt.Sprintf("the grant is for a container of %d bytes, not %d", p.Size, src.Size()))
	case another(head) || another(tail):
		return malformedGrant(format.GRANT11, 0, "the grant is for another container")
	}
	return nil
}

// intactAt returns the intact copy of a head of at most n bytes that stands at off; nil if
// none does.
func intactAt(src Target, off, n int64) ([]byte, error) {
	if off < 0 || off > src.Size() {
		return nil, nil
	}
	b := make([]byte, min(n, src.Size()-off))
	if _, err := readAt(src, b, off); err != nil && err != io.EOF {
		return nil, err
	}
	size, err := format.CheckCopy(b)
	if err != nil {
		return nil, nil
	}
	return b[:size], nil
}

// A grantedAt reads one part: offsets count from its From.
type grantedAt struct {
	part *granted
	*payloadAt
	z *zseek.ReaderAt // for coding 1
}

func (p *granted) reader(src io.ReaderAt, o *GrantOptions) *grantedAt {
	n := len(p.keys)
	var final []byte
	if p.shape.final >= 0 {
		n -= finalKeySize
		final = p.keys[n:]
	}
	op := &opened{keys: seal.NewGranted(p.Suite, p.first, p.shape.end, p.keys[:n], final)}
	opening := (&ReaderOptions{Workers: o.Workers, Done: o.Done}).orDefault()
	r := &grantedAt{part: p, payloadAt: &payloadAt{src: src, op: op, layout: p.layout, workers: opening.workers, done: opening.done}}
	r.makeRoom()
	if p.Coding == format.Zstd {
		last := int(int64(p.To) - (int64(p.From) + int64(len(p.frames)-1)*zseek.FrameContent))
		r.z = zseek.NewReaderAtFrames(sealedPart{r}, p.frames, int64(p.From)/zseek.FrameContent, int64(p.Begin), last, opening.workers)
	}
	return r
}

// ReadAt reads content.
func (r *grantedAt) ReadAt(b []byte, off int64) (int, error) {
	if r.z != nil {
		return r.z.ReadAt(b, off)
	}
	return sealedPart{r}.ReadAt(b, off)
}

func (r *grantedAt) writeRange(ctx context.Context, dst *sink, off, n int64) (written int64, err error) {
	if r.z != nil {
		return r.z.WriteRange(&meter{ctx, dst, r.done}, off, n)
	}
	begin := int64(r.part.Begin)
	err = r.part.pieces(begin+off, n, func(edge []byte, at, n int64) error {
		var k int64
		var err error
		if edge != nil {
			k, err = int64(len(edge)), dst.write(edge)
			r.done.Add(k)
		} else {
			k, err = r.payloadAt.writeRange(ctx, dst, at, n)
		}
		written += k
		return err
	})
	return written, err
}

// A sealedPart is what of the payload's plaintext a part has: offsets count from its Begin.
type sealedPart struct{ *grantedAt }

func (s sealedPart) ReadAt(b []byte, off int64) (read int, err error) {
	n := min(int64(len(b)), int64(s.part.End-s.part.Begin)-off)
	err = s.part.pieces(int64(s.part.Begin)+off, n, func(edge []byte, at, n int64) error {
		if edge != nil {
			read += copy(b[read:], edge)
			return nil
		}
		k, err := s.payloadAt.ReadAt(b[read:read+int(n)], at)
		read += k
		return err
	})
	if err == nil && n < int64(len(b)) {
		err = io.EOF
	}
	return read, err
}

// pieces calls do with the pieces of a range of the payload's plaintext that the part has:
// bytes of an edge, or a range in the segments whose keys are there.
func (p *granted) pieces(off, n int64, do func(edge []byte, at, n int64) error) error {
	for n > 0 {
		var edge []byte
		k := n
		for i, e := range p.shape.edges {
			if at := off - e.Offset; at >= 0 && at < e.Length {
				edge = p.edges[i][at:min(e.Length, at+n)]
				k = int64(len(edge))
			} else if at < 0 && e.Length > 0 {
				k = min(k, -at)
			}
		}
		if err := do(edge, off, k); err != nil {
			return err
		}
		off, n = off+k, n-k
	}
	return nil
}

// A Checked is what [Granted.Verify] found of a container.
type Checked struct {
	Number    uint32           `json:"number"`           // of a volume
	HeadSize  int64            `json:"head_size"`        // in bytes
	Authentic int64            `json:"chunks_authentic"` // of the segments that are granted
	Failed    int64            `json:"chunks_failed"`
	Findings  []format.Finding `json:"findings"`
	Frame     *format.Finding  `json:"coding,omitempty"` // the first frame that does not decompress, if no chunk failed
}

// Sound reports whether c, which may come from anywhere, is about at most so many chunks, and what
// it has found about no more than failed.
func (c *Checked) Sound(chunks int64) bool {
	if c.Authentic < 0 || c.Failed < 0 || c.Authentic > chunks || c.Failed > chunks-c.Authentic || c.HeadSize < format.PageSize || c.HeadSize > format.MaxHeadSize || len(c.Findings) > maxFindings {
		return false
	}
	left := c.Failed * format.SealedChunkSize
	for _, f := range c.Findings {
		if left -= f.Length; f.Length <= 0 || left < 0 || f.Offset < c.HeadSize || f.Offset > format.MaxChunks*format.SealedChunkSize || f.Clause != format.CHUNK1 {
			return false
		}
	}
	return true
}

// Verify authenticates every chunk but the last of the segments that are granted, and decompresses what is
// granted of a compressed payload, as [Verify] does, releasing nothing. There is one Checked for each
// part of the grant. An error means that the work could not be done, or a *TargetError that a
// container is not the one that the grant is on.
func (g *Granted) Verify(ctx context.Context) (all []Checked, err error) {
	for i, p := range g.parts {
		r, err := g.reader(i)
		if err != nil {
			return nil, &TargetError{p.Part, err}
		}
		first, end := p.first*format.SegmentChunks, min(p.shape.end*format.SegmentChunks, p.layout.Chunks-1)
		rep := &Report{Report: new(format.Report)}
		if first < end {
			if _, err := rep.checkChunks(ctx, r.payloadAt, first, end); err != nil {
				return nil, &TargetError{p.Part, err}
			}
		}
		c := Checked{Number: p.Number, HeadSize: int64(p.HeadSize()), Authentic: rep.Authentic, Failed: rep.Failed, Findings: rep.Findings}
		if r.z != nil && c.Failed == 0 {
			_, err := r.z.WriteTo(&meter{ctx, io.Discard, new(atomic.Int64)})
			if pe, ok := errors.AsType[*format.ParseError](err); ok {
				f := pe.Finding()
				f.Offset = p.layout.OffsetOf(pe.Offset)
				c.Frame = &f
			} else if err != nil {
				return nil, &TargetError{p.Part, err}
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// JoinFindings appends findings about chunks to others about the same container, whose head has headSize
// bytes: neighbours become one, as in a [Report].
func JoinFindings(all, more []format.Finding, headSize int64) []format.Finding {
	rep := &Report{Report: &format.Report{Findings: slices.Clip(all)}}
	for _, f := range more {
		for at := f.Offset; at < f.Offset+f.Length; {
			e := &ChunkError{(at - headSize) / format.SealedChunkSize, at, min(format.SealedChunkSize, f.Offset+f.Length-at)}
			rep.addChunk(e)
			at += e.Length
		}
	}
	return rep.Findings
}

// Close forgets the keys and the content. None of the other methods may be running. It
// returns nil.
func (g *Granted) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, r := range g.readers {
		if r != nil {
			r.payloadAt.Close()
		}
		clear(g.parts[i].keys)
		clear(g.parts[i].edges[0])
		clear(g.parts[i].edges[1])
	}
	g.readers = nil
	return nil
}
