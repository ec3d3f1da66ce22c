package zseek

import (
	"crypto/sha256"
	"hash"
	"io"

	"bulla/format"
	"bulla/internal/fullio"
)

// A Table keeps the sizes of the frames that were written, or that the table of a stream
// says there are: all hold FrameContent but the last, so that one number a frame is
// enough, 2 MiB for each TiB of content. It grows by pages, so that a long stream
// is never copied and nothing is allocated for entries that are not there. One that was
// read is safe for concurrent use.
type Table struct {
	src    io.ReaderAt // of the stream
	start  int64       // of the table in it, which is the end of the frames
	pages  [][]uint32
	marks  []int64 // the offset in the stream of the first frame of each page
	frames int64
	end    int64 // of the last frame in the stream
	last   int   // content of the last frame, 0 if there is none
}

// A Frame is where a frame stands and what it holds, by the table.
type Frame struct {
	Offset  int64 // in the stream
	Size    int   // in the stream, at most MaxFrameSize
	Content int   // 1 to FrameContent
}

const tablePage = 512

func (t *Table) add(size, content int) {
	n := len(t.pages)
	if t.frames%tablePage == 0 {
		t.pages = append(t.pages, make([]uint32, 0, tablePage))
		t.marks = append(t.marks, t.end)
		n++
	}
	t.pages[n-1] = append(t.pages[n-1], uint32(size))
	t.frames++
	t.end += int64(size)
	t.last = content
}

// Frame returns frame i, of 0 to Frames()-1.
func (t *Table) Frame(i int64) Frame {
	page, k := t.pages[i/tablePage], i%tablePage
	f := Frame{t.marks[i/tablePage], int(page[k]), FrameContent}
	for _, size := range page[:k] {
		f.Offset += int64(size)
	}
	if i == t.frames-1 {
		f.Content = t.last
	}
	return f
}

// Frames is the number of frames in the stream.
func (t *Table) Frames() int64 { return t.frames }

// Size is the length in bytes of the content of the stream.
func (t *Table) Size() int64 { return max(0, t.frames-1)*FrameContent + int64(t.last) }

// writeTable writes the table of the frames counted.
func (t *Table) writeTable(write func([]byte) error) error {
	b := make([]byte, 0, tableHeaderSize+tablePage*entrySize+footerSize)
	b = le.AppendUint32(b, tableMagic)
	b = le.AppendUint32(b, uint32(t.frames*entrySize+footerSize))
	left := t.frames
	for _, page := range t.pages {
		for _, size := range page {
			content := FrameContent
			if left--; left == 0 {
				content = t.last
			}
			b = appendEntry(b, int(size), content)
		}
		if err := write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	b = le.AppendUint32(b, uint32(t.frames))
	b = append(b, 0)
	b = le.AppendUint32(b, footerMagic)
	return write(b)
}

func appendEntry(b []byte, size, content int) []byte {
	b = le.AppendUint32(b, uint32(size))
	return le.AppendUint32(b, uint32(content))
}

// parseFooter reads the end of a table, which stands at offset off, and returns
// the number of frames. It enforces ZSTD-3 and ZSTD-4.
func parseFooter(b []byte, off int64) (frames int64, err error) {
	if le.Uint32(b[5:]) != footerMagic {
		return 0, violation(format.ZSTD4, format.ErrMalformed, off+5, "seek table", "it does not end with its magic")
	}
	if b[4] != 0 {
		return 0, violation(format.ZSTD4, format.ErrMalformed, off+4, "seek table", "descriptor %#02x, not 0", b[4])
	}
	if frames = int64(le.Uint32(b)); frames > MaxFrames {
		return 0, violation(format.ZSTD3, format.ErrUnsupported, off, "seek table", "%d frames, more than %d", frames, MaxFrames)
	}
	return frames, nil
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
	var entries [tablePage * entrySize]byte
	odd, oddAt, oddContent := int64(-1), int64(0), int64(0) // the first frame of a wrong content
	for i := range frames {
		k := i % tablePage
		if k == 0 {
			n := min(tablePage, frames-i)
			if err := readAt(t.src, entries[:n*entrySize], t.entryOffset(i)); err != nil {
				return err
			}
		}
		entry := entries[k*entrySize:]
		size, content := int64(le.Uint32(entry)), int64(le.Uint32(entry[4:]))
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

func (t *Table) entryOffset(i int64) int64 { return t.start + tableHeaderSize + i*entrySize }

// readAt fills b from offset off on.
func readAt(src io.ReaderAt, b []byte, off int64) error {
	if n, err := src.ReadAt(b, off); n < len(b) {
		return ended(err, off+int64(n))
	}
	return nil
}

// A digester compares a table with the frames that came before it, when it
// comes: of each it keeps only a digest of the entries.
type digester struct {
	frames int64
	sum    hash.Hash
	buf    [entrySize]byte
}

func newDigester() *digester { return &digester{sum: sha256.New()} }

func (d *digester) add(size, content int) {
	d.frames++
	d.sum.Write(appendEntry(d.buf[:0], size, content))
}

// readTable reads from src the rest of a table whose magic stands at offset off
// and has been read, up to the end of src. It enforces ZSTD-3 to ZSTD-5.
func (d *digester) readTable(src io.Reader, off int64) error {
	at := off + magicSize
	var b [footerSize]byte
	read := func(n int) ([]byte, error) {
		k, err := fullio.ReadFull(src, b[:n])
		if at += int64(k); err != nil {
			err = ended(err, at)
		}
		return b[:n], err
	}
	head, err := read(tableHeaderSize - magicSize)
	if err != nil {
		return err
	}
	length := int64(le.Uint32(head)) - footerSize
	if length < 0 {
		return violation(format.ZSTD4, format.ErrMalformed, off+magicSize, "seek table", "it is too short")
	}
	sum := sha256.New()
	n, err := io.CopyN(sum, src, length)
	if at += n; err != nil {
		return ended(err, at)
	}
	foot, err := read(footerSize)
	if err != nil {
		return err
	}
	at -= footerSize
	frames, err := parseFooter(foot, at)
	switch {
	case err != nil:
		return err
	case frames*entrySize != length:
		return violation(format.ZSTD4, format.ErrMalformed, at, "seek table", "%d frames in %d bytes of entries", frames, length)
	case frames != d.frames:
		return violation(format.ZSTD5, format.ErrMalformed, at, "seek table", "%d entries for %d frames", frames, d.frames)
	case string(sum.Sum(nil)) != string(d.sum.Sum(nil)):
		return violation(format.ZSTD5, format.ErrMalformed, off+tableHeaderSize, "seek table", "its sizes are not the frames'")
	}
	if n, err = io.CopyN(io.Discard, src, 1); n > 0 {
		return violation(format.ZSTD4, format.ErrMalformed, at+footerSize, "stream", "it goes on after the seek table")
	}
	if err == io.EOF {
		err = nil
	}
	return err
}
