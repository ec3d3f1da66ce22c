package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/set"
	"bulla/stream"
)

type salvageFlags struct {
	identityFlags
	headFlag
	outputFlags
	workFlags
	lostTo string // --map
	opts   stream.SalvageOptions
}

func salvageCommand(a *app) *cobra.Command {
	s := &salvageFlags{}
	cmd := newVerb("salvage FILE -o OUT", "Get back what is left of a damaged file", salvageArgs,
		func(cmd *cobra.Command, args []string) error { return a.salvage(cmd, s, args[0]) })
	s.outputFlags.register(cmd, "write to `FILE`; - is standard output")
	cmd.Flags().StringVar(&s.lostTo, "map", "", "write the lost ranges to `FILE`, as JSON")
	cmd.Flags().StringVar((*string)(&s.opts.From), "from", "", "use one copy of the head alone: `PLACE` is head, tail or detached")
	cmd.Flags().BoolVar(&s.opts.Raw, "raw", false, "leave what was compressed with -z compressed")
	cmd.Flags().BoolVar(&s.opts.Uncertain, "uncertain", false, "write uncertain frames, too")
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
	return exactlyOne(cmd, args)
}

func (a *app) salvage(cmd *cobra.Command, s *salvageFlags, name string) error {
	if s.outputFlags.name == "" {
		return usage("name it with -o FILE, or -o - for standard output", "salvage needs an output")
	}
	switch from := s.opts.From; {
	case !slices.Contains([]format.Place{"", format.AtHead, format.AtTail, format.Detached}, from):
		return usage("--from takes head, tail or detached", "invalid --from %s", safetext.Printable(string(from)))
	case from == format.Detached && s.headFlag.file == "":
		return usage("name it with --head FILE", "--from detached needs a detached head")
	}
	in, ids, err := a.openKeyed(&s.identityFlags, name)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.size < 0 {
		return notAnywhere(in.name)
	}
	out, err := a.planOutput(outputPlan{outputFlags: s.outputFlags, mode: 0o600, text: true})
	if err != nil {
		return err
	}
	var lostTo *output
	if s.lostTo != "" {
		flags := s.outputFlags
		flags.name = s.lostTo
		if lostTo, err = a.planOutput(outputPlan{outputFlags: flags, mode: 0o600}); err != nil {
			return err
		}
		if out.Same(lostTo.Pending) {
			return usage("name another file for one of them", "the output and the map are both %s", safetext.Printable(s.lostTo))
		}
	}
	if s.headFlag.file != "" {
		if s.opts.Head, err = a.readHead(s.headFlag.file); err != nil { // whether it fits is judged below
			return err
		}
	}
	return a.rescue(cmd.Context(), s, ids, in, out, lostTo)
}

// A salvaged is what salvage --json writes, and the map.
type salvaged struct {
	safetext.InputField
	safetext.OutputField
	*set.Salvaged
}

// rescue writes what is left. The output is worth having with its holes, so
// that loss does not keep it from being committed.
func (a *app) rescue(ctx context.Context, s *salvageFlags, ids *identities, in *input, out, lostTo *output) error {
	if err := out.Begin(); err != nil {
		return err
	}
	defer out.Abort()
	start := time.Now()
	s.opts.Workers, s.opts.Done = s.jobs, new(atomic.Int64)
	ids.near(in)
	found, bar, err := a.findSalvage(ctx, s, ids, in, out)
	if err == nil && found.Intact == 0 && !found.Whole() && !(found.Written && found.UncertainBytes > 0) {
		err = errNothing(in.name, &found.Salvaged)
	}
	if err == nil {
		err = out.Commit()
	}
	bar.Finish(err)
	if e, ok := errors.AsType[*stream.ConflictError](err); ok {
		return errConflict(in.name, e)
	}
	if errors.Is(err, stream.ErrNoHead) {
		return errNoHead(about(in.name, err))
	}
	if err != nil {
		return about(in.name, ids.explain(err))
	}
	result := salvaged{in.given.AsInput(), out.given.AsOutput(), found}
	var unlisted error
	if lostTo != nil {
		unlisted = a.writeWhole(lostTo, []byte(encodeJSON(result)+"\n"))
	}
	a.tellCopies(in.name, found.Warnings(), s.opts.Head, found.Head)
	a.tellSalvaged(&result, time.Since(start))
	if err := a.result(out, result); err != nil {
		return err
	}
	if unlisted != nil {
		if !found.Whole() {
			a.warn(explain(result.loss(false)).what, "")
		}
		return withHint(unlisted, also(explain(unlisted).hint, "what was salvaged is there: "+out.name))
	}
	if !found.Whole() {
		return result.loss(s.lostTo != "")
	}
	if found.From != "" {
		return errChosen(in.name, &found.Salvaged)
	}
	return nil
}

// findSalvage writes what is left of a file, or of a set whose root it is.
func (a *app) findSalvage(ctx context.Context, s *salvageFlags, ids *identities, in *input, out *output) (found *set.Salvaged, bar *console.Progress, err error) {
	src := in.At()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if in.InStore() {
		src = &distant{in, fail}
	}
	if !in.isRoot() {
		bar = a.startProgress(&s.workFlags, in.name, 2*in.size, s.opts.Done, out) // it is read twice
		one, err := stream.Salvage(ctx, out.writer(), src, in.size, ids.all, &s.opts)
		if err != nil {
			return nil, bar, err
		}
		return &set.Salvaged{Salvaged: *one}, bar, nil
	}
	open, err := a.partsOf(in)
	if err == nil && (s.opts.Raw || s.opts.From != "") {
		err = usage("salvage one volume by itself", "--raw and --from do not go with a set, as %s is one", in.name)
	}
	if err != nil {
		return nil, nil, err
	}
	bar = a.startProgress(&s.workFlags, in.name, -1, s.opts.Done, out)
	if in.InStore() {
		near := open
		open = func(ctx context.Context, suffix string) (set.File, error) {
			f, err := near(ctx, suffix)
			if err != nil {
				if !errors.Is(err, fs.ErrNotExist) {
					fail(err)
				}
				return nil, err
			}
			return &distant{f, fail}, nil
		}
	}
	found, err = set.Salvage(ctx, out.writer(), src, in.size, open, ids.all, &s.opts)
	return found, bar, err
}

// A distant file is in a store: what cannot be read of it may be out of reach, and is not lost, as on
// a disk that is damaged.
type distant struct {
	set.File
	fail context.CancelCauseFunc
}

func (d *distant) ReadAt(p []byte, off int64) (int, error) {
	n, err := d.File.ReadAt(p, off)
	if err != nil && err != io.EOF {
		d.fail(err)
	}
	return n, err
}

// errConflict is the error for a file whose copies of the head are of different
// files.
func errConflict(name string, e *stream.ConflictError) error {
	var opens []string
	best := e.Sides[0]
	for _, x := range e.Sides {
		what := "is not usable"
		if _, ok := errors.AsType[*stream.NoKeyError](x.Err); ok {
			what = "opens with none of the keys"
		} else if x.Err == nil {
			what = "opens " + plural(int(x.Chunks), "chunk")
		}
		opens = append(opens, copyText(x.Place)+" "+what)
		if x.Chunks > best.Chunks {
			best = x
		}
	}
	return &failure{exit: exitBad, err: e,
		what: fmt.Sprintf("%s is not one file: its copies of the head belong to different ones: %s [%s]", name, strings.Join(opens, ", "), format.COPY1),
		hint: fmt.Sprintf("choose one that you trust: --from %s goes on with %s", best.Place, copyText(best.Place))}
}

// errChosen is the error for a file of which nothing is lost by the copy of the
// head that was chosen.
func errChosen(name string, found *stream.Salvaged) error {
	what, hint := "without a look at other copies of the head", "no copy contradicts it: leave out --from"
	if found.Conflict {
		what, hint = "but another copy of the head contradicts it", "compare the output with another copy of the file before you trust it"
	}
	return &failure{exit: exitBad, what: fmt.Sprintf("all that %s of %s opens was salvaged, %s", copyText(found.From), name, what), hint: hint}
}

func copyText(p format.Place) string {
	if p == format.Detached {
		return "the detached head"
	}
	return "the " + string(p)
}

func errNothing(name string, found *stream.Salvaged) error {
	f := &failure{exit: exitLoss, what: "nothing of " + name + " could be salvaged", hint: "look for another copy of it"}
	if !found.PlacesKnown {
		f.what += ": " + console.Bytes(found.UncertainBytes) + " of it are uncertain"
		f.hint = hintUncertain + "; --uncertain writes it"
	} else if found.Decoded {
		f.hint = "it is compressed, and no frame of it is whole: --raw writes what is authentic of the compressed stream"
	}
	return f
}

const hintUncertain = "what is uncertain may belong elsewhere, or be content that looks like a frame"

func errNoHead(err error) error {
	f := explain(err)
	if errors.As(err, new(format.UnknownVersion)) {
		return f
	}
	f.what += "; and no other copy of its head was found in it"
	return withHint(f, "without its head nothing opens it: name one that bulla head export has kept with --head FILE")
}

func (a *app) tellSalvaged(r *salvaged, took time.Duration) {
	if a.quiet || a.json {
		return
	}
	of, rest := " of "+console.Bytes(r.Size), ""
	if !r.SizeKnown {
		of, rest = "", "; the full size is not known"
	}
	a.con.Line(fmt.Sprintf("bulla: %s: %s%s salvaged to %s in %v%s", r.Input, console.Bytes(r.Intact), of, r.Output, took.Round(time.Millisecond), rest))
	if r.Whole() {
		return
	}
	columns, end := a.con.Columns(71)-len("bulla: []"), ""
	if !r.SizeKnown {
		columns, end = columns-1, "?"
	}
	var gaps []console.Gap
	for _, l := range slices.Concat(r.Lost, r.Uncertain) {
		gaps = append(gaps, console.Gap(l))
	}
	a.con.Line("bulla: [" + console.Map(gaps, r.Size, columns) + end + "]")
	for _, s := range r.Shifts {
		a.con.Line(fmt.Sprintf("bulla: from byte %d of %s on, everything is %s", s.Offset, r.Input, movedText(s.By)))
	}
}

func movedText(by int64) string {
	switch {
	case by < 0:
		return plural(int(-by), "byte") + " too far ahead: something is missing before it"
	case by > 0:
		return plural(int(by), "byte") + " too far back: something was inserted before it"
	}
	return "in its place again"
}

// loss is the error that says what is missing.
func (r *salvaged) loss(listed bool) error {
	f := &failure{exit: exitLoss, hint: "--map FILE lists everything that is lost"}
	if listed {
		f.hint = "the map lists everything that is lost"
	}
	if r.PlacesKnown && len(r.Lost) == 0 {
		f.what = fmt.Sprintf("the end of %s is missing; the full size is not known", r.Output)
		f.hint = "what is there is authentic"
		return r.missing(f)
	}
	lost, where := spell(r.Lost)
	f.what = fmt.Sprintf("%s lost in %s; %s has zeros there: %s", console.Bytes(lost), plural(len(r.Lost), "place"), r.Output, where)
	if !r.PlacesKnown {
		_, where := spell(r.Uncertain)
		f.what = fmt.Sprintf("at least %s; %s uncertain: %s", f.what, console.Bytes(r.UncertainBytes), where)
		if f.hint = hintUncertain; !r.Written {
			f.hint += "; --uncertain writes it"
		}
	}
	if !r.SizeKnown {
		f.what += "; more may be missing at the end"
	}
	return r.missing(f)
}

// missing adds the parts of a set that are missing.
func (r *salvaged) missing(f *failure) *failure {
	const most = 3
	for i, suffix := range r.Missing[:min(len(r.Missing), most)] {
		f.what += []string{"; missing: ", ", "}[min(i, 1)] + r.Input.String() + suffix
	}
	if n := len(r.Missing) - most; n > 0 {
		f.what += fmt.Sprintf(" and %d more", n)
	}
	return f
}

// spell is how long ranges are in all, and where the first of them are.
func spell(ranges []stream.Range) (total int64, where string) {
	const most = 3
	var all []string
	for _, r := range ranges {
		total += r.Length
		all = append(all, fmt.Sprintf("%d+%d", r.Offset, r.Length))
	}
	if len(all) > most {
		all = append(all[:most], "...")
	}
	return total, strings.Join(all, ", ")
}
