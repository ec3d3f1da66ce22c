package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/safetext"
	"bulla/stream"
)

func headCommand(a *app) *cobra.Command {
	return withVerbs("head VERB", "Keep a file's head in a file of its own, or put it back",
		headExportCommand(a), headRestoreCommand(a))
}

type headExportFlags struct {
	identityFlags
	outputFlags
	head string
}

func headExportCommand(a *app) *cobra.Command {
	e := &headExportFlags{}
	cmd := newVerb("export [FILE]", "Write a file's head to a file of its own", atMostOne,
		func(cmd *cobra.Command, args []string) error { return a.exportHead(cmd.Context(), e, first(args)) })
	e.identityFlags.register(a, cmd)
	e.outputFlags.register(cmd, "write the head to `FILE` (default: standard output)")
	cmd.Flags().StringVar(&e.head, "head", "", "take the detached head in `FILE`, if it is newer than the file's own")
	return cmd
}

func (a *app) exportHead(ctx context.Context, e *headExportFlags, file string) error {
	if err := a.claimInput(file); err != nil {
		return err
	}
	ids, err := e.find(true)
	if err != nil {
		return err
	}
	src, err := a.openHeadSource(orElse(file, "-"), e.head)
	if err != nil {
		return err
	}
	defer src.close()
	out, err := a.planOutput(outputPlan{outputFlags: e.outputFlags, mode: 0o666, binary: true})
	if err != nil {
		return err
	}
	heads, err := src.open(ctx, ids)
	if err != nil {
		return err
	}
	defer heads.Close()
	a.tellFaults(src, heads)
	if err := a.writeWhole(out, heads.Encoded()); err != nil {
		return err
	}
	a.note("%s: the head of generation %d, for %s, is in %s", src.name, heads.Head().Generation, plural(len(heads.Head().Slots), "recipient"), out.name)
	return a.result(out, exportedHead{src.given.AsFile(), out.given.AsOutput(), heads.Head().Generation, len(heads.Head().Slots), len(heads.Encoded())})
}

// exportedHead is what head export --json says.
type exportedHead struct {
	safetext.FileField
	safetext.OutputField
	Generation uint32 `json:"generation"`
	Recipients int    `json:"recipients"`
	Bytes      int    `json:"bytes"`
}

func headRestoreCommand(a *app) *cobra.Command {
	r := &repairFlags{}
	cmd := newVerb("restore --head HEAD FILE", "Put a detached head back into a file", exactlyOne,
		func(cmd *cobra.Command, args []string) error {
			if r.head == "" {
				return usage("bulla recipients repair mends a file with what is left in it", "head restore takes a detached head: --head HEAD")
			}
			return a.repair(cmd.Context(), r, args[0])
		})
	cmd.Flags().StringVar(&r.head, "head", "", "the detached head is in `FILE`")
	r.register(a, cmd)
	return cmd
}

// RepairFlags are those of recipients repair and head restore.
type repairFlags struct {
	identityFlags
	patchFlags
	head   string
	dryRun bool
}

func (r *repairFlags) register(a *app, cmd *cobra.Command) {
	r.identityFlags.register(a, cmd)
	allow := &allowFlag{only: []string{unsafeStore}}
	allow.register(cmd)
	r.patchFlags.register(cmd, allow)
	cmd.Flags().BoolVarP(&r.dryRun, "dry-run", "n", false, "say what is wrong, and write nothing")
}

// A repaired file is what repair says of it, in JSON as it stands.
type repaired struct {
	safetext.FileField
	DryRun     bool             `json:"dry_run,omitempty"`
	Repaired   bool             `json:"repaired"` // something was written
	Generation uint32           `json:"generation"`
	Recipients int              `json:"recipients"`
	Added      []changedSlot    `json:"added,omitempty"`   // slots of the detached head that the file did not have
	Removed    []changedSlot    `json:"removed,omitempty"` // slots of the file that the detached head does not have
	Findings   []format.Finding `json:"findings"`          // what was wrong
}

// repair makes both copies of a file's head the one that counts.
func (a *app) repair(ctx context.Context, r *repairFlags, file string) error {
	ids, err := r.find(true)
	if err != nil {
		return err
	}
	var src *headSource
	if r.dryRun {
		src, err = a.openHeadSource(file, r.head)
	} else {
		src, err = a.openForChange(file, r.head, r.options())
	}
	readOnly := err // a medium that cannot be written: what is sound needs no repair
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		src, err = a.openHeadSource(file, r.head)
	}
	if err != nil {
		if f := explain(err); f.exit == exitUsage && strings.Contains(f.hint, "with -o") { // which these verbs do not have
			return withHint(f, hintFileItself)
		}
		return err
	}
	defer src.close()
	if src.in == nil {
		return usage(hintFileItself, "%s cannot be repaired: it is a stream or a detached head", src.name)
	}
	src.whole, src.mend = true, true
	heads, err := src.open(ctx, ids)
	if err != nil {
		return err
	}
	defer heads.Close()
	a.tellOlder(src.name, src.detached, heads.Head())
	done := &repaired{FileField: src.given.AsFile(), DryRun: r.dryRun, Generation: heads.Head().Generation,
		Recipients: len(heads.Head().Slots), Findings: append([]format.Finding{}, heads.Faults()...)}
	if heads.Sound() {
		return a.tellRepaired(done)
	}
	if _, err := heads.Writes(); errors.As(err, new(*stream.HeadFullError)) {
		return withHint(about(src.name, err), "the detached head stays larger than the file's own: name it with --head, or remove recipients with bulla recipients remove --head HEAD FILE")
	}
	a.tellRestored(src, heads, done)
	switch {
	case r.dryRun:
	case readOnly != nil:
		return readOnly
	default:
		beside, err := a.save(src, heads)
		if err != nil {
			return err
		}
		done.Repaired = beside == nil
	}
	return a.tellRepaired(done)
}

// tellRestored warns of recipients whom a detached head brings back, or takes away.
func (a *app) tellRestored(src *headSource, heads *stream.HeadEditor, done *repaired) {
	if src.detached == nil {
		return
	}
	head, stored := heads.Head(), heads.Stored()
	if stored == nil {
		a.warn("the head of "+src.name+" is lost: recipients that were removed after the detached head was made can open the file again",
			"bulla recipients list shows who can; remove who should not")
		return
	}
	for _, i := range head.SlotsNotIn(stored) {
		done.Added = append(done.Added, changedSlot{Number: i + 1, Type: head.Slots[i].Type.String()})
	}
	for _, i := range stored.SlotsNotIn(head) {
		done.Removed = append(done.Removed, changedSlot{Number: i + 1, Type: stored.Slots[i].Type.String()})
	}
	if n := len(done.Added); n > 0 {
		a.warn(fmt.Sprintf("the detached head lets %s open %s that could not: %s", plural(n, "recipient"), src.name, slotsText(done.Added)),
			"if they were removed on purpose, remove them again: bulla recipients remove --slot N")
	}
	if n := len(done.Removed); n > 0 {
		a.warn(fmt.Sprintf("the detached head removes %s of %s: %s", plural(n, "recipient"), src.name, slotsText(done.Removed)), "")
	}
}

func slotsText(slots []changedSlot) string {
	var all []string
	for _, s := range slots {
		all = append(all, fmt.Sprintf("slot %d (%s)", s.Number, s.Type))
	}
	return strings.Join(all, ", ")
}

func (a *app) tellRepaired(d *repaired) error {
	if a.json {
		return a.printJSON(d)
	}
	a.printFindings(d.File, d.Findings)
	switch {
	case a.quiet:
	case len(d.Findings) == 0:
		a.printf("%s: nothing to repair: both copies of its head are good and equal\n", d.File)
	case !d.Repaired && !d.DryRun: // which was said
	case d.DryRun:
		a.printf("%s: not repaired: this was a dry run\n", d.File)
	default:
		a.printf("%s: repaired: both copies of its head are of generation %d\n", d.File, d.Generation)
	}
	return a.outErr
}
