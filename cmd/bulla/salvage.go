package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"bulla/format"
	"bulla/stream"
)

type salvageFlags struct {
	identityFlags
	headFlag
	outputFlags
	workFlags
	lostTo string // --map
	raw    bool
}

func salvageCommand(a *app) *cobra.Command {
	s := &salvageFlags{}
	cmd := &cobra.Command{
		Use:   "salvage FILE -o OUT",
		Short: "Get back what is left of a damaged file",
		Long: `Write to OUT all of FILE that is still authentic, each byte in its place, and zeros for
what is lost. Nothing else is written: no byte that did not authenticate.

FILE may have lost its head (the copy at its end serves, or one that was kept with bulla
head export), its end, or sectors in the middle; it may lie on a disk with read errors,
be a part of something larger, and have bytes inserted or missing anywhere. What moved
by that is looked for: at every byte nearby, at every sector up to 16 MiB away. FILE is
read twice, and stays as it is.

What was compressed with -z is decompressed, except the frames of 2 MiB that touch
what is lost; if the end of FILE is lost, with the table of the frames, it stays as it is.

It is said what is lost, with a map of the whole. Exit code 0 if nothing is lost, 6 if
something is: OUT is there all the same. It is opened like for decrypt: with -i, -p,
--kek, or the default identity.`,
		Example: `  bulla salvage -o backup.tar backup.tar.bulla
  bulla salvage -i key.txt --map lost.json -o disk.img /mnt/dying/disk.img.bulla
  bulla salvage --head kept.head -o letter.txt damaged.bulla`,
		Args:              exactlyOneFile,
		ValidArgsFunction: completeContainers,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.salvage(cmd, s, args[0]) },
	}
	s.outputFlags.register(cmd, "write to `FILE`; - is standard output")
	cmd.Flags().StringVar(&s.lostTo, "map", "", "write the lost ranges to `FILE`, as JSON")
	cmd.Flags().BoolVar(&s.raw, "raw", false, "leave what was compressed with -z compressed")
	s.identityFlags.register(a, cmd)
	s.headFlag.register(cmd)
	s.workFlags.register(cmd)
	return cmd
}

// salvage carries out the verb.
func (a *app) salvage(cmd *cobra.Command, s *salvageFlags, name string) error {
	if err := s.workFlags.check(cmd); err != nil {
		return err
	}
	if s.outputFlags.name == "" {
		return usage("name it with -o FILE, or -o - for standard output", "salvage needs an output")
	}
	if err := a.claimInput(name); err != nil {
		return err
	}
	ids, err := s.find(true)
	if err != nil {
		return err
	}
	in, err := a.openInput(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.size < 0 {
		return usage("store it as a file first", "%s cannot be read at any place", in.name)
	}
	out, err := a.planOutput(outputPlan{outputFlags: s.outputFlags, from: in, mode: 0o600, text: true})
	if err != nil {
		return err
	}
	lostTo, err := a.planMap(s, in)
	if err != nil {
		return err
	}
	head, err := s.headFlag.read(a, in)
	if err != nil {
		return err
	}
	return a.rescue(cmd.Context(), s, ids, in, out, lostTo, head)
}

// planMap is the output for the map; nil if none is wanted.
func (a *app) planMap(s *salvageFlags, in *input) (*output, error) {
	if s.lostTo == "" {
		return nil, nil
	}
	flags := s.outputFlags
	flags.name = s.lostTo
	if s.lostTo == s.outputFlags.name {
		return nil, usage("name another file for one of them", "the output and the map are both %s", printable(s.lostTo))
	}
	return a.planOutput(outputPlan{outputFlags: flags, from: in, mode: 0o600})
}

// Salvaged is what salvage --json says, and what the map is.
type salvaged struct {
	Input     string         `json:"input"`
	Output    string         `json:"output"`
	Size      int64          `json:"plaintext_bytes"` // up to what is known of it
	SizeKnown bool           `json:"size_known"`
	Intact    int64          `json:"intact_bytes"`
	Lost      []stream.Range `json:"lost"`
	Shifts    []stream.Shift `json:"shifts"`
}

// rescue writes what is left. The output is worth having with its holes, so
// that loss does not keep it from being committed.
func (a *app) rescue(ctx context.Context, s *salvageFlags, ids *identities, in *input, out, lostTo *output, head []byte) error {
	if err := out.create(&a.left); err != nil {
		return err
	}
	defer out.Discard()
	start := time.Now()
	opts := &stream.ReaderOptions{Workers: s.jobs, Head: head, Done: new(atomic.Int64), Raw: s.raw}
	bar := a.startProgress(&s.workFlags, in.name, 2*in.size, opts.Done, out) // it is read twice
	found, err := stream.Salvage(ctx, out.writer(), in.File, in.size, ids.all, opts)
	if err == nil && found.Intact == 0 && !found.Whole() {
		err = &failure{exit: exitLoss, what: "nothing of " + in.name + " could be salvaged", hint: "if it was encrypted to this key it is all damaged, or has moved too far; look for another copy"}
	}
	if err == nil {
		err = out.Commit()
	}
	bar.finish(err)
	if err != nil {
		return about(in.name, ids.explain(err))
	}
	result := salvaged{in.name, out.name, found.Size, found.SizeKnown, found.Intact, found.Lost, found.Shifts}
	if result.Lost == nil {
		result.Lost = []stream.Range{}
	}
	if result.Shifts == nil {
		result.Shifts = []stream.Shift{}
	}
	if lostTo != nil {
		if err := a.writeWhole(lostTo, []byte(encodeJSON(result)+"\n")); err != nil {
			return err
		}
	}
	a.tellSalvaged(&result, found, time.Since(start))
	if err := a.result(out, result); err != nil {
		return err
	}
	if !found.Whole() {
		return result.loss(s.lostTo != "")
	}
	return nil
}

// tellSalvaged says what came of it, with a map.
func (a *app) tellSalvaged(r *salvaged, found *stream.Salvaged, took time.Duration) {
	if found.Head.Coding != format.Plain && !found.Decoded {
		a.warn(r.Output+" is compressed, as the payload of "+r.Input+" is", "zstd -d decompresses what is in front of the first hole")
	}
	if a.quiet || a.json {
		return
	}
	a.con.line(fmt.Sprintf("bulla: %s: %s of %s salvaged to %s in %v", r.Input, bytesText(r.Intact), bytesText(r.Size), r.Output, took.Round(time.Millisecond)))
	if found.Whole() {
		return
	}
	columns := 72
	if w, _, err := term.GetSize(int(a.err.Fd())); err == nil && w > 0 {
		columns = w
	}
	const frame = len("bulla: []") + 1 // in the last column some terminals wrap
	a.con.line("bulla: [" + damageMap(r.Lost, r.Size, columns-frame, mapScale()) + "]")
	for _, s := range r.Shifts {
		a.con.line(fmt.Sprintf("bulla: from byte %d of %s on, all is %s", s.Offset, r.Input, movedText(s.By)))
	}
}

// movedText says where what was found has moved to.
func movedText(by int64) string {
	unit := "bytes"
	if by == 1 || by == -1 {
		unit = "byte"
	}
	switch {
	case by < 0:
		return fmt.Sprintf("%d %s further ahead than it was: something is missing before it", -by, unit)
	case by > 0:
		return fmt.Sprintf("%d %s further back than it was: something was inserted before it", by, unit)
	}
	return "in its place again"
}

// loss is the error that tells what is missing.
func (r *salvaged) loss(listed bool) error {
	const most = 3 // ranges that are said in one line
	lost := int64(0)
	var where []string
	for i, l := range r.Lost {
		lost += l.Length
		switch {
		case i < most:
			where = append(where, fmt.Sprintf("%d+%d", l.Offset, l.Length))
		case i == most:
			where = append(where, "...")
		}
	}
	f := &failure{exit: exitLoss, hint: "--map FILE lists all that is lost"}
	if listed {
		f.hint = "the map lists all that is lost"
	}
	switch {
	case lost > 0:
		f.what = fmt.Sprintf("%s in %s of %s are lost and filled with zeros: %s", bytesText(lost), plural(len(r.Lost), "place"), r.Output, strings.Join(where, ", "))
		if !r.SizeKnown {
			f.what += "; and more may be missing at the end"
		}
	default:
		f.what = fmt.Sprintf("the end of %s is missing: how much there was is not known", r.Output)
		f.hint = "what is there is authentic"
	}
	return f
}
