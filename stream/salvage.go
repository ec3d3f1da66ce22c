package stream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"bulla/format"
)

// A Range is a part of the plaintext, in bytes.
type Range struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// Salvaged is what Salvage got back.
type Salvaged struct {
	Head      *format.Head // the copy of the head that was used
	Size      int64        // of the plaintext, up to what is known of it
	SizeKnown bool         // the end of the container is there and authentic
	Intact    int64        // bytes that authenticated
	Lost      []Range      // the others, in order; of very many the last spans what is intact between them, too
	Shifts    []Shift      // where the container's bytes are not in their place
	Decoded   bool         // the payload is compressed, and what was written is what it decompresses to; all sizes are of that

	// Missed is set if chunks were looked for in vain where they may have moved to:
	// they are damaged, or have moved further than was looked for.
	Missed bool

	// Loose is set if it is not known how much is lost: each lost range is as short
	// as it can be, and what is behind it may belong some frames of 2 MiB further
	// back. All before the first is in its place.
	Loose bool
}

// Whole reports whether nothing is lost.
func (s *Salvaged) Whole() bool { return s.SizeKnown && len(s.Lost) == 0 }

// ErrNoHead is what Salvage returns, with what is wrong with the one at the
// beginning, if there is no usable copy of the head anywhere.
var ErrNoHead = errors.New("no copy of the head is left")

// A Shift is a place from which on chunks were found away from where they
// belong, as they are behind bytes that were inserted or went missing, or in
// their places again.
type Shift struct {
	Chunk  int64 `json:"chunk"`  // the first that was found so
	Offset int64 `json:"offset"` // where it is in the container
	By     int64 `json:"by"`     // bytes it is further back than it should be; negative: further ahead; 0: as it should be
}

// Salvage writes to dst the payload's plaintext, as far as the chunks of the
// container of size bytes in src authenticate: each in its place, and zeros
// where one is lost. Nothing else reaches dst. It reads src twice: to find the
// chunks, and to open them; opts.Done grows by about twice the payload's size.
//
// The container may have lost its head (the tail, a copy anywhere in src or a
// detached head in opts serves), its end, sectors in the middle (a read error is
// a hole like any other), and bytes may be missing or have been added anywhere,
// by which the rest has moved; how far such chunks are looked for is said at
// searchBounds.
//
// A payload that is compressed is decompressed frame by frame, and what touches a
// lost chunk is lost whole. The table at its end says where the frames are; without
// it they are found one behind the other, up to the first lost chunk in their
// places, behind it without knowing these: see Loose. With opts.Raw it is
// written as it is.
//
// Its errors are ErrNoHead, those of [NewReaderAt] when no head opens, those of
// dst, and the cause of ctx's end. Loss is not an error.
func Salvage(ctx context.Context, dst io.Writer, src io.ReaderAt, size int64, identities []Identity, opts *ReaderOptions) (*Salvaged, error) {
	return salvage(ctx, dst, src, size, identities, opts, &defaultBounds)
}

func salvage(ctx context.Context, dst io.Writer, src io.ReaderAt, size int64, identities []Identity, opts *ReaderOptions, bounds *searchBounds) (*Salvaged, error) {
	o := opts.orDefault()
	src = &holeReader{src}
	r, err := openAt(ctx, src, size, format.ReadCopies(src, size), identities, &o, false)
	var pe *format.ParseError
	if errors.As(err, &pe) && pe.Clause != format.HEAD13 && o.head == nil { // no copy at either end
		c, ferr := findCopy(ctx, src, size, []byte(format.Magic))
		if c == nil {
			return nil, cmp.Or(ferr, fmt.Errorf("%w: %w", ErrNoHead, err))
		}
		o.head = c.Raw
		r, err = openAt(ctx, src, size, format.ReadCopies(src, size), identities, &o, false)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	s := newSalvager(ctx, r, bounds)
	if err := s.locate(); err != nil {
		return nil, err
	}
	d := s.deliver(dst)
	if !o.raw && s.op.head.Head.Coding == format.Zstd {
		return d.Salvaged, d.frames()
	}
	return d.Salvaged, d.chunks()
}

// findCopy looks for the first copy of a head in src that begins with some
// bytes. It returns nil if there is none.
func findCopy(ctx context.Context, src io.ReaderAt, size int64, begin []byte) (*format.Copy, error) {
	const (
		step = 1 << 20
		most = 1000 // that look like a copy and are none: more have been made for this
	)
	buf := make([]byte, step+format.MaxHeadSize)
	bad := 0
	for off := int64(0); off < size; off += step {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		n, _ := src.ReadAt(buf[:min(int64(len(buf)), size-off)], off)
		b := buf[:n]
		for at := 0; ; at++ {
			i := bytes.Index(b[min(at, n):], begin)
			if at += i; i < 0 || at >= step {
				break
			}
			size, err := format.PeekHeadSize(b[at:])
			if err != nil || at+size > n {
				continue
			}
			if h, err := format.ParseHead(b[at : at+size]); err == nil {
				raw := bytes.Clone(b[at : at+size])
				return &format.Copy{Offset: off + int64(at), Raw: raw, Head: h}, nil
			}
			if bad++; bad == most {
				return nil, nil
			}
		}
	}
	return nil, nil
}

// A holeReader makes a read error a hole: what cannot be read is zero, which
// no tag fits. Media with bad sectors fail for a whole request, so a failed one
// is tried again in sectors.
type holeReader struct{ src io.ReaderAt }

const sectorSize = 4096

func (h *holeReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.src.ReadAt(p, off)
	if err == nil || err == io.EOF {
		return n, err
	}
	for n = 0; n < len(p); {
		piece := p[n:min(n+sectorSize-int((off+int64(n))%sectorSize), len(p))]
		k, err := h.src.ReadAt(piece, off+int64(n))
		if k < len(piece) && err == io.EOF {
			return n + k, io.EOF
		}
		if k < len(piece) {
			clear(piece[k:])
		}
		n += len(piece)
	}
	return n, nil
}
