package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bulla/internal/safetext"
	"bulla/keyslot"
	"bulla/stream"
)

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
	var gone []stream.Named
	for _, r := range whom {
		gone = append(gone, r)
	}
	if e.all {
		gone = append(gone, keyslot.AnyPassphrase{})
	}
	for _, n := range gone {
		theirs := heads.SlotsOf(n)
		if len(theirs) == 0 {
			return &stream.RecipientNotFoundError{Recipient: n}
		}
		for _, i := range theirs {
			c.remove(edit, heads, i, n.Canonical())
		}
	}
	return nil
}

// remove plans to remove slot i.
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

// tellChange says what was done.
func (a *app) tellChange(c *change, heads *stream.HeadEditor) error {
	c.Recipients = len(heads.Head().Slots)
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
