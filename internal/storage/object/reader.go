package object

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"bulla/internal/storage"
)

// A Reader reads one version of an object, and is a [storage.Object]. What it fetches are
// pieces. A read that finds its bytes in none begins one:
//
//   - anywhere: 64 KiB, or what is read if that is more; near the end all of the end,
//     which holds the last chunk and the tail of a container;
//   - a little after the last piece of a run of reads: twice as much as that, up to 4 MiB,
//     and the next ones at the same time, so that reading in order goes on several
//     connections;
//   - in a range that was announced by ReadAhead: the same, to the end of the range at once.
//
// Pieces are kept while there is room: at most 64 MiB in all.
type Reader struct {
	client *Client
	name   string
	src    Source
	info   *Info
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	pieces []*piece
	runs   []*run // the one that was read last is the last
	free   [][]byte
	tick   int64
}

const (
	minPiece = 64 << 10
	endPiece = 128 << 10
	maxPiece = 4 << 20
	ahead    = 11      // pieces after the one that is read, of a range that was announced
	guessed  = 7       // the same, of another
	maxGap   = 1 << 20 // between reads of a run
	maxRuns  = 4
	maxKept  = 16 // pieces
)

// A piece is a range that is being fetched, or has been.
type piece struct {
	off   int64
	data  []byte
	ready chan struct{} // closed when data, or err, is there
	err   error
	in    *run
	index int   // in its run
	refs  int   // reads that copy from it, and the fetch
	used  int64 // when it was read last; 0: not yet
}

// A run is a part of an object that is read in order.
type run struct {
	next, end int64 // what is to be fetched
	size      int64 // of the next piece
	issued    int   // pieces so far
	announced bool
}

// Open opens what a source has.
func (c *Client) Open(ctx context.Context, name string, src Source) (*Reader, error) {
	r := &Reader{client: c, name: name, src: src}
	r.ctx, r.cancel = context.WithCancel(ctx)
	p := &piece{data: make([]byte, minPiece), ready: make(chan struct{}), in: &run{next: minPiece}}
	err := r.fetch(p)
	if errors.Is(err, storage.Shrunk) { // there is no first byte
		r.info, err = c.stat(ctx, name, src)
	}
	if err != nil {
		r.cancel()
		return nil, err
	}
	p.in.end, p.in.size = r.info.Size, minPiece
	if r.info.Size > 0 {
		r.pieces, r.runs = append(r.pieces, p), append(r.runs, p.in)
	}
	return r, nil
}

// Info describes the version that is read.
func (r *Reader) Info() *Info { return r.info }

func (r *Reader) At() io.ReaderAt          { return r }
func (r *Reader) Size() int64              { return r.info.Size }
func (r *Reader) Version() storage.Version { return storage.Version(r.info.ETag) }

// Stream implements [storage.Object].
func (r *Reader) Stream() io.Reader {
	r.ReadAhead(0, r.info.Size)
	return io.NewSectionReader(r, 0, r.info.Size)
}

// Close ends all that is being fetched.
func (r *Reader) Close() error {
	r.cancel()
	return nil
}

// Recheck implements [storage.Object].
func (r *Reader) Recheck() error {
	now, err := r.client.stat(r.ctx, r.name, r.src)
	if err != nil {
		return err
	}
	if now.Size < 0 { // an answer without a body need not say it
		now.Size = r.info.Size
	}
	switch {
	case now.Size < r.info.Size:
		return failed(r.name, storage.Shrunk, nil)
	case !now.same(r.info):
		return failed(r.name, storage.Changed, nil)
	}
	return nil
}

// ReadAhead announces that n bytes from off on are going to be read in order.
func (r *Reader) ReadAhead(off, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := min(off+n, r.info.Size)
	if off >= end || r.holding(off) != nil && r.holding(off) == r.holding(end-1) {
		return
	}
	in := &run{next: off, end: end, size: 1 << 20, announced: true}
	if end-off <= 2<<20 { // in one request
		in.size = end - off
	}
	r.remember(in)
}

// ReadAt implements [io.ReaderAt].
func (r *Reader) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	for n < len(b) {
		if off >= r.info.Size {
			return n, io.EOF
		}
		p := r.want(off, int64(len(b)-n))
		<-p.ready
		if p.err == nil {
			k := copy(b[n:], p.data[off-p.off:])
			n += k
			off += int64(k)
		}
		r.release(p)
		if p.err != nil {
			return n, p.err
		}
	}
	return n, nil
}

// want returns the piece that has off, and begins what is needed: that piece, where n
// bytes are read, and those after it.
func (r *Reader) want(off, n int64) *piece {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.holding(off)
	if p == nil {
		p = r.begin(r.runAt(off), off, n)
	}
	p.refs++
	r.tick++
	p.used = r.tick
	in, depth := p.in, ahead
	if !in.announced {
		depth = min(in.issued-2, guessed) // two pieces in a row may be chance
	}
	for in.issued-p.index-1 < depth && in.next < in.end {
		r.begin(in, in.next, 0)
	}
	return p
}

func (r *Reader) holding(off int64) *piece {
	for _, p := range r.pieces {
		if p.off <= off && off < p.off+int64(len(p.data)) {
			return p
		}
	}
	return nil
}

// runAt returns the run that a read at off, which no piece has, goes on with.
func (r *Reader) runAt(off int64) *run {
	for _, in := range slices.Backward(r.runs) {
		if in.next <= off && off <= in.next+maxGap && off < in.end {
			return in
		}
	}
	in := &run{next: off, end: r.info.Size, size: minPiece}
	if from := max(0, r.info.Size-endPiece); off >= from {
		in.next, in.size = from, endPiece
	}
	return r.remember(in)
}

func (r *Reader) remember(in *run) *run {
	if len(r.runs) == maxRuns {
		r.runs = slices.Delete(r.runs, 0, 1)
	}
	r.runs = append(r.runs, in)
	return in
}

// begin begins to fetch the next piece of a run, in which n bytes from off on are wanted.
func (r *Reader) begin(in *run, off, n int64) *piece {
	if off > in.next && off >= in.next+in.size {
		in.next = off
	}
	size := min(max(in.size, off+n-in.next), in.end-in.next, maxPiece)
	p := &piece{off: in.next, data: r.room(size), ready: make(chan struct{}), in: in, index: in.issued, refs: 1}
	in.next += size
	in.issued++
	in.size = min(2*in.size, maxPiece)
	r.pieces = append(r.pieces, p)
	go func() {
		r.fetch(p)
		r.release(p)
	}()
	return p
}

// room is memory for a piece. If there are too many, the one that was not read for the
// longest time makes room, and one that was never read only if there is no other.
func (r *Reader) room(size int64) []byte {
	for len(r.pieces) >= maxKept {
		goes := -1
		for i, p := range r.pieces {
			if p.refs == 0 && (goes < 0 || p.used > 0 && (r.pieces[goes].used == 0 || p.used < r.pieces[goes].used)) {
				goes = i
			}
		}
		if goes < 0 {
			break
		}
		if b := r.pieces[goes].data; cap(b) == maxPiece {
			r.free = append(r.free, b)
		}
		r.pieces = slices.Delete(r.pieces, goes, goes+1)
	}
	if k := len(r.free); k > 0 && size > maxPiece/2 && size <= maxPiece {
		b := r.free[k-1]
		r.free = r.free[:k-1]
		return b[:size]
	}
	if size > maxPiece/2 && size < maxPiece {
		return make([]byte, size, maxPiece)
	}
	return make([]byte, size)
}

// release ends a use of a piece. One that could not be fetched is forgotten.
func (r *Reader) release(p *piece) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.refs--
	if p.err != nil {
		r.pieces = slices.DeleteFunc(r.pieces, func(q *piece) bool { return q == p })
	}
}

// fetch fetches a piece. Where an attempt breaks off the next one goes on.
func (r *Reader) fetch(p *piece) error {
	got := 0
	p.err = r.client.try(r.ctx, r.name, false, func(ctx context.Context, moved func(int)) error {
		body, info, err := r.src.Get(ctx, p.off+int64(got), int64(len(p.data)-got), r.info)
		if err != nil {
			return err
		}
		defer body.Close()
		if r.info == nil {
			r.info = info
			p.data = p.data[:min(int64(len(p.data)), info.Size)]
		} else if !info.same(r.info) {
			return failed(r.name, storage.Changed, nil)
		}
		for got < len(p.data) {
			n, err := body.Read(p.data[got:])
			got += n
			moved(n)
			r.client.Received.Add(int64(n))
			if got == len(p.data) {
				return nil
			}
			if err == io.EOF {
				return io.ErrUnexpectedEOF
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	close(p.ready)
	return p.err
}
