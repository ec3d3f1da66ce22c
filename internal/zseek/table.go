package zseek

import (
	"crypto/sha256"
	"hash"
	"io"

	"bulla/format"
	"bulla/internal/fullio"
)

// A tally keeps the sizes of the frames that were written, or that a table says
// there are: all hold FrameContent but the last, so that one number a frame is
// enough, 2 MiB for each TiB of content. It grows by pages, so that a long stream
// is never copied and nothing is allocated for entries that are not there.
type tally struct {
	pages  [][]uint32
	marks  []int64 // the offset in the stream of the first frame of each page
	frames int64
	end    int64 // of the last frame in the stream
	last   int   // content of the last frame, 0 if there is none
}

const tallyPage = 512

func (t *tally) add(size, content int) {
	n := len(t.pages)
	if t.frames%tallyPage == 0 {
		t.pages = append(t.pages, make([]uint32, 0, tallyPage))
		t.marks = append(t.marks, t.end)
		n++
	}
	t.pages[n-1] = append(t.pages[n-1], uint32(size))
	t.frames++
	t.end += int64(size)
	t.last = content
}

// Frame returns frame i, of 0 to Frames()-1.
func (t *tally) Frame(i int64) Frame {
	page, k := t.pages[i/tallyPage], i%tallyPage
	f := Frame{t.marks[i/tallyPage], int(page[k]), FrameContent}
	for _, size := range page[:k] {
		f.Offset += int64(size)
	}
	if i == t.frames-1 {
		f.Content = t.last
	}
	return f
}

// writeTable writes the table of the frames counted.
func (t *tally) writeTable(write func([]byte) error) error {
	b := make([]byte, 0, tableHeaderSize+tallyPage*entrySize+footerSize)
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

func parseEntry(b []byte) (size, content int64) {
	return int64(le.Uint32(b)), int64(le.Uint32(b[4:]))
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
