package salvage

import (
	"bytes"
	"context"
	"io"

	"bulla/format"
)

// A Medium reads a source with bad sectors: what cannot be read is zero, which
// no tag fits. Media fail for a whole request, so a failed one is tried again in
// sectors.
type Medium struct{ Src io.ReaderAt }

const sectorSize = 4096

// ReadAt fails with io.EOF only.
func (m Medium) ReadAt(p []byte, off int64) (int, error) {
	n, err := m.Src.ReadAt(p, off)
	if err == nil || err == io.EOF {
		return n, err
	}
	for n = 0; n < len(p); {
		piece := p[n:min(n+sectorSize-int((off+int64(n))%sectorSize), len(p))]
		k, err := m.Src.ReadAt(piece, off+int64(n))
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

// FindCopy looks for the first usable copy of a head in src that begins with
// some bytes. It returns nil if there is none.
func FindCopy(ctx context.Context, src io.ReaderAt, size int64, begin []byte) (*format.Copy, error) {
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
		for at := range occurrences(buf[:n], begin) {
			if at >= step {
				break
			}
			raw := buf[at:n]
			h, err := format.ParseDetachedHead(raw)
			if err == nil {
				return &format.Copy{Offset: off + int64(at), Raw: bytes.Clone(raw[:h.CopySize()]), Head: h}, nil
			}
			if bad++; bad == most {
				return nil, nil
			}
		}
	}
	return nil, nil
}
