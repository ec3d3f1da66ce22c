package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/archive"
	"bulla/internal/console"
	"bulla/internal/fullio"
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

	journal *storage.Journal // nil if the source cannot be read again

	sig    *signatureOutput // nil if the set is not signed
	mu     sync.Mutex
	hashed map[string]*origin.Part // by suffix, for sig
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
	hashed, err := p.finish()
	if err != nil {
		return err
	}
	p.run.mu.Lock()
	p.run.hashed[p.suffix] = hashed
	p.run.mu.Unlock()
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
	part := &setPart{container: container{output: &output{Pending: p, done: r.left.Add(p.Abort)}}, run: r, suffix: suffix}
	if part.par, err = r.planParity(&r.flags.parity, r.flags.outputFlags, part.output); err == nil {
		part.to, err = part.begin(r.app, r.flags)
	}
	if err != nil {
		part.Abort()
		return nil, err
	}
	return part, nil
}

// finish makes the signature and the parity files that are wanted of the set, which is
// whole. What an earlier run has written is read for that.
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
	err = r.eachPart(ctx, root, func(suffix string, in *input, err error) error {
		p := r.hashed[suffix]
		if err == nil && p == nil && r.sig != nil {
			p, err = r.hash(ctx, in, r.flags.jobs, new(atomic.Int64))
		}
		parts = append(parts, p)
		if err == nil && r.flags.parity.cells > 0 && !r.there(ctx, suffix+paritySuffix) {
			err = r.makeParity(ctx, &r.flags.parity, outputFlags{noSync: r.flags.noSync}, &r.flags.workFlags, in, false)
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
	r := &setRun{app: a, flags: e, opts: opts, in: in, out: out, root: out.Name(), hashed: make(map[string]*origin.Part)}
	for _, suffix := range []string{set.IndexSuffix, set.VolumeSuffix(0)} {
		if !r.there(ctx, "") && r.there(ctx, suffix) { // or it would be found out at the end
			return refuse("move it away, or name another set with -o", "%s exists", out.name+suffix)
		}
	}
	var u *set.Unfinished
	var err error
	if r.sig, err = a.planSignature(ctx, e, out); err != nil {
		return err
	}
	if in.regular && from == nil {
		u, err = r.begun(ctx, volumeSize)
		defer func() {
			if r.journal != nil {
				r.journal.Close()
			}
		}()
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
	so := &set.WriterOptions{WriterOptions: *r.opts, VolumeSize: volumeSize, Size: max(0, r.in.size), Record: r.record}
	start := time.Now()
	var w *set.Writer
	var kept int64
	var err error
	var to []stream.Recipient
	if u != nil {
		kept = u.Size()
		r.opts.Done.Add(kept)
		w, err = set.Resume(ctx, r.create, u, so)
	} else {
		if to, err = r.flags.withPassphrase(ctx, keys, r.opts.Entropy); err != nil {
			return err
		}
		w, err = set.NewWriter(ctx, r.create, to, so)
	}
	if err != nil {
		if r.journal != nil && !r.there(ctx, "") { // there is nothing to continue
			r.journal.Remove()
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
	if err == nil && r.journal != nil {
		err = r.journal.Remove()
	}
	bar.Finish(err)
	if err != nil {
		return r.unfinished(err)
	}
	volumes := int(n/volumeSize) + 1
	if err := r.finish(ctx); err != nil {
		return err
	}
	r.note("%s: %s encrypted to %s and %s in %v, %s of it by an earlier run", r.in.name, console.Bytes(n), r.out.name, plural(volumes, "volume"), time.Since(start).Round(time.Millisecond), console.Bytes(kept))
	if kept > 0 { // the beginning of a tar was not seen
		members = new(archive.Counter)
	}
	return r.sealed(r.in, r.out, members, written{Plaintext: n, Recipients: len(to), Volumes: volumes, Epoch: epochOf(to)})
}

// unfinished adds to an error what there is of the set.
func (r *setRun) unfinished(err error) error {
	f := explain(err)
	switch {
	case f.silent:
		return err
	case r.journal != nil:
		f.hint = also(f.hint, "the whole volumes are kept: rerun the same command with --resume to continue")
	default:
		f.hint = also(f.hint, r.out.name+" has no index and does not open; remove it and its volumes")
	}
	return f
}

// journalSuffix ends the name of the file that says how far a set has come.
const journalSuffix = ".unfinished"

// journalName is a local file, wherever the root lies.
func journalName(root string) string {
	if strings.Contains(root, "://") {
		return path.Base(root) + journalSuffix
	}
	return root + journalSuffix
}

// A begunSet is the first line of a journal: what the set is, and of what. It opens nothing.
type begunSet struct {
	Bulla  string          `json:"bulla_version"`
	Source safetext.Name   `json:"source"`
	Size   int64           `json:"source_bytes"`
	Time   time.Time       `json:"source_time"`              // of a file
	State  storage.Version `json:"source_version,omitempty"` // of an object
	Suite  format.Suite    `json:"suite"`
	Set    *set.Unfinished `json:"set"`
}

// A volumeLine is about a volume that is whole, and perhaps has its name. A later line about
// the same volume counts: the one before did not get it.
type volumeLine struct {
	Number int
	set.Volume
}

// record adds what is new to the journal, before it gets its name.
func (r *setRun) record(u *set.Unfinished) error {
	if r.journal == nil {
		return nil
	}
	begun := *u
	begun.Volumes = nil
	at, state := r.sourceState()
	var line any = begunSet{buildVersion(), r.in.given, r.in.size, at, state, r.opts.Suite, &begun}
	if n := len(u.Volumes) - 1; n >= 0 {
		line = volumeLine{n, u.Volumes[n]}
	}
	return r.journal.Append([]byte(encodeJSON(line)))
}

// sourceState tells one state of the source from others, also in a later run.
func (r *setRun) sourceState() (time.Time, storage.Version) {
	if st := r.in.Info(); st != nil {
		return st.ModTime().UTC(), ""
	}
	return time.Time{}, r.in.Version()
}

// there reports whether a part of the set is there.
func (r *setRun) there(ctx context.Context, suffix string) bool {
	f, err := r.parts(r.root)(ctx, suffix)
	if err == nil {
		f.Close()
	}
	return err == nil
}

// begun opens the journal, and returns how far the set has come; nil if it is to be begun.
func (r *setRun) begun(ctx context.Context, volumeSize int64) (u *set.Unfinished, err error) {
	j, lines, err := r.files.Journal(journalName(r.root))
	if err != nil {
		return nil, err
	}
	r.journal = j
	if !r.there(ctx, "") { // whatever the journal says
		return nil, j.Reset()
	}
	indexed, err := r.indexed(ctx)
	switch {
	case err != nil:
	case len(lines) > 0:
		u, err = r.read(lines, volumeSize)
		if err == nil {
			err = u.Check(ctx, r.parts(r.root))
		}
		if err == nil && indexed { // all that was left to do is to remove the journal
			err = errors.Join(j.Remove(), alreadyWhole(r.out.name))
		}
	case indexed:
		err = errors.Join(j.Remove(), alreadyWhole(r.out.name))
	default:
		u, err = r.recover(ctx, volumeSize)
	}
	return u, about(r.out.name, err)
}

// indexed reports whether the set has its index. It fails if another file has that name.
func (r *setRun) indexed(ctx context.Context) (bool, error) {
	if !r.there(ctx, set.IndexSuffix) {
		return false, nil
	}
	index := r.part(ctx, set.IndexSuffix)
	if index.Role != format.RoleIndex || index.Set != r.part(ctx, "").Set {
		return false, refuse("move it away, and run this again", "%s is in the way: it is not the index of this set, or damaged", r.out.name+set.IndexSuffix)
	}
	return true, nil
}

// part is what a part of the set says that it is.
func (r *setRun) part(ctx context.Context, suffix string) (p format.Part) {
	f, err := r.parts(r.root)(ctx, suffix)
	if err != nil {
		return p
	}
	defer f.Close()
	if h, err := format.Check(f, f.Size()).Newest(nil); err == nil {
		p = h.Part
	}
	return p
}

// alreadyWhole refuses to continue a set that is whole.
func alreadyWhole(name string) error {
	return refuse("bulla verify checks it", "%s is a set that is whole: there is nothing to continue", name)
}

// sameFlags refuses to continue a set with flags that make another.
func (r *setRun) sameFlags(u *set.Unfinished, volumeSize int64) error {
	if u.VolumeSize != volumeSize || (u.Coding == format.Zstd) != (r.opts.Level > 0) {
		return usage("give the same --volume-size and -z as before", "%s was begun with other flags", r.out.name)
	}
	return nil
}

// read reads the journal, which must be of this source and these flags.
func (r *setRun) read(lines [][]byte, volumeSize int64) (*set.Unfinished, error) {
	var b begunSet
	err := json.Unmarshal(lines[0], &b)
	for _, line := range lines[1:] {
		var v volumeLine
		if err = cmp.Or(err, json.Unmarshal(line, &v)); err != nil || b.Set == nil || v.Number < 0 || v.Number > len(b.Set.Volumes) {
			b.Set = nil
			break
		}
		b.Set.Volumes = append(b.Set.Volumes[:v.Number], v.Volume)
	}
	at, state := r.sourceState()
	switch {
	case err != nil || b.Set == nil:
		return nil, refuse("remove it: with a key that opens the set, --resume does without", "%s is damaged", journalName(r.out.name))
	case b.Size != r.in.size || !b.Time.Equal(at) || b.State != state:
		return nil, refuse("remove "+r.out.name+" and its parts, and begin again", "%s has changed since the set was begun", r.in.name)
	}
	r.opts.Suite = b.Suite
	return b.Set, r.sameFlags(b.Set, volumeSize)
}

// recover does without a journal, with a key: what the volumes hold is compared with the
// source, and the journal is written anew.
func (r *setRun) recover(ctx context.Context, volumeSize int64) (*set.Unfinished, error) {
	ids, err := r.flags.opener.find(true)
	if err != nil {
		return nil, err
	}
	root, err := r.openInput(r.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	u, err := set.Recover(ctx, root.At(), root.size, r.parts(r.root), ids.all, &set.RecoverOptions{Content: &fullio.Comparer{From: r.in.At()}})
	if errors.Is(err, fullio.ErrDiffers) {
		err = refuse("remove the set and begin again", "the volumes do not hold what the source has")
	}
	if err != nil {
		return nil, ids.explain(err)
	}
	if err := r.sameFlags(u, volumeSize); err != nil {
		return nil, err
	}
	all := u.Volumes
	for n := range len(all) + 1 {
		u.Volumes = all[:n]
		if err := r.record(u); err != nil {
			return nil, err
		}
	}
	return u, nil
}
