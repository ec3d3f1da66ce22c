package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bulla/internal/safetext"
	"bulla/keyslot"
	"bulla/slot"
	"bulla/stream"
)

// EditFlags are those of add and remove. The embedded ones say whom it is about.
type editFlags struct {
	recipientFlags
	entropyFlags
	patchFlags
	opener identityFlags
	output outputFlags
	head   string // a detached one
	slots  []int  // to remove, from 1
	all    bool   // every passphrase is to be removed
	adding bool
	dryRun bool
}

func recipientsAddCommand(a *app) *cobra.Command {
	e := &editFlags{adding: true}
	cmd := newVerb("add FILE", "Add recipients to a file", atMostOne,
		func(cmd *cobra.Command, args []string) error { return a.editRecipients(cmd, e, first(args)) })
	e.recipientFlags.register(a, cmd, toAdd)
	e.passphrase.prompt, e.passphrase.named = "New passphrase", true
	cmd.Flags().IntSliceVar(&e.slots, "replace", nil, "remove slot `N` in the same step (repeatable; recipients list shows the numbers)")
	e.registerRest(a, cmd)
	e.entropyFlags.register(cmd)
	return cmd
}

func recipientsRemoveCommand(a *app) *cobra.Command {
	e := &editFlags{}
	cmd := newVerb("remove FILE", "Remove recipients from a file", atMostOne,
		func(cmd *cobra.Command, args []string) error { return a.editRecipients(cmd, e, first(args)) })
	e.allowClassical = true // whoever goes takes nothing with him
	e.recipientFlags.registerPublic(a, cmd, toRemove)
	toRemove.registerFiles(cmd, kekFlag, &e.keks)
	f := cmd.Flags()
	f.BoolVarP(&e.all, "passphrase", "p", false, "remove every passphrase")
	f.IntSliceVar(&e.slots, "slot", nil, "remove slot `N` (repeatable; recipients list shows the numbers)")
	e.registerRest(a, cmd)
	return cmd
}

// registerRest registers what add and remove have in common.
func (e *editFlags) registerRest(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&e.dryRun, "dry-run", "n", false, "show what would be done, and write nothing")
	e.opener.registerFor(a, cmd, toEdit)
	e.opener.passphrase.prompt = "Passphrase that opens the file now"
	f.StringVar(&e.head, "head", "", "use the detached head in `FILE`, if it is newer than the file's own")
	e.output.allow.other = []string{unsafeStore}
	e.patchFlags.register(cmd, &e.output.allow)
	e.output.register(cmd, "write the result to the detached head `FILE`, not to the file")
	reword(cmd, "force", "replace an existing detached head")
}

func reword(cmd *cobra.Command, flag, usage string) { cmd.Flags().Lookup(flag).Usage = usage }

func (a *app) editRecipients(cmd *cobra.Command, e *editFlags, file string) error {
	edit := &stream.Edit{AllowClassical: e.allowClassical}
	whom, err := e.check(cmd, edit, file)
	if err != nil {
		return err
	}
	src, out, err := a.editPlaces(e, file)
	if err != nil {
		return err
	}
	defer src.close()
	edit.Detached = out != nil
	ids, err := e.opener.find(true)
	if err != nil {
		return err
	}
	heads, err := src.open(cmd.Context(), ids)
	if err != nil {
		return err
	}
	defer heads.Close()
	a.tellFaults(src, heads)
	c := &change{FileField: src.given.AsFile(), DryRun: e.dryRun, Added: []changedSlot{}, Removed: []changedSlot{}}
	if err := e.plan(cmd.Context(), c, heads, whom, edit); err != nil {
		return explainEdit(src.name, err)
	}
	changes := len(edit.Add)+len(edit.RemoveSlots) > 0
	if !changes {
		a.warn("nothing to change: "+c.presentText()+" can open "+src.name+" already", "")
	} else if err := heads.Apply(cmd.Context(), edit); err != nil {
		return explainEdit(src.name, err)
	}
	for i := range c.Added {
		c.Added[i].Number = len(heads.Head().Slots) - len(c.Added) + i + 1
	}
	a.warnOfRemoval(cmd.Context(), c, heads, ids)
	switch {
	case e.dryRun:
	case out != nil:
		err = a.writeWhole(out, heads.Encoded())
	case changes || src.detached == nil && !heads.Sound(): // it was interrupted: then this finishes it
		out, err = a.save(src, heads)
	}
	if err != nil {
		return err
	}
	if out != nil {
		c.OutputField = out.given.AsOutput()
	}
	return a.tellChange(c, heads)
}

// check refuses what is wrong with the flags, and finds those who are to be added
// or removed.
func (e *editFlags) check(cmd *cobra.Command, edit *stream.Edit, file string) (whom []keyslot.Recipient, err error) {
	verb := cmd.Name()
	named := len(e.recipients)+len(e.files)+len(e.keks) > 0 || e.passphrase.given()
	switch {
	case !named && e.adding:
		return nil, usage("use -r RECIPIENT, -R FILE, -p or --kek FILE", "no recipient to add")
	case !named && len(e.slots) == 0 && !e.all:
		return nil, usage("use -r RECIPIENT, -R FILE, -p, --kek FILE or --slot N", "no recipient to remove")
	case file == "" && e.head == "":
		return nil, usage("for example: bulla recipients "+verb+" -r RECIPIENT backup.tar.bulla", "%s takes the name of a file", verb)
	case file == "" && e.output.name == "":
		return nil, usage("name the file whose head it is, or another detached head to write with -o", "a detached head is not changed in place")
	}
	if file != "" {
		if err := e.app.claimInput(file); err != nil {
			return nil, err
		}
	}
	if named {
		if whom, err = e.recipientFlags.check(); err != nil {
			return nil, err
		}
	}
	if e.all {
		whom = append(whom, keyslot.AnyPassphrase{})
	}
	if !e.adding {
		return whom, nil
	}
	if edit.Entropy, err = e.mixer(e.app, cmd); err != nil {
		return nil, err
	}
	return whom, explainPlan(stream.Plan(e.planned(whom), &stream.WriterOptions{Entropy: edit.Entropy, AllowClassical: e.allowClassical}))
}

// editPlaces opens what is to be changed, and plans the detached head that it is
// to be written to, if any.
func (a *app) editPlaces(e *editFlags, file string) (src *headSource, out *output, err error) {
	if e.output.name == "" && !e.dryRun {
		src, err = a.openForChange(file, e.head, e.options())
		return src, nil, err
	}
	if src, err = a.openHeadSource(file, e.head); err != nil {
		return nil, nil, err
	}
	if e.output.name == "" {
		src.whole = true // as it would have to be
		return src, nil, nil
	}
	if out, err = a.planOutput(outputPlan{outputFlags: e.output, mode: 0o666, binary: true}); err != nil {
		src.close()
		return nil, nil, err
	}
	return src, out, nil
}

// warnOfRemoval says what removing a recipient does not do, and whether one has
// locked oneself out.
func (a *app) warnOfRemoval(ctx context.Context, c *change, heads *stream.HeadEditor, ids *identities) {
	if len(c.Removed) == 0 {
		return
	}
	a.warn("removing a recipient is not revocation: whoever could open "+c.File.String()+" may have kept its key, or a copy",
		"to lock somebody out, decrypt it and encrypt the content again")
	if heads.OpenedSlot() >= 0 {
		return
	}
	// The key that opened it is gone. Another may be at hand that asks nobody.
	var quiet []stream.Identity
	for _, id := range ids.all {
		if !slot.IsInteractive(id) {
			quiet = append(quiet, id)
		}
	}
	if h, err := stream.EditDetachedHead(ctx, heads.Encoded(), quiet); err == nil {
		h.Close()
		return
	}
	a.warn("what opened "+c.File.String()+" now does not open it afterwards", "make sure that you have a key that does: bulla recipients list -i KEY shows it")
}

// explainEdit words the errors that only a change of recipients has.
func explainEdit(name string, err error) error {
	if e, ok := errors.AsType[*stream.HeadFullError](err); ok {
		f := &failure{exit: exitUnsupported, err: err, what: fmt.Sprintf("%s: %v", name, e),
			hint: "remove a recipient, or replace one with --replace N; for more room, encrypt the file again with --reserve N"}
		if e.FitsDetached() {
			f.hint = "write a detached head, which has more room, with -o HEAD; or replace a recipient with --replace N"
		}
		return f
	}
	if e, ok := errors.AsType[*stream.RecipientNotFoundError](err); ok {
		what := fmt.Sprintf("%s is not a recipient of %s: nothing was removed", shortKey(e.Recipient.Canonical()), name)
		if e.Recipient == (keyslot.AnyPassphrase{}) {
			what = name + " has no passphrase: nothing was removed"
		}
		return &failure{exit: exitUsage, err: err, what: what, hint: "bulla recipients list shows the recipients"}
	}
	if errors.Is(err, stream.ErrLastSlot) {
		return &failure{exit: exitRefused, err: err, what: "refusing to remove the last recipient of " + name,
			hint: "add another first, or in the same step with bulla recipients add --replace N"}
	}
	return about(name, err)
}

// A change is what add and remove say of what they did, in JSON as it stands.
type change struct {
	safetext.FileField
	safetext.OutputField // the detached head that was written, if one was

	DryRun     bool          `json:"dry_run,omitempty"`
	Generation uint32        `json:"generation"`
	Recipients int           `json:"recipients"`
	Added      []changedSlot `json:"added"`
	Removed    []changedSlot `json:"removed"`
	Present    []string      `json:"already_recipients,omitempty"`
}

// A changedSlot is one that was added or removed, with the number that it has or had.
type changedSlot struct {
	Number    int    `json:"number"`
	Type      string `json:"type"`
	Recipient string `json:"recipient,omitempty"`
}

func (s changedSlot) text() string {
	t := fmt.Sprintf("%3d  %-10s  %s", s.Number, s.Type, shortKey(s.Recipient))
	return strings.TrimRight(t, " ")
}

// presentText is those who were recipients already.
func (c *change) presentText() string {
	var short []string
	for _, canonical := range c.Present {
		short = append(short, shortKey(canonical))
	}
	return strings.Join(short, ", ")
}

// plan fills in edit, and what c says of it, from what the flags say and what
// the head is like.
func (e *editFlags) plan(ctx context.Context, c *change, heads *stream.HeadEditor, whom []keyslot.Recipient, edit *stream.Edit) error {
	for _, number := range e.slots {
		if number < 1 || number > len(heads.Head().Slots) {
			return usage("bulla recipients list shows the numbers", "there is no slot %d in %s: it has %d", number, c.File, len(heads.Head().Slots))
		}
		c.remove(edit, heads, number-1, "")
	}
	if e.adding {
		return e.planAdditions(ctx, c, heads, whom, edit)
	}
	for _, r := range whom {
		theirs := heads.SlotsOf(r)
		if len(theirs) == 0 {
			return &stream.RecipientNotFoundError{Recipient: r}
		}
		for _, i := range theirs {
			c.remove(edit, heads, i, r.Canonical())
		}
	}
	return nil
}

func (c *change) remove(edit *stream.Edit, heads *stream.HeadEditor, i int, recipient string) {
	if !slices.Contains(edit.RemoveSlots, i) {
		edit.RemoveSlots = append(edit.RemoveSlots, i)
		c.Removed = append(c.Removed, changedSlot{i + 1, heads.Head().Slots[i].Type.String(), recipient})
	}
}

// planAdditions plans to add those who are no recipients yet, and asks for a
// passphrase if one is to be added.
func (e *editFlags) planAdditions(ctx context.Context, c *change, heads *stream.HeadEditor, whom []keyslot.Recipient, edit *stream.Edit) error {
	stays := func(i int) bool { return !slices.Contains(edit.RemoveSlots, i) }
	var fresh []keyslot.Recipient
	for _, r := range whom {
		if slices.ContainsFunc(heads.SlotsOf(r), stays) {
			c.Present = append(c.Present, r.Canonical())
			continue
		}
		fresh = append(fresh, r)
	}
	edit.Add = e.planned(fresh)
	if err := heads.Plan(edit); err != nil {
		return err
	}
	add, err := e.withPassphrase(ctx, fresh, edit.Entropy)
	edit.Add = add
	for _, r := range add {
		c.Added = append(c.Added, changedSlot{Type: r.Type().String(), Recipient: r.Canonical()})
	}
	return err
}

func (a *app) tellChange(c *change, heads *stream.HeadEditor) error {
	c.Generation, c.Recipients = heads.Head().Generation, len(heads.Head().Slots)
	switch {
	case a.json:
		a.printJSON(c)
	case c.DryRun:
		for _, s := range c.Removed {
			a.printf("would remove  %s\n", s.text())
		}
		for _, s := range c.Added {
			a.printf("would add     %s\n", s.text())
		}
	default:
		a.note("%s: %d added, %d removed; %s now, generation %d", c.File, len(c.Added), len(c.Removed), plural(c.Recipients, "recipient"), c.Generation)
	}
	return a.outErr
}
