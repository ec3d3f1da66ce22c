package stream

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/fullio"
	"bulla/internal/ring"
	"bulla/internal/seal"
)

// A payloadAt opens any range of what was sealed into a container whose size is
// known: a [ReaderAt] without decompression. All methods but Close are safe for
// concurrent use.
type payloadAt struct {
	src     io.ReaderAt
	op      *opened
	copies  *format.Copies
	layout  format.Layout
	closed  atomic.Bool
	partial bool  // the end is missing: layout says only what may be there
	cut     error // why, when partial
	workers int
	done    *atomic.Int64

	keys    [keyCache]atomic.Pointer[seal.ChunkKey] // of segments, by number modulo the size
	final   atomic.Pointer[seal.ChunkKey]           // of the last chunk
	scratch sync.Pool                               // *chunkBuf

	mu   sync.Mutex
	last *chunkBuf // the chunk that a small read took a part of
}

// keyCache is how many segment keys a payloadAt keeps.
const keyCache = 16

// A chunkBuf has room for one chunk, sealed and opened.
type chunkBuf struct {
	index  int64 // of the chunk that plain is, -1 for none
	nonce  seal.Nonce
	sealed [format.SealedChunkSize]byte
	room   [format.ChunkSize]byte
	plain  []byte
}

// openPayload opens the container of size bytes in src and authenticates its
// last chunk. See [NewReaderAt].
func openPayload(ctx context.Context, src io.ReaderAt, size int64, ids []Identity, o *opening, keepCEK bool) (*payloadAt, error) {
	r, err := openAt(ctx, src, size, format.ReadCopies(src, size), ids, o, keepCEK)
	if err != nil {
		return nil, err
	}
	if err := r.op.genuine(o.mend); err != nil {
		r.Close()
		return nil, err
	}
	if r.partial {
		err = r.nameSize()
	} else {
		err = r.openLast()
	}
	switch {
	case err == nil:
		return r, nil
	case o.allowTruncated && (r.partial || isFault(err)):
		r.truncate()
		r.cut = err
		return r, nil
	}
	r.Close()
	return nil, err
}

// openLast authenticates the last chunk.
func (r *payloadAt) openLast() error {
	b := r.getBuf()
	defer r.putBuf(b)
	return r.openChunk(b.room[:0], b, r.layout.Chunks-1)
}

// openAt does what of opening needs no chunk.
func openAt(ctx context.Context, src io.ReaderAt, size int64, copies *format.Copies, ids []Identity, o *opening, keepCEK bool) (*payloadAt, error) {
	all, err := usable(copies, o.head)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, copies.HeadErr
	}
	if err := o.mayGive(all); err != nil {
		return nil, err
	}
	op, err := open(ctx, all, ids, keepCEK)
	if err != nil {
		return nil, err
	}
	return newPayload(src, size, op, copies, o), nil
}

func newPayload(src io.ReaderAt, size int64, op *opened, copies *format.Copies, o *opening) *payloadAt {
	r := &payloadAt{src: src, op: op, copies: copies, workers: o.workers, done: o.done}
	r.makeRoom()
	var err error
	if r.layout, err = format.NewLayout(size, int64(op.head.Head.HeadSize())); err != nil {
		r.layout = format.Layout{Size: size}
		r.truncate()
	}
	return r
}

// makeRoom makes the buffers.
func (r *payloadAt) makeRoom() {
	r.scratch.New = func() any { return &chunkBuf{index: -1} }
	r.last = &chunkBuf{index: -1}
}

// truncate makes do without the end of the container: every whole chunk that
// lies in it may be one.
func (r *payloadAt) truncate() {
	r.partial = true
	head := int64(r.op.head.Head.HeadSize())
	r.layout = format.Layout{
		Size:     r.layout.Size,
		HeadSize: head,
		Chunks:   max(0, r.layout.Size-head) / format.SealedChunkSize,
	}
	r.layout.PlainSize = r.layout.Chunks * format.ChunkSize
}

// ReadAt gives what was sealed from offset off on. See [ReaderAt.ReadAt].
func (r *payloadAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	n := 0
	for n < len(p) {
		if off >= r.layout.PlainSize {
			if r.partial {
				return n, r.cut
			}
			return n, io.EOF
		}
		k, err := r.readChunk(p[n:], off)
		n += k
		off += int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// readChunk gives what p has room for of the chunk in which off lies.
func (r *payloadAt) readChunk(p []byte, off int64) (int, error) {
	index, skip := off/format.ChunkSize, int(off%format.ChunkSize)
	_, length := r.chunk(index)
	size := int(length) - format.TagSize
	if skip == 0 && len(p) >= size { // all of it: straight to the caller
		b := r.getBuf()
		defer r.putBuf(b)
		if err := r.openChunk(p[:0:size], b, index); err != nil {
			return 0, err
		}
		return size, nil
	}
	r.mu.Lock()
	if r.last.index == index {
		defer r.mu.Unlock()
		return copy(p, r.last.plain[skip:]), nil
	}
	r.mu.Unlock()

	b := r.getBuf()
	if err := r.openChunk(b.room[:0], b, index); err != nil {
		r.putBuf(b)
		return 0, err
	}
	b.index, b.plain = index, b.room[:size]
	n := copy(p, b.plain[skip:])
	r.mu.Lock()
	b, r.last = r.last, b
	r.mu.Unlock()
	r.putBuf(b)
	return n, nil
}

func (r *payloadAt) getBuf() *chunkBuf { return r.scratch.Get().(*chunkBuf) }

func (r *payloadAt) putBuf(b *chunkBuf) {
	b.index = -1
	r.scratch.Put(b)
}

// chunk is where a chunk stands in the container.
func (r *payloadAt) chunk(i int64) (offset, length int64) {
	if r.partial {
		return format.ChunkOffset(r.layout.HeadSize, i), format.SealedChunkSize
	}
	return r.layout.Chunk(i)
}

// openChunk appends the plaintext of chunk i to dst, which has room for it.
func (r *payloadAt) openChunk(dst []byte, b *chunkBuf, i int64) error {
	offset, length := r.chunk(i)
	sealed := b.sealed[:length]
	if n, err := readAt(r.src, sealed, offset); err != nil {
		if err == io.EOF {
			return &TruncatedError{Chunks: i, Offset: offset + int64(n)} // it became shorter
		}
		return err
	}
	key, err := r.key(i)
	if err != nil {
		return err
	}
	if _, err := key.Open(dst, sealed, i, &b.nonce); err != nil {
		return r.name(i)
	}
	return nil
}

// readAt fills p. It gives fewer bytes only with an error, io.EOF where src ends.
func readAt(src io.ReaderAt, p []byte, off int64) (int, error) {
	n, err := src.ReadAt(p, off)
	switch {
	case n == len(p):
		return n, nil
	case n < 0 || n > len(p):
		return 0, fullio.ErrBadCount
	case err == nil: // which io.ReaderAt does not allow
		return n, io.ErrNoProgress
	}
	return n, err
}

func (r *payloadAt) isFinal(i int64) bool { return !r.partial && i == r.layout.Chunks-1 }

// mayBeFinal reports whether chunk i is the last, or may be because the end is
// missing (CHUNK-2): it need not be a chunk at all then, but a piece of the tail.
func (r *payloadAt) mayBeFinal(i int64) bool {
	offset, _ := r.chunk(i)
	return r.isFinal(i) || r.partial &&
		r.layout.Size-offset < format.SealedChunkSize+format.TagSize+r.layout.HeadSize
}

// key returns the key of a chunk.
func (r *payloadAt) key(chunk int64) (*seal.ChunkKey, error) {
	slot, final := &r.keys[chunk/format.SegmentChunks%keyCache], r.isFinal(chunk)
	if final {
		slot = &r.final
	}
	kept := slot.Load()
	k, err := r.op.keys.Key(chunk, final, kept)
	if k != kept {
		slot.Store(k)
	}
	return k, err
}

// name says why chunk i did not open.
func (r *payloadAt) name(i int64) error {
	if r.op.head == nil { // by a grant, whose holder knows the size already
		offset, length := r.chunk(i)
		return &ChunkError{i, offset, length}
	}
	f, err := r.fault(i)
	if err != nil {
		return err
	}
	return f.name(r.op.head)
}

// nameSize says why the container's size is not one that a container has.
func (r *payloadAt) nameSize() error {
	payload := r.layout.Size - 2*r.layout.HeadSize
	if payload < format.TagSize {
		_, err := format.NewLayout(r.layout.Size, r.layout.HeadSize) // FILE-1
		return err
	}
	f, err := r.fault((payload - format.TagSize) / format.SealedChunkSize)
	if err != nil {
		return err
	}
	f.final = true
	return f.nameSize(r.op.head)
}

// fault is chunk i and what follows it.
func (r *payloadAt) fault(i int64) (*fault, error) {
	offset, length := r.chunk(i)
	window := make([]byte, min(format.SealedChunkSize+format.TagSize+r.layout.HeadSize, r.layout.Size-offset))
	n, err := readAt(r.src, window, offset)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return &fault{index: i, offset: offset, length: length, final: r.mayBeFinal(i),
		window: window[:n], more: offset+int64(n) < r.layout.Size}, nil
}

// writeRange writes the n bytes from offset off on of what was sealed to dst, in
// order, reading and opening in parallel, until the end of the range or of the
// payload.
func (r *payloadAt) writeRange(ctx context.Context, dst *sink, off, n int64) (int64, error) {
	end := min(off+n, r.layout.PlainSize)
	if off >= end {
		return 0, nil
	}
	pull := r.scan(off/format.ChunkSize, (end-1)/format.ChunkSize+1, func(b *batch) {
		if i := b.open(); i >= 0 {
			b.err = r.name(b.first + int64(i))
		}
	})
	defer pull.Drain((*batch).recycle)
	defer pull.Close()
	var written int64
	for b := pull.Next(); b != nil; b = pull.Next() {
		// The first and the last batch may have more than is asked for.
		start := b.first * format.ChunkSize
		out := b.out[:max(0, min(int64(len(b.out)), end-start))]
		out = out[min(max(0, off-start), int64(len(out))):]
		if err := dst.write(out); err != nil {
			return written, err
		}
		written += int64(len(out))
		r.done.Add(int64(len(out)))
		if b.err != nil {
			return written, b.err
		}
		if err := context.Cause(ctx); err != nil {
			return written, err
		}
	}
	return written, nil
}

// scan returns a puller over the chunks first to end-1: batches are numbered in
// order, then read and worked on in parallel. Work gets the sealed chunks in
// in[:n], unless err says that they could not be read.
func (r *payloadAt) scan(first, end int64, work func(*batch)) *ring.Puller[batch] {
	next := first
	var key *seal.ChunkKey
	number := func(b *batch) (more bool) {
		b.first, b.err, b.bad = next, nil, b.bad[:0]
		next = min((next/batchChunks+1)*batchChunks, end) // within a segment
		b.final = next == r.layout.Chunks && !r.partial
		b.n = 0
		for i := b.first; i < next; i++ {
			_, length := r.chunk(i)
			b.n += int(length)
		}
		if b.first < next {
			if b.err = b.keyed(r.op.keys, key, next-1); b.err != nil {
				b.n, next = 0, end
			}
			key = b.key
		}
		return next < end
	}
	read := func(b *batch) {
		b.out = b.out[:0]
		if b.err != nil {
			return
		}
		b.in = grow(b.in, batchSealed)
		offset := format.ChunkOffset(r.layout.HeadSize, b.first)
		if n, err := readAt(r.src, b.in[:b.n], offset); err != nil {
			if err == io.EOF {
				err = &TruncatedError{Chunks: b.first, Offset: offset + int64(n)} // it became shorter
			}
			b.n, b.err = 0, err
			return
		}
		work(b)
	}
	r.announce(first, end)
	return ring.NewPuller(r.workers, ringSlots(r.workers), number, read)
}

// announce tells the source that the chunks first to end-1 are going to be read in order.
func (r *payloadAt) announce(first, end int64) {
	if src, ok := r.src.(readAheader); ok && first < end {
		from, _ := r.chunk(first)
		last, length := r.chunk(end - 1)
		src.ReadAhead(from, last+length-from)
	}
}

// A readAheader is a source that is better read if it knows what comes: one that is far
// away.
type readAheader interface{ ReadAhead(off, n int64) }

// A frameSource is the payload as the source of what decompresses it.
type frameSource struct{ *payloadAt }

// ReadAhead announces what is going to be read of what was sealed.
func (r frameSource) ReadAhead(off, n int64) {
	if end := min(off+n, r.layout.PlainSize); off < end {
		r.announce(off/format.ChunkSize, (end-1)/format.ChunkSize+1)
	}
}

// Close forgets the keys, and the plaintext that it has kept.
func (r *payloadAt) Close() error {
	r.closed.Store(true)
	r.op.wipe()
	for i := range r.keys {
		r.keys[i].Store(nil)
	}
	r.final.Store(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.last.room[:])
	r.last.index = -1
	return nil
}
