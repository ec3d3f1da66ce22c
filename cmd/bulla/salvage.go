package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bulla/internal/console"
	"bulla/internal/safetext"
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
by that is looked for: at every byte nearby, up to 512 KiB away if the end is there, and
at every sector up to 16 MiB away. What has moved further counts as lost. FILE is read
twice, and stays as it is.

What was compressed with -z is decompressed, except the frames of 2 MiB that touch what
is lost; all sizes are then of what it decompresses to. If the end of FILE is lost, with
the table of the frames, it is not known how many of them are lost in a hole: OUT has
zeros for the fewest that can be, and what is behind may belong some frames further back.
--raw gives the compressed stream as it is instead.

It is said what is lost, with a map of the whole, which ends in a ? if it is not known
how much there was. Exit code 0 if nothing is lost, 6 if something is: OUT is there all
the same, unless nothing could be salvaged. It is opened like for decrypt: with -i, -p,
--kek, or the default identity.`,
		Example: `  bulla salvage -o backup.tar backup.tar.bulla
  bulla salvage -i key.txt --map lost.json -o disk.img /mnt/dying/disk.img.bulla
  bulla salvage --head kept.head -o letter.txt damaged.bulla`,
		Args:              salvageArgs,
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

// salvageArgs accepts one file, with an example that has an output.
func salvageArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage("for example: "+cmd.CommandPath()+" -o backup.tar backup.tar.bulla", "%s takes the name of a file", cmd.Name())
	}
	return exactlyOneFile(cmd, args)
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
	lostTo, err := a.planMap(s, in, out)
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
func (a *app) planMap(s *salvageFlags, in *input, out *output) (*output, error) {
	if s.lostTo == "" {
		return nil, nil
	}
	flags := s.outputFlags
	flags.name = s.lostTo
	lostTo, err := a.planOutput(outputPlan{outputFlags: flags, from: in, mode: 0o600})
	if err == nil && sameOutput(out, lostTo) {
		err = usage("name another file for one of them", "the output and the map are both %s", safetext.Printable(s.lostTo))
	}
	return lostTo, err
}

// sameOutput reports whether what is written to one output would be written over,
// or go between, what is written to the other, whatever their names.
func sameOutput(x, y *output) bool {
	if x.File != nil && x.File == y.File || x.plan.name == y.plan.name {
		return true
	}
	a, errA := x.lies()
	b, errB := y.lies()
	if errA == nil && errB == nil {
		return os.SameFile(a, b) && a.Mode()&fs.ModeCharDevice == 0 // which takes both
	}
	// One is not there yet, or both: then it is a name in a directory, of which some
	// systems do not mind the case.
	a, errA = os.Stat(filepath.Dir(x.plan.name))
	b, errB = os.Stat(filepath.Dir(y.plan.name))
	return errA == nil && errB == nil && os.SameFile(a, b) && strings.EqualFold(filepath.Base(x.plan.name), filepath.Base(y.plan.name))
}

// lies is the file that an output is going to write to or to replace.
func (o *output) lies() (fs.FileInfo, error) {
	if o.File != nil {
		return o.Stat()
	}
	return os.Lstat(o.plan.name)
}

// Salvaged is what salvage --json says, and what the map is.
type salvaged struct {
	safetext.InputField
	safetext.OutputField
	Size      int64          `json:"plaintext_bytes"` // up to what is known of it
	SizeKnown bool           `json:"size_known"`
	Intact    int64          `json:"intact_bytes"`
	Lost      []stream.Range `json:"lost"`
	Shifts    []stream.Shift `json:"shifts"`

	Decompressed bool `json:"decompressed"`
	PlacesKnown  bool `json:"places_known"` // of what is behind the first lost range
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
		err = errNothing(in.name, found)
	}
	if err == nil {
		err = out.Commit()
	}
	bar.Finish(err)
	if errors.Is(err, stream.ErrNoHead) {
		return errNoHead(about(in.name, err))
	}
	if err != nil {
		return about(in.name, ids.explain(err))
	}
	result := salvaged{in.given.AsInput(), out.given.AsOutput(), found.Size, found.SizeKnown, found.Intact, found.Lost, found.Shifts, found.Decoded, !found.Loose}
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
		return result.loss(found, s.lostTo != "")
	}
	return nil
}

// errNothing is the error for a file of which nothing is left.
func errNothing(name string, found *stream.Salvaged) error {
	f := &failure{exit: exitLoss, what: "nothing of " + name + " could be salvaged",
		hint: "if it was encrypted to this key it is all damaged, or has moved too far; look for another copy"}
	if found.Decoded {
		f.hint = "it is compressed, and no frame of it is whole: --raw gives what is authentic of the compressed stream"
	}
	return f
}

// errNoHead is the error for a file that has lost all copies of its head.
func errNoHead(err error) error {
	f := explain(err)
	f.what += "; and no other copy of its head was found in it"
	return withHint(f, "without its head nothing opens it: name one that bulla head export has kept with --head FILE")
}

// tellSalvaged says what came of it, with a map.
func (a *app) tellSalvaged(r *salvaged, found *stream.Salvaged, took time.Duration) {
	if a.quiet || a.json {
		return
	}
	of, rest := " of "+console.Bytes(r.Size), ""
	if !r.SizeKnown {
		of, rest = "", ": how much there was is not known"
	}
	a.con.Line(fmt.Sprintf("bulla: %s: %s%s salvaged to %s in %v%s", r.Input, console.Bytes(r.Intact), of, r.Output, took.Round(time.Millisecond), rest))
	if found.Whole() {
		return
	}
	columns := a.con.Columns(71) - len("bulla: []")
	end := ""
	if !r.SizeKnown {
		columns, end = columns-1, "?"
	}
	var gaps []console.Gap
	for _, l := range r.Lost {
		gaps = append(gaps, console.Gap(l))
	}
	a.con.Line("bulla: [" + console.Map(gaps, r.Size, columns) + end + "]")
	for _, s := range r.Shifts {
		a.con.Line(fmt.Sprintf("bulla: from byte %d of %s on, all is %s", s.Offset, r.Input, movedText(s.By)))
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
func (r *salvaged) loss(found *stream.Salvaged, listed bool) error {
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
	if found.Missed {
		f.hint += "; what has moved further than was looked for counts as lost"
	}
	least := ""
	if found.Loose {
		least = "at least "
		f.hint = "the table of the frames is lost: what is behind the first of these may belong further back, by some frames of 2 MiB"
	}
	switch {
	case lost > 0:
		f.what = fmt.Sprintf("%s%s in %s of %s are lost and filled with zeros: %s", least, console.Bytes(lost), plural(len(r.Lost), "place"), r.Output, strings.Join(where, ", "))
		if !r.SizeKnown {
			f.what += "; and more may be missing at the end"
		}
	default:
		f.what = fmt.Sprintf("the end of %s is missing: how much there was is not known", r.Output)
		f.hint = "what is there is authentic"
	}
	return f
}
