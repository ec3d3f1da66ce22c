package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/parity"
)

type shredFlags struct {
	listFlags
	dryRun, yes, allVersions bool
}

func shredCommand(a *app) *cobra.Command {
	s := &shredFlags{listFlags: listFlags{whom: recipientFlags{allEpochs: true}}}
	cmd := newVerb("shred FILE...", "Destroy files: no key opens them any more", takes(1, 0, "the names of files", "bulla shred --dry-run old.tar.bulla"),
		func(cmd *cobra.Command, args []string) error { return a.shred(cmd.Context(), s, args) })
	f := cmd.Flags()
	f.BoolVarP(&s.dryRun, "dry-run", "n", false, "show what would be destroyed, and write nothing")
	f.BoolVar(&s.yes, "yes", false, "do not ask")
	f.BoolVar(&s.allVersions, "all-versions", false, "of an object in a bucket that keeps versions: delete all of them")
	s.identityFlags.register(a, cmd)
	s.whom.registerPublic(a, cmd, toFind)
	return cmd
}

// A shredding is what shred says of a file, in JSON as it stands.
type shredding struct {
	safetext.FileField
	DryRun   bool          `json:"dry_run,omitempty"`
	Shredded bool          `json:"shredded"`             // it is, now or by an earlier run
	Role     string        `json:"role,omitempty"`       // of its head
	Slots    []listedSlot  `json:"slots"`                // who can open it; none if no copy of its head is sound
	Parity   safetext.Name `json:"parity,omitempty"`     // whose copy of the head is destroyed, too
	Leads    safetext.Name `json:"leads_to,omitempty"`   // the file that a symbolic link leads to
	Links    int           `json:"hard_links,omitempty"` // if there are several

	parities    []string // all of these, if the file was named by a link
	*headSource          // patch is nil in a dry run
}

// Both copies lie in the first and in the last shredSize bytes, however long they are: so
// it makes no difference which of them are damaged, or were destroyed by a run that was
// killed. What else lies there was of no use without them.
const shredSize = format.MaxHeadSize

func (a *app) shred(ctx context.Context, s *shredFlags, names []string) error {
	if err := a.claimInput(names...); err != nil {
		return err
	}
	named, err := s.named()
	if err != nil {
		return err
	}
	ids, err := s.find(false)
	if err != nil {
		return err
	}
	var errs []error
	var all []*shredding
	for _, name := range names {
		d, err := a.toShred(ctx, s, name, ids, named)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer d.in.Close()
		all = append(all, d)
		a.tellShred(d)
	}
	if len(all) > 0 && !s.dryRun {
		if err := a.confirm(ctx, s.yes, "Destroy "+plural(len(all), "file")+" for good?"); err != nil {
			return err
		}
	}
	for _, d := range all {
		if !s.dryRun {
			if err := a.destroy(ctx, d, s.allVersions); err != nil {
				errs = append(errs, err)
				continue
			}
			d.Shredded = true
			a.note("%s: destroyed", d.name)
		}
		if a.json {
			a.printJSON(d)
		}
	}
	if len(errs) > 0 {
		return a.worst(errs)
	}
	return a.outErr
}

// toShred opens a file that is to be destroyed, and finds out who can open it.
func (a *app) toShred(ctx context.Context, s *shredFlags, name string, ids *identities, named []namedRecipient) (d *shredding, err error) {
	h := &headSource{}
	if s.dryRun {
		h.in, err = a.openInput(name)
	} else if h.patch, err = a.files.Patch(name, storage.PatchOptions{}); err == nil {
		h.in = a.newInput(h.patch.Blob, name)
	}
	if err != nil {
		return nil, a.remake(name, err)
	}
	h.name = h.in.name
	d = &shredding{FileField: h.in.given.AsFile(), DryRun: s.dryRun, Slots: []listedSlot{}, headSource: h}
	for _, path := range parityNames(h.in.path) {
		if h.in.path != "" && !errors.Is(a.probe(path), fs.ErrNotExist) {
			d.parities = append(d.parities, path)
			d.Parity = safetext.Name(d.parities[0])
		}
	}
	if err = cmp.Or(d.judgeFile(), a.accepted(h.in)); err == nil {
		err = d.judgeHead(ctx, ids, named)
	}
	if err != nil {
		h.close()
	}
	return d, err
}

// judgeFile looks at names: what a link leads to, and other names.
func (d *shredding) judgeFile() error {
	switch st := d.in.Info(); {
	case d.in.InStore():
		return nil
	case !d.in.regular:
		return &storage.Error{Kind: storage.NotPatchable, Name: d.in.path}
	case st.Mode().Perm()&0o200 == 0:
		return refuse("chmod u+w "+safetext.Shell(d.in.path)+" if it is to go", "%s is read-only", d.name)
	case storage.Links(st) > 1:
		d.Links = storage.Links(st)
	}
	if l, err := os.Lstat(d.in.path); err == nil && l.Mode()&fs.ModeSymlink != 0 {
		to, err := filepath.EvalSymlinks(d.in.path)
		if err != nil {
			return err
		}
		d.Leads = safetext.Name(to)
	}
	return nil
}

// judgeHead finds out who can open the file. It refuses what is no container, and what is
// but a part of a set.
func (d *shredding) judgeHead(ctx context.Context, ids *identities, named []namedRecipient) error {
	copies := format.ReadCopies(d.in.At(), d.in.size)
	usable := copies.Usable()
	if len(usable) == 0 {
		d.Shredded = errors.Is(copies.HeadErr, format.ForeignShredded)
		if errors.Is(copies.HeadErr, format.ErrNotBulla) && !d.Shredded {
			return about(d.name, copies.HeadErr)
		}
		return nil
	}
	head := usable[0].Head
	d.Role, d.Slots = head.Role.String(), newListing(d.File, head).Slots
	if head.Role == format.RoleVolume || head.Role == format.RoleIndex {
		return refuse(roleHints[head.Role], "%s is a %v: destroying it ends nothing, and damages its set", d.name, head.Role)
	}
	h, err := d.open(ctx, ids)
	if err != nil {
		return nil // none of the keys: the slots are listed as everybody sees them
	}
	defer h.Close()
	d.Slots = keyedListing(d.File, h, ids.openers(named)).Slots
	return nil
}

// tellShred says what is about to be destroyed, and what is not.
func (a *app) tellShred(d *shredding) {
	if a.json || a.quiet {
		return
	}
	switch {
	case d.Shredded:
		a.printf("%s: destroyed by an earlier run\n", d.File)
	case len(d.Slots) == 0:
		a.printf("%s: neither copy of its head is sound\n", d.File)
	default:
		a.printf("%s: %s can open it\n", d.File, plural(len(d.Slots), "recipient"))
	}
	for _, s := range d.Slots {
		a.printf("%s\n", s.line())
	}
	if d.Role == format.RoleRoot.String() {
		a.printf("it is the root of a set: nothing opens its volumes any more; they stay where they are\n")
	}
	if d.Leads != "" {
		a.printf("it is a link: %s is destroyed\n", d.Leads)
	}
	if d.Links > 0 {
		a.printf("it has %d names (hard links): under all of them it is destroyed\n", d.Links)
	}
	for _, path := range d.parities {
		a.printf("the copy of the head in %s is destroyed, too\n", safetext.Name(path))
	}
	a.printf("not reached: copies and backups of it, snapshots, detached heads, grants, keys that somebody kept\n")
}

// destroy overwrites both ends of a container, and the copy of its head in the parity file
// last: each is durable before the next. Of an object that keeps versions it deletes all.
func (a *app) destroy(ctx context.Context, d *shredding, allVersions bool) error {
	size := d.in.size
	first := make([]byte, min(size, shredSize))
	copy(first, format.ShreddedMark)
	changes := []storage.Change{{New: first}}
	if n := min(size-int64(len(first)), shredSize); n > 0 {
		changes = append(changes, storage.Change{Offset: size - n, New: make([]byte, n)})
	}
	err := a.overwrite(ctx, d.patch, string(d.in.given), allVersions, changes...)
	destroyed := err == nil
	if destroyed {
		for _, path := range d.parities {
			err = cmp.Or(err, a.destroyParity(ctx, path, allVersions))
		}
	}
	switch {
	case errors.Is(err, storage.Versioned):
		return withHint(err, "overwriting it destroys nothing: --all-versions deletes it with all of its versions")
	case errors.Is(err, storage.HalfPatched):
		return withHint(err, "it may still open: run it again once writing works")
	case destroyed && err != nil:
		return withHint(err, d.name+" is destroyed, but a repair with that file may bring it back: run it again once that can be written, or remove that")
	}
	return err
}

func (a *app) destroyParity(ctx context.Context, path string, allVersions bool) error {
	p, err := a.files.Patch(path, storage.PatchOptions{})
	if err != nil {
		return err
	}
	defer p.Close()
	// What comes after the copy of the head serves to repair the container, which is gone.
	n := min(p.Size()-parity.HeadAt, shredSize)
	if n <= 0 {
		return nil
	}
	return a.overwrite(ctx, p, path, allVersions, storage.Change{Offset: parity.HeadAt, New: make([]byte, n)})
}

// overwrite makes changes that destroy what is there. Of an object that keeps versions it deletes
// all of them, if that is asked for.
func (a *app) overwrite(ctx context.Context, p *storage.Patch, name string, allVersions bool, changes ...storage.Change) error {
	err := p.Apply(changes...)
	if errors.Is(err, storage.Versioned) && allVersions {
		var n int
		n, err = a.s3.DeleteVersions(ctx, name)
		a.note("%s: %s deleted", safetext.Printable(name), plural(n, "version"))
	}
	return err
}
