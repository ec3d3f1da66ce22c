package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"sync/atomic"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/storage"
	"bulla/parity"
	"bulla/set"
	"bulla/stream"
)

// numbers are the variables in which engines say the number of a task, and the first number
// that each gives.
var numbers = []struct {
	name  string
	first int
}{
	{"SLURM_ARRAY_TASK_ID", 0},
	{"JOB_COMPLETION_INDEX", 0}, // Kubernetes
	{"AWS_BATCH_JOB_ARRAY_INDEX", 0},
	{"BATCH_TASK_INDEX", 0},     // Google Cloud
	{"CLOUD_RUN_TASK_INDEX", 0}, // the same
	{"NOMAD_ALLOC_INDEX", 0},    // of a group's count
	{"PBS_ARRAY_INDEX", 0},      // PBS Pro
	{"PARALLEL_SEQ", 1},         // GNU parallel
}

// PartOf finds the number of the part that this task is for. It fails if no engine says one, or
// two say different ones.
func PartOf(env func(string) string) (part int, err error) {
	from := ""
	for _, v := range numbers {
		text := env(v.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		switch n -= v.first; {
		case err != nil || n < 0:
			return 0, fmt.Errorf("$%s is no number of a part", v.name)
		case from != "" && n != part:
			return 0, fmt.Errorf("$%s and $%s say different parts", from, v.name)
		}
		part, from = n, v.name
	}
	if from == "" {
		return 0, errors.New("no engine says which part this is")
	}
	return part, nil
}

// RunOptions say how a part is run.
type RunOptions struct {
	Secret  *Secret // of a job that needs one for that
	Workers int
	Done    *atomic.Int64 // grows to the part's share of Work
	Entropy *entropy.Mixer
	Again   bool // although it failed for good
}

// Has refuses the number of a part that the job does not have.
func (j *Job) Has(part int) error {
	if part < 0 || part >= j.Parts {
		return j.fails(NoPart, fmt.Sprintf("%d, only 0 to %d", part, j.Parts-1), nil)
	}
	return nil
}

// Run does a part. If it is done already, or another run is quicker, that is success. A part that
// failed for good fails again, with a *Failure, unless opts say otherwise.
func (j *Job) Run(ctx context.Context, part int, opts *RunOptions) error {
	if err := j.Has(part); err != nil {
		return err
	}
	if j.NeedsKey() {
		if err := j.fits(opts.Secret); err != nil {
			return err
		}
	}
	if done, err := j.has(partName(part, doneSuffix)); done || err != nil {
		return err
	}
	if !opts.Again {
		switch f, err := j.failure(part); {
		case err != nil:
			return err
		case f != nil:
			return f
		}
	}
	src, err := j.open(&j.Source)
	if err != nil {
		return err
	}
	defer src.Close()
	do := map[Kind]func(context.Context, int, *storage.Blob, *RunOptions) (*Receipt, error){
		Encrypt: j.encrypt, Verify: j.verify, Decrypt: j.decrypt, Scrub: j.scrub}[j.Kind]
	r, err := do(ctx, part, src, opts)
	if err == nil {
		err = j.unchanged(&j.Source, src)
	}
	if err == nil {
		r.Job, r.Part = j.ID, part
		err = j.once(partName(part, doneSuffix), r)
	}
	if err = j.withoutCancel().decided(part, r, err); err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// decided looks which run's receipt counts, when this one has ended with err, and settles or
// throws away what it has made.
func (j *Job) decided(part int, mine *Receipt, err error) error {
	there, rerr := j.receipt(part)
	if rerr == nil && !errors.Is(err, storage.Undurable) {
		err = nil // done, by whichever run
	}
	if mine == nil || mine.Volume == nil {
		return err
	}
	name := j.Encrypt.Root + set.VolumeSuffix(part)
	switch {
	case rerr == nil && there.Volume.Held == mine.Volume.Held:
		return cmp.Or(j.files.Settle(name, &mine.Volume.Held), err)
	case rerr == nil: // another run was quicker
		return j.files.Discard(name, &mine.Volume.Held)
	case errors.Is(rerr, fs.ErrNotExist):
		j.files.Discard(name, &mine.Volume.Held)
	} // else it may be what counts
	return cmp.Or(err, rerr)
}

// receipt reads the receipt of a part. Its error matches fs.ErrNotExist if it is not done.
func (j *Job) receipt(part int) (*Receipt, error) {
	r, name := new(Receipt), partName(part, doneSuffix)
	if err := j.read(name, r); err != nil {
		return nil, err
	}
	if r.Part != part || !j.sound(r) {
		return nil, j.fails(Damaged, name, nil)
	}
	return r, nil
}

// sound reports whether a receipt is one that a part of the job can have, within all bounds.
func (j *Job) sound(r *Receipt) bool {
	if r.Job != j.ID || j.Has(r.Part) != nil {
		return false
	}
	switch j.Kind {
	case Encrypt:
		v := r.Volume
		return v != nil && len(v.Identity) == format.IdentitySize && v.Content == j.Share(r.Part) && v.Size > 0
	case Scrub:
		return r.Scrubbed != nil && r.Scrubbed.Report != nil && r.Scrubbed.Size == j.Source.Size && r.Scrubbed.Checked > 0
	}
	return !slices.ContainsFunc(r.Verified, func(c stream.Checked) bool {
		return !c.Sound(j.Work/format.ChunkSize) || c.Frame != nil && !plain(set.Finding{Finding: *c.Frame}) ||
			slices.ContainsFunc(c.Findings, func(f format.Finding) bool { return !plain(set.Finding{Finding: f}) })
	})
}

// failure is why a part failed for good; nil if it did not.
func (j *Job) failure(part int) (*Failure, error) {
	f := new(Failure)
	err := j.read(partName(part, failedSuffix), f)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && f.Job != j.ID:
		return nil, nil
	case err == nil && (f.Part != part || f.Exit < 1 || f.Exit > 127): // the run ends with it
		return nil, j.fails(Damaged, partName(part, failedSuffix), nil)
	}
	return f, err
}

func (f *Failure) Error() string { return f.What }

// ForGood reports whether err, of Run, is about the part, and not about how it was run, or a
// failure that was noted before.
func ForGood(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return !errors.As(err, new(*Failure)) && (!ok || e.Problem == Changed)
}

// Fail notes that a part failed for good.
func (j *Job) Fail(part int, f *Failure) error {
	f.Job, f.Part = j.ID, part
	err := j.once(partName(part, failedSuffix), f)
	if errors.Is(err, storage.Exists) {
		return nil
	}
	return err
}

// encrypt seals a volume, and holds it.
func (j *Job) encrypt(ctx context.Context, part int, src *storage.Blob, opts *RunOptions) (*Receipt, error) {
	e := j.Encrypt
	shape, err := e.shape()
	if err != nil {
		return nil, err
	}
	off := int64(part) * e.VolumeSize
	n := min(e.VolumeSize, j.Work-off)
	out, err := j.files.Create(e.Root+set.VolumeSuffix(part), storage.Options{Held: true, Mode: 0o666, Size: n + n>>11})
	if err != nil {
		return nil, err
	}
	defer out.Abort()
	at := src.At()
	if a, ok := at.(interface{ ReadAhead(off, n int64) }); ok {
		a.ReadAhead(off, n)
	}
	v, err := set.WriteVolume(ctx, out.Writer(), shape, part, io.NewSectionReader(at, off, n),
		&stream.WriterOptions{Suite: format.Suite(e.Suite), Level: e.Level, Workers: opts.Workers, Entropy: opts.Entropy, Done: opts.Done})
	if err == nil && v.Content != n {
		err = j.fails(Changed, j.Source.Name, nil)
	}
	if err != nil {
		return nil, err
	}
	held, err := out.Hold()
	if err != nil {
		return nil, err
	}
	return &Receipt{Volume: &VolumeMade{Held: *held, Identity: v.Identity[:], Content: v.Content}}, nil
}

var errDone = errors.New("another run has done this part")

// granted opens the grant of a part.
func (j *Job) granted(ctx context.Context, part int, src *storage.Blob, opts *RunOptions) (*stream.Granted, error) {
	g, err := openFile(j.files, j.path(j.grantName(part)))
	if err != nil {
		return nil, err
	}
	defer g.Close()
	volumes := set.Targets(ctx, j.parts(j.Source.Name))
	return stream.OpenGrant(ctx, g.At(), g.Size(), []stream.Identity{opts.Secret.Identity}, func(p format.Part) (stream.Target, error) {
		if p.Role == format.RoleFile {
			return src, nil
		}
		return volumes(p)
	}, &stream.GrantOptions{Workers: opts.Workers, Done: opts.Done})
}

// verify authenticates what the part's grant gives.
func (j *Job) verify(ctx context.Context, part int, src *storage.Blob, opts *RunOptions) (*Receipt, error) {
	if j.Work == 0 {
		return new(Receipt), nil
	}
	g, err := j.granted(ctx, part, src, opts)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	all, err := g.Verify(ctx)
	return &Receipt{Verified: all}, err
}

// decrypt writes the part's bytes to their place in the output.
func (j *Job) decrypt(ctx context.Context, part int, src *storage.Blob, opts *RunOptions) (*Receipt, error) {
	d := j.Decrypt
	out, err := j.files.Pieces(d.Output, &d.Held)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if j.Work == 0 {
		return new(Receipt), out.Piece(1, 0, 0, func(io.Writer) error { return nil })
	}
	g, err := j.granted(ctx, part, src, opts)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	n, off, size := int(d.count(part)), d.Cuts[part], d.Cuts[part+1]-d.Cuts[part]
	for i := range n {
		from, to := share(size, i, n), share(size, i+1, n)
		err := out.Piece(d.first(part)+i, off+from, to-from, func(w io.Writer) error {
			k, err := g.WriteRange(ctx, w, off+from, to-from)
			if err == nil && k < to-from {
				err = io.ErrUnexpectedEOF
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if done, _ := j.has(partName(part, doneSuffix)); done { // by another run: the output may have its name
			return nil, errDone
		}
	}
	return new(Receipt), nil
}

// scrub compares the part's windows with the parity file.
func (j *Job) scrub(ctx context.Context, part int, src *storage.Blob, opts *RunOptions) (*Receipt, error) {
	par, err := j.open(j.Scrub)
	if err != nil {
		return nil, err
	}
	defer par.Close()
	r, err := parity.Scrub(ctx, src.At(), src.Size(), par.At(), par.Size(), &parity.ScrubOptions{Part: part + 1, Parts: j.Parts, Windows: true, Workers: opts.Workers, Done: opts.Done})
	if err != nil {
		return nil, err
	}
	s := &Scrubbed{Report: r, Restore: r.Restorable}
	if r.ReadErr != nil {
		s.Failed = r.ReadErr.Error()
	}
	return &Receipt{Scrubbed: s}, j.unchanged(j.Scrub, par)
}

// Share is about how many bytes of Work part has.
func (j *Job) Share(part int) int64 {
	switch j.Kind {
	case Encrypt:
		return min(j.Encrypt.VolumeSize, j.Work-int64(part)*j.Encrypt.VolumeSize)
	case Decrypt:
		return j.Decrypt.Cuts[part+1] - j.Decrypt.Cuts[part]
	}
	return share(j.Work, part+1, j.Parts) - share(j.Work, part, j.Parts)
}
