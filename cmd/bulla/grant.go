package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/archive"
	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/set"
	"bulla/stream"
)

type grantFlags struct {
	randomFlags
	recipientFlags
	outputFlags
	entropyFlags
	ranges  []string
	members []string
}

func grantCommand(a *app) *cobra.Command {
	g := &grantFlags{}
	cmd := newVerb("grant FILE", "Let someone read a part of a file, and no more", exactlyOne,
		func(cmd *cobra.Command, args []string) error { return a.grant(cmd, g, args[0]) })
	f := cmd.Flags()
	f.StringArrayVar(&g.ranges, "range", nil, "grant `RANGE` (repeatable)")
	f.StringArrayVar(&g.members, "member", nil, "grant the data of the member `NAME` of the archive in FILE (repeatable)")
	g.recipientFlags.registerPublic(a, cmd, keyUse{act: "grant to"})
	g.outputFlags.register(cmd, "write to `FILE` (default FILE"+grantSuffix+")")
	g.randomFlags.register(a, cmd)
	g.entropyFlags.register(cmd)
	return cmd
}

// grantSuffix ends the names of grants.
const grantSuffix = ".grant"

// granted is what grant --json says.
type granted struct {
	safetext.InputField
	safetext.OutputField
	Plaintext  int64          `json:"plaintext_bytes"` // that are granted
	Ranges     []stream.Range `json:"ranges"`
	Recipients int            `json:"recipients"`
}

func (a *app) grant(cmd *cobra.Command, g *grantFlags, name string) error {
	if len(g.ranges)+len(g.members) == 0 {
		return usage("name it with --range or --member", "nothing to grant")
	}
	mixer, err := g.mixer(a, cmd)
	if err != nil {
		return err
	}
	keys, err := g.recipientFlags.check()
	if err != nil {
		return err
	}
	to := g.planned(keys)
	if err := explainPlan(stream.Plan(to, &stream.WriterOptions{Entropy: mixer})); err != nil {
		return err
	}
	var out *output
	r, err := a.openRandom(cmd.Context(), &g.randomFlags, name, func(in *input) (err error) {
		out, err = a.planOutput(outputPlan{outputFlags: g.outputFlags, mode: 0o666, binary: true,
			byDefault: in.named(func(path string) (string, error) { return path + grantSuffix, nil })})
		return err
	})
	if err != nil {
		return err
	}
	defer r.Close()
	ranges, err := a.rangesOf(g, r)
	if err != nil {
		return err
	}
	maker, ok := r.plaintext.(interface {
		Grant(...stream.Range) (*stream.Grant, error)
	})
	if !ok || r.cut != nil {
		return usage("name the file itself", "%s cannot be granted", r.in.name)
	}
	made, err := maker.Grant(ranges...)
	if errors.Is(err, stream.ErrGrantRange) {
		return usage("make several grants", "the ranges are too many for one grant")
	} else if err != nil {
		return about(r.in.name, err)
	}
	defer made.Close()
	err = a.produce(out, nil, func(w io.Writer) error {
		return made.Write(cmd.Context(), w, to, &stream.WriterOptions{Entropy: mixer})
	})
	if err != nil {
		return err
	}
	done := granted{r.in.given.AsInput(), out.given.AsOutput(), 0, ranges, len(to)}
	for _, x := range ranges {
		done.Plaintext += x.Length
	}
	a.note("%s: %s in %s granted to %s by %s", r.in.name, console.Bytes(done.Plaintext), plural(len(ranges), "range"), plural(len(to), "recipient"), out.name)
	return a.result(out, done)
}

// rangesOf finds what is to be granted, in order.
func (a *app) rangesOf(g *grantFlags, r *randomAccess) (all []stream.Range, err error) {
	for _, text := range g.ranges {
		want, err := console.ParseRange(text)
		if err != nil {
			return nil, usage(console.RangeForms, "%v", err)
		}
		offset, length, err := want.Resolve(r.size)
		if err != nil || length == 0 {
			return nil, usage("a range must have a byte that is there", "there is nothing in the range %s", safetext.Printable(text))
		}
		all = append(all, stream.Range{Offset: offset, Length: length})
	}
	if len(g.members) > 0 {
		in, err := openArchive(r)
		if err != nil {
			return nil, err
		}
		for _, name := range g.members {
			m, end := in.Find(name, false)
			if m == nil {
				return nil, archiveError(r, cmp.Or(end, error(&archive.MissingError{Name: name})))
			}
			places, bare := new(placesOf), *m
			bare.Checked = false // where it lies is asked for alone
			c, err := in.Content(&bare, places, r.done)
			if err == nil {
				_, err = c.WriteRange(r.ctx, io.Discard, 0, m.Size)
			}
			if err != nil {
				return nil, archiveError(r, err)
			}
			if len(places.all) == 0 {
				return nil, usage("grant a --range of "+r.in.name, "%s in the archive is empty, or compressed there", safetext.Printable(name))
			}
			all = append(all, places.all...)
		}
	}
	slices.SortFunc(all, func(x, y stream.Range) int { return cmp.Compare(x.Offset, y.Offset) })
	return all, nil
}

// placesOf notes where the data of a member lies that is as it is in the archive.
type placesOf struct{ all []stream.Range }

func (p *placesOf) WriteRange(_ context.Context, _ io.Writer, at, n int64) (int64, error) {
	if k := len(p.all) - 1; k >= 0 && p.all[k].Offset+p.all[k].Length == at {
		p.all[k].Length += n
	} else {
		p.all = append(p.all, stream.Range{Offset: at, Length: n})
	}
	return n, nil
}

// A grantFlag names the grant that a verb reads with.
type grantFlag struct{ grant string }

func (f *grantFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.grant, "grant", "g", "", "read what the grant in `GRANT` gives, which bulla grant made")
}

// A grantedPlaintext is what of a file a grant gives.
type grantedPlaintext struct{ *stream.Granted }

// openGranted opens the file that in.grant is on.
func (a *app) openGranted(ctx context.Context, in *input, ids *identities, opts *stream.ReaderAtOptions) (plaintext, error) {
	if opts.AllowTruncated || opts.Raw || opts.Head != nil || in.signed != nil {
		return nil, usage("leave them out", "--truncated, --raw, --head and --signed-by do not go with a grant")
	}
	name := in.grant
	b, err := a.openFor(name, "the grant")
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if !b.Regular() {
		return nil, usage("store it as a file first", "the grant %s cannot be read at any place", printable(name))
	}
	parts, _ := a.partsOf(in) // which only a set needs
	volumes := set.Targets(ctx, parts)
	g, err := stream.OpenGrant(ctx, b.At(), b.Size(), ids.all, func(p format.Part) (stream.Target, error) {
		switch {
		case p.Role == format.RoleFile:
			return in.Blob, nil
		case parts == nil:
			return nil, usage("name the file, as a path", "the volumes of %s are found by its name", in.name)
		}
		return volumes(p)
	}, &stream.GrantOptions{Workers: opts.Workers, Done: opts.Done})
	if err != nil {
		return nil, about(printable(name), ids.explain(err))
	}
	a.tellFound(printable(name), g.Warnings(), false)
	return grantedPlaintext{g}, nil
}

// whole fails if there is more in the file than the grant gives.
func (g grantedPlaintext) whole() error {
	if all := (stream.Range{Length: g.Granted.Size()}); !slices.Equal(g.Ranges(), []stream.Range{all}) {
		return &stream.NotGrantedError{Range: all}
	}
	return nil
}

func (g grantedPlaintext) Size() (int64, error)       { return g.Granted.Size(), nil }
func (g grantedPlaintext) Head() *format.Head         { return nil }
func (g grantedPlaintext) Warnings() []format.Finding { return nil } // of the file: a holder cannot judge its copies
func (g grantedPlaintext) Truncated() error           { return nil }
func (g grantedPlaintext) EndMissing(error) bool      { return false }
func (g grantedPlaintext) OpenedSlot() int            { return -1 }
