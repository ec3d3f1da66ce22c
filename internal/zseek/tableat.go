package zseek

import (
	"io"

	"bulla/format"
)

// A Table finds frames in a stream that can be read at any place. It keeps the
// offset of one frame in pageFrames, 2 MiB for the longest table there can be,
// and reads the entries between when it needs them. It is safe for concurrent use.
type Table struct {
	src    io.ReaderAt
	start  int64   // of the table, which is the end of the frames
	frames int64   // how many
	last   int     // content of the last frame, 0 if there is none
	marks  []int64 // offset of frame i*pageFrames, and start behind the last
}

const (
	pageFrames = 512
	pageSize   = pageFrames * entrySize
)

// A page has room for the entries between two marks.
type page [pageSize]byte

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
	t := &Table{src: src, start: size - tableSize(frames), frames: frames}
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
	return t, t.readEntries()
}

// readEntries sums up the sizes of all frames.
func (t *Table) readEntries() error {
	var p page
	t.marks = make([]int64, 0, (t.frames+pageFrames-1)/pageFrames+1)
	odd, oddAt, oddContent := int64(-1), int64(0), int64(0) // the first frame of a wrong content
	at := int64(0)
	for i := int64(0); i < t.frames; i++ {
		if i%pageFrames == 0 {
			t.marks = append(t.marks, at)
			if err := t.readPage(i, &p); err != nil {
				return err
			}
		}
		size, content := parseEntry(p[i%pageFrames*entrySize:])
		if err := t.plausible(i, at, size); err != nil {
			return err
		}
		if odd < 0 && (content != FrameContent && i < t.frames-1 || content < 1 || content > FrameContent) {
			odd, oddAt, oddContent = i, at, content
		}
		at += size
		t.last = int(min(content, FrameContent))
	}
	t.marks = append(t.marks, at)
	if at != t.start {
		return violation(format.ZSTD5, format.ErrMalformed, t.start, "seek table", "frames of %d bytes in all, where there are %d", at, t.start)
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

// Frame returns frame i, of 0 to Frames()-1. It reads a page of the table.
func (t *Table) Frame(i int64) (Frame, error) {
	var p page
	return t.frame(i, &p)
}

// frame is Frame with room to work in.
func (t *Table) frame(i int64, p *page) (Frame, error) {
	if err := t.readPage(i, p); err != nil {
		return Frame{}, err
	}
	at := t.marks[i/pageFrames]
	first := i - i%pageFrames
	for j := first; ; j++ {
		size, content := parseEntry(p[(j-first)*entrySize:])
		// The source may have changed since its sum was taken.
		if err := t.plausible(j, at, size); err != nil {
			return Frame{}, err
		}
		if j < i {
			at += size
			continue
		}
		f := Frame{at, int(size), FrameContent}
		if i == t.frames-1 {
			f.Content = t.last
		}
		if content != int64(f.Content) {
			return Frame{}, violation(format.ZSTD5, format.ErrMalformed, t.entryOffset(i), "seek table", "it has changed")
		}
		return f, nil
	}
}

// readPage reads the entries of the page that frame i is in.
func (t *Table) readPage(i int64, p *page) error {
	first := i - i%pageFrames
	n := min(pageFrames, t.frames-first)
	return readAt(t.src, p[:n*entrySize], t.entryOffset(first))
}

func (t *Table) entryOffset(i int64) int64 { return t.start + tableHeaderSize + i*entrySize }

// readAt fills b from offset off on.
func readAt(src io.ReaderAt, b []byte, off int64) error {
	if n, err := src.ReadAt(b, off); n < len(b) {
		return ended(err, off+int64(n))
	}
	return nil
}
