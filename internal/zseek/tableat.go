package zseek

import (
	"io"

	"bulla/format"
)

// A Table says where the frames of a stream are that can be read at any place. It
// is safe for concurrent use.
type Table struct {
	src   io.ReaderAt
	start int64 // of the table, which is the end of the frames
	tally
}

// A Frame is where a frame stands and what it holds, by the table.
type Frame struct {
	Offset  int64 // in the stream
	Size    int   // in the stream, at most MaxFrameSize
	Content int   // 1 to FrameContent
}

// ReadTable reads the table at the end of a stream of size bytes. It reads all
// of it, once, and enforces ZSTD-3, ZSTD-4, and ZSTD-5 as far as the table's
// own sums go; where it finds a frame's content of the wrong size it looks at
// the frame, to name ZSTD-1 or ZSTD-2 if that is what is wrong. That a frame is
// as the table says is checked when the frame is read.
func ReadTable(src io.ReaderAt, size int64) (*Table, error) {
	if size < emptyTableSize {
		return nil, ended(nil, size)
	}
	var foot [footerSize]byte
	if err := readAt(src, foot[:], size-footerSize); err != nil {
		return nil, err
	}
	frames, err := parseFooter(foot[:], size-footerSize)
	if err != nil {
		return nil, err
	}
	t := &Table{src: src, start: size - tableSize(frames)}
	if t.start < 0 {
		return nil, violation(format.ZSTD4, format.ErrMalformed, size-footerSize, "seek table", "%d frames do not fit before it", frames)
	}
	var head [tableHeaderSize]byte
	if err := readAt(src, head[:], t.start); err != nil {
		return nil, err
	}
	if le.Uint32(head[:]) != tableMagic || int64(le.Uint32(head[magicSize:])) != frames*entrySize+footerSize {
		return nil, violation(format.ZSTD4, format.ErrMalformed, t.start, "seek table", "it does not begin where its end says")
	}
	return t, t.readEntries(frames)
}

// readEntries reads the sizes of that many frames, in pieces.
func (t *Table) readEntries(frames int64) error {
	var entries [tallyPage * entrySize]byte
	odd, oddAt, oddContent := int64(-1), int64(0), int64(0) // the first frame of a wrong content
	for i := range frames {
		k := i % tallyPage
		if k == 0 {
			n := min(tallyPage, frames-i)
			if err := readAt(t.src, entries[:n*entrySize], t.entryOffset(i)); err != nil {
				return err
			}
		}
		size, content := parseEntry(entries[k*entrySize:])
		if err := t.plausible(i, t.end, size); err != nil {
			return err
		}
		if odd < 0 && (content != FrameContent && i < frames-1 || content < 1 || content > FrameContent) {
			odd, oddAt, oddContent = i, t.end, content
		}
		t.add(int(size), int(min(content, FrameContent)))
	}
	if t.end != t.start {
		return violation(format.ZSTD5, format.ErrMalformed, t.start, "seek table", "frames of %d bytes in all, where there are %d", t.end, t.start)
	}
	if odd >= 0 {
		return t.blame(odd, oddAt, oddContent)
	}
	return nil
}

// plausible checks the size of frame i at offset at.
func (t *Table) plausible(i, at, size int64) error {
	switch {
	case size > MaxFrameSize:
		return violation(format.ZSTD2, format.ErrUnsupported, t.entryOffset(i), "seek table", "frame %d of %d bytes, more than %d", i, size, MaxFrameSize)
	case size < minFrameSize || at+size > t.start:
		return violation(format.ZSTD5, format.ErrMalformed, t.entryOffset(i), "seek table", "frame %d of %d bytes at offset %d, which cannot be", i, size, at)
	}
	return nil
}

// blame says who is wrong where the table gives frame i, at offset at, a
// content that no frame there may have: the frame, if it says so itself.
func (t *Table) blame(i, at, content int64) error {
	var b [offFields + 1 + 4 + 8]byte // the longest header
	n := min(int64(len(b)), t.start-at)
	if err := readAt(t.src, b[:n], at); err != nil {
		return err
	}
	h, err := parseHeader(b[:])
	if err != nil {
		return inFrame(err, i, at)
	}
	if int64(h.content) == content {
		return inFrame(tooShort(h.content), i, at)
	}
	return violation(format.ZSTD5, format.ErrMalformed, t.entryOffset(i), "seek table", "frame %d of %d bytes of content, which holds %d", i, content, h.content)
}

// Frames is the number of frames in the stream.
func (t *Table) Frames() int64 { return t.frames }

// Size is the length in bytes of the content of the stream.
func (t *Table) Size() int64 { return max(0, t.frames-1)*FrameContent + int64(t.last) }

func (t *Table) entryOffset(i int64) int64 { return t.start + tableHeaderSize + i*entrySize }

// readAt fills b from offset off on.
func readAt(src io.ReaderAt, b []byte, off int64) error {
	if n, err := src.ReadAt(b, off); n < len(b) {
		return ended(err, off+int64(n))
	}
	return nil
}
