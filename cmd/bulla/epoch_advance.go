package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/keyslot/epoch"
	"bulla/slot"
	"bulla/stream"
)

type epochAdvanceFlags struct {
	keeperFlags
	to, keep string
	yes      bool
}

func epochAdvanceCommand(a *app) *cobra.Command {
	f := &epochAdvanceFlags{}
	cmd := newVerb("advance KEEPER --to DATE | --keep DURATION [FILE | DIR]...", "End epochs for good", takes(1, 0, "a keeper", "bulla epoch advance backup.keeper --keep 90d"),
		func(cmd *cobra.Command, args []string) error {
			return a.epochAdvance(cmd.Context(), f, args[0], args[1:])
		})
	cmd.ValidArgsFunction = completeFiles
	fs := cmd.Flags()
	fs.StringVar(&f.to, "to", "", "end every epoch before the one that holds `DATE`")
	fs.StringVar(&f.keep, "keep", "", "end every epoch that was over `DURATION` ago, such as 90d")
	fs.BoolVar(&f.yes, "yes", false, "do not ask")
	f.register(a, cmd)
	return cmd
}

// due is the first epoch that the run leaves.
func (f *epochAdvanceFlags) due(k *epoch.Keeper, today epoch.Date) (int, error) {
	if (f.to == "") == (f.keep == "") {
		return 0, usage("for example --keep 90d, or --to 2027-04-01", "advance takes one of --to and --keep")
	}
	if f.to != "" {
		date, err := epoch.ParseDate(f.to)
		if err != nil {
			return 0, usage("for example --to 2027-04-01", "--to: %v", err)
		}
		to := max(k.Reach().Every.Number(date), k.Reach().From)
		if to > k.Reach().To {
			return 0, usage("bulla epoch extend adds epochs", "the keeper's epochs end with %v", k.Reach().Next()-1)
		}
		return to, nil
	}
	number, ok := strings.CutSuffix(f.keep, "d")
	keep, err := strconv.ParseUint(number, 10, 16)
	if !ok || err != nil {
		return 0, usage("for example --keep 90d", "--keep takes a number of days")
	}
	to, err := k.Due(today, int(keep))
	if e, ok := errors.AsType[*epoch.ClockError](err); ok {
		return 0, &failure{exit: exitRefused, err: err, what: "no epoch was ended: " + e.Error(), hint: "check the clock; if the date is right, end them yourself with --to " + e.To.String()}
	}
	return to, err
}

func (a *app) epochAdvance(ctx context.Context, f *epochAdvanceFlags, name string, files []string) error {
	k, patch, err := a.openKeeper(&f.keeperFlags, name, true)
	if err != nil {
		return err
	}
	defer patch.Close()
	defer k.Close()
	write := into(patch)
	if err := k.Finish(ctx, write); err != nil {
		return keeperFailure(name, err)
	}
	today := epoch.DateOf(a.now())
	to, err := f.due(k, today)
	if err != nil {
		return err
	}
	ended := k.Reach()
	ended.To = to
	r := &keeperReport{Ended: daysOf(ended)}
	if ended.Len() > 0 {
		if err := keeperFailure(name, k.Unlock(ctx, f.secrets(name))); err != nil {
			return err
		}
		if r.Lost, err = a.lostBy(ctx, k, ended, files); err != nil {
			return err
		}
		a.tellEnd(name, ended, today, r)
		if err := a.confirm(ctx, f.yes, "End them for good?"); err != nil {
			return err
		}
	}
	if err := k.Advance(ctx, to, today, write); err != nil {
		return keeperFailure(name, err)
	}
	return a.tellKeeper(name, k, r)
}

// tellEnd says what is about to end.
func (a *app) tellEnd(name string, ended epoch.Span, today epoch.Date, r *keeperReport) {
	if ended.Next() > today {
		a.warn(fmt.Sprintf("epochs that are not over are ended, too: what is encrypted until %v cannot be opened by %s", ended.Next()-1, safetext.Printable(name)), "")
	}
	if a.json || a.quiet {
		return
	}
	a.con.Line(fmt.Sprintf("bulla: %s: %s, %v", safetext.Printable(name), plural(ended.Len(), "epoch")+" to end", ended))
	for _, file := range r.Lost {
		a.con.Line("bulla: nobody else opens " + file.String())
	}
}

// lostBy lists those of the files that only the epochs of ended open.
func (a *app) lostBy(ctx context.Context, k *epoch.Keeper, ended epoch.Span, files []string) (lost []safetext.Name, err error) {
	cal, err := k.Calendar()
	if err != nil {
		return nil, err
	}
	id := k.Identity(nil) // it is unlocked
	for _, file := range files {
		err := filepath.WalkDir(file, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || path != file && (!d.Type().IsRegular() || !strings.HasSuffix(path, containerSuffix)) {
				return err
			}
			in, err := a.openInput(path)
			if err != nil {
				return err
			}
			defer in.Close()
			if !in.regular {
				a.warn(in.name+" is no regular file, and was not looked at", "")
				return nil
			}
			id.Near(in.Info().ModTime())
			h, err := stream.EditHead(ctx, in.At(), in.size, []slot.Identity{id}, &stream.HeadOptions{AllowTruncated: true})
			if err != nil { // it is not the keeper's, or no container
				a.note("%s", explain(about(in.name, err)).what)
				return context.Cause(ctx)
			}
			defer h.Close()
			others := len(h.Head().Slots)
			for _, r := range cal.All() {
				if ended.From <= r.Epoch.From && r.Epoch.From < ended.To {
					others -= len(h.SlotsOf(r))
				}
			}
			if others == 0 {
				lost = append(lost, in.given)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return lost, nil
}

// confirm asks before something that cannot be undone.
func (a *app) confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	answer, err := a.person.Line(ctx, question+" Type yes: ")
	switch {
	case errors.Is(err, console.ErrNoTerminal):
		return refuse("--yes says so without a terminal", "nothing was done: there is no terminal to ask for confirmation")
	case err != nil || answer != "yes":
		return refuse("the answer that goes on is: yes", "nothing was done")
	}
	return nil
}

// tellEpochs says to which epoch a file is encrypted, and until when that opens.
func (k *recipientFlags) tellEpochs(to []stream.Recipient) {
	const soon = 30 // days
	e := lastEpoch(to)
	if e == nil || k.allEpochs {
		return
	}
	if left := int(e.Calendar.Next() - epoch.DateOf(k.app.now())); left <= soon {
		k.app.warn(fmt.Sprintf("the calendar ends with %v: %s left", e.Calendar.Next()-1, plural(left, "day")), "bulla epoch extend makes one that goes further")
	}
	if !k.app.quiet && !k.app.json {
		k.app.con.Line(fmt.Sprintf("bulla: encrypting to the epoch %v; from %v on the file may be lost, unless it has another recipient", e.Epoch, e.Epoch.Next()))
	}
}

// lastEpoch is the recipient that is the key of an epoch, the last of them; nil if none is.
func lastEpoch(to []stream.Recipient) (last *epoch.Recipient) {
	for _, r := range to {
		if e, ok := r.(*epoch.Recipient); ok && (last == nil || e.Epoch.Next() > last.Epoch.Next()) {
			last = e
		}
	}
	return last
}
