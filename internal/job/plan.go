package job

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"unicode/utf8"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/storage"
	"bulla/internal/zseek"
	"bulla/keyslot"
	"bulla/parity"
	"bulla/set"
	"bulla/stream"
)

// Limits of a plan.
const (
	MaxParts  = set.MaxVolumes
	leastPart = 2 * format.SegmentSize // of the plaintext, so that a store takes it as a part of an upload
	piece     = 64 << 20               // that is written at once, unless that are too many
	pieces    = 10_000                 // that an upload may have
)

// Planning is what all plans need.
type Planning struct {
	Files   *storage.Run
	Name    string         // of the job's folder or prefix
	Program string         // this program's version
	Entropy *entropy.Mixer // nil: entropy.Default()
	Workers int
	Done    *atomic.Int64 // grows by the bytes that are judged at once

	// Keep gets what is secret of the job, and makes it durable before anything depends on it.
	Keep func(*Secret) error
}

// begin judges the place of a new job, and returns that, with a plan to be filled in.
func (p *Planning) begin(kind Kind, name string, src *storage.Blob) (*Job, error) {
	j := unplanned(p.Files, p.Name)
	name, err := absolute(name)
	if err != nil {
		return nil, err
	}
	j.Plan = &Plan{Version: Version, Program: p.Program, Kind: kind, Parts: 1, Source: describe(name, src)}
	if p.Entropy == nil {
		p.Entropy = entropy.Default()
	}
	var id [12]byte
	if err := p.Entropy.Fill("job id", id[:]); err != nil {
		return nil, err
	}
	j.ID = hex.EncodeToString(id[:])
	switch names, err := p.Files.List(j.Name); {
	case err != nil:
		return nil, err
	case slices.Contains(names, planName):
		return nil, j.fails(Taken, "", nil)
	}
	return j, nil
}

// place makes the job's folder.
func (j *Job) place() error {
	if storage.Scheme(j.Name) != "" {
		return nil
	}
	return storage.MakeDirs(j.Name, 0o777)
}

// absolute is a name that means the same on every machine.
func absolute(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", &storage.Error{Kind: storage.BadURL, Name: name, Err: errors.New("a job needs names in UTF-8")}
	}
	if storage.Scheme(name) != "" {
		return name, nil
	}
	return filepath.Abs(name)
}

// commit writes the plan: with that the job is there. So it is, too, after an error with which the
// job is returned: the plan may not be durable.
func (j *Job) commit() (*Job, error) {
	if err := j.place(); err != nil {
		return nil, err
	}
	if err := j.once(planName, j.Plan); errors.Is(err, storage.Exists) {
		return nil, j.fails(Taken, "", nil)
	} else if err != nil && !errors.Is(err, storage.Undurable) {
		return nil, err
	} else {
		return j, err
	}
}

// PlanEncrypt plans to write a set of that root: each volume is a part. It writes the root, for
// the recipients.
func (p *Planning) PlanEncrypt(ctx context.Context, name string, src *storage.Blob, root string, to []stream.Recipient, opts *set.WriterOptions) (*Job, error) {
	root, err := absolute(root)
	if err != nil {
		return nil, err
	}
	j, err := p.begin(Encrypt, name, src)
	if err != nil {
		return nil, err
	}
	var u *set.Unfinished
	o := *opts
	o.Size = src.Size()
	o.Record = func(of *set.Unfinished) error {
		u = of
		secret := &Secret{Job: j.ID, MACKey: u.MACKey[:]}
		j.Key = secret.public()
		return p.Keep(secret)
	}
	if _, err := set.NewWriter(ctx, j.creator(root, os.FileMode(0o666)), to, &o); err != nil {
		return nil, err
	}
	j.Work, j.Parts = src.Size(), int(src.Size()/u.VolumeSize)+1
	j.Encrypt = &EncryptPlan{Root: root, Set: u.ID.String(), Public: u.Public, VolumeSize: u.VolumeSize, Level: opts.Level, Suite: byte(opts.Suite)}
	return j.commit()
}

// shape is what volumes are written by.
func (e *EncryptPlan) shape() (*set.Shape, error) {
	id, err := hex.DecodeString(e.Set)
	if err != nil || len(id) != format.SetIDSize {
		return nil, errors.New("no set has this id")
	}
	s := &set.Shape{ID: format.SetID(id), Public: e.Public, VolumeSize: e.VolumeSize}
	if e.Level > 0 {
		s.Coding = format.Zstd
	}
	return s, nil
}

// check refuses a plan that no planner makes.
func (p *Plan) check() error {
	one := 0
	for _, there := range []bool{p.Encrypt != nil, p.Verify != nil, p.Decrypt != nil, p.Scrub != nil} {
		if there {
			one++
		}
	}
	of := map[Kind]bool{Encrypt: p.Encrypt != nil, Verify: p.Verify != nil, Decrypt: p.Decrypt != nil, Scrub: p.Scrub != nil}
	switch {
	case one != 1 || !of[p.Kind] || p.Parts < 1 || p.Parts > MaxParts || p.Work < 0 || p.ID == "" || p.ID != filepath.Base(p.ID) || p.Source.Size < 0:
		return errors.New("no planner makes this")
	case p.Verify != nil && (p.Work%format.SegmentSize != 0 || p.Work > 1<<62):
		return errors.New("the parts are no segments")
	case p.Verify != nil && slices.ContainsFunc(p.Verify.Findings, func(f set.Finding) bool { return !plain(f) }):
		return errors.New("no verification says this")
	case p.Encrypt != nil:
		e := p.Encrypt
		if e.VolumeSize <= 0 || p.Work != p.Source.Size || int64(p.Parts) != p.Work/e.VolumeSize+1 {
			return errors.New("the volumes do not have the source's size")
		}
		if _, err := keyslot.ParseHPKERecipient(e.Public); err != nil || e.VolumeSize%set.VolumeUnit != 0 || e.Level < 0 || e.Level > zseek.MaxLevel || e.Suite != 0 && !format.Suite(e.Suite).Known() {
			return errors.New("no volume can be written by it")
		}
		_, err := e.shape()
		return err
	case p.Decrypt != nil:
		c := p.Decrypt.Cuts
		if len(c) != p.Parts+1 || c[0] != 0 || c[p.Parts] != p.Work || !slices.IsSorted(c) || p.Decrypt.Piece < leastPart {
			return errors.New("the parts do not tile the output")
		}
	}
	return nil
}

// A plaintext is an opened file or set: a *stream.ReaderAt or a *set.ReaderAt.
type plaintext interface {
	io.Closer
	Size() (int64, error)
	Grant(ranges ...stream.Range) (*stream.Grant, error)
}

func (p *Planning) plaintext(ctx context.Context, name string, src *storage.Blob, ids []stream.Identity) (plaintext, error) {
	r, err := stream.NewReaderAt(ctx, src.At(), src.Size(), ids, nil)
	if e, ok := errors.AsType[*stream.RoleError](err); !ok || e.Role != format.RoleRoot {
		return r, err
	}
	return set.NewReaderAt(ctx, src.At(), src.Size(), opener(p.Files, name), ids, nil)
}

// A span is a container: where it begins in the plaintext, and how many segments it has that are
// given by keys.
type span struct{ base, segments int64 }

// volume calls do with container i of r open.
func volume(r plaintext, i int, do func(*stream.ReaderAt) error) error {
	if s, ok := r.(*set.ReaderAt); ok {
		return s.Volume(i, do)
	}
	return do(r.(*stream.ReaderAt))
}

// spans is all containers of r. One that does not open has none to give: Verify has looked at all
// of it.
func spans(r plaintext) (all []span, segments int64, err error) {
	n, v := 1, int64(0)
	if s, ok := r.(*set.ReaderAt); ok {
		n, v = len(s.Volumes()), s.VolumeSize()
	}
	for i := range n {
		err := volume(r, i, func(c *stream.ReaderAt) error {
			all = append(all, span{int64(i) * v, c.Segments()})
			segments += c.Segments()
			return nil
		})
		if isFinding(err) {
			all = append(all, span{})
		} else if err != nil {
			return nil, 0, err
		}
	}
	return all, segments, nil
}

// share is where part i of n begins, of so many things.
func share(all int64, i, n int) int64 { return all/int64(n)*int64(i) + all%int64(n)*int64(i)/int64(n) }

// cuts is where parts begin, of so many that share the segments, and where the last ends: at segments where a grant
// can. There may be fewer.
func cuts(r plaintext, all []span, segments int64, parts int) (places []int64, err error) {
	for i := range parts {
		at := share(segments, i, parts)
		for k, before := 0, int64(0); k < len(all) && before < at; k++ {
			if n := all[k].segments; at < before+n {
				err := volume(r, k, func(c *stream.ReaderAt) error {
					for at < before+n && !c.Cuts(at-before) {
						at++
					}
					return nil
				})
				if err != nil {
					return nil, err
				}
				break
			}
			before += all[k].segments
		}
		if at < segments && (i == 0 || at > places[len(places)-1]) {
			places = append(places, at)
		}
	}
	return append(places, segments), nil
}

// ranges is what a grant must have for the segments from..to-1 of all.
func ranges(r plaintext, all []span, from, to int64) (found []stream.Range, err error) {
	for i, s := range all {
		if first, end := max(from, 0), min(to, s.segments); first < end {
			err := volume(r, i, func(c *stream.ReaderAt) error {
				x := c.SegmentRange(first, end)
				found = append(found, stream.Range{Offset: s.base + x.Offset, Length: x.Length})
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		from, to = from-s.segments, to-s.segments
	}
	return found, nil
}

// keyed makes the job's key, and gives each part its grant for that.
func (p *Planning) keyed(ctx context.Context, j *Job, r plaintext, of func(part int) ([]stream.Range, error)) error {
	id, err := keyslot.GenerateIdentity(p.Entropy)
	if err != nil {
		return err
	}
	secret := &Secret{Job: j.ID, Identity: id}
	j.Key = secret.public()
	if err := p.Keep(secret); err != nil {
		return err
	}
	if err := j.place(); err != nil {
		return err
	}
	for i := 0; i < j.Parts && j.Work > 0; i++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		want, err := of(i)
		if err != nil {
			return err
		}
		g, err := r.Grant(want...)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		err = g.Write(ctx, &b, []stream.Recipient{id.Recipient()}, &stream.WriterOptions{Entropy: p.Entropy})
		g.Close()
		if err == nil {
			err = j.files.Once(j.path(j.grantName(i)), b.Bytes())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *Job) grantName(part int) string { return partName(part, "."+j.ID+".grant") }

// PlanVerify plans to verify a file or set that an identity opens, in at most that many parts. What
// no grant gives is verified at once; if the end is not sound enough, that is everything. Its errors are those of
// [stream.Verify], where damage is none.
func (p *Planning) PlanVerify(ctx context.Context, name string, src *storage.Blob, ids []stream.Identity, parts int) (*Job, error) {
	j, err := p.begin(Verify, name, src)
	if err != nil {
		return nil, err
	}
	if j.Verify, err = p.verify(ctx, name, src, ids, true); err != nil {
		return nil, err
	}
	r, err := p.plaintext(ctx, name, src, ids)
	if isFinding(err) { // the report has it
		return j.commit()
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	all, segments, err := spans(r)
	if err != nil {
		return nil, err
	}
	if segments == 0 {
		return j.commit()
	}
	at, err := cuts(r, all, segments, int(min(int64(parts), segments)))
	if err != nil {
		return nil, err
	}
	j.Parts, j.Work = len(at)-1, segments*format.SegmentSize
	err = p.keyed(ctx, j, r, func(i int) ([]stream.Range, error) { return ranges(r, all, at[i], at[i+1]) })
	if err != nil {
		return nil, err
	}
	return j.commit()
}

// PlanDecrypt plans to decrypt a file or set that an identity opens into an output of that name, in
// at most that many parts.
func (p *Planning) PlanDecrypt(ctx context.Context, name string, src *storage.Blob, ids []stream.Identity, parts int, output string) (*Job, error) {
	output, err := absolute(output)
	if err != nil {
		return nil, err
	}
	j, err := p.begin(Decrypt, name, src)
	if err != nil {
		return nil, err
	}
	r, err := p.plaintext(ctx, name, src, ids)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	size, err := r.Size()
	if err != nil {
		return nil, err
	}
	v := int64(0)
	if s, ok := r.(*set.ReaderAt); ok {
		v = s.VolumeSize()
	}
	j.Parts, j.Work = int(max(1, min(int64(parts), size/leastPart, pieces/2))), size
	d := &DecryptPlan{Output: output, Piece: piece, Cuts: make([]int64, j.Parts+1)}
	for i := range j.Parts { // at a segment: less of the content is in the grants
		at, base := share(size, i, j.Parts), int64(0)
		if v > 0 {
			base = at / v * v
		}
		d.Cuts[i] = base + (at-base)/format.SegmentSize*format.SegmentSize
	}
	d.Cuts[j.Parts] = size
	for d.first(j.Parts) > pieces+1 {
		d.Piece *= 2
	}
	j.Decrypt = d
	held, err := p.Files.HoldPieces(output, size, 0o600)
	if err != nil {
		return nil, err
	}
	d.Held = *held
	err = p.keyed(ctx, j, r, func(i int) ([]stream.Range, error) {
		return []stream.Range{{Offset: d.Cuts[i], Length: d.Cuts[i+1] - d.Cuts[i]}}, nil
	})
	if err == nil {
		var planned *Job
		if planned, err = j.commit(); planned != nil {
			return planned, err
		}
	}
	p.Files.WithoutCancel().Discard(output, held)
	return nil, err
}

// count is how many pieces part i has, at least one.
func (d *DecryptPlan) count(i int) int64 {
	return max(1, (d.Cuts[i+1]-d.Cuts[i]+d.Piece-1)/d.Piece)
}

// first is the number of the first piece of part i, from 1 on.
func (d *DecryptPlan) first(i int) int {
	n := int64(1)
	for k := range i {
		n += d.count(k)
	}
	return int(n)
}

// PlanScrub plans to compare a file with its parity file, in at most that many parts.
func (p *Planning) PlanScrub(name string, src *storage.Blob, parityName string, par *storage.Blob, parts int) (*Job, error) {
	parityName, err := absolute(parityName)
	if err != nil {
		return nil, err
	}
	windows, _, err := parity.Look(src.Size(), par.At(), par.Size())
	if err != nil {
		return nil, err
	}
	j, err := p.begin(Scrub, name, src)
	if err != nil {
		return nil, err
	}
	s := describe(parityName, par)
	j.Parts, j.Work, j.Scrub = max(1, min(parts, windows)), src.Size(), &s
	return j.commit()
}

// creator creates the parts of a set of that root.
func (j *Job) creator(root string, mode fs.FileMode) set.Creator {
	return func(_ context.Context, suffix string) (set.Pending, error) {
		return j.files.Create(root+suffix, storage.Options{Mode: mode})
	}
}

// List is parts in words: "0-3,7".
func List(parts []int) (s string) {
	for i := 0; i < len(parts); {
		k := i
		for k+1 < len(parts) && parts[k+1] == parts[k]+1 {
			k++
		}
		if s != "" {
			s += ","
		}
		if s += fmt.Sprint(parts[i]); k > i {
			s += fmt.Sprintf("-%d", parts[k])
		}
		i = k + 1
	}
	return s
}
