package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/parity"
	"bulla/set"
	"bulla/stream"
)

type restoreFlags struct {
	parityFlag
	identityFlags
	outputFlags
	workFlags
	patchFlags
	undo, accept bool
}

func repairCommand(a *app) *cobra.Command {
	r := &restoreFlags{}
	cmd := newVerb("repair FILE", "Repair a damaged file with its parity file", exactlyOne,
		func(cmd *cobra.Command, args []string) error { return a.repairContent(cmd, r, args[0]) })
	r.parityFlag.register(cmd)
	cmd.Flags().BoolVar(&r.undo, "undo", false, "bring back what a repair has overwritten")
	cmd.Flags().BoolVar(&r.accept, "accept", false, "remove what a repair has saved")
	r.outputFlags.allow.other = []string{unsafeStore}
	r.outputFlags.register(cmd, "write the repaired file to `FILE`")
	r.patchFlags.register(cmd, &r.outputFlags.allow)
	r.identityFlags.register(a, cmd)
	r.workFlags.register(cmd)
	return cmd
}

func (a *app) repairContent(cmd *cobra.Command, r *restoreFlags, name string) error {
	if r.undo && r.accept || r.name != "" && (r.undo || r.accept) {
		return usage("leave out one of them", "--undo, --accept and -o contradict each other")
	}
	if r.undo || r.accept {
		return a.settle(r, name)
	}
	if err := a.claimBoth(&r.parityFlag, name); err != nil {
		return err
	}
	ids := &identities{}
	if r.given() {
		var err error
		if ids, err = r.find(false); err != nil {
			return err
		}
	}
	in, err := a.openRest(&r.parityFlag, name)
	if err != nil {
		return err
	}
	defer in.Close()
	alone := r.file != "" || r.name == "-" || strings.HasSuffix(r.name, "/")
	if in.isRoot() {
		if alone {
			return usage("name the root of the repaired set with -o, and leave out --parity-file", "%s is a set", in.name)
		}
		if _, err := a.partsOf(in); err != nil {
			return err
		}
	}
	res, err := a.repairPart(cmd.Context(), r, ids, name)
	errs := []error{err}
	root := in // as it is now: it may have become one
	if err == nil && !alone {
		if now, err := a.openAnywhere(orElse(r.name, name)); err == nil {
			defer now.Close()
			root = now
		}
	}
	if !alone && root.isRoot() {
		others, more := a.repairOthers(cmd.Context(), r, ids, root, name)
		errs = append(errs, more...)
		res = restoredSet(root, append([]*restored{res}, others...))
	}
	if res != nil {
		errs = append(errs, a.tellRepair(res))
	}
	return a.worst(errs)
}

// repairOthers repairs the other parts of the set of that name, whose root is sound: the index
// first, which says how many volumes there are. Of what could not be repaired at all there is nil.
func (a *app) repairOthers(ctx context.Context, r *restoreFlags, ids *identities, root *input, name string) (parts []*restored, errs []error) {
	if r.given() { // the root has the key of the others
		key, err := set.Key(ctx, root.At(), root.size, ids.all)
		if err != nil {
			return nil, []error{about(root.name, ids.explain(err))}
		}
		ids = &identities{all: []stream.Identity{key}}
	}
	id := root.preamble().Set
	one := func(suffix string) {
		part := *r
		if r.name != "" {
			part.name += suffix
		}
		var res *restored
		in, err := a.openPart(ctx, id, name, suffix)
		if err == nil {
			in.Close()
		}
		if err == nil || a.lost(&r.parityFlag, name+suffix, err) {
			res, err = a.repairPart(ctx, &part, ids, name+suffix)
		}
		parts, errs = append(parts, res), append(errs, err)
	}
	one(set.IndexSuffix)
	suffixes, err := set.Parts(ctx, func(ctx context.Context, suffix string) (set.File, error) {
		if f, err := a.parts(orElse(r.name, name))(ctx, suffix); err == nil {
			return f, nil
		}
		return a.parts(name)(ctx, suffix)
	})
	for i := 1; i < len(suffixes)-1 && err == nil; i++ {
		one(suffixes[i])
		err = context.Cause(ctx)
	}
	return parts, append(errs, err)
}

// repairPart repairs a file, which may be a part of a set.
func (a *app) repairPart(ctx context.Context, r *restoreFlags, ids *identities, name string) (*restored, error) {
	opts := &parity.RepairOptions{Workers: r.jobs, Done: new(atomic.Int64)}
	if r.given() {
		var o *stream.ChunkOpener
		defer func() {
			if o != nil {
				o.Close()
			}
		}()
		opts.Open = func(head []byte) (_ parity.Opener, err error) { // which is called once
			o, err = stream.NewChunkOpener(ctx, head, ids.all)
			return o.Opens, about(printable(name), ids.explain(err))
		}
	}
	if r.name == "" {
		res, err := a.repairInPlace(ctx, r, name, opts)
		if !a.lost(&r.parityFlag, name, err) {
			return res, err
		}
		anew := *r
		anew.name, r = name, &anew
	}
	return a.repairCopy(ctx, r, name, opts)
}

// lost reports whether a file did not open because it is missing, and its parity file is there.
func (a *app) lost(p *parityFlag, name string, err error) bool {
	return errors.Is(err, fs.ErrNotExist) && a.probe(orElse(p.file, name+paritySuffix)) == nil
}

// openRest opens what is left of a file: nothing, if it is lost.
func (a *app) openRest(p *parityFlag, name string) (*input, error) {
	in, err := a.openAnywhere(name)
	if a.lost(p, name, err) {
		in, err = a.newInput(new(storage.Blob), name), nil
		in.path = name
	}
	return in, err
}

func (a *app) repairInPlace(ctx context.Context, r *restoreFlags, name string, opts *parity.RepairOptions) (*restored, error) {
	p, err := a.files.Patch(name, r.options())
	if err != nil {
		return nil, err
	}
	defer p.Close()
	place := p.InPlace()
	par, err := a.openParityFile(&r.parityFlag, name)
	if err != nil {
		return nil, err
	}
	defer par.Close()
	undo, saved, err := a.openUndo(name)
	if err != nil {
		return nil, err
	}
	opts.Undo = undo
	opts.Save = func(write func(io.Writer) error) (*parity.Undo, error) {
		if err := p.Allowed(); err != nil { // before as much is saved as is in the object
			return nil, err
		}
		out, err := a.planOutput(outputPlan{outputFlags: outputFlags{name: undoOf(name)}, mode: 0o600})
		if err == nil {
			err = a.produce(out, nil, write)
		}
		if err == nil {
			undo, saved, err = a.openUndo(name)
		}
		return undo, err
	}
	in := a.newInput(p.Blob, name)
	res, err := a.repairWith(ctx, r, in, par, place, opts)
	switch {
	case saved == nil:
	case err == nil && opts.Open != nil && (opts.Undo == nil || res.Complete()): // what was there before, without a key, is perhaps better
		err, saved = saved.Remove(), nil
	default:
		saved.Close()
	}
	if errors.Is(err, storage.HalfPatched) { // whose hint is for recipients
		err = withHint(err, "run it again once it can be read and written")
	}
	if err != nil && undo != nil && !undo.Ended && explain(err).exit == exitIO {
		err = withHint(err, also(explain(err).hint, hintUnended))
	}
	if err != nil {
		return nil, err
	}
	said := &restored{FileField: in.given.AsFile(), Result: res, head: res.Saved()}
	if saved != nil {
		said.Undo = safetext.Name(undoOf(string(in.given)))
	}
	return said, nil
}

// repairCopy repairs what it copies first. A file that is lost is made anew as a whole or not at all.
func (a *app) repairCopy(ctx context.Context, r *restoreFlags, name string, opts *parity.RepairOptions) (*restored, error) {
	in, err := a.openRest(&r.parityFlag, name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	par, err := a.openParityFile(&r.parityFlag, name)
	if err != nil {
		return nil, err
	}
	defer par.Close()
	out, err := a.planOutput(outputPlan{outputFlags: r.outputFlags, mode: 0o666, binary: true})
	if err != nil {
		return nil, err
	}
	opts.Source = in.At()
	var res *parity.Result
	repair := func(place parity.Place) (err error) {
		res, err = a.repairWith(ctx, r, in, par, place, opts)
		if err == nil && in.size == 0 && !res.Complete() {
			err = &failure{exit: exitBad, what: "the parity of " + in.name + " is not enough to make it anew", hint: hintCopy}
		}
		return err
	}
	err = a.produce(out, nil, func(w io.Writer) (err error) {
		if place := out.InPlace(); place != nil {
			return repair(place)
		}
		place, err := storage.NewScratch() // which can be written at any place
		if err != nil {
			return err
		}
		defer place.Close()
		if err = repair(place); err == nil {
			_, err = io.Copy(w, io.NewSectionReader(place, 0, math.MaxInt64))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &restored{FileField: in.given.AsFile(), OutputField: out.given.AsOutput(), Result: res, head: res.Saved(), silent: out.IsStandardOutput()}, nil
}

func (a *app) repairWith(ctx context.Context, r *restoreFlags, in, par *input, place parity.Place, opts *parity.RepairOptions) (*parity.Result, error) {
	bar := a.startProgress(&r.workFlags, in.name, in.size, opts.Done, nil)
	res, err := parity.Repair(ctx, place, in.size, par.At(), par.size, opts)
	bar.Finish(err)
	if err == parity.ErrOtherUndo {
		return nil, otherUndo(in.name)
	}
	if err == parity.ErrUndo && !opts.Undo.Ended {
		return nil, refuse("bulla repair --undo brings back what was there; then repair it again", "a repair of %s was interrupted, and other places of it are damaged now", in.name)
	}
	if err == parity.ErrUndo {
		return nil, refuse("check the file with bulla verify; then bulla repair --accept, or --undo", "%s was repaired before, and that was neither accepted nor undone", in.name)
	}
	if err != nil {
		return nil, explainParity(in, par, err)
	}
	return res, nil
}

// restored is what repair says, in JSON as it stands.
type restored struct {
	safetext.FileField
	safetext.OutputField
	Undo safetext.Name `json:"undo_file,omitempty"`
	*parity.Result
	ofSet[restored]

	head    *format.Head // that came from the parity file
	silent  bool         // the file went where that would be said
	partial bool         // of a set: a part is not complete
}

// restoredSet sums up the parts of a set; of those that could not be repaired at all there
// is nil.
func restoredSet(root *input, parts []*restored) *restored {
	s := &restored{FileField: root.given.AsFile(), Result: &parity.Result{}}
	if parts[0] != nil { // whose name it may have got only now
		s.FileField, s.OutputField = parts[0].FileField, parts[0].OutputField
	}
	s.Volumes = max(0, len(parts)-2)
	var all []*parity.Report
	for _, p := range parts {
		if p == nil {
			s.Missing++
			continue
		}
		all = append(all, p.Report)
		s.Repaired += p.Repaired
		s.Unrepaired += p.Unrepaired
		s.CutOff += p.CutOff
		s.CopyWritten = s.CopyWritten || p.CopyWritten
		s.partial = s.partial || !p.Complete()
		if s.Undo == "" {
			s.Undo = p.Undo
		}
		if p.wrote() || !p.Complete() || p.Undo != "" {
			s.Parts = append(s.Parts, p)
		}
	}
	if all == nil {
		return nil
	}
	s.Report = parity.Total(all)
	return s
}

func (r *restored) wrote() bool { return r.Repaired > 0 || r.CopyWritten || r.CutOff > 0 }

// String is what was done.
func (r *restored) String() string {
	var what []string
	if r.Repaired > 0 {
		what = append(what, plural(int(r.Repaired), "chunk")+" of 64 KiB")
	}
	if r.CopyWritten {
		what = append(what, "its head")
	}
	if r.CutOff > 0 {
		what = append(what, "its end, after which "+console.Bytes(r.CutOff)+" were cut off")
	}
	switch {
	case what == nil && (r.partial || r.Missing > 0 || r.Volumes == 0 && !r.Complete()):
		return "repaired: nothing"
	case what == nil:
		return "nothing to repair"
	}
	return "repaired: " + strings.Join(what, " and ")
}

// tellRepair says what became of a file, or of a set and those of its parts that were damaged.
func (a *app) tellRepair(r *restored) error {
	name := r.File.String()
	for _, p := range append(r.Parts, r) {
		if p.head != nil && p.head.Role != format.RoleIndex && p.head.Role != format.RoleVolume { // whose recipients never change
			a.warn(fmt.Sprintf("both copies of the head of %s were lost: it has the one of generation %d, for %s, from the parity file", p.File, p.head.Generation, plural(len(p.head.Slots), "recipient")),
				"recipients that were removed since can open it again: bulla recipients list shows who can")
		}
		if p.Volumes == 0 && !p.ParitySound() {
			a.warn("the parity file of "+p.File.String()+" is damaged", hintParityAnew)
		}
		if !a.json && !a.quiet && !r.silent {
			a.printf("%s: %v\n", p.File, p)
		}
	}
	switch {
	case a.json && !r.silent:
		a.printJSON(r)
	case r.Undo == "" || a.quiet || a.json:
	case r.Volumes > 0:
		a.con.Line("bulla: note: what was overwritten of each part is in its " + undoSuffix + " file; once bulla verify finds the set valid, bulla repair --accept removes them")
	default:
		a.con.Line("bulla: note: " + r.Undo.String() + " has what was overwritten; once bulla verify finds the file valid, bulla repair --accept removes it")
	}
	if !r.partial && (r.Volumes > 0 || r.Complete()) {
		return a.outErr
	}
	f := &failure{exit: exitBad, what: fmt.Sprintf("%s of %s could not be repaired", plural(int(r.Unrepaired), "chunk"), name), hint: "look for another copy of the file; bulla salvage gets out what is left"}
	if r.Unrepaired == 0 {
		f.what = "no copy of the head of " + name + " is left, nor one in the parity file"
		f.hint = hintRestore
	}
	return f
}
