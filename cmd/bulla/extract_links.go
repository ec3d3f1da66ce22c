package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Following a link that was made leads nowhere outside the directory:
//
//   - The directories on the way to it are none that links lead to, and stay
//     where they are: where it goes up, it goes to one of them.
//   - It goes up at its beginning only, before any name that may be a link, and
//     not higher than the directory.
//   - What it comes to then is a file, or a directory, or another such link; or
//     one that was there before, and that it does not lead out is looked at when
//     all links are made.

// link makes a symbolic link that stays inside.
func (e *extraction) link(t target) error {
	to, err := t.ReadLink()
	if err != nil {
		return archiveError(e.from, err)
	}
	const hint = "make it by hand, if you trust it"
	if !t.LinkLocal(to) {
		return refuse(hint, "it is a link that leads, or could lead, out of the directory")
	}
	dir := filepath.Dir(t.path)
	if e.behindLink(dir) {
		return refuse(hint, "it is a link that lies behind another link")
	}
	if err := e.mkdir(dir); err != nil {
		return err
	}
	if err := e.tree.Symlink(filepath.FromSlash(to), t.path, e.force); err != nil {
		return e.cannotLink(t.path, err)
	}
	e.links = append(e.links, t)
	e.done.Files++
	return nil
}

// behindLink reports whether a link, or anything else that is no directory, is on
// the way to what is in dir.
func (e *extraction) behindLink(dir string) bool {
	for ; dir != "."; dir = filepath.Dir(dir) {
		if st, err := e.root.Lstat(dir); err == nil && !st.IsDir() {
			return true
		}
	}
	return false
}

// cannotLink words why there is no link. Some systems have none, or not for
// everybody: that is no reason to leave out more.
func (e *extraction) cannotLink(path string, err error) error {
	if le, ok := errors.AsType[*os.LinkError](err); ok && errors.Is(err, fs.ErrPermission) {
		return refuse("", "the link cannot be made: %v", le.Err)
	}
	return e.about(path, err)
}

// checkLinks removes the links that lead out by way of others that were there
// before, or that nobody can follow to see.
func (e *extraction) checkLinks() {
	for _, t := range e.links {
		if _, err := e.root.Stat(t.path); err == nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		e.root.Remove(t.path)
		e.done.Files--
		e.refuse(t.Name, exitRefused, "it is a link that leads out of the directory over another, or in a circle")
	}
}
