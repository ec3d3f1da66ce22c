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
	strip     int
}

// A Selected is a member that a name stands for.
type Selected struct {
	*Member
	Path   string // in the tree
	Local  bool   // Path is in it, and does not lead out
	LinkTo string // the path of an earlier member of the selection that has the same data; "" if none has

	id int32
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
	if err != nil {
		return nil, err
	}
	if len(s.order) == 0 {
		return nil, cmp.Or(s.End, error(&MissingError{name}))
	}
	m, err := s.member(s.order[0])
	if err != nil {
		return nil, err
	}
	return m.Member, s.End
}

// maxLinks is how long a chain of hard links out of a selection may be. Programs
// that make tars link to the first name of a file, so that chains have one.
const maxLinks = 8

// index gives the wanted members their places, or only the first that is met. What
// hard links of them lead to has to have a place as well: if that is not wanted, and
// by then was passed over, the archive is gone through once more.
func (f *FS) index(first bool, want func(place string) bool) (s *Selection, err error) {
	needed := make(map[string]bool)
	for used, more, i := int64(0), true, 0; more && i <= maxLinks; i++ {
		s = &Selection{fs: f, tree: newTree(f.limit - used)}
		if more, err = s.build(first, want, needed); err != nil {
			return nil, err
		}
		for to := range needed {
			used += nodeBytes + int64(len(to))
		}
	}
	s.sort()
	s.Count = len(s.order) + len(s.misplaced)
	return s, nil
}

func (s *Selection) sort() {
	slices.SortFunc(s.order, func(a, b int32) int { return cmp.Compare(s.tree.node(a).own, s.tree.node(b).own) })
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
		if m.zip != nil && m.broke == nil {
			if room -= int64(m.zip.CompressedSize64); room < 0 {
				s.End = damaged("the data of its members overlaps")
				break
			}
		}
		n := node{typ: m.Mode.Type(), own: m.place, data: m.place, chosen: chosen}
		if m.Kind == HardLink {
			if to, _ := Path(m.Link); !needed[to] && !want(to) {
				needed[to], more = true, true
				s.tree.used += nodeBytes + int64(len(to))
			}
			n.data = noPlace
			if to := s.target(m); to != 0 {
				n.typ, n.data = s.tree.node(to).typ, s.tree.node(to).data
			}
		}
		if err := s.add(place, local, n); err != nil {
			return false, err
		}
		if chosen {
			s.Bytes += min(m.Size, 1<<62-s.Bytes)
			if first && len(s.order) > 0 {
				break
			}
		}
	}
	return more, nil
}

// add gives a member its place, with what n says of it.
func (s *Selection) add(place string, local bool, n node) error {
	id, err := s.tree.add(place, local, n.typ)
	switch {
	case err != nil:
		return err
	case id != 0:
		is := s.tree.node(id)
		if n.chosen && !is.chosen {
			s.order = append(s.order, id)
		}
		is.typ, is.own, is.data, is.chosen = n.typ, n.own, n.data, is.chosen || n.chosen
	case n.chosen:
		s.misplaced = append(s.misplaced, n.own)
	}
	s.tree.used += 8
	return nil
}

// Strip leaves out the first parts of all paths, and the members that have no more:
// of those that have one path then the last counts. It fails with a *LimitError.
func (s *Selection) Strip(parts int) error {
	if parts == 0 {
		return nil
	}
	old, order := s.tree, s.order
	s.tree, s.order, s.strip = newTree(old.limit-old.used), nil, parts
	for _, id := range order {
		n := *old.node(id)
		place := s.stripped(old.path(id))
		if place == "" {
			continue
		}
		if err := s.add(place, n.parent != outside, n); err != nil {
			return err
		}
	}
	s.sort()
	return nil
}

// stripped is a place without its first parts; "" if it has no more.
func (s *Selection) stripped(place string) string {
	for i := 0; i < s.strip && place != ""; i++ {
		_, place, _ = strings.Cut(place, "/")
	}
	return place
}

// target is the node that a hard link is another name for; 0 if there is none.
func (s *Selection) target(link *Member) int32 {
	place, local := Path(link.Link)
	to := s.tree.lookup(s.stripped(place), local)
	if to != 0 && s.tree.node(to).typ.IsDir() {
		return 0
	}
	return to
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
			if !yield(s.fs.at(place)) {
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
			if s.tree.node(id).chosen && slices.Contains(kinds, s.tree.kind(id)) && !yield(s.member(id)) {
				return
			}
		}
	}
}

// Drop takes a member out of the selection: it is not given again, and no other is a
// link to it.
func (s *Selection) Drop(m *Selected) { s.tree.node(m.id).chosen = false }

// member reads the member of a node that is one.
func (s *Selection) member(id int32) (*Selected, error) {
	n := s.tree.node(id)
	m, err := s.fs.at(n.own)
	if err != nil {
		return nil, damage(err)
	}
	found := &Selected{Member: m, Path: s.tree.path(id), Local: n.parent != outside, id: id}
	if m.Kind != HardLink {
		return found, nil
	}
	to := s.target(m)
	if n.data == noPlace {
		why := "which is not there before it"
		if place, local := Path(m.Link); to == 0 && s.tree.lookup(s.stripped(place), local) != 0 {
			why = "which is a directory"
		}
		m.broke = &LinkError{m.Name, m.Link, why}
		return found, nil
	}
	if found.Member, err = s.fs.at(n.data); err != nil {
		return nil, damage(err)
	}
	found.Name = m.Name
	if to != 0 {
		if t := s.tree.node(to); t.chosen && t.data == n.data && t.own < n.own {
			found.LinkTo = s.tree.path(to)
		}
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
		parts := strings.SplitAfterN(place, "/", p.parts+1)
		start := strings.Join(parts[:min(p.parts, len(parts))], "")
		ok, _ = path.Match(p.clean, strings.TrimSuffix(start, "/"))
	}
	p.met = p.met || ok
	return ok
}
