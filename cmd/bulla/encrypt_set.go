package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/archive"
	"bulla/internal/console"
	"bulla/internal/producer"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/keyslot"
	"bulla/origin"
	"bulla/set"
	"bulla/stream"
)

// setFlags are the flags of encrypt that make a set.
type setFlags struct {
	volume string // the largest container
	resume bool
}

func (f *setFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.volume, "volume-size", "", "make a set: FILE"+containerSuffix+" and volumes of at most `SIZE` bytes, such as 4G, beside it")
	cmd.Flags().BoolVar(&f.resume, "resume", false, "continue a set after its last whole volume")
}

// volumeSize is how much content each volume has; 0 if no set is wanted.
func (e *encryptFlags) volumeSize(cmd *cobra.Command, level int) (int64, error) {
	if !cmd.Flags().Changed("volume-size") {
		if e.resume {
			return 0, usage("give --volume-size, too", "only a set can be continued")
		}
		return 0, nil
	}
	limit, ok := console.ParseSize(e.volume)
	if !ok {
		return 0, usage("for example --volume-size 4G", "invalid --volume-size %s", safetext.Printable(e.volume))
	}
	switch {
	case e.force:
		return 0, usage("remove the old set, or name another", "--force does not replace a set")
	case e.parity.file != "":
		return 0, usage("leave it out: each part has its own, beside it", "--parity-file does not go with --volume-size")
	case e.verify:
		return 0, usage("bulla verify checks the set afterwards", "--verify does not go with --volume-size")
	}
	coding := format.Plain
	if level > 0 {
		coding = format.Zstd
	}
	v, err := set.VolumeSizeFor(limit, coding)
	if err != nil {
		return 0, usage("it must be at least 3M", "--volume-size %s is too small", safetext.Printable(e.volume))
	}
	return v, nil
}

// A setRun is a run of encrypt that makes a set.
type setRun struct {
	*app
	flags *encryptFlags
	opts  *stream.WriterOptions
	in    *input
	out   *output // the root
	root  string  // its name

	to      string           // the recipients: see comeTo
	journal *storage.Journal // nil if the source cannot be read again, or none can be kept

	made parityMade // of all parts

	sig    *signatureOutput // nil if the set is not signed
	mu     sync.Mutex
	making map[string]*origin.Maker // by suffix, for sig
	hashed map[string]*origin.Part  // as they were sealed, by whichever run
}

// A setPart is a part of the set that is written.
type setPart struct {
	container
	run    *setRun
	suffix string
	to     io.Writer
}

func (p *setPart) Writer() io.Writer { return p.to }

func (p *setPart) Commit() error {
	_, err := p.run.sealedPart(p.suffix)
	if err == nil {
		_, err = p.finish()
	}
	if err != nil {
		return err
	}
	return p.settle(p.run.app)
}

// create creates a part of the set, which is removed if the run ends before it is complete.
func (r *setRun) create(ctx context.Context, suffix string) (set.Pending, error) {
	p, err := r.files.Create(r.root+suffix, storage.Options{NoSync: r.flags.noSync, Mode: r.out.plan.mode})
	if errors.Is(err, storage.Exists) || errors.Is(err, storage.Dangling) || errors.Is(err, storage.IsDirectory) {
		err = withHint(err, "move it away")
	}
	if err != nil {
		return nil, err
	}
	part := &setPart{container: container{output: &output{Pending: p}}, run: r, suffix: suffix}
	if part.par, err = r.planParity(&r.flags.parity, r.flags.outputFlags, part.output); err == nil {
		part.to, err = part.begin(r.flags)
	}
	if err != nil {
		part.Abort()
		return nil, err
	}
	if r.sig != nil {
		r.mu.Lock()
		r.making[suffix] = new(origin.Maker)
		r.mu.Unlock()
	}
	return part, nil
}

// observe is who hashes a part of the set that has been created, if it is signed.
func (r *setRun) observe(suffix string) stream.Observer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.making[suffix]; m != nil {
		return m
	}
	return nil
}

// sealedPart is what was hashed of a part, all of which is sealed; nil if the set is not signed.
func (r *setRun) sealedPart(suffix string) (p *origin.Part, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.making[suffix]; m != nil {
		if r.hashed[suffix], err = m.Finish(); err != nil {
			return nil, err
		}
		delete(r.making, suffix)
	}
	return r.hashed[suffix], nil
}

// finish makes the signature and the parity files that are wanted of the set, which is
// whole.
func (r *setRun) finish(ctx context.Context) error {
	if r.sig == nil && r.flags.parity.cells == 0 {
		return nil
	}
	root, err := r.openInput(r.root)
	if err != nil {
		return err
	}
	defer root.Close()
	var parts []*origin.Part
	err = r.eachPart(ctx, root, 1, nil, func(_ int, suffix string, in *input, err error) error {
		parts = append(parts, r.hashed[suffix])
		if err == nil && r.flags.parity.cells > 0 && r.probe(r.root+suffix+paritySuffix) != nil {
			err = r.makeParity(ctx, &r.flags.parity, outputFlags{name: r.root + suffix + paritySuffix, noSync: r.flags.noSync}, &r.flags.workFlags, in, false)
		}
		if err == nil && r.flags.parity.cells > 0 {
			err = r.made.add(r.app, in)
		}
		return err
	})
	if err == nil {
		err = r.sig.write(r.app, parts...)
	}
	return err
}

// encryptSet makes a set, or goes on with one.
func (a *app) encryptSet(ctx context.Context, e *encryptFlags, volumeSize int64, keys []keyslot.Recipient, in *input, from *producer.Producer, out *output, opts *stream.WriterOptions) error {
	if !out.Whole() {
		return usage("name the root with -o FILE", "a set is several files, and cannot be written to %s", out.name)
	}
	r := &setRun{app: a, flags: e, opts: opts, in: in, out: out, root: out.Name(), making: make(map[string]*origin.Maker), hashed: make(map[string]*origin.Part)}
	for _, suffix := range []string{set.IndexSuffix, set.VolumeSuffix(0)} {
		if r.probe(r.root) != nil && r.probe(r.root+suffix) == nil { // or it would be found out at the end
			return refuse("move it away, or name another set with -o", "%s exists", out.name+suffix)
		}
	}
	var u *set.Unfinished
	var err error
	if r.sig, err = a.planSignature(ctx, e, out); errors.Is(err, storage.Exists) { // --force replaces no set
		err = withHint(err, "if the set is whole, bulla verify --signed-by checks it; else move it away")
	}
	if err != nil {
		return err
	}
	r.to = comeTo(keys, e.passphrase.given())
	if in.regular && from == nil {
		u, err = r.begun(ctx, volumeSize)
		defer func() { r.journal.Close() }()
	} else if e.resume {
		err = usage("name a file", "--resume needs a source that can be read again, and %s is not one", in.name)
	}
	if err != nil {
		return err
	}
	return r.write(ctx, u, volumeSize, keys, from)
}

// write writes what is missing of the set.
func (r *setRun) write(ctx context.Context, u *set.Unfinished, volumeSize int64, keys []keyslot.Recipient, from *producer.Producer) error {
	so := &set.WriterOptions{WriterOptions: *r.opts, VolumeSize: volumeSize, Size: max(0, r.in.size), Record: r.record, Observe: r.observe}
	start := time.Now()
	var w *set.Writer
	var kept int64
	var err error
	var to []stream.Recipient
	if u != nil {
		kept = u.Size()
		r.opts.Done.Add(kept)
		w, err = set.Resume(ctx, r.create, u, so)
	} else if to, err = r.flags.withPassphrase(ctx, keys, r.opts.Entropy); err == nil {
		w, err = set.NewWriter(ctx, r.create, to, so)
	}
	if err != nil {
		if errors.Is(r.probe(r.root), fs.ErrNotExist) { // there is nothing to continue
			r.journal.Remove(r.out.name)
		}
		return err
	}
	if r.opts.Level == 0 {
		r.warnFull(r.out, r.in.size-kept)
	}
	bar := r.startProgress(&r.flags.workFlags, r.in.name, r.in.size, r.opts.Done, r.out)
	n, members := kept, new(archive.Counter)
	if !w.Ended() {
		var k int64
		k, err = r.feed(w, r.in, from, kept, members)
		n += k
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	bar.Finish(err)
	if err != nil {
		return r.unfinished(err)
	}
	left := r.journal.Remove(r.out.name)
	volumes := int(n/volumeSize) + 1
	if err := cmp.Or(lacking(r.out, r.finish(ctx)), left); err != nil {
		return err
	}
	r.note("%s: %s encrypted to %s and %s in %v, %s of it by an earlier run", r.in.name, console.Bytes(n), r.out.name, plural(volumes, "volume"), time.Since(start).Round(time.Millisecond), console.Bytes(kept))
	if kept > 0 { // the beginning of a tar was not seen
		members = new(archive.Counter)
	}
	done := written{Plaintext: n, Recipients: len(to), Volumes: volumes, Epoch: epochOf(to)}
	if r.made.Size > 0 {
		done.Parity = &r.made
	}
	r.warnOther(r.flags, r.out, r.flags.parity.cells > 0, r.sig != nil)
	return r.sealed(r.in, r.out, members, done)
}

// unfinished adds to an error what there is of the set.
func (r *setRun) unfinished(err error) error {
	f, hint := explain(err), r.out.name+" has no index and does not open; remove it and its volumes"
	if r.in.regular {
		hint = "the whole volumes are kept: rerun the same command with --resume to continue"
	}
	if f.hint = also(f.hint, hint); f.silent && !r.quiet && !r.json {
		r.con.End()
		r.con.Line("bulla: note: " + hint)
	}
	return f
}
