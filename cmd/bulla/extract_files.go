package main

import (
	"path/filepath"

	"bulla/internal/safetext"
	"bulla/internal/storage"
)

// file writes a file: like every output, whole or not at all.
func (e *extraction) file(t target) error {
	from, err := e.from.member(t.Member)
	if err != nil {
		return err
	}
	out, err := e.tree.Create(t.path, storage.Options{Force: e.force, NoSync: e.noSync, Mode: privateFile | t.Mode.Perm()&0o100, ModTime: t.ModTime})
	if err != nil {
		return e.about(t.path, err)
	}
	defer e.app.left.add(out.Abort)()
	defer out.Abort()
	n, err := e.fill(out, from)
	if err != nil {
		return err
	}
	if err := out.Commit(); err != nil {
		return e.about(t.path, err)
	}
	e.done.Files++
	e.done.Bytes += n
	e.app.note("%s", safetext.Printable(filepath.Join(e.dir, t.path)))
	return nil
}

// fill writes the content.
func (e *extraction) fill(out *storage.Pending, from *content) (int64, error) {
	if !from.pieces {
		return from.write(out.Writer(), 0, from.size)
	}
	sparse := out.Sparse()
	n, err := from.write(sparse, 0, from.size)
	if err == nil {
		err = sparse.End()
	}
	return n, err
}
