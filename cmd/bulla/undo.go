package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/parity"
	"bulla/set"
)

// undoSuffix ends the names of what a repair in place has saved.
const undoSuffix = ".undo"

// localName is what begins the names of local files about a file: those about an object lie here.
func localName(name string) string {
	if storage.Scheme(name) != "" {
		name = filepath.Base(storage.Shown(name))
	}
	return name
}

// undoOf is the file with what was overwritten.
func undoOf(name string) string { return localName(followed(name)) + undoSuffix }

// followed is the file that a link leads to: what is about it lies beside it.
func followed(name string) string {
	if to, err := filepath.EvalSymlinks(name); err == nil && storage.Scheme(name) == "" {
		return to
	}
	return name
}

// openUndo opens what an earlier repair has saved, and locks it; nil if there is nothing.
func (a *app) openUndo(name string) (*parity.Undo, *storage.Patch, error) {
	p, err := a.files.Patch(undoOf(name), storage.PatchOptions{})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	u, err := parity.ReadUndo(p.InPlace(), p.Size())
	if err != nil {
		p.Close()
		return nil, nil, withHint(about(safetext.Printable(undoOf(name)), err), "move it away if no repair was interrupted")
	}
	return u, p, nil
}

// otherUndo is the error for an undo file that is of another file than the one beside it.
func otherUndo(name string) error {
	return refuse("move it away", "%s is not of this file, but of one that had its name before", safetext.Printable(undoOf(name)))
}

// accepted refuses to change who can open a file that was repaired: undoing that would bring
// back a head from before.
func (a *app) accepted(in *input) error {
	if in.path == "" || !in.regular {
		return nil
	}
	u, saved, err := a.openUndo(in.path)
	if err != nil || u == nil {
		return err
	}
	defer saved.Close()
	if u.IsOf(in.At(), in.size) {
		return refuse("bulla repair --accept removes it, --undo brings back what it has", "a repair of %s can still be undone: %s may hold an older head", in.name, safetext.Printable(undoOf(in.path)))
	}
	return nil
}

// settle undoes or accepts the repair of a file, or of all parts of a set. Nothing is accepted
// unless all can be.
func (a *app) settle(r *restoreFlags, name string) error {
	parts, err := savedParts(name)
	if err == nil && parts == nil {
		hint := "there is nothing to undo"
		if r.accept {
			hint = "there is nothing to accept"
		}
		err = usage(hint, "%s does not exist", safetext.Printable(undoOf(name)))
	}
	if err != nil {
		return err
	}
	each := func(do func(name string, u *parity.Undo) error, remove bool) error {
		var errs []error
		for _, part := range parts {
			u, saved, err := a.openUndo(part)
			if err == nil && u != nil { // it may be gone by now
				if err = do(part, u); err == nil && remove {
					err = saved.Remove()
				} else {
					saved.Close()
				}
			}
			errs = append(errs, err)
		}
		return a.worst(errs)
	}
	if r.undo {
		return each(func(name string, u *parity.Undo) error { return a.bringBack(r, name, u) }, true)
	}
	if err := each(a.acceptable, false); err != nil {
		return err
	}
	return each(a.acceptable, true)
}

func (a *app) bringBack(r *restoreFlags, name string, u *parity.Undo) error {
	p, err := a.files.Patch(name, r.options())
	if err != nil {
		return err
	}
	defer p.Close()
	if err = u.Restore(p.InPlace(), p.Size()); err == parity.ErrOtherUndo {
		return otherUndo(name)
	} else if err != nil {
		return withHint(err, "run it again: nothing is lost")
	}
	return nil
}

// savedParts are a file and the parts of the set whose root it is, or was, as far as undo files of
// them lie here. The parts themselves may be damaged, and do not say.
func savedParts(name string) (parts []string, err error) {
	name = followed(name)
	dir, base := filepath.Split(localName(name))
	entries, err := os.ReadDir(orElse(dir, "."))
	for _, e := range entries {
		rest, begins := strings.CutPrefix(e.Name(), base)
		suffix, ends := strings.CutSuffix(rest, undoSuffix)
		if _, ok := set.ParseSuffix(suffix); ok && begins && ends {
			parts = append(parts, name+suffix)
		}
	}
	return parts, err
}

const hintUnended = "bulla repair finishes it, --undo brings back what was there"

// acceptable refuses to give up what an interrupted repair has saved: it can be finished or
// undone with that alone.
func (a *app) acceptable(name string, u *parity.Undo) error {
	if !u.Ended {
		return refuse(hintUnended, "the repair of %s was interrupted, or undoing it", safetext.Printable(name))
	}
	in, err := a.openAnywhere(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if !u.IsOf(in.At(), in.size) {
		return otherUndo(name)
	}
	return nil
}
