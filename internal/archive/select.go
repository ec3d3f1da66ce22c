package archive

import (
	"cmp"
	"errors"
	"iter"
	"path"
	"slices"
	"strings"
)

// A Selection is the members that some names stand for: of several of a name the
// last, and a hard link as the file that it is another name of.
type Selection struct {
	Missing []string // the names that stand for none
	Count   int      // of the members, those that have no place included
	Bytes   int64    // at most, of their data
	Exact   bool     // each was asked for by its own name, and none is a directory
	// End says why there may be more than was found: the first error of the archive,
	// or that of the source where reading it ended. Nil if all there is was seen.
	End error

	fs        *FS
	tree      *tree
	order     []int32 // the chosen nodes, in the order of the archive
	misplaced []int64 // the places of members that others are in the way of
}

// A Selected is a member that a name stands for.
type Selected struct {
	*Member
	Path   string // in the tree
	Local  bool   // Path is in it, and does not lead out
	LinkTo string // the path of an earlier member of the selection that has the same data; "" if none has
}

// Select finds the members of those names, all that lies in directories of those
// names, and without names everything. A name with *, ? or [ is also a pattern, as
// of path.Match, for as many parts of a path as it has itself. It fails with a
// *LimitError; an archive that breaks off is no error but the Selection's End.
func (f *FS) Select(names ...string) (*Selection, error) {
	if len(names) == 0 {
		names = []string{"."}
	}
	wanted := make([]pattern, len(names))
	for i, name := range names {
		wanted[i] = newPattern(name)
	}
	s, err := f.index(false, func(place string) (any bool) {
		for i := range wanted {
			any = wanted[i].matches(place) || any
		}
		return any
	})
	if err != nil {
		return nil, err
	}
	s.Exact = !slices.ContainsFunc(s.order, func(id int32) bool {
		own := s.tree.path(id)
		return s.tree.kind(id) == Dir || !slices.ContainsFunc(wanted, func(p pattern) bool { return p.clean == own })
	})
	for i, p := range wanted {
		if !p.met && p.clean != "." {
			s.Missing = append(s.Missing, names[i])
		}
	}
	return s, nil
}

// Find returns the last member of that name, which counts if a tar was appended to;
// or the first, and then it reads no further. It fails with a *MissingError if there
// is none, or with what the archive ended with. end is that too: if it is not nil
// there may be a later member of the name.
func (f *FS) Find(name string, first bool) (found *Member, end error) {
	want, _ := Path(name)
	s, err := f.index(first, func(place string) bool { return place == want })
	switch {
	case err != nil:
		return nil, err
	case len(s.order) > 0:
		m, err := s.member(s.order[0])
		if err != nil {
			return nil, err
		}
		return m.Member, s.End
	case s.End != nil:
		return nil, s.End
	}
	return nil, &MissingError{name}
}

// A MissingError is a name that no member has.
type MissingError struct{ Name string }

func (e *MissingError) Error() string { return "the archive has no member " + e.Name }

// maxLinks is how long a chain of hard links out of a selection may be. Programs
// that make tars link to the first name of a file, so that chains have one.
const maxLinks = 8

// index gives the wanted members their places, or only the first that is met. What
// hard links of them lead to has to have a place as well: if that is not wanted, and
// by then was passed over, the archive is gone through once more.
func (f *FS) index(first bool, want func(place string) bool) (s *Selection, err error) {
	needed, used := make(map[string]bool), int64(0)
	for more, i := true, 0; more && i <= maxLinks; i++ {
		s = &Selection{fs: f, tree: newTree(f.limit - used)}
		if more, err = s.build(first, want, needed); err != nil {
			return nil, err
		}
		for to := range needed {
			used += int64(len(to))
		}
	}
	slices.SortFunc(s.order, func(a, b int32) int { return cmp.Compare(s.tree.node(a).own, s.tree.node(b).own) })
	s.Count = len(s.order) + len(s.misplaced)
	return s, nil
}

// build is one go through the archive. more says that needed has become more.
//
// A zip can have many members whose data is the same place, which would be written
// each: all they take up together is more than the zip then, and it counts as broken
// off where that shows.
func (s *Selection) build(first bool, want func(place string) bool, needed map[string]bool) (more bool, err error) {
	room := s.fs.source().Size()
	for m, err := range s.fs.Members() {
		if err != nil {
			if s.End == nil || !isOwn(err) {
				s.End = err
			}
			continue
		}
		place, local := Path(m.Name)
		chosen := want(place)
		if !chosen && !needed[place] {
			continue
		}
		if room -= m.stored; room < 0 {
			s.End = damaged("the data of its members overlaps")
			break
		}
		if to, _ := Path(m.Link); m.Kind == HardLink && !needed[to] && !want(to) {
			needed[to], more = true, true
			s.tree.used += int64(len(to))
		}
		n, err := s.tree.add(m)
		if err != nil {
			return false, err
		}
		switch {
		case !chosen:
			continue
		case n == nil:
			s.misplaced = append(s.misplaced, m.place)
			s.tree.used += 8
			continue
		case !n.chosen:
			n.chosen = true
			s.order = append(s.order, s.tree.lookup(place, local))
			s.tree.used += 4
		}
		s.Bytes += min(m.Size, 1<<62-s.Bytes)
		if first {
			break
		}
	}
	return more, nil
}

// isOwn reports whether an error is about the archive itself, or a member, after
// which the next can be read, and not about its source.
func isOwn(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.As(err, new(*UnsupportedError))
}

// Paths gives the paths of the members and what they are, without reading any.
func (s *Selection) Paths() iter.Seq2[string, Kind] {
	return func(yield func(string, Kind) bool) {
		for _, id := range s.order {
			if !yield(s.tree.path(id), s.tree.kind(id)) {
				return
			}
		}
	}
}

// Misplaced gives the members that have no place because others are in the way, or
// because it is the root.
func (s *Selection) Misplaced() iter.Seq2[*Member, error] {
	return func(yield func(*Member, error) bool) {
		for _, place := range s.misplaced {
			m, err := s.fs.at(place)
			if !yield(m, err) {
				return
			}
		}
	}
}

// Members gives the members of some kinds, in the order of the archive. They are
// read again for it, which may fail for each.
func (s *Selection) Members(kinds ...Kind) iter.Seq2[*Selected, error] {
	return func(yield func(*Selected, error) bool) {
		for _, id := range s.order {
			if !slices.Contains(kinds, s.tree.kind(id)) {
				continue
			}
			if m, err := s.member(id); !yield(m, err) {
				return
			}
		}
	}
}

// member reads the member of a node that is one.
func (s *Selection) member(id int32) (*Selected, error) {
	t := s.tree
	n := t.node(id)
	m, err := s.fs.at(n.own)
	if err != nil {
		return nil, damage(err)
	}
	found := &Selected{Member: m, Path: t.path(id), Local: n.parent != outside}
	if m.Kind != HardLink {
		return found, nil
	}
	link := *m
	if t.kind(id) == HardLink {
		m.broke = &LinkError{link.Name, link.Link, "which is not there before it"}
		if to := t.lookup(Path(link.Link)); to != 0 && t.node(to).kind == dirKind {
			m.broke = &LinkError{link.Name, link.Link, "which is a directory"}
		}
		return found, nil
	}
	if found.Member, err = s.fs.at(n.data); err != nil {
		return nil, damage(err)
	}
	found.Name = link.Name
	if to := t.target(&link); to != 0 && t.node(to).chosen && t.node(to).data == n.data && t.node(to).own < n.own {
		found.LinkTo = t.path(to)
	}
	return found, nil
}

// A pattern is a name that was asked for.
type pattern struct {
	clean string
	parts int // of a glob; 0 if it is none
	met   bool
}

func newPattern(name string) pattern {
	p := pattern{}
	p.clean, _ = Path(name)
	if _, err := path.Match(p.clean, ""); err == nil && strings.ContainsAny(name, `*?[`) {
		p.parts = strings.Count(p.clean, "/") + 1
	}
	return p
}

// matches reports whether a place is the one that was asked for, or in it.
func (p *pattern) matches(place string) bool {
	ok := p.clean == "." || place == p.clean || strings.HasPrefix(place, p.clean) && place[len(p.clean)] == '/'
	if !ok && p.parts > 0 && place != "." {
		end := 0
		for i := 0; i < p.parts && end < len(place); i++ {
			if next := strings.IndexByte(place[end+1:], '/'); next >= 0 {
				end += 1 + next
			} else {
				end = len(place)
			}
		}
		ok, _ = path.Match(p.clean, place[:end])
	}
	p.met = p.met || ok
	return ok
}
