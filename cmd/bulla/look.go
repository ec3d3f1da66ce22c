package main

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"bulla/internal/archive"
	"bulla/internal/safetext"
)

// A look is what is in a file, as a tree that many look at: the archive in it, or if
// there is none a single file. It tells once of each path what is
// wrong with it.
type look struct {
	app  *app
	from *randomAccess
	tree *archive.FS

	mu   sync.Mutex
	told map[string]error
}

const maxTold = 1000 // more nobody reads

// look opens a file. It stays open until the program ends.
func (a *app) look(cmd *cobra.Command, f *randomFlags, name string) (*look, error) {
	if err := f.workFlags.check(cmd); err != nil {
		return nil, err
	}
	r, err := a.openRandom(cmd.Context(), f, name, func(*input) error { return nil })
	if err != nil {
		return nil, err
	}
	tree, err := archive.Open(r, max(r.size, archive.UnknownSize))
	if r.size >= 0 && errors.As(err, new(*archive.UnknownError)) {
		var when time.Time
		if st := r.in.Info(); st != nil {
			when = st.ModTime()
		}
		tree, err = archive.Single(strings.TrimSuffix(filepath.Base(string(r.in.given)), containerSuffix), r, r.size, when), nil
	}
	if err == nil {
		_, err = tree.Lstat(".") // reads all headers, which may take long
	}
	return &look{app: a, from: r, tree: tree, told: make(map[string]error)}, archiveError(r, err)
}

// tell tells and returns what err is.
func (l *look) tell(path string, err error) string {
	what := firstLine(explain(archiveError(l.from, err)).what)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.told) < maxTold && l.told[path] == nil {
		l.told[path] = err
		l.app.warn(safetext.Printable(path)+": "+what, "")
	}
	return what
}
