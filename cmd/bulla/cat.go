package main

import (
	"cmp"
	"context"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"bulla/internal/console"
)

type catFlags struct {
	randomFlags
	outputFlags
	ranges []string
	first  bool
}

func catCommand(a *app) *cobra.Command {
	c := &catFlags{}
	cmd := newVerb("cat FILE[::MEMBER]", "Write a part of a file, or a member of an archive in it", exactlyOne,
		func(cmd *cobra.Command, args []string) error { return a.cat(cmd, c, args[0]) })
	f := cmd.Flags()
	f.StringArrayVar(&c.ranges, "range", nil, "write only `RANGE` (repeatable)")
	f.BoolVar(&c.first, "first", false, "take the first member of that name, and search no further")
	c.outputFlags.register(cmd, "write to `FILE` (default: standard output)")
	c.randomFlags.register(a, cmd)
	c.grantFlag.register(cmd)
	return cmd
}

func (a *app) cat(cmd *cobra.Command, c *catFlags, arg string) error {
	if len(c.ranges) == 0 && c.grant == "" {
		c.ranges = []string{"0-"}
	}
	var ranges []console.Range
	for _, s := range c.ranges {
		r, err := console.ParseRange(s)
		if err != nil {
			return usage(console.RangeForms, "%v", err)
		}
		ranges = append(ranges, r)
	}
	file, member, err := splitMember(arg)
	if err != nil {
		return err
	}
	if c.first && member == "" {
		return usage("bulla cat FILE"+memberMark+"MEMBER names one", "--first is about members, and none is named")
	}
	var out *output
	r, err := a.openRandom(cmd.Context(), &c.randomFlags, file, func(in *input) (err error) {
		out, err = a.planOutput(outputPlan{outputFlags: c.outputFlags, mode: 0o600, text: true})
		return err
	})
	if err != nil {
		return err
	}
	defer r.Close()
	from := r.whole()
	if g, ok := r.plaintext.(grantedPlaintext); ok && len(ranges) == 0 && member == "" {
		for _, x := range g.Ranges() {
			ranges = append(ranges, console.RangeOf(x.Offset, x.Length))
		}
	} else if ok && len(ranges) == 0 {
		ranges = append(ranges, console.RangeOf(0, math.MaxInt64))
	}
	if member != "" {
		if from, err = a.find(r, member, c.first); err != nil {
			return err
		}
	}
	return a.writeRanges(cmd.Context(), c, r, from, ranges, out)
}

// find finds a member of the archive in a file. Where the archive breaks off, the
// last that there is counts.
func (a *app) find(r *randomAccess, name string, first bool) (*content, error) {
	in, err := openArchive(r)
	if err != nil {
		return nil, err
	}
	m, end := in.Find(name, first)
	if m == nil && end != nil && r.EndMissing(end) {
		return nil, r.loss(end, "nothing that was asked for is in what there is")
	}
	if m == nil || end != nil && !r.breaksOff(end) {
		return nil, archiveError(r, end)
	}
	from, err := r.member(in, m)
	if err == nil && end != nil && !r.EndMissing(end) { // of the file's own end more is said later
		a.tellBrokenOff(r, end)
	}
	return from, err
}

// tellBrokenOff warns that what comes behind in an archive is not known.
func (a *app) tellBrokenOff(r *randomAccess, end error) {
	a.warn(explain(archiveError(r, end)).what, "a later member of the same name may be missing")
}

// writeRanges writes what was asked for. That it can be is seen to before
// anything is written.
func (a *app) writeRanges(ctx context.Context, c *catFlags, r *randomAccess, from *content, ranges []console.Range, out *output) error {
	type part struct{ offset, length int64 }
	var parts []part
	total := int64(0)
	for _, want := range ranges {
		offset, length, err := want.Resolve(from.size)
		switch {
		case err != nil && from.size < 0:
			return usage("count from the beginning", "%v", err)
		case err != nil:
			return usage("a range must begin before the end; it may end after it", "%v", err)
		}
		parts = append(parts, part{offset, length})
		total += min(length, math.MaxInt64-total)
	}
	if from.size < 0 {
		total = -1
	}
	start := time.Now()
	var n int64
	var lost error
	show := func() *console.Progress { return a.startProgress(&c.workFlags, from.name, total, r.done, out) }
	err := a.produce(out, show, func(w io.Writer) error { // of all parts: what is split between two of them may be no text
		for _, p := range parts {
			k, err := from.write(w, p.offset, p.length)
			n += k
			if err != nil && r.EndMissing(err) {
				lost, err = err, nil
			}
			if err = cmp.Or(err, context.Cause(ctx)); err != nil {
				return err
			}
		}
		if n == 0 && lost != nil {
			return r.loss(lost, "nothing that was asked for is in what there is")
		}
		return nil
	})
	if err != nil {
		return unfinished(err, out, n)
	}
	a.note("%s: %s to %s in %v", from.name, console.Bytes(n), out.name, time.Since(start).Round(time.Millisecond))
	if err := a.result(out, written{InputField: r.in.given.AsInput(), Member: from.member, OutputField: out.given.AsOutput(), Plaintext: n}); err != nil {
		return err
	}
	if lost != nil {
		return r.loss(lost, "the "+console.Bytes(n)+" that came out are authentic, and not all that was asked for")
	}
	a.tellTruncated(r)
	return nil
}
