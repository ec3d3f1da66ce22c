package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/safetext"
)

type inspectFlags struct {
	headFlag
	outputFlags
	slot int // to extract, from 1
}

func inspectCommand(a *app) *cobra.Command {
	i := &inspectFlags{}
	cmd := newVerb("inspect [FILE]", "Say what a file is, without any key", atMostOne,
		func(cmd *cobra.Command, args []string) error { return a.inspect(cmd, i, first(args)) })
	i.headFlag.register(cmd)
	cmd.Flags().IntVar(&i.slot, extractSlotFlag, 0, "write the body of slot `N`")
	i.outputFlags.register(cmd, "write the slot to `FILE` (default: standard output)")
	return cmd
}

// A description is what inspect says of a file, in JSON as it stands.
type description struct {
	safetext.FileField
	*format.Description
	Signature *claim `json:"signature,omitempty"` // beside the file; not checked
}

func (a *app) inspect(cmd *cobra.Command, i *inspectFlags, name string) error {
	extract := cmd.Flags().Changed(extractSlotFlag)
	if i.outputFlags.name != "" && !extract {
		return usage("what inspect says is text: > puts it into a file", "-o goes with --"+extractSlotFlag)
	}
	if name == "" && i.headFlag.file != "" {
		name, i.headFlag.file = i.headFlag.file, ""
	}
	in, err := a.openInput(name)
	if err != nil {
		return err
	}
	defer in.Close()
	detached, err := i.headFlag.read(a, in)
	if err != nil {
		return err
	}
	var r *format.Report
	if in.regular {
		r = format.Check(in.At(), in.size)
	} else {
		r = format.CheckReader(in.Stream())
	}
	if r.Err != nil {
		return r.Err
	}
	if extract {
		h, err := r.Newest(detached)
		if err != nil {
			return about(in.name, err)
		}
		return a.extractSlot(i, in, h)
	}
	said, err := r.Describe(detached)
	if err != nil {
		return about(in.name, err)
	}
	if h, err := r.Newest(detached); err == nil {
		a.tellOlder(in.name, detached, h)
	}
	d := &description{in.given.AsFile(), said, a.claimOf(in)}
	if a.json {
		a.printJSON(d)
	} else {
		a.describe(d)
	}
	if len(d.Findings) > 0 {
		return &failure{exit: exitBad, what: fmt.Sprintf("%s is damaged or incomplete: %s", in.name, plural(len(d.Findings), "violation")),
			hint: orSalvage("bulla verify with a key says how much of it is sound", in.name)}
	}
	return a.outErr
}

func (a *app) describe(d *description) {
	kind := "bulla container"
	if d.Detached {
		kind = "detached head of a bulla container"
	}
	a.printf("%s: %s, version %d\n\n", d.File, kind, d.Version)
	a.printf("suite       %s\n", d.Suite)
	a.printf("coding      %s\n", d.Coding)
	if d.Set != "" {
		a.printf("role        %s of set %s\n", d.Role, d.Set)
	} else {
		a.printf("role        %s\n", d.Role)
	}
	if d.Number != nil {
		a.printf("number      %d\n", *d.Number)
	}
	a.printf("pages       %d\n", d.Pages)
	if d.CopyPages > d.Pages {
		a.printf("            %d of the detached head\n", d.CopyPages)
	}
	a.printf("generation  %d\n", d.Generation)
	if d.Signature != nil {
		a.printf("signature   by %s, of %s; not checked: verify --signed-by does\n", d.Signature.Key, d.Signature.Time.Format(time.RFC3339))
	}
	a.printf("slots       %d, with room for %d more of type hpke\n", len(d.Slots), d.Room)
	for i, s := range d.Slots {
		a.printf("  %3d  %-10s  %s\n", i+1, s.Type, s.Text)
	}
	if d.Detached {
		return
	}
	a.printf("\n%-10s %20s %20s\n", "", "offset", "bytes")
	row := func(name string, offset, n int64, more string) {
		a.printf("%-10s %20d %20d%s\n", name, offset, n, more)
	}
	row("head", 0, d.Head, "")
	chunks := ""
	if d.Chunks > 0 {
		chunks = "  " + plural(int(d.Chunks), "chunk")
	}
	row("payload", d.Head, d.Payload, chunks)
	row("tail", d.Head+d.Payload, d.Tail, "")
	a.printf("%-10s %20s %20d\n", "file", "", d.Size)
	switch {
	case d.Plaintext != nil:
		a.printf("%-10s %20s %20d  if it is authentic\n", "plaintext", "", *d.Plaintext)
	case d.Chunks > 0:
		a.printf("%-10s %20s %20d  if it is authentic; the size of the plaintext takes a key\n", "compressed", "", d.Sealed)
	}
	if len(d.Findings) > 0 {
		a.printf("\n")
	}
	a.printFindings(d.File, d.Findings)
}

const extractSlotFlag = "extract-slot"

// extractedSlot is what inspect --extract-slot --json says.
type extractedSlot struct {
	safetext.FileField
	safetext.OutputField
	Number int `json:"number"`
	format.SlotDescription
}

func (a *app) extractSlot(i *inspectFlags, in *input, h *format.Head) error {
	if i.slot < 1 || i.slot > len(h.Slots) {
		return usage("bulla inspect shows the slots with their numbers", "there is no slot %d in %s: it has %d", i.slot, in.name, len(h.Slots))
	}
	s := &h.Slots[i.slot-1]
	out, err := a.planOutput(outputPlan{outputFlags: i.outputFlags, mode: 0o666, binary: true})
	if err != nil {
		return err
	}
	if err := a.writeWhole(out, s.Body); err != nil {
		return err
	}
	a.note("%s: slot %d (%v), %s, is in %s", in.name, i.slot, s.Type, console.Bytes(int64(len(s.Body))), out.name)
	return a.result(out, extractedSlot{in.given.AsFile(), out.given.AsOutput(), i.slot, s.Describe()})
}
