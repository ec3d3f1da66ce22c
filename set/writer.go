package set

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// WriterOptions are the options of [NewWriter] and [Resume].
type WriterOptions struct {
	// How the containers are written. Level is for the volumes, Reserve and AllowClassical are for the root;
	// Part is the set's affair, and Observer that of Observe.
	stream.WriterOptions

	// VolumeSize is V: the content of every volume but the last, a multiple of VolumeUnit.
	// See [VolumeSizeFor]. Resume has it from the set.
	VolumeSize int64

	// Size is how long the plaintext is, if that is known: a set that would need too many
	// volumes is then refused at once. 0 means that it is not.
	Size int64

	// Record, if not nil, is called before a part gets its name: before the root with no
	// volumes, then with one more each time. What it keeps is what [Resume] needs. Its error
	// ends the set. It must not change u.
	Record func(u *Unfinished) error

	// Observe, if not nil, returns the observer of the part with that suffix, which has just
	// been created; nil for none.
	Observe func(suffix string) stream.Observer
}

// part returns the options of the part with that suffix.
func (o *WriterOptions) part(suffix string, p format.Part) *stream.WriterOptions {
	so := o.WriterOptions
	so.Part, so.Observer = p, nil
	if o.Observe != nil {
		so.Observer = o.Observe(suffix)
	}
	return &so
}

// A Writer cuts what is written to it into the volumes of a set. Its memory is that of one
// [stream.Writer], whatever the size, and 112 bytes a volume. Write, ReadFrom and Close are for one goroutine at a time; Abort is
// for any.
type Writer struct {
	ctx    context.Context
	create Creator
	opts   WriterOptions
	set    *Unfinished
	to     []stream.Recipient // the set key

	cur        *stream.Writer // of the volume that is being written; nil between two
	room       int64          // how much content it still takes
	committing chan error     // from the volume before, which is getting its name; nil if none is
	closed     bool

	mu   sync.Mutex
	live *stream.Writer // cur, for Abort
	part Pending        // what it is written to
	err  error          // sticks
}

// NewWriter starts a set for the recipients: it draws the set's secret, writes the root and
// makes it durable. When ctx ends, the Writer fails with its cause.
//
// Its errors are those of [stream.NewWriter], of create and of opts.Record, and a
// [*stream.LimitError].
//
// Whoever has others write the volumes, with [WriteVolume], keeps what opts.Record gets and has
// no more use for the Writer: [Resume] makes the index.
func NewWriter(ctx context.Context, create Creator, recipients []stream.Recipient, opts *WriterOptions) (*Writer, error) {
	r := newRoot(opts.VolumeSize, coding(opts.Level))
	defer clear(r.Secret[:])
	m := cmp.Or(opts.Entropy, entropy.Default())
	if err := cmp.Or(m.Fill("set id", r.ID[:]), m.Fill("set secret", r.Secret[:])); err != nil { // SET-10
		return nil, err
	}
	u, _, err := r.keys()
	if err != nil {
		return nil, err
	}
	w, err := Resume(ctx, create, u, opts)
	if err != nil {
		return nil, err
	}
	b := encode(r)
	defer clear(b)
	return w, w.writeSmall("", format.RoleRoot, recipients, b, w.record)
}

// Resume goes on with an unfinished set, with the volume after u.Volumes: see
// [Unfinished.Check] and [Recover]. The plaintext goes on after u.Size() bytes. Its errors
// are those of NewWriter.
func Resume(ctx context.Context, create Creator, u *Unfinished, opts *WriterOptions) (*Writer, error) {
	if err := checkPlan(u.VolumeSize, opts.Size); err != nil {
		return nil, err
	}
	if coding(opts.Level) != u.Coding {
		return nil, errors.New("the volumes of one set are compressed, all of them or none")
	}
	key, err := keyslot.ParseHPKERecipient(u.Public)
	if err != nil {
		return nil, err
	}
	same := *u
	return &Writer{ctx: ctx, create: create, opts: *opts, set: &same, to: []stream.Recipient{key}}, nil
}

// WriteVolume writes the volume of that number to dst: a container that content, to its end, is
// sealed in. All volumes but the last must have V bytes. Of opts Part and Reserve are the
// set's affair. Its errors are those of Resume and of [stream.Writer.ReadFrom].
func WriteVolume(ctx context.Context, dst io.Writer, of *Shape, number int, content io.Reader, opts *stream.WriterOptions) (v Volume, err error) {
	if number < 0 || number >= MaxVolumes || coding(opts.Level) != of.Coding {
		return v, fmt.Errorf("the set has no volume %d of this coding", number)
	}
	key, err := keyslot.ParseHPKERecipient(of.Public)
	if err != nil {
		return v, err
	}
	o := *opts
	o.Part, o.Reserve = of.part(format.RoleVolume, number), 0
	w, err := stream.NewWriter(ctx, dst, []stream.Recipient{key}, &o)
	if err != nil {
		return v, err
	}
	n, err := w.ReadFrom(content)
	if err == nil && n > of.VolumeSize {
		err = fmt.Errorf("%d bytes are too much for a volume of %d", n, of.VolumeSize)
	}
	if err != nil {
		w.Abort(err)
	}
	err = w.Close()
	return Volume{w.Identity(), w.Size(), n}, err
}

func coding(level int) format.Coding {
	if level == 0 {
		return format.Plain
	}
	return format.Zstd
}

// writeSmall writes all of the root or the index. before is called before it gets its name.
func (w *Writer) writeSmall(suffix string, role format.Role, to []stream.Recipient, plain []byte, before func() error) error {
	part, err := w.create(w.ctx, suffix)
	if err != nil {
		return inPart(suffix, err)
	}
	defer part.Abort()
	o := w.opts.part(suffix, w.set.part(role, 0))
	o.Level, o.Workers, o.Done = 0, 1, nil
	if role != format.RoleRoot {
		o.Reserve = 0
	}
	sw, err := stream.NewWriter(w.ctx, part.Writer(), to, o)
	if err == nil {
		sw.Write(plain) // Close fails, too, if it does
		err = sw.Close()
	}
	if err == nil {
		err = before()
	}
	if err == nil {
		err = part.Commit()
	}
	return inPart(suffix, err)
}

// Write seals p. See [stream.Writer.Write].
func (w *Writer) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if err := w.begin(); err != nil {
			return n, err
		}
		k, err := w.cur.Write(p[n:][:min(int64(len(p)-n), w.room)])
		n += k
		if err = w.took(int64(k), err); err != nil {
			return n, err
		}
	}
	return n, nil
}

// ReadFrom seals what src has to give, until io.EOF. See [stream.Writer.ReadFrom].
func (w *Writer) ReadFrom(src io.Reader) (n int64, err error) {
	for {
		if err := w.begin(); err != nil {
			return n, err
		}
		room := w.room
		k, err := w.cur.ReadFrom(&io.LimitedReader{R: src, N: room})
		n += k
		if err = w.took(k, err); err != nil || k < room {
			return n, err
		}
	}
}

// Ended reports whether all volumes are there: what remains is Close.
func (w *Writer) Ended() bool { return w.set.Ended() }

// begin begins the next volume, if none is being written.
func (w *Writer) begin() error {
	if err := w.failed(); err != nil || w.cur != nil {
		return err
	}
	i := len(w.set.Volumes)
	switch {
	case w.closed:
		return stream.ErrClosed
	case w.set.Ended():
		return w.fail(errors.New("the set has its last volume"))
	case i == MaxVolumes: // SET-24
		return w.fail(&stream.LimitError{Clause: format.SET24, Reason: fmt.Sprintf("more than %d volumes of %d bytes", MaxVolumes, w.set.VolumeSize)})
	}
	suffix := VolumeSuffix(i)
	part, err := w.create(w.ctx, suffix)
	if err != nil {
		return w.fail(inPart(suffix, err))
	}
	o := w.opts.part(suffix, w.set.part(format.RoleVolume, i))
	o.Reserve = 0
	w.cur, err = stream.NewWriter(w.ctx, part.Writer(), w.to, o)
	if err != nil {
		part.Abort()
		return w.fail(inPart(suffix, err))
	}
	w.room = w.set.VolumeSize
	w.mu.Lock()
	defer w.mu.Unlock()
	w.part, w.live = part, w.cur
	if w.err != nil { // aborted meanwhile
		w.live.Abort(w.err)
	}
	return w.err
}

// took accounts for content that the volume has got, and ends it when it is full.
func (w *Writer) took(n int64, err error) error {
	w.room -= n
	if err != nil {
		return w.fail(err)
	}
	if w.room == 0 {
		return w.end()
	}
	return nil
}

// end finishes the volume. It gets its name while the next is written, so that this waits
// for the medium only if that is slower.
func (w *Writer) end() error {
	suffix := VolumeSuffix(len(w.set.Volumes))
	if err := w.cur.Close(); err != nil {
		return w.fail(inPart(suffix, err))
	}
	if err := w.settled(); err != nil {
		return err
	}
	w.set.Volumes = append(w.set.Volumes, Volume{w.cur.Identity(), w.cur.Size(), w.set.VolumeSize - w.room})
	w.cur = nil
	if err := w.record(); err != nil {
		return w.fail(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil { // it was aborted
		return w.err
	}
	part, done := w.part, make(chan error, 1)
	w.part, w.live, w.committing = nil, nil, done
	go func() { done <- inPart(suffix, part.Commit()) }()
	return nil
}

// settled waits until the volume before has its name.
func (w *Writer) settled() error {
	if w.committing == nil {
		return w.failed()
	}
	err := <-w.committing
	w.committing = nil
	return w.fail(err)
}

func (w *Writer) record() error {
	if w.opts.Record == nil {
		return nil
	}
	return w.opts.Record(w.set)
}

// Close ends the last volume, and writes the index, which makes the set whole, once all
// volumes are durable (SET-22). After any failure, it writes nothing further and returns
// that: the volumes that have their names stay. See [stream.Writer.Close].
func (w *Writer) Close() error {
	if w.closed {
		return cmp.Or(w.failed(), stream.ErrClosed)
	}
	if !w.set.Ended() && w.begin() == nil {
		w.end()
	}
	w.closed = true
	if err := w.settled(); err != nil {
		w.Abort(err)
		if w.cur != nil {
			w.cur.Close()
		}
		return err
	}
	if err := w.writeSmall(IndexSuffix, format.RoleIndex, w.to, w.set.encodeIndex(), w.failed); err != nil {
		return w.fail(err)
	}
	return nil // even if ctx has ended meanwhile
}

// Abort makes the Writer fail with err, or stream.ErrAborted if err is nil: the set gets no
// index. The volume that is being written is thrown away; those that have their names stay.
// Close must be called nevertheless.
func (w *Writer) Abort(err error) {
	w.fail(cmp.Or(err, stream.ErrAborted))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.part != nil {
		w.live.Abort(w.err)
		w.part.Abort()
	}
}

// fail makes err stick, or the cause of ctx's end, if it is the first, and returns what
// sticks.
func (w *Writer) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = cmp.Or(context.Cause(w.ctx), err)
	}
	return w.err
}

func (w *Writer) failed() error { return w.fail(nil) }
