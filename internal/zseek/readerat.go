package zseek

import (
	"errors"
	"io"

	"bulla/format"
	"bulla/internal/fullio"
	"bulla/internal/recent"
	"bulla/internal/ring"
)

// A ReaderAt decompresses any range of a stream that can be read at any place
// and whose size is known. All methods are safe for concurrent use.
type ReaderAt struct {
	table   *Table
	first   int64 // the number of its first frame in the stream
	begin   int64 // and where that begins
	workers int
	dec     decompressor
	frames  chan []byte // room for those that are read now; nil where none was made yet
	cache   *recent.Cache
}

// NewReaderAt reads the table of the stream of size bytes in src, see
// [ReadTable] for what can be wrong with it, and returns a ReaderAt that reads
// and decodes that many frames at a time, whatever the number of callers; 0
// means GOMAXPROCS. It keeps the content of workers+2 frames for ReadAt. src is
// used from several goroutines and never closed.
func NewReaderAt(src io.ReaderAt, size int64, workers int) (*ReaderAt, error) {
	t, err := ReadTable(src, size)
	if err != nil {
		return nil, err
	}
	return newReaderAt(t, workers), nil
}

// NewReaderAtFrames is [NewReaderAt] for frames of a stream that are known by their sizes,
// each at most MaxFrameSize: src begins with the first, which has that number in the stream and begins at that
// offset in it, and all but the last hold FrameContent, and that one last.
func NewReaderAtFrames(src io.ReaderAt, sizes []uint32, first, begin int64, last, workers int) *ReaderAt {
	t := &Table{src: src}
	for _, n := range sizes {
		t.add(int(n), FrameContent)
	}
	t.start, t.last = t.end, last
	r := newReaderAt(t, workers)
	r.first, r.begin = first, begin
	return r
}

func newReaderAt(t *Table, workers int) *ReaderAt {
	workers = ring.Workers(workers)
	r := &ReaderAt{
		table:   t,
		workers: workers,
		dec:     newDecompressor(workers),
		frames:  make(chan []byte, workers),
	}
	for range workers {
		r.frames <- nil
	}
	r.cache = recent.New(ringSlots(workers), r.ReadFrame)
	return r
}

// Table returns the table of the stream.
func (r *ReaderAt) Table() *Table { return r.table }

// Size is the length of the content in bytes.
func (r *ReaderAt) Size() int64 { return r.table.Size() }

// ReadFrame decodes frame i, of 0 to Table().Frames()-1, and returns its
// content, in a buffer that may be given as buf the next time; buf may be nil.
// It fails with a *format.ParseError if the frame is not in the profile, does
// not decode or is not as the table says, or with an error of the source; what
// it returns is then no content, but still a buffer.
func (r *ReaderAt) ReadFrame(buf []byte, i int64) ([]byte, error) {
	room := <-r.frames
	if room == nil {
		room = make([]byte, MaxFrameSize)
	}
	defer func() { r.frames <- room }()
	f := r.table.Frame(i)
	frame := room[:f.Size]
	if err := readAt(r.table.src, frame, f.Offset); err != nil {
		return buf, err
	}
	h, err := scanFrame(frame) // ZSTD-1, ZSTD-2, ZSTD-5
	if err == nil && h.content < FrameContent && i < r.table.frames-1 {
		err = tooShort(h.content)
	}
	if err == nil {
		buf, err = r.dec.decompress(buf, frame, h) // ZSTD-6
	}
	if err == nil && len(buf) != f.Content {
		err = violation(format.ZSTD5, format.ErrMalformed, 0, "content size", "%d bytes, and %d in the table", len(buf), f.Content)
	}
	if err != nil {
		return buf, inFrame(err, r.first+i, r.begin+f.Offset)
	}
	return buf, nil
}

// ReadAt gives len(p) bytes of content from offset off on, fewer only with an
// error: io.EOF at the end, or what [ReaderAt.ReadFrame] returns for a frame in
// the range. It costs the reading and decoding of every frame that the range
// touches and the cache does not have.
func (r *ReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	n := 0
	for n < len(p) {
		if off >= r.Size() {
			return n, io.EOF
		}
		k, err := r.cache.Copy(p[n:], off/FrameContent, off%FrameContent)
		if err != nil {
			return n, err
		}
		n += k
		off += int64(k)
	}
	return n, nil
}

// WriteTo writes all of the content to w. See [ReaderAt.WriteRange].
func (r *ReaderAt) WriteTo(w io.Writer) (int64, error) { return r.WriteRange(w, 0, r.Size()) }

// WriteRange writes the n bytes of content from offset off on to w, in order,
// reading and decoding in parallel, until the end of the range or the content
// (nil) or an error. Each call under way has ring slots of its own.
func (r *ReaderAt) WriteRange(w io.Writer, off, n int64) (int64, error) {
	if off < 0 || n < 0 {
		return 0, errors.New("negative offset or length")
	}
	off = min(off, r.Size())
	end := off + min(n, r.Size()-off)
	if off == end {
		return 0, nil
	}
	next, last := off/FrameContent, (end-1)/FrameContent
	if src, ok := r.table.src.(interface{ ReadAhead(off, n int64) }); ok {
		from, to := r.table.Frame(next), r.table.Frame(last)
		src.ReadAhead(from.Offset, to.Offset+int64(to.Size)-from.Offset)
	}
	pull := ring.NewPuller(r.workers, ringSlots(r.workers), func(j *job) bool {
		j.index = next
		next++
		return next <= last
	}, func(j *job) { j.content, j.err = r.ReadFrame(j.content, j.index) })
	defer pull.Close()

	at := off
	for j := pull.Next(); j != nil; j = pull.Next() {
		if j.err != nil {
			return at - off, j.err
		}
		start := j.index * FrameContent
		k, err := fullio.WriteAll(w, j.content[at-start:min(end-start, int64(len(j.content)))])
		at += int64(k)
		if err != nil {
			return at - off, err
		}
	}
	return at - off, nil
}

var _ interface {
	io.ReaderAt
	io.WriterTo
} = (*ReaderAt)(nil)
