package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"bulla/internal/storage"
)

// A Writer writes a stream of unknown length to an object, and is a [storage.Upload]. What
// fits into one part is sent as one request, when it is complete. More goes up in parts,
// several at a time. A part is kept, in memory or if it is large in a temporary file
// without a name, until the store has acknowledged it: what has to be sent again is there.
// At most 160 MiB are kept in memory.
//
// Only Commit has the object appear. It sends no part of a stream as if that were all.
type Writer struct {
	client *Client
	name   string
	to     Target
	plan   Plan
	as     Making
	ctx    context.Context
	cancel context.CancelCauseFunc

	written int64
	now     *part // being filled; nil: none yet
	number  int   // of it
	sending chan struct{}
	wait    sync.WaitGroup
	free    sync.Pool // of *part

	mu     sync.Mutex
	upload string // "" until there is more than one part
	etags  map[int]string
	over   bool

	err     error // the first
	refused error // of a part
	bad     int   // the first part that failed
}

const (
	inMemory = 32 << 20 // a larger part is kept in a file
	sends    = 4        // parts in memory that are sent at a time, and half as many others
)

var errOver = errors.New("the upload was ended")

// Create plans to write an object, of size bytes or -1.
func (c *Client) Create(ctx context.Context, name string, to Target, opts storage.Options) (*Writer, error) {
	w := &Writer{client: c, name: name, to: to, plan: to.Plan().For(opts.Size), etags: make(map[int]string),
		as: Making{ID: NewID(), New: !opts.Force}, sending: make(chan struct{}, sends)}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	if room := w.plan.Room(); opts.Size > room {
		return nil, failed(name, storage.TooLarge, fmt.Errorf("%d bytes, and %d parts have room for %d", opts.Size, w.plan.Parts, room))
	} else if w.plan.Parts < MaxParts {
		c.Tell(fmt.Sprintf("%s can get no more than %d bytes in %d parts", storage.Shown(name), room, w.plan.Parts), "")
	}
	if !opts.Force {
		switch _, err := c.stat(w.ctx, name, to); {
		case err == nil:
			return nil, failed(name, storage.Exists, nil)
		case errors.Is(err, storage.NotFound), errors.Is(err, storage.Denied): // who may only write is not told
		default:
			return nil, err
		}
	}
	return w, nil
}

func (c *Client) stat(ctx context.Context, name string, src Source) (info *Info, err error) {
	err = c.Try(ctx, name, func(ctx context.Context) (err error) {
		info, err = src.Stat(ctx)
		return err
	})
	return info, err
}

// Begin implements [storage.Upload].
func (w *Writer) Begin() error { return nil }

// A part is being filled, or sent.
type part struct {
	number int
	size   int64 // how much it has
	room   int64
	mem    []byte
	file   *storage.Scratch // instead of mem
}

// Write implements [storage.Upload].
func (w *Writer) Write(b []byte) (n int, err error) {
	for n < len(b) {
		if err := w.failure(); err != nil {
			return n, err
		}
		if w.now == nil {
			if w.now, err = w.newPart(); err != nil {
				return n, err
			}
		}
		p := w.now
		chunk := b[n:min(int64(len(b)), int64(n)+p.room-p.size)]
		if p.file != nil {
			_, err = p.file.Write(chunk)
		} else {
			copy(p.mem[p.size:p.room], chunk)
		}
		if err != nil {
			return n, err
		}
		p.size += int64(len(chunk))
		n += len(chunk)
		w.written += int64(len(chunk))
		if p.size == p.room {
			if err := w.dispatch(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (w *Writer) newPart() (*part, error) {
	w.number++
	if w.number > w.plan.Parts {
		return nil, failed(w.name, storage.TooLarge, fmt.Errorf("%d bytes are in %d parts, and there is more", w.written, w.plan.Parts))
	}
	p, _ := w.free.Get().(*part)
	if p == nil {
		p = new(part)
	}
	p.number, p.size, p.room = w.number, 0, w.plan.size(w.number)
	if p.room > inMemory {
		f, err := storage.NewScratch()
		if err != nil {
			return nil, err
		}
		p.file, p.mem = f, nil
	} else if int64(len(p.mem)) < p.room {
		p.mem = make([]byte, p.room)
	}
	return p, nil
}

func (p *part) reader() io.ReadSeeker {
	if p.file != nil {
		return io.NewSectionReader(p.file, 0, p.size)
	}
	return bytes.NewReader(p.mem[:p.size])
}

// dispatch sends the part that is full in the background.
func (w *Writer) dispatch() error {
	p := w.now
	w.now = nil
	if err := w.start(); err != nil {
		w.drop(p)
		return w.fail(0, err)
	}
	places := 1
	if p.file != nil {
		places = 2
	}
	for range places {
		select {
		case w.sending <- struct{}{}:
		case <-w.ctx.Done():
			w.drop(p)
			return context.Cause(w.ctx)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		w.drop(p)
		return errOver
	}
	w.wait.Go(func() {
		etag, err := w.send(p)
		if err != nil {
			w.fail(p.number, err)
		}
		w.mu.Lock()
		w.etags[p.number] = etag
		w.mu.Unlock()
		w.drop(p)
		for range places {
			<-w.sending
		}
	})
	return nil
}

// drop forgets a part.
func (w *Writer) drop(p *part) {
	if p.file != nil {
		p.file.Close()
	}
	w.free.Put(p)
}

// start begins the upload if it has not begun. It is not cut off: what the store begins
// has to be known, to be aborted.
func (w *Writer) start() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.over:
		return errOver
	case w.upload != "":
		return nil
	}
	return w.client.Try(context.WithoutCancel(w.ctx), w.name, func(ctx context.Context) (err error) {
		if w.ctx.Err() != nil {
			return failed(w.name, storage.Unavailable, context.Cause(w.ctx))
		}
		w.upload, err = w.to.Begin(ctx, &w.as)
		return err
	})
}

func (w *Writer) send(p *part) (etag string, err error) {
	err = w.client.try(w.ctx, w.name, false, func(ctx context.Context, moved func(int)) (err error) {
		etag, err = w.to.Send(ctx, w.upload, p.number, w.client.metered(p.reader(), moved), p.size)
		return err
	})
	return etag, err
}

// metered counts what is sent of a body.
func (c *Client) metered(body io.ReadSeeker, moved func(int)) io.ReadSeeker {
	return &meter{body, c, moved}
}

type meter struct {
	io.ReadSeeker
	client *Client
	moved  func(int)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.ReadSeeker.Read(p)
	m.client.Sent.Add(int64(n))
	m.moved(0) // what is sent is only got once it is acknowledged
	return n, err
}

// fail remembers why no more is sent. If a store takes no more parts it refuses several, or
// ends their connections: the first that fails says how many it takes.
func (w *Writer) fail(number int, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if number > 1 && (w.bad == 0 || number < w.bad) {
		w.bad = number
	}
	if e, ok := errors.AsType[*storage.Error](err); ok && e.Kind == storage.Refused && number > 1 {
		w.refused = e.Err
	} else if w.err == nil {
		w.err = err
	}
	return err
}

// failure is why no more is sent, once nothing is: an earlier part may fail later.
func (w *Writer) failure() error {
	w.mu.Lock()
	fails := w.over || w.err != nil || w.refused != nil
	w.mu.Unlock()
	if !fails {
		return nil
	}
	w.wait.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.refused != nil:
		return failed(w.name, storage.PartRefused, fmt.Errorf("it takes %d parts, and refuses the next: %w", w.bad-1, w.refused))
	case w.err != nil:
		return w.err
	}
	return errOver
}

// Commit implements [storage.Upload].
func (w *Writer) Commit() error {
	if err := w.failure(); err != nil {
		return err
	}
	if w.upload == "" {
		return w.commitSmall()
	}
	if w.now != nil {
		if err := w.dispatch(); err != nil {
			return err
		}
	}
	w.wait.Wait()
	if err := w.failure(); err != nil {
		return err
	}
	if err := w.checkNew(); err != nil {
		return err
	}
	etags := make([]string, w.number)
	for i := range etags {
		etags[i] = w.etags[i+1]
	}
	return w.finish(func(ctx context.Context, _ func(int)) error {
		return w.to.Complete(ctx, w.upload, etags, &w.as)
	})
}

// Hold sends all there is and leaves it at that: the object appears by [Client.Settle], if
// at all. The Writer has then ended.
func (w *Writer) Hold() (*storage.Held, error) {
	if err := w.failure(); err != nil {
		return nil, err
	}
	if w.now != nil {
		if err := w.dispatch(); err != nil {
			return nil, err
		}
	}
	w.wait.Wait()
	if err := w.failure(); err != nil {
		return nil, err
	}
	w.cancel(errOver)
	return &storage.Held{Upload: w.upload, ID: w.as.ID, Size: w.written}, nil
}

// Settle completes an upload that is held, whose parts have these ETags. If it is completed
// already, that is success; etags is not asked then.
func (c *Client) Settle(ctx context.Context, name string, to Target, h *storage.Held, etags func() ([]string, error)) error {
	w := &Writer{client: c, name: name, to: to, ctx: ctx, upload: h.Upload, written: h.Size, as: Making{ID: h.ID, New: true}}
	ours := func(i *Info) bool { return i.ID == h.ID && i.Size == h.Size }
	switch info, err := c.stat(ctx, name, to); {
	case err == nil && ours(info):
		return nil
	case err == nil:
		return failed(name, storage.Exists, nil)
	case !errors.Is(err, storage.NotFound):
		return err
	}
	tags, err := etags()
	if errors.Is(err, storage.NotFound) || errors.Is(err, storage.Lost) { // another run may have completed it this moment
		if info, serr := c.stat(ctx, name, to); serr == nil && ours(info) {
			return nil
		}
		return failed(name, storage.Lost, errors.Unwrap(err))
	}
	if err != nil {
		return err
	}
	if err := w.checkNew(); err != nil {
		return err
	}
	return w.finish(func(ctx context.Context, _ func(int)) error { return to.Complete(ctx, h.Upload, tags, &w.as) })
}

// Send sends a part of an upload that is held.
func (c *Client) Send(ctx context.Context, name string, to Target, h *storage.Held, number int, body io.ReadSeeker, n int64) error {
	return c.try(ctx, name, false, func(ctx context.Context, moved func(int)) error {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := to.Send(ctx, h.Upload, number, c.metered(body, moved), n)
		return err
	})
}

// commitSmall sends what one request has room for.
func (w *Writer) commitSmall() error {
	p := w.now
	if p == nil {
		p = &part{}
	}
	defer w.drop(p)
	return w.finish(func(ctx context.Context, moved func(int)) error {
		return w.to.Put(ctx, w.client.metered(p.reader(), moved), p.size, &w.as)
	})
}

// checkNew looks for an object of that name, where the store does not.
func (w *Writer) checkNew() error {
	if !w.as.New {
		return nil
	}
	if p, err := w.to.Profile(w.ctx); err != nil || p.New {
		return err
	}
	switch _, err := w.client.stat(w.ctx, w.name, w.to); {
	case err == nil:
		return failed(w.name, storage.Exists, nil)
	case errors.Is(err, storage.NotFound):
		w.client.Tell("the store of "+w.name+" ignores If-None-Match: an object that another program makes under that name at this moment would be replaced", "")
		return nil
	default:
		return err
	}
}

// finish makes the last request, and looks what came of it: the object is there and ours,
// whatever the answer was, or if it got lost.
func (w *Writer) finish(last func(context.Context, func(int)) error) error {
	err := w.client.try(w.ctx, w.name, true, last)
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	info, serr := w.client.stat(w.ctx, w.name, w.to)
	switch {
	case serr == nil && info.ID == w.as.ID && info.Size == w.written:
		return nil
	case serr == nil && info.ID == w.as.ID:
		return failed(w.name, storage.Refused, fmt.Errorf("the store has %d of %d bytes", info.Size, w.written))
	case err == nil && (serr == nil || errors.Is(serr, storage.NotFound)): // replaced or removed since
		return failed(w.name, storage.Lost, nil)
	case err == nil: // nothing speaks against the answer; who may only write cannot look
		return nil
	case errors.Is(err, storage.Changed) && w.as.New:
		return failed(w.name, storage.Exists, nil)
	case errors.Is(err, storage.NotFound) && w.upload != "":
		return failed(w.name, storage.Lost, nil)
	}
	return err
}

// Abort implements [storage.Upload].
func (w *Writer) Abort() (left bool) {
	w.mu.Lock()
	w.over = true
	upload := w.upload
	w.mu.Unlock()
	w.wait.Wait() // if the run is interrupted, what is under way is, too
	w.cancel(errOver)
	return w.client.abort(w.ctx, w.name, w.to, upload) != nil
}

// abort ends an upload, also after its context did. One that is not there has ended.
func (c *Client) abort(ctx context.Context, name string, to Target, upload string) error {
	if upload == "" {
		return nil
	}
	for _, wait := range []time.Duration{0, 50, 250} { // a part that was under way may still arrive
		time.Sleep(wait * time.Millisecond)
		err := c.Try(context.WithoutCancel(ctx), name, func(ctx context.Context) error { return to.Abort(ctx, upload) })
		if err != nil && !errors.Is(err, storage.NotFound) {
			return err
		}
	}
	return nil
}
