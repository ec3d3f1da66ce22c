package stream

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/fullio"
	"bulla/internal/ring"
	"bulla/internal/seal"
)

// An unsealer opens the payload of a container that comes as a stream: a
// [Reader] without decompression.
type unsealer struct {
	fetcher
	ctx      context.Context
	read     *ring.Reader[batch]
	detached func() bool
	done     *atomic.Int64

	mu    sync.Mutex
	found []format.Finding // what is amiss with the copies of the head
}

// start makes r an unsealer of the container whose head has been read from src.
func (r *unsealer) start(ctx context.Context, op *opened, f fetcher, workers int, done *atomic.Int64) {
	r.fetcher, r.ctx = f, ctx
	r.op = op
	r.done = done
	r.read = ring.NewReader(ring.NewPuller(workers, ringSlots(workers), r.fetch, r.open), r.give)
	r.detached = context.AfterFunc(ctx, func() { r.read.Fail(context.Cause(ctx)) })
}

// readHead reads the head of a stream. With a detached head, the stream's own
// need not be usable, nor as long; what then was read of the payload is carried on.
func readHead(src io.Reader, detached []byte) (f fetcher, err error) {
	f = fetcher{src: src, head: detached}
	raw, err := format.ReadHead(src)
	if err != nil {
		return f, err
	}
	f.copies = format.ParseCopies(raw)
	if detached == nil {
		return f, f.copies.HeadErr
	}
	h, err := format.ParseDetachedHead(detached)
	if err != nil {
		return f, fmt.Errorf("detached head: %w", err)
	}
	n := h.HeadSize()
	raw, err = fullio.ReadUpTo(src, raw, n)
	f.carry = raw[min(n, len(raw)):]
	return f, err
}

// A fetcher is the sequential stage of a Reader: it cuts the stream into
// batches. The last H bytes are the tail, and only the end of the stream says
// which they are; so it holds back as much as must follow a chunk that is not
// the last (CHUNK-2).
type fetcher struct {
	src    io.Reader
	op     *opened
	copies *format.Copies // of the head: the head, and in the end the tail
	head   []byte         // a detached one; nil if there is none
	next   int64          // index of the next chunk
	key    *seal.ChunkKey // of the last batch
	carry  []byte         // read, and belonging to the next batch
}

// hold is how many bytes follow every chunk but the last.
func (f *fetcher) hold() int { return format.TagSize + f.op.head.Head.HeadSize() }

// fetch fills b with the next chunks and what follows them.
func (f *fetcher) fetch(b *batch) (more bool) {
	b.in = grow(b.in, batchSealed+f.hold())
	n := copy(b.in, f.carry)
	k, err := fullio.ReadFull(f.src, b.in[n:])
	b.in = b.in[:n+k]
	b.first, b.final, b.err = f.next, false, nil
	switch {
	case err == nil:
		b.n = batchSealed
		f.carry = append(f.carry[:0], b.in[batchSealed:]...)
	case err == io.EOF:
		f.last(b)
	default:
		// What was read and cannot be the last chunk is still good.
		b.n = max(0, len(b.in)-f.hold()) / format.SealedChunkSize * format.SealedChunkSize
		b.err = err
	}
	f.next += batchChunks
	if bad := b.keyed(f.op.keys, f.key, b.first+int64(b.n/format.SealedChunkSize)); bad != nil {
		b.n, b.err, err = 0, bad, bad
	}
	f.key = b.key
	return err == nil
}

// last sorts out the end of the stream, which is in b.
func (f *fetcher) last(b *batch) {
	head := f.op.head.Head.HeadSize()
	offset := format.ChunkOffset(int64(head), b.first)
	payload := len(b.in) - head
	if payload < format.TagSize { // only in the first batch: later ones begin with what was held
		b.n, b.err = 0, &TruncatedError{Chunks: b.first, Offset: offset + int64(len(b.in))} // FILE-1
		return
	}
	full := (payload - format.TagSize) / format.SealedChunkSize // CHUNK-2
	if rest := payload - full*format.SealedChunkSize; rest >= format.SealedChunkSize {
		b.n = full * format.SealedChunkSize
		last := &fault{index: b.first + int64(full), offset: offset + int64(b.n), final: true, window: b.in[b.n:]}
		b.err = last.nameSize(f.op.head) // FILE-2
		return
	}
	b.n, b.final = payload, true
}

// open is the parallel stage. With the last chunk it looks at the tail, too: here,
// as the keys are not forgotten before the stages have come to rest.
func (f *fetcher) open(b *batch) {
	b.found = nil
	i := b.open()
	if i < 0 {
		if b.final && b.err == nil {
			at := format.ChunkOffset(int64(f.op.head.Head.HeadSize()), b.first) + int64(b.n)
			f.copies.AddTail(b.in[b.n:], at)
			b.found, b.err = f.op.atEnd(f.copies, f.head, at)
		}
		return
	}
	at := i * format.SealedChunkSize
	head := f.op.head.Head
	flt := &fault{
		index:  b.first + int64(i),
		offset: format.ChunkOffset(int64(head.HeadSize()), b.first+int64(i)),
		length: int64(len(b.chunk(i))),
		final:  b.isFinal(i),
		window: b.in[at:],
		more:   !b.final,
	}
	b.err = flt.name(f.op.head)
}

// Read gives what was sealed, as far as it is authentic.
func (r *unsealer) Read(p []byte) (int, error) { return r.read.Read(p) }

// WriteTo writes what was sealed to w. See [Reader.WriteTo].
func (r *unsealer) WriteTo(w io.Writer) (int64, error) {
	dst := newSink(w)
	n, err := r.read.WriteTo(dst)
	return n, dst.end(err)
}

// give says what a batch holds, unless ctx has ended: what Fail does then may come late.
func (r *unsealer) give(b *batch) ([]byte, error) {
	if err := context.Cause(r.ctx); err != nil {
		return nil, err
	}
	r.done.Add(int64(len(b.out)))
	if b.final && b.err == nil {
		r.mu.Lock()
		r.found = b.found
		r.mu.Unlock()
		return b.out, io.EOF
	}
	return b.out, b.err
}
