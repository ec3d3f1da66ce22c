package set

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"bulla/format"
	"bulla/stream"
)

// ReaderOptions are the options of [NewReaderAt]. The zero value, and a nil pointer, are
// right for most uses. Those of the same name of [stream.ReaderOptions] are the same.
type ReaderOptions struct {
	Workers int
	Head    []byte // a detached head of the root
	Done    *atomic.Int64

	// MaxOpen is how many volumes may be open at a time; 0 means 8. Each takes about 1 MiB
	// and what its File does.
	MaxOpen int
}

// A ReaderAt reads any range of a set. All methods but Close are safe for concurrent use.
type ReaderAt struct {
	set  *opened
	open Opener
	opts ReaderOptions

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc

	mu     sync.Mutex
	free   sync.Cond // a volume was released
	recent []*cached // the volumes that are open, the one used last at the end
}

// A cached volume is one that is open, or is being opened.
type cached struct {
	number int
	users  int
	ready  chan struct{} // closed when vol or err is there
	vol    *volume
	err    error
}

// NewReaderAt opens the set whose root of size bytes is src with one of the identities,
// calling Unwrap with ctx, and its index. Volumes are opened when they are first needed,
// several at a time if several are, until ctx ends. src is not kept.
//
// It fails as [stream.NewReaderAt] does, with a [*PartError], and with a
// *stream.RoleError if src is no root.
func NewReaderAt(ctx context.Context, src io.ReaderAt, size int64, open Opener, identities []stream.Identity, opts *ReaderOptions) (*ReaderAt, error) {
	o := *cmp.Or(opts, new(ReaderOptions))
	o.MaxOpen = max(2, cmp.Or(o.MaxOpen, 8)) // one that is read and the next
	s, err := openRoot(ctx, src, size, identities, o.Head)
	if err == nil {
		err = s.openIndex(ctx, open)
	}
	if err != nil {
		return nil, err
	}
	r := &ReaderAt{set: s, open: open, opts: o}
	r.free.L = &r.mu
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	return r, nil
}

// Size returns the length of the plaintext in bytes. The error is always nil.
func (r *ReaderAt) Size() (int64, error) { return r.set.Size(), nil }

// Volumes returns what the index has of the volumes. They must not be changed.
func (r *ReaderAt) Volumes() []Volume { return r.set.Volumes }

// Head returns the copy of the root's head that counts. It must not be changed.
func (r *ReaderAt) Head() *format.Head { return r.set.head }

// OpenedSlot returns the position in Head().Slots of the slot that was opened, from 0; -1
// if only an older copy has it.
func (r *ReaderAt) OpenedSlot() int { return r.set.slot }

// Warnings returns what was found amiss, of the parts that were opened until now, that
// does not touch the plaintext.
func (r *ReaderAt) Warnings() []Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(r.set.warnings), func(f, g Finding) int { return cmp.Compare(order(f.Suffix), order(g.Suffix)) })
}

// order is what parts are sorted by: the root, the index, the volumes.
func order(suffix string) string {
	if suffix == IndexSuffix {
		return "."
	}
	return suffix
}

// ReadAt gives len(p) bytes of plaintext from offset off on, fewer only with an error: see
// [stream.ReaderAt.ReadAt]. An error about a volume is a [*PartError].
func (r *ReaderAt) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	for n < len(p) && err == nil && off+int64(n) < r.set.Size() {
		var k int
		k, err = r.readVolume(p[n:], off+int64(n))
		n += k
	}
	if err == nil && len(p) > 0 && off+int64(n) >= r.set.Size() {
		if err = r.end(); err == nil && n < len(p) {
			err = io.EOF
		}
	}
	return n, err
}

// readVolume is ReadAt for as much as one volume has.
func (r *ReaderAt) readVolume(p []byte, off int64) (int, error) {
	i, at := r.place(off)
	v, err := r.use(i)
	if err != nil {
		return 0, err
	}
	defer r.release(v)
	n, err := v.vol.ReadAt(p[:min(int64(len(p)), r.set.Volumes[i].Content-at)], at)
	return n, inPart(VolumeSuffix(i), err)
}

// end opens the last volume if it is empty: a range that goes up to the end touches it (SET-21).
func (r *ReaderAt) end() error {
	last := len(r.set.Volumes) - 1
	if r.set.Volumes[last].Content > 0 {
		return nil
	}
	v, err := r.use(last)
	if err == nil {
		r.release(v)
	}
	return err
}

func (r *ReaderAt) place(off int64) (i int, at int64) {
	return int(off / r.set.VolumeSize), off % r.set.VolumeSize
}

// WriteTo writes all of the plaintext to w, in order: see [stream.ReaderAt.WriteTo].
func (r *ReaderAt) WriteTo(w io.Writer) (int64, error) {
	return r.WriteRange(context.Background(), w, 0, math.MaxInt64)
}

// WriteRange is WriteTo for the n bytes from offset off on: see
// [stream.ReaderAt.WriteRange]. While one volume is read the next is opened.
func (r *ReaderAt) WriteRange(ctx context.Context, w io.Writer, off, n int64) (written int64, err error) {
	if off < 0 || n < 0 {
		return 0, errors.New("negative offset or length")
	}
	end, toEnd := off+min(n, r.set.Size()-off), n > 0 && n >= r.set.Size()-off
	var ahead sync.WaitGroup
	defer ahead.Wait()
	for off < end && err == nil {
		i, at := r.place(off)
		v, uerr := r.use(i)
		if uerr != nil {
			return written, abort(w, uerr)
		}
		part := min(end-off, r.set.Volumes[i].Content-at)
		if part < end-off {
			ahead.Go(func() {
				if next, err := r.use(i + 1); err == nil {
					r.release(next)
				}
			})
		}
		k, werr := v.vol.WriteRange(ctx, w, at, part)
		r.release(v)
		written += k
		off += part
		err = inPart(VolumeSuffix(i), werr)
	}
	if err == nil && toEnd {
		err = abort(w, r.end())
	}
	return written, err
}

// abort makes a w that is a Writer fail, if there is an error, and returns that.
func abort(w io.Writer, err error) error {
	if a, ok := w.(interface{ Abort(error) }); ok && err != nil {
		a.Abort(err)
	}
	return err
}

// Grant makes a grant of some ranges of the plaintext, in their order: see
// [stream.Grant.Add].
func (r *ReaderAt) Grant(ranges ...stream.Range) (*stream.Grant, error) {
	g := stream.NewGrant(r.set.VolumeSize, r.set.Size())
	for _, x := range ranges {
		if err := r.grant(g, x.Offset, x.Length); err != nil {
			g.Close()
			return nil, err
		}
	}
	return g, nil
}

func (r *ReaderAt) grant(g *stream.Grant, off, n int64) error {
	if off < 0 || n <= 0 || n > r.set.Size()-off {
		return stream.ErrGrantRange
	}
	for n > 0 {
		i, at := r.place(off)
		v, err := r.use(i)
		if err != nil {
			return err
		}
		k := min(n, r.set.Volumes[i].Content-at)
		err = g.Add(v.vol.ReaderAt, at, k)
		r.release(v)
		if err != nil {
			return inPart(VolumeSuffix(i), err)
		}
		off, n = off+k, n-k
	}
	return nil
}

// Volume calls do with volume i open, of those that Volumes lists. Its errors are those of reading,
// and of do.
func (r *ReaderAt) Volume(i int, do func(*stream.ReaderAt) error) error {
	v, err := r.use(i)
	if err != nil {
		return err
	}
	defer r.release(v)
	return inPart(VolumeSuffix(i), do(v.vol.ReaderAt))
}

// VolumeSize is V: bytes of content in every volume but the last.
func (r *ReaderAt) VolumeSize() int64 { return r.set.VolumeSize }

// Targets opens the volumes that a grant on a set is on: for [stream.OpenGrant].
func Targets(ctx context.Context, open Opener) func(format.Part) (stream.Target, error) {
	return func(p format.Part) (stream.Target, error) {
		return openPart(ctx, open, VolumeSuffix(int(p.Number)))
	}
}

// use returns volume i, open. It waits while as many as may be are in use, and must not be
// called by whoever has another.
func (r *ReaderAt) use(i int) (*cached, error) {
	r.mu.Lock()
	for {
		if r.ctx.Err() != nil {
			r.mu.Unlock()
			return nil, context.Cause(r.ctx)
		}
		if at := slices.IndexFunc(r.recent, func(c *cached) bool { return c.number == i }); at >= 0 {
			c := r.recent[at]
			r.recent = append(slices.Delete(r.recent, at, at+1), c)
			c.users++
			r.mu.Unlock()
			<-c.ready
			if c.err != nil {
				r.release(c)
				return nil, c.err
			}
			return c, nil
		}
		if len(r.recent) < r.opts.MaxOpen || r.evict() {
			break
		}
		r.free.Wait()
	}
	c := &cached{number: i, users: 1, ready: make(chan struct{})}
	r.recent = append(r.recent, c)
	r.mu.Unlock()

	c.vol, c.err = r.set.openVolume(r.ctx, r.open, i, r.opts.Workers, r.opts.Done)
	close(c.ready)
	if c.err != nil {
		r.release(c)
		return nil, c.err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set.warn(VolumeSuffix(i), c.vol.ReaderAt)
	return c, nil
}

// evict closes the volume that has not been used for longest, if one is not in use.
func (r *ReaderAt) evict() bool {
	at := slices.IndexFunc(r.recent, func(c *cached) bool { return c.users == 0 })
	if at < 0 {
		return false
	}
	r.recent[at].vol.Close()
	r.recent = slices.Delete(r.recent, at, at+1)
	return true
}

// release gives a volume back. One that failed is forgotten, so that it may be tried again.
func (r *ReaderAt) release(c *cached) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.users--; c.err != nil && c.users == 0 {
		r.recent = slices.DeleteFunc(r.recent, func(d *cached) bool { return d == c })
	}
	r.free.Broadcast()
}

// Close forgets the keys and closes all volumes: ReadAt and the others then return
// stream.ErrClosed. None of them may be running. It returns nil.
func (r *ReaderAt) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancel(stream.ErrClosed)
	for r.evict() {
	}
	clear(r.set.MACKey[:]) // the key itself is in crypto/hpke, which has no end for it
	return nil
}

var _ interface {
	io.ReaderAt
	io.WriterTo
	io.Closer
} = (*ReaderAt)(nil)
