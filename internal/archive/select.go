package archive

import (
	"fmt"
	"slices"
	"strings"
)

// Find returns the last member of that name, which counts if a tar was appended
// to; or the first, and then it reads no further. With an error of the source it
// returns what it had found before, if anything, and with a *MissingError nil.
//
// A hard link is returned with the data of what it is a name for.
func (a *Archive) Find(name string, first bool) (found *Member, err error) {
	for m, err := range a.Members() {
		if err != nil {
			return found, err
		}
		if Clean(m.Name) != Clean(name) {
			continue
		}
		if found = m; first {
			break
		}
	}
	if found == nil {
		return nil, &MissingError{name}
	}
	return found, a.resolve([]*Member{found})
}

// Select returns the members of those names, and those that lie in directories
// of those names, in the order of the archive, and of several of a name the
// last. Hard links are as with Find. It fails with a *MissingError for a name
// that fits none.
func (a *Archive) Select(names ...string) ([]*Member, error) {
	want := make([]string, len(names))
	for i, name := range names {
		want[i] = Clean(name)
	}
	met := make([]bool, len(names))
	last := make(map[string]*Member)
	for m, err := range a.Members() {
		if err != nil {
			return nil, err
		}
		for i, name := range want {
			if m.in(name) {
				met[i] = true
				last[Clean(m.Name)] = m
			}
		}
	}
	if i := slices.Index(met, false); i >= 0 {
		return nil, &MissingError{names[i]}
	}
	var found, links []*Member
	for _, m := range last {
		found = append(found, m)
		if m.Kind == HardLink {
			links = append(links, m)
		}
	}
	slices.SortFunc(found, func(a, b *Member) int { return a.index - b.index })
	return found, a.resolve(links)
}

// A MissingError is a name that no member has.
type MissingError struct{ Name string }

func (e *MissingError) Error() string { return fmt.Sprintf("the archive has no member %q", e.Name) }

// maxLinks is how long a chain of hard links may be. Programs that make tars
// link to the first name of a file, so that chains have one.
const maxLinks = 8

// resolve finds what hard links are names for: earlier members.
func (a *Archive) resolve(members []*Member) error {
	type link struct {
		from *Member
		last *Member // with the name it leads to, before end
		end  int
	}
	links := make(map[string][]*link)
	for _, m := range members {
		if m.Kind == HardLink {
			to := Clean(m.Link)
			links[to] = append(links[to], &link{from: m, end: m.index})
		}
	}
	for range maxLinks {
		if len(links) == 0 {
			return nil
		}
		for m, err := range a.Members() {
			if err != nil {
				return err
			}
			for _, l := range links[Clean(m.Name)] {
				if m.index < l.end {
					l.last = m
				}
			}
		}
		next := make(map[string][]*link)
		for to, all := range links {
			for _, l := range all {
				switch {
				case l.last == nil:
					return fmt.Errorf("%w: %q is a link to %q, which is not there before it", ErrDamaged, l.from.Name, to)
				case l.last.Kind == HardLink:
					to := Clean(l.last.Link)
					next[to] = append(next[to], &link{from: l.from, end: l.last.index})
				default:
					l.from.linked = l.last
					l.from.Size = l.last.Size
				}
			}
		}
		links = next
	}
	return fmt.Errorf("%w: its hard links form a chain", ErrDamaged)
}

// in reports whether the member is the one of that clean name, or lies in the
// directory of that name.
func (m *Member) in(name string) bool {
	own := Clean(m.Name)
	return own == name || name == "." || strings.HasPrefix(own, name+"/")
}
