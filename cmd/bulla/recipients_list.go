package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/safetext"
	"bulla/stream"
)

type listFlags struct {
	identityFlags
	whom recipientFlags
	head string
}

func recipientsListCommand(a *app) *cobra.Command {
	l := &listFlags{whom: recipientFlags{allEpochs: true}}
	cmd := newVerb("list [FILE]", "List the recipients of a file", atMostOne,
		func(cmd *cobra.Command, args []string) error { return a.listRecipients(cmd.Context(), l, first(args)) })
	l.identityFlags.register(a, cmd)
	l.whom.registerPublic(a, cmd, toFind)
	cmd.Flags().StringVar(&l.head, "head", "", "look at the detached head in `FILE`; beside a file, at the newer")
	return cmd
}

// A listing is what list says of a file, in JSON as it stands.
type listing struct {
	safetext.FileField
	Keyed      bool             `json:"keyed"` // a key opened it: all of this is authentic
	Generation uint32           `json:"generation"`
	Slots      []listedSlot     `json:"slots"`
	Room       int              `json:"room_for_hpke_slots"`
	Findings   []format.Finding `json:"findings"`
}

type listedSlot struct {
	Number int `json:"number"`
	format.SlotDescription
	Recipient string `json:"recipient,omitempty"` // whose it is, if that is one of those that were named
	From      string `json:"from,omitempty"`      // where that one was named
	Opened    bool   `json:"opened,omitempty"`    // it is the one that opened the file
}

func (a *app) listRecipients(ctx context.Context, l *listFlags, file string) error {
	if file == "" && l.head == "" {
		file = "-"
	}
	if file != "" {
		if err := a.claimInput(file); err != nil {
			return err
		}
	}
	named, err := l.named()
	if err != nil {
		return err
	}
	ids, err := l.find(false)
	if err != nil {
		return err
	}
	src, err := a.openHeadSource(file, l.head)
	if err != nil {
		return err
	}
	defer src.close()
	heads, err := src.open(ctx, ids)
	switch {
	case err == nil:
		defer heads.Close()
		a.tellFaults(src, heads)
		named = ids.openers(named)
		a.tellRemoved(src, heads, named)
		return a.tellListing(keyedListing(src.given, heads, named))
	case isNoKey(err) && !l.given():
		return a.listForStranger(src)
	}
	return err
}

// tellRemoved warns of those who were removed and can still open a file by an old
// copy of its head, where they are known.
func (a *app) tellRemoved(src *headSource, heads *stream.HeadEditor, named []namedRecipient) {
	for _, s := range heads.Removed() {
		if i := slices.IndexFunc(named, func(n namedRecipient) bool { return heads.Owns(n.Recipient, &s) }); i >= 0 {
			a.warn(fmt.Sprintf("%s (%s) was removed and still opens %s by an old copy of its head", shortKey(named[i].Canonical()), safetext.Printable(named[i].from), src.name),
				"bulla recipients repair takes the old copy away")
		}
	}
}

// named reads the recipients whose slots are looked for.
func (l *listFlags) named() ([]namedRecipient, error) {
	files := l.whom.files
	switch path, err := configFile(recipientsFile); {
	case err != nil:
		return nil, err
	case path != "":
		files = append(files, path)
	}
	return l.whom.public(files)
}

const theOpener = "the key that opens it"

// keyedListing is what somebody sees who can open the file.
func keyedListing(file safetext.Name, heads *stream.HeadEditor, named []namedRecipient) *listing {
	d := newListing(file, heads.Head())
	d.Keyed, d.Findings = true, append(d.Findings, heads.Faults()...)
	for _, s := range named {
		for _, i := range heads.SlotsOf(s.Recipient) {
			if d.Slots[i].From == "" {
				d.Slots[i].Recipient, d.Slots[i].From = s.Canonical(), s.from
			}
		}
	}
	if i := heads.OpenedSlot(); i >= 0 {
		d.Slots[i].Opened = true
		d.Slots[i].From = orElse(d.Slots[i].From, theOpener)
	}
	return d
}

// newListing is what a head says to everybody.
func newListing(file safetext.Name, h *format.Head) *listing {
	d := &listing{FileField: file.AsFile(), Generation: h.Generation, Room: h.Room(), Findings: []format.Finding{}}
	for i := range h.Slots {
		d.Slots = append(d.Slots, listedSlot{Number: i + 1, SlotDescription: h.Slots[i].Describe()})
	}
	return d
}

// line is a slot in a listing.
func (s *listedSlot) line() string {
	whose := shortKey(s.Recipient)
	if s.From != "" {
		whose += fmt.Sprintf(" (%s)", safetext.Printable(s.From))
	}
	line := fmt.Sprintf("%4d  %-10s  %-33s  %s", s.Number, s.Type, s.Text, strings.TrimSpace(whose))
	return strings.TrimRight(line, " ")
}

func (a *app) tellListing(d *listing) error {
	if a.json {
		return a.printJSON(d)
	}
	a.printf("%s: %s, generation %d\n", d.File, plural(len(d.Slots), "recipient"), d.Generation)
	for _, s := range d.Slots {
		a.printf("%s\n", s.line())
	}
	a.printf("room for %d more of type hpke\n", d.Room)
	if !d.Keyed {
		a.printf("this is what everybody can see; whose the slots are shows only with a key that opens the file\n")
	}
	return a.outErr
}

func (a *app) listForStranger(src *headSource) error {
	h, findings, err := src.stranger(a)
	if err != nil {
		return about(src.name, err)
	}
	d := newListing(src.given, h)
	d.Findings = append(d.Findings, findings...)
	for _, f := range findings {
		a.warn(src.name+": "+f.Message+citing(f), "bulla verify says more")
	}
	return a.tellListing(d)
}

func recipientsCommand(a *app) *cobra.Command {
	return withVerbs("recipients VERB", "List, add and remove recipients of a file",
		recipientsListCommand(a), recipientsAddCommand(a), recipientsRemoveCommand(a), recipientsRepairCommand(a))
}

func recipientsRepairCommand(a *app) *cobra.Command {
	r := &repairFlags{}
	cmd := newVerb("repair FILE", "Repair the head of a file", exactlyOne,
		func(cmd *cobra.Command, args []string) error { return a.repair(cmd.Context(), r, args[0]) })
	r.register(a, cmd)
	return cmd
}

// shortKey is a recipient in at most one line: its beginning and its end tell
// long ones apart.
func shortKey(canonical string) string {
	const most, first, last = 84, 20, 12
	if len(canonical) <= most && !strings.HasPrefix(canonical, "kek:") {
		return canonical
	}
	return canonical[:first] + "…" + canonical[len(canonical)-last:]
}
