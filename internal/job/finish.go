package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/parallel"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/parity"
	"bulla/set"
	"bulla/stream"
)

// A Status is how far a job has come.
type Status struct {
	Done     int
	Failed   []*Failure // for good, and not done since; at most MaxFailures of them
	Failures int        // how many those are
	Missing  []int      // parts that are not done, those that failed among them
	Finished bool
}

// MaxFailures is how many failures a Status tells.
const MaxFailures = 20

// Status looks which parts are done.
func (j *Job) Status(ctx context.Context) (*Status, error) {
	names, err := j.files.List(j.Name)
	if err != nil {
		return nil, err
	}
	done, failed := make([]bool, j.Parts), make([]bool, j.Parts)
	s := &Status{Finished: slices.Contains(names, finishedName)}
	for _, name := range names {
		number, suffix, _ := strings.Cut(name, ".")
		if i, err := strconv.Atoi(number); err == nil && j.Has(i) == nil && number == partName(i, "") {
			done[i] = done[i] || "."+suffix == doneSuffix
			failed[i] = failed[i] || "."+suffix == failedSuffix
		}
	}
	for i := range done {
		switch {
		case done[i]:
			s.Done++
			continue
		case failed[i] && len(s.Failed) < MaxFailures:
			f, err := j.failure(i)
			if err != nil {
				return nil, err
			}
			if f != nil {
				s.Failed = append(s.Failed, f)
				s.Failures++
			}
		case failed[i]:
			s.Failures++
		}
		s.Missing = append(s.Missing, i)
	}
	return s, nil
}

// A Result is what a job came to. What there is depends on its Kind.
type Result struct {
	Volumes int            // encrypt
	Size    int64          // encrypt, decrypt: of the plaintext
	Output  string         // encrypt, decrypt: its name
	Report  *Report        // verify
	Scrub   *parity.Report // scrub
}

// atOnce is how many receipts are read at a time: they may be far away.
const atOnce = 16

// Finish makes the result of all parts, and then says so in the job: the index of a set, the
// output under its name, or a report. If parts are missing it fails with Missing, and changes
// nothing. It may be repeated if it was interrupted; a report may be had again, and a set or
// output that is finished is Finished.
//
// secret is needed for an encrypt job.
func (j *Job) Finish(ctx context.Context, secret *Secret, m *entropy.Mixer) (*Result, error) {
	if j.Kind == Encrypt {
		if err := j.fits(secret); err != nil {
			return nil, err
		}
	}
	s, err := j.Status(ctx)
	switch {
	case err != nil:
		return nil, err
	case s.Finished && (j.Kind == Encrypt || j.Kind == Decrypt):
		return nil, cmp.Or(j.sweepOwn(), j.fails(Finished, "", nil)) // the run that finished it may not have come to that
	case s.Failures > 0:
		return nil, j.fails(Missing, List(s.Missing), s.Failed[0])
	case len(s.Missing) > 0:
		return nil, j.fails(Missing, List(s.Missing), nil)
	}
	for _, src := range []*Source{&j.Source, j.Scrub} {
		if src != nil {
			b, err := j.open(src)
			if err != nil {
				return nil, err
			}
			b.Close()
		}
	}
	r := new(Result)
	switch j.Kind {
	case Encrypt:
		r.Volumes, r.Size, r.Output = j.Parts, j.Work, j.Encrypt.Root
		err = j.finishSet(ctx, secret.MACKey, m)
	case Decrypt:
		r.Size, r.Output = j.Work, j.Decrypt.Output
		err = j.files.Settle(j.Decrypt.Output, &j.Decrypt.Held)
	case Verify:
		r.Report, err = j.merge(ctx)
	case Scrub:
		parts := make([]*parity.Report, j.Parts)
		err = j.receipts(ctx, func(i int, r *Receipt) error {
			parts[i] = r.Scrubbed.report()
			return nil
		})
		if err == nil {
			r.Scrub = parity.Merge(parts)
			if missing := r.Scrub.Chunks - r.Scrub.Checked; missing != 0 {
				err = j.fails(Missing, fmt.Sprintf("with %d chunks", missing), nil)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if r.Output != "" { // it is there, so this is, too
		j = j.withoutCancel()
	}
	if err = j.end(s.Finished); err != nil && r.Output != "" {
		err = j.fails(Unended, storage.Shown(r.Output), err)
	}
	return r, err
}

// end notes that the job is done, unless it is noted, and sweeps.
func (j *Job) end(noted bool) error {
	if !noted {
		err := j.once(finishedName, struct {
			Job string `json:"job"`
		}{j.ID})
		if err != nil && !errors.Is(err, storage.Exists) { // by another run, at the same time
			return err
		}
	}
	return j.sweep()
}

// sweep removes what runs that were killed, or not the quickest, have left. What else would have got
// the name of a decrypted output is another job's.
func (j *Job) sweep() error {
	var err error
	if j.Kind == Encrypt {
		err = j.discard(j.Encrypt.Root+".", isVolume)
	}
	return cmp.Or(err, j.sweepOwn())
}

// sweepOwn removes what was left in the folder of the job. What has not got its name elsewhere may
// be another job's, once this one is finished.
func (j *Job) sweepOwn() error {
	if storage.Scheme(j.Name) != "" {
		return nil
	}
	return j.discard(j.Name+"/", func(string) bool { return true })
}

// discard removes the outputs that have no name yet and would get one of prefix and a suffix of ours.
func (j *Job) discard(prefix string, ours func(suffix string) bool) error {
	names, held, err := j.files.Strays(prefix)
	for i, name := range names {
		if ours(strings.TrimPrefix(name, prefix)) {
			err = cmp.Or(err, j.files.Discard(name, held[i]))
		}
	}
	return err
}

func (s *Scrubbed) report() *parity.Report {
	s.Report.Restorable = s.Restore
	if s.Failed != "" {
		s.Report.ReadErr = errors.New(safetext.OneLine(s.Failed))
	}
	return s.Report
}

// receipts calls do with the receipt of each part, several at a time, in no order.
func (j *Job) receipts(ctx context.Context, do func(part int, r *Receipt) error) error {
	return parallel.Do(atOnce, j.Parts, func(_, i int) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r, err := j.receipt(i)
		if err == nil {
			err = do(i, r)
		}
		return err
	})
}

// finishSet gives the volumes their names, and writes the index from their heads.
func (j *Job) finishSet(ctx context.Context, mac []byte, m *entropy.Mixer) error {
	e := j.Encrypt
	shape, err := e.shape()
	if err != nil {
		return err
	}
	u := &set.Unfinished{Shape: *shape, MACKey: [macKeySize]byte(mac), Volumes: make([]set.Volume, j.Parts)}
	err = j.receipts(ctx, func(i int, r *Receipt) error {
		v := r.Volume
		u.Volumes[i] = set.Volume{Identity: [format.IdentitySize]byte(v.Identity), Size: v.Size, Content: v.Content}
		return j.files.Settle(e.Root+set.VolumeSuffix(i), &v.Held)
	})
	if err != nil {
		return err
	}
	if err := u.Check(ctx, j.parts(e.Root)); err != nil {
		return err
	}
	if !u.Ended() {
		return j.fails(Missing, strconv.Itoa(j.Parts-1), nil)
	}
	return j.index(ctx, u, m)
}

// index writes the index, unless it is there.
func (j *Job) index(ctx context.Context, u *set.Unfinished, m *entropy.Mixer) error {
	root := j.Encrypt.Root
	w, err := set.Resume(ctx, j.creator(root, 0o666), u, &set.WriterOptions{WriterOptions: stream.WriterOptions{
		Suite: format.Suite(j.Encrypt.Suite), Level: j.Encrypt.Level, Entropy: m}})
	if err == nil {
		err = w.Close()
	}
	if !errors.Is(err, storage.Exists) {
		return err
	}
	there, oerr := j.parts(root)(ctx, set.IndexSuffix)
	if oerr != nil {
		return err
	}
	defer there.Close()
	if h, herr := format.Check(there, there.Size()).Newest(nil); herr == nil && h.Role == format.RoleIndex && h.Set == u.ID {
		return nil // by a run that was killed after that
	}
	return err
}

func isVolume(number string) bool {
	i, err := strconv.Atoi(number)
	return err == nil && i >= 0 && "."+number == set.VolumeSuffix(i)
}
