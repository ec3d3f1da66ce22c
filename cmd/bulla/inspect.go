package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/safetext"
)

type inspectFlags struct {
	headFlag
	outputFlags
	slot int // to extract, from 1
}

func inspectCommand(a *app) *cobra.Command {
	i := &inspectFlags{}
	cmd := &cobra.Command{
		Use:   "inspect [FILE]",
		Short: "Say what a file is, without any key",
		Long: `Say what FILE, or standard input, is as far as it shows without any key: how it is
sealed, for how many recipients of which kinds, and where its parts stand. Nothing
of this is authenticated: bulla verify with a key does that.

Of a damaged file it says what it can, and exits with 3.

With --extract-slot it writes what a slot holds, and nothing else. A slot of type age
is an age file for one recipient: age -d opens it, and what comes out is the key that
the content is encrypted with.`,
		Example: `  bulla inspect backup.tar.bulla
  bulla inspect --json backup.tar.bulla
  bulla inspect --extract-slot 2 -o slot.age backup.tar.bulla
  ssh host head -c 262144 backup.tar.bulla | bulla inspect`,
		Args:              atMostOne,
		ValidArgsFunction: completeContainers,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inspect(cmd, i, first(args))
		},
	}
	i.headFlag.register(cmd)
	cmd.Flags().IntVar(&i.slot, extractSlotFlag, 0, "write the body of slot `N`")
	i.outputFlags.register(cmd, "write the slot to `FILE` (default: standard output)")
	return cmd
}

// A description is what inspect says of a file, in JSON as it stands. Sizes and
// offsets are in bytes; head, payload and tail add up to the file.
type description struct {
	Detached bool `json:"detached_head,omitempty"` // it is a head alone
	safetext.FileField
	Size       int64                    `json:"size"`
	Version    int                      `json:"version"`
	Suite      string                   `json:"suite"`
	Coding     string                   `json:"coding"`
	Pages      int                      `json:"pages"`
	Generation uint32                   `json:"generation"`
	Slots      []format.SlotDescription `json:"slots"`
	Room       int                      `json:"room_for_hpke_slots"`
	Head       int64                    `json:"head_bytes"`
	Payload    int64                    `json:"payload_bytes"`
	Tail       int64                    `json:"tail_bytes"`
	Chunks     int64                    `json:"chunks"`
	Plaintext  int64                    `json:"plaintext_bytes"`
	Findings   []format.Finding         `json:"findings"`
}

// inspect carries out the verb.
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
	var src io.ReaderAt = in.File
	size := in.size
	if !in.regular {
		kept := &ends{}
		if size, err = io.Copy(kept, in.File); err != nil {
			return err
		}
		src = kept
	}
	r := format.Check(src, size)
	if r.Err != nil {
		return r.Err
	}
	h, err := newestHead(r, detached)
	if err != nil {
		return about(in.name, err)
	}
	if extract {
		return a.extractSlot(i, in, h)
	}
	alone := in.isDetachedHead()
	if alone {
		r.Findings = nil // there is no more to it
	}
	d := describe(r, h)
	d.FileField, d.Detached = in.given.AsFile(), alone
	if a.json {
		a.printJSON(d)
	} else {
		a.describe(d)
	}
	if !r.Valid() {
		return &failure{exit: exitBad, what: fmt.Sprintf("%s is damaged or incomplete: %s", in.name, plural(len(r.Findings), "violation")),
			hint: orSalvage("bulla verify with a key says how much of it is sound", in.name)}
	}
	return a.outErr
}

// newestHead is the head of the highest generation that there is: it is not
// authenticated. With a detached one, the report's layout is by that.
func newestHead(r *format.Report, detached []byte) (*format.Head, error) {
	var h *format.Head
	if usable := r.Copies.Usable(); len(usable) > 0 {
		h = usable[0].Head
	}
	if detached != nil {
		d, err := format.ParseHead(detached)
		if err != nil {
			return nil, err
		}
		if h == nil || d.Generation > h.Generation {
			h = d
			r.Layout, _ = format.NewLayout(r.Size, int64(h.HeadSize())) // none: the findings say so
		}
	}
	if h == nil {
		return nil, r.Copies.HeadErr
	}
	return h, nil
}

// describe collects what a report on a container with that head says.
func describe(r *format.Report, h *format.Head) *description {
	n := int64(h.HeadSize())
	d := &description{
		Size: r.Size, Version: format.Version, Suite: h.Suite.String(), Coding: h.Coding.String(),
		Pages: h.Pages, Generation: h.Generation, Findings: r.Findings,
		Room: roomForPublic(h),
	}
	for i := range h.Slots {
		d.Slots = append(d.Slots, h.Slots[i].Describe())
	}
	// Where the size fits no container, the tail is what remains last.
	d.Head = min(n, r.Size)
	if r.Layout.Size != 0 {
		d.Chunks, d.Plaintext = r.Layout.Chunks, r.Layout.PlainSize
		d.Payload, d.Tail = r.Layout.TailOffset()-n, n
	} else if r.Copies.Tail != nil && r.Size >= 2*n {
		d.Payload, d.Tail = r.Size-2*n, n
	} else {
		d.Payload = r.Size - d.Head
	}
	if d.Findings == nil {
		d.Findings = []format.Finding{}
	}
	return d
}

// describe writes a description for people.
func (a *app) describe(d *description) {
	kind := "bulla container"
	if d.Detached {
		kind = "detached head of a bulla container"
	}
	a.printf("%s: %s, version %d\n\n", d.File, kind, d.Version)
	a.printf("suite       %s\n", d.Suite)
	a.printf("coding      %s\n", d.Coding)
	a.printf("pages       %d\n", d.Pages)
	a.printf("generation  %d\n", d.Generation)
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
	if d.Chunks > 0 {
		a.printf("%-10s %20s %20d  if it is authentic\n", "plaintext", "", d.Plaintext)
	}
	if len(d.Findings) > 0 {
		a.printf("\n")
	}
	for _, f := range d.Findings {
		a.printf("%s: %s %s %d %d %s\n", d.File, f.Clause, f.Severity, f.Offset, f.Length, f.Message)
	}
}
