package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/parity"
	"bulla/set"
	"bulla/stream"
)

// undoSuffix ends the names of what a repair in place has saved.
const undoSuffix = ".undo"

// undoOf is the file with what was overwritten: of an object it lies here.
func undoOf(name string) string {
	if storage.Scheme(name) != "" {
		name = path.Base(storage.Shown(name))
	}
	return name + undoSuffix
}

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
	ids := &identities{}
	if r.given() {
		var err error
		if ids, err = r.find(false); err != nil {
			return err
		}
	}
	in, err := a.openAnywhere(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.isRoot() && (r.file != "" || strings.HasSuffix(r.name, "/")) {
		return usage("name the root of the repaired set with -o, and leave out --parity-file", "%s is a set", in.name)
	}
	var errs []error
	keyed := false
	err = a.eachPart(cmd.Context(), in, func(suffix string, _ *input, err error) error {
		part := *r
		if r.name != "" {
			part.name += suffix
		}
		if suffix != "" && r.given() && !keyed { // the root is repaired, and has the key of the others
			key, err := set.Key(cmd.Context(), in.At(), in.size, ids.all)
			if err != nil {
				return ids.explain(err)
			}
			ids, keyed = &identities{all: []stream.Identity{key}}, true
		}
		if err == nil {
			err = a.repairPart(cmd.Context(), &part, ids, name+suffix, suffix != "")
		}
		errs = append(errs, err)
		return nil
	})
	return a.worst(append(errs, err))
}

// repairPart repairs a file; others says that it is another part of a set than the root.
func (a *app) repairPart(ctx context.Context, r *restoreFlags, ids *identities, name string, other bool) error {
	switch {
	case other && (r.undo || r.accept) && !exists(undoOf(name)):
		return nil // nothing of it was repaired
	case r.undo:
		return a.undoRepair(r, name)
	case r.accept:
		return a.files.Remove(undoOf(name))
	}
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
			return o.Opens, ids.explain(err)
		}
	}
	if r.name != "" {
		return a.repairCopy(ctx, r, name, opts)
	}
	return a.repairInPlace(ctx, r, name, opts)
}

// openUndo opens what an earlier repair has saved; nil if there is nothing.
func (a *app) openUndo(name string) (*parity.Undo, *storage.Blob, error) {
	b, err := a.files.Open(undoOf(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	u, err := parity.ReadUndo(b.At(), b.Size())
	if err != nil {
		b.Close()
		return nil, nil, withHint(about(safetext.Printable(undoOf(name)), err), "move it away if no repair was interrupted")
	}
	return u, b, nil
}

func (a *app) undoRepair(r *restoreFlags, name string) error {
	u, b, err := a.openUndo(name)
	if err != nil {
		return err
	}
	if u == nil {
		return usage("there is nothing to undo", "%s does not exist", safetext.Printable(undoOf(name)))
	}
	defer b.Close()
	p, err := a.files.Patch(name, r.options())
	if err != nil {
		return err
	}
	defer p.Close()
	if err := u.Restore(p.InPlace()); err != nil {
		return withHint(err, "run it again: nothing is lost")
	}
	return a.files.Remove(undoOf(name))
}

func (a *app) repairInPlace(ctx context.Context, r *restoreFlags, name string, opts *parity.RepairOptions) error {
	p, err := a.files.Patch(name, r.options())
	if err != nil {
		return err
	}
	defer p.Close()
	place := p.InPlace()
	par, err := a.openParityFile(&r.parityFlag, name)
	if err != nil {
		return err
	}
	defer par.Close()
	undo, saved, err := a.openUndo(name)
	if err != nil {
		return err
	}
	opts.Undo = undo
	opts.Save = func(write func(io.Writer) error) (u *parity.Undo, err error) {
		out, err := a.planOutput(outputPlan{outputFlags: outputFlags{name: undoOf(name)}, mode: 0o600})
		if err == nil {
			err = a.produce(out, nil, write)
		}
		if err == nil {
			u, saved, err = a.openUndo(name)
		}
		return u, err
	}
	in := a.newInput(p.Blob, name)
	res, err := a.repairWith(ctx, r, in, par, place, opts)
	saved.Close()
	if err == nil && saved != nil && opts.Open != nil {
		err = a.files.Remove(undoOf(name))
		saved = nil
	}
	if err != nil {
		return err
	}
	return a.tellRepair(in, par, nil, res, saved != nil)
}

// repairCopy repairs what it copies first.
func (a *app) repairCopy(ctx context.Context, r *restoreFlags, name string, opts *parity.RepairOptions) error {
	in, par, err := a.openParity(&r.parityFlag, name)
	if err != nil {
		return err
	}
	defer in.Close()
	defer par.Close()
	out, err := a.planOutput(outputPlan{outputFlags: r.outputFlags, mode: 0o666, binary: true})
	if err != nil {
		return err
	}
	opts.Source = in.At()
	var res *parity.Result
	err = a.produce(out, nil, func(io.Writer) (err error) {
		place := out.InPlace()
		if place == nil {
			return usage("name a file with -o", "%s cannot be written at any place", out.name)
		}
		res, err = a.repairWith(ctx, r, in, par, place, opts)
		return err
	})
	if err != nil {
		return err
	}
	return a.tellRepair(in, par, out, res, false)
}

func (a *app) repairWith(ctx context.Context, r *restoreFlags, in, par *input, place parity.Place, opts *parity.RepairOptions) (*parity.Result, error) {
	bar := a.startProgress(&r.workFlags, in.name, in.size, opts.Done, nil)
	res, err := parity.Repair(ctx, place, in.size, par.At(), par.size, opts)
	bar.Finish(err)
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
}

// tellRepair says what became of a file.
func (a *app) tellRepair(in, par *input, out *output, res *parity.Result, undo bool) error {
	said := restored{FileField: in.given.AsFile(), Result: res}
	if out != nil {
		said.OutputField = out.given.AsOutput()
	}
	if undo {
		said.Undo = safetext.Name(undoOf(string(in.given)))
	}
	if h := res.Saved(); h != nil {
		a.warn(fmt.Sprintf("both copies of the head of %s were lost: it has the one of generation %d, for %s, from the parity file", in.name, h.Generation, plural(len(h.Slots), "recipient")),
			"recipients that were removed since can open it again: bulla recipients list shows who can")
	}
	switch {
	case a.json:
		a.printJSON(said)
	case a.quiet:
	case res.Repaired == 0 && !res.CopyWritten && res.Complete():
		a.printf("%s: nothing to repair\n", in.given)
	default:
		var what []string
		if res.Repaired > 0 {
			what = append(what, plural(int(res.Repaired), "chunk")+" of 64 KiB")
		}
		if res.CopyWritten {
			what = append(what, "its head")
		}
		if len(what) == 0 {
			what = []string{"nothing"}
		}
		a.printf("%s: repaired: %s\n", in.given, strings.Join(what, " and "))
	}
	if undo && !a.quiet && !a.json {
		a.con.Line("bulla: note: " + said.Undo.String() + " has what was overwritten; once bulla verify finds the file valid, bulla repair --accept removes it")
	}
	if res.Complete() {
		return a.outErr
	}
	f := &failure{exit: exitBad, what: fmt.Sprintf("%s of %s could not be repaired", plural(int(res.Unrepaired), "chunk"), in.name), hint: "look for another copy of the file; bulla salvage gets out what is left"}
	if res.Unrepaired == 0 {
		f.what = "no copy of the head of " + in.name + " is left, nor one in the parity file"
		f.hint = "bulla head restore puts a detached head back"
	}
	return f
}
