package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"bulla/format"
	"bulla/internal/fullio"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/keyslot"
	"bulla/origin"
	"bulla/set"
)

// A set that was interrupted is continued from its journal, or, without one, from what its volumes
// show to a key.

// journalSuffix ends the name of the file that says how far a set has come.
const journalSuffix = ".unfinished"

// A begunSet is the first line of a journal: what the set is, and of what. It opens nothing.
type begunSet struct {
	Bulla  string          `json:"bulla_version"`
	Source safetext.Name   `json:"source"`
	Size   int64           `json:"source_bytes"`
	Time   time.Time       `json:"source_time"`              // of a file
	State  storage.Version `json:"source_version,omitempty"` // of an object
	Suite  format.Suite    `json:"suite"`
	To     string          `json:"recipients"` // a hash of them
	Parity int             `json:"parity_cells,omitempty"`
	Roots  []*origin.Hash  `json:"roots,omitempty"` // of the hash trees of the root and the volumes, if the set is signed
	Set    *set.Unfinished `json:"set"`             // with volumes, if the journal was lost before
}

// comeTo is a hash of recipients, in whatever order, and of whether there is a passphrase.
func comeTo(keys []keyslot.Recipient, passphrase bool) string {
	lines := []string{fmt.Sprint("passphrase ", passphrase)}
	for _, k := range keys {
		lines = append(lines, k.Canonical())
	}
	slices.Sort(lines)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(lines, "\n"))))
}

// A volumeLine is about a volume that is whole, and perhaps has its name. A later line about
// the same volume counts: the one before did not get it.
type volumeLine struct {
	Number int
	set.Volume
	Root *origin.Hash `json:",omitempty"` // of its hash tree, if the set is signed
}

// record adds what is new to the journal, before it gets its name.
func (r *setRun) record(u *set.Unfinished) error {
	if r.journal == nil {
		return nil
	}
	n := len(u.Volumes) - 1
	if n < 0 {
		return r.recordAll(u)
	}
	p, err := r.sealedPart(set.VolumeSuffix(n))
	if err != nil {
		return err
	}
	line := volumeLine{Number: n, Volume: u.Volumes[n]}
	if p != nil {
		line.Root = &p.Root
	}
	return r.journal.Append([]byte(encodeJSON(line)))
}

// recordAll begins the journal with all that there is of the set: a line, which is there as a whole
// or not at all.
func (r *setRun) recordAll(u *set.Unfinished) error {
	at, state := r.sourceState()
	b := begunSet{Bulla: buildVersion(), Source: r.in.given, Size: r.in.size, Time: at, State: state,
		Suite: r.opts.Suite, To: r.to, Parity: r.flags.parity.cells, Set: u}
	for _, suffix := range begunParts(u) {
		p, err := r.sealedPart(suffix)
		if err != nil {
			return err
		}
		if p != nil {
			b.Roots = append(b.Roots, &p.Root)
		}
	}
	return r.journal.Append([]byte(encodeJSON(b)))
}

// begunParts are the suffixes of the root and the volumes that are whole.
func begunParts(u *set.Unfinished) []string {
	return set.Suffixes(len(u.Volumes))[:len(u.Volumes)+1] // without the index
}

// sourceState tells one state of the source from others, also in a later run.
func (r *setRun) sourceState() (time.Time, storage.Version) {
	if st := r.in.Info(); st != nil {
		return st.ModTime().UTC(), ""
	}
	return time.Time{}, r.in.Version()
}

// begun opens the journal, and returns how far the set has come; nil if it is to be begun.
func (r *setRun) begun(ctx context.Context, volumeSize int64) (u *set.Unfinished, err error) {
	j, lines, err := r.files.Journal(localName(r.root) + journalSuffix)
	if errors.Is(err, storage.NotPrivate) {
		r.warn(explain(err).what+", so there is none", "if this run is interrupted, --resume needs a key that opens the set: --resume-key KEYS")
		err = nil
	} else if j == nil {
		return nil, err
	}
	r.journal = j
	there := r.probe(r.root)
	if errors.Is(there, fs.ErrNotExist) || there != nil && len(lines) == 0 { // who may only write is not told
		return nil, j.Reset()
	}
	if err = cmp.Or(err, there); err != nil {
		return nil, about(r.out.name, err)
	}
	indexed, err := r.indexed(ctx)
	var b *begunSet
	switch {
	case err != nil || indexed && len(lines) == 0:
	case len(lines) > 0:
		b, err = r.read(lines)
	default:
		b, err = r.recover(ctx)
	}
	if err == nil && b != nil {
		err = r.sameFlags(b, volumeSize)
	}
	if err == nil && len(lines) > 0 {
		err = b.Set.Check(ctx, r.parts(r.root))
	}
	switch {
	case err != nil:
	case indexed: // all that was left to do is to remove the journal
		err = errors.Join(j.Remove(r.out.name), refuse("bulla verify checks it; a signature or parity file that it lacks, bulla sign or bulla parity create makes",
			"%s is a set that is whole: there is nothing to continue", r.out.name))
	case len(lines) > 0:
		err = r.checkSealed(ctx, b)
	default:
		err = r.recordAll(b.Set)
	}
	if err != nil {
		return nil, about(r.out.name, err)
	}
	return b.Set, nil
}

// indexed reports whether the set has its index. It fails if another file has that name.
func (r *setRun) indexed(ctx context.Context) (bool, error) {
	if err := r.probe(r.root + set.IndexSuffix); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	index := r.head(ctx, set.IndexSuffix)
	if index.Role != format.RoleIndex || index.Set != r.head(ctx, "").Set {
		return false, refuse("move it away, and run this again", "%s is in the way: it is not the index of this set, or damaged", r.out.name+set.IndexSuffix)
	}
	return true, nil
}

// head is what a part of the set says that it is; zero if that does not show.
func (r *setRun) head(ctx context.Context, suffix string) (p format.Preamble) {
	if f, err := r.parts(r.root)(ctx, suffix); err == nil {
		defer f.Close()
		p = r.newInput(f.(*storage.Blob), r.root+suffix).preamble()
	}
	return p
}

// sameFlags refuses to continue a set with flags that make another. The suite is that of the set.
func (r *setRun) sameFlags(b *begunSet, volumeSize int64) error {
	if b.Set.VolumeSize != volumeSize || (b.Set.Coding == format.Zstd) != (r.opts.Level > 0) ||
		r.flags.suite != "" && r.opts.Suite != b.Suite || r.flags.parity.cells != b.Parity || (r.sig != nil) != (b.Roots != nil) {
		return usage("give the same --volume-size, -z, --suite, --parity and --sign as before", "%s was begun with other flags", r.out.name)
	}
	r.opts.Suite = b.Suite
	return nil
}

const hintResumeKey = "name a key that opens it with --resume-key KEYS, or move it and its parts away, and begin again"

// parseJournal reads the lines of a journal: what the set is, and which volumes are whole. One
// that no run has written is refused.
func parseJournal(lines [][]byte) (*begunSet, error) {
	b := new(begunSet)
	err := json.Unmarshal(lines[0], b)
	if err == nil && (b.Set == nil || b.Roots != nil && (len(b.Roots) != len(b.Set.Volumes)+1 || slices.Contains(b.Roots, nil))) {
		err = errors.New("the first line is not about a set")
	}
	for _, line := range lines[1:] {
		var v volumeLine
		if err == nil {
			err = json.Unmarshal(line, &v)
		}
		if err == nil && (v.Number < 0 || v.Number > len(b.Set.Volumes)) {
			err = errors.New("a volume is missing")
		}
		if err == nil && (v.Root == nil) != (b.Roots == nil) {
			err = errors.New("a hash is missing")
		}
		if err != nil {
			break
		}
		if b.Set.Volumes = append(b.Set.Volumes[:v.Number], v.Volume); b.Roots != nil {
			b.Roots = append(b.Roots[:v.Number+1], v.Root)
		}
	}
	return b, err
}

// read reads the journal, which must be of this source.
func (r *setRun) read(lines [][]byte) (*begunSet, error) {
	b, err := parseJournal(lines)
	if err != nil {
		return nil, &storage.Error{Kind: storage.Damaged, Name: localName(r.out.name) + journalSuffix, Err: err}
	}
	if at, state := r.sourceState(); b.Size != r.in.size || !b.Time.Equal(at) || b.State != state {
		return nil, refuse("remove "+r.out.name+" and its parts, and begin again", "%s has changed since the set was begun", r.in.name)
	}
	if b.To != r.to {
		r.warn(r.out.name+" keeps the recipients that it was begun for, and these are others", "once it is whole, bulla recipients changes them")
	}
	return b, nil
}

// recover does without a journal, with a key: what the volumes hold is compared with the
// source. They say nothing of parity and a signature: what is asked for now counts.
func (r *setRun) recover(ctx context.Context) (*begunSet, error) {
	open := r.flags.opener
	open.keks = r.flags.keks // which open what is encrypted to them
	ids, err := open.find(true)
	if err != nil {
		return nil, err
	}
	hashed := func(ctx context.Context, suffix string) (set.File, error) {
		return r.hashSealed(ctx, suffix, new(atomic.Int64))
	}
	root, err := hashed(ctx, "")
	if err != nil {
		return nil, err
	}
	defer root.Close()
	u, err := set.Recover(ctx, root, root.Size(), hashed, ids.all, &set.RecoverOptions{Content: &fullio.Comparer{From: r.in.At()}})
	if errors.Is(err, fullio.ErrDiffers) {
		err = refuse("remove the set and begin again", "the volumes do not hold what the source has")
	}
	if err != nil {
		f := explain(about(r.out.name, ids.explain(err)))
		if f.exit == exitNoKey {
			f.hint = hintResumeKey
		}
		return nil, f
	}
	b := &begunSet{Suite: r.head(ctx, "").Suite, Parity: r.flags.parity.cells, Set: u}
	if r.sig != nil {
		b.Roots = []*origin.Hash{} // they are hashed
	}
	return b, nil
}

// hashSealed hashes a part that an earlier run has sealed, and returns it as it was hashed.
func (r *setRun) hashSealed(ctx context.Context, suffix string, done *atomic.Int64) (set.File, error) {
	f, err := r.parts(r.root)(ctx, suffix)
	if err != nil || r.sig == nil {
		return f, err
	}
	p, err := r.hash(ctx, r.newInput(f.(*storage.Blob), r.root+suffix), r.flags.jobs, done)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.hashed[suffix] = p
	return p.File(f, r.flags.jobs)
}

// checkSealed refuses to sign what is not as it was sealed, by the journal.
func (r *setRun) checkSealed(ctx context.Context, b *begunSet) (err error) {
	if r.sig == nil {
		return nil
	}
	done, total := new(atomic.Int64), int64(0)
	for _, v := range b.Set.Volumes {
		total += v.Size
	}
	bar := r.startProgress(&r.flags.workFlags, r.out.name, total, done, nil)
	defer func() { bar.Finish(err) }()
	for i, suffix := range begunParts(b.Set) {
		f, err := r.hashSealed(ctx, suffix, done)
		if err != nil {
			return err
		}
		f.Close()
		if r.hashed[suffix].Root != *b.Roots[i] {
			return &failure{exit: exitBad, what: r.out.name + suffix + " is not as it was sealed: it was damaged or changed since", hint: "bulla repair mends it with its parity file; else move the set away, and begin again"}
		}
	}
	return nil
}
