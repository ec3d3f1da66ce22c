package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/parity"
)

// paritySuffix ends the names of parity files.
const paritySuffix = ".parity"

// parityFlags say how much parity is made, and where.
type parityFlags struct {
	percent string
	file    string
	cells   int // of each group; 0 for no parity
}

func parityCommand(a *app) *cobra.Command {
	return withVerbs("parity VERB", "Make parity files, which repair what a disk lost", parityCreateCommand(a))
}

func parityCreateCommand(a *app) *cobra.Command {
	p := &parityFlags{}
	var out outputFlags
	var work workFlags
	cmd := newVerb("create FILE", "Make the parity file of an encrypted file", exactlyOne,
		func(cmd *cobra.Command, args []string) error {
			if err := p.check("--percent"); err != nil {
				return err
			}
			if p.percent == "" {
				p.cells, _ = parity.Cells(5)
			}
			return a.createParity(cmd.Context(), p, out, &work, args[0])
		})
	cmd.Flags().StringVar(&p.percent, "percent", "", "make parity for `PERCENT` of the file, more than 0 and up to 100 (default: as much as there was, or 5)")
	out.register(cmd, "write to `FILE` (default FILE"+paritySuffix+")")
	work.register(cmd)
	return cmd
}

// register registers the flags of a verb that makes a parity file beside its output.
func (p *parityFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.percent, "parity", "", "also make a parity file, for `PERCENT` of the output (bulla help parity)")
	cmd.Flags().StringVar(&p.file, "parity-file", "", "write it to `FILE` (default: the output's name and "+paritySuffix+")")
}

// check reads the percentage.
func (p *parityFlags) check(flag string) (err error) {
	if p.percent == "" && p.file == "" {
		return nil
	}
	if p.percent == "" {
		return usage("say how much parity: "+flag+" 5", "--parity-file is for a parity file, and none is made")
	}
	percent, err := strconv.ParseFloat(strings.TrimSuffix(p.percent, "%"), 64)
	if err == nil {
		p.cells, err = parity.Cells(percent)
	}
	if err != nil {
		return usage("give a number of more than 0 and up to 100, such as 5", "invalid %s %s", flag, safetext.Printable(p.percent))
	}
	return nil
}

// parityMade is what is said of a parity file, in JSON as it stands.
type parityMade struct {
	File     safetext.Name   `json:"parity_file"`
	Size     int64           `json:"parity_size"`
	Strength parity.Strength `json:"strength"`
}

// planParity plans the parity file of an output; nil if none is wanted.
func (a *app) planParity(p *parityFlags, flags outputFlags, out *output) (*output, error) {
	if p.cells == 0 {
		return nil, nil
	}
	if flags.name = p.file; flags.name == "" {
		if !out.Whole() {
			return nil, usage("name it with --parity-file FILE", "the parity file of %s has no default name", out.name)
		}
		flags.name = out.Pending.Name() + paritySuffix
	}
	par, err := a.planOutput(outputPlan{outputFlags: flags, mode: 0o666, binary: true})
	if err == nil && par.Same(out.Pending) {
		err = usage("name another file for one of them", "the output and the parity file are both %s", out.name)
	}
	return par, err
}

// close ends the parity file that m has written to out.
func (p *parityMade) close(m *parity.Maker, out *output) (err error) {
	p.Strength, err = m.Close()
	p.File, p.Size = out.given, m.Size()
	return err
}

// newMaker returns what makes a parity file. It holds tens of MiB, to which gcPercent would
// add four times as much before that is collected.
func newMaker(dst io.Writer, cells, workers int) (*parity.Maker, error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	return parity.NewMaker(dst, cells, workers)
}

// add adds the parity file of another part of a set: p has the first one's name, the size of
// all, and the strength of the weakest.
func (p *parityMade) add(a *app, in *input) error {
	par, err := a.openParityFile(&parityFlag{}, in.path)
	if err != nil {
		return err
	}
	defer par.Close()
	_, s, err := parity.Look(in.size, par.At(), par.size)
	if err != nil {
		return about(par.name, err)
	}
	if p.Size == 0 {
		p.File = par.given
	}
	if p.Size == 0 || s.WeakerThan(p.Strength) {
		p.Strength = s
	}
	p.Size += par.size
	return nil
}

func (a *app) noteParity(p *parityMade) {
	a.note("%s: %s of parity: %v may be lost", p.File, console.Bytes(p.Size), strength(p.Strength))
}

// strength is what a file survives, in words.
type strength parity.Strength

func (s strength) String() string {
	if s.Parity == 0 {
		return "nothing more"
	}
	return fmt.Sprintf("any %s of each group, or one hole of %s,", plural(s.Parity, "chunk"), console.Bytes(s.Hole))
}

func (a *app) createParity(ctx context.Context, p *parityFlags, flags outputFlags, w *workFlags, name string) error {
	if err := a.claimInput(name); err != nil {
		return err
	}
	in, err := a.openInput(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.isRoot() && flags.name != "" {
		return usage("leave it out: each part has its own, beside it", "-o is for one parity file, and %s is a set", in.name)
	}
	made, there := 0, 0
	err = a.eachPart(ctx, in, 1, nil, func(_ int, suffix string, part *input, err error) error {
		if err == nil && in.isRoot() && !flags.force && a.probe(part.path+paritySuffix) == nil { // of what there is, scrub says whether it is good
			there++
			return nil
		}
		if err != nil {
			return err
		}
		made++
		to := flags
		if in.isRoot() { // where -o - does not go
			to.name = part.path + paritySuffix
		}
		return a.makeParity(ctx, p, to, w, part, true)
	})
	if err == nil && made == 0 && there > 0 {
		err = refuse("bulla scrub checks them", "every part of %s has a parity file", in.name)
	}
	return err
}

// makeParity makes the parity file of a container, and says so if it is the result.
func (a *app) makeParity(ctx context.Context, p *parityFlags, flags outputFlags, w *workFlags, in *input, result bool) error {
	if in.regular {
		r := format.Check(in.At(), in.size)
		if err := unread(r.Copies); err != nil {
			return about(in.name, err)
		}
		if !r.Valid() {
			return &failure{exit: exitBad, what: in.name + " is invalid: " + r.Findings[0].Message, hint: "repair it before you make a parity file: bulla verify --no-key says what is wrong"}
		}
	}
	out, err := a.planOutput(outputPlan{outputFlags: flags, mode: 0o666, binary: true, byDefault: in.beside(paritySuffix)})
	cells := p.cells
	if err == nil && result {
		var before *parity.Report
		if before, err = a.undamaged(ctx, w.jobs, in); before != nil && p.percent == "" {
			cells = before.Strength.Parity
		}
	}
	if err != nil {
		return err
	}
	done, made := new(atomic.Int64), parityMade{}
	show := func() *console.Progress { return a.startProgress(w, in.name, in.size, done, out) }
	err = a.produce(out, show, func(dst io.Writer) error {
		maker, err := newMaker(dst, cells, w.jobs)
		if err != nil {
			return err
		}
		defer maker.Abort()
		if err = a.copyTo(ctx, maker, in, done); err == nil {
			err = made.close(maker, out)
		}
		return about(in.name, err)
	})
	if err != nil {
		return err
	}
	a.noteParity(&made)
	if !result {
		return nil
	}
	return a.result(out, struct {
		safetext.InputField
		parityMade
	}{in.given.AsInput(), made})
}

// keepParityHead brings the copy of the head up to date that the parity file of a file
// has, if there is one (PAR-10): it would open for those who were removed.
func (a *app) keepParityHead(path string, head []byte, opts storage.PatchOptions) {
	for _, name := range parityNames(path) {
		p, err := a.files.Patch(name, opts)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			if parity.IsOf(p.At(), head) {
				err = p.Apply(storage.Change{Offset: parity.HeadAt, New: head})
			}
			p.Close()
		}
		if err != nil {
			a.warn(safetext.Printable(name)+" still has the old head, which opens for its recipients: "+explain(err).what, "make it anew with bulla parity create --force")
		}
	}
}

// parityNames are where the parity file of a file may lie: beside it, or if the name is a link's,
// also beside the file that it leads to.
func parityNames(path string) []string {
	names := []string{path + paritySuffix}
	if l, err := os.Lstat(path); err == nil && l.Mode()&fs.ModeSymlink != 0 {
		names = append(names, followed(path)+paritySuffix)
	}
	return names
}
