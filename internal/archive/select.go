package archive

import (
	"fmt"
	"slices"
	"strings"
)

// Find returns the last member of that name, which counts if a tar was appended
// to; or the first, and then it reads no further. Where the archive breaks off it
// returns the error and what it had found before, if anything, which then may not
// be the last. It fails with a *MissingError if there is none.
//
// A hard link is returned as the member that it is another name for.
func (a *Archive) Find(name string, first bool) (found *Member, end error) {
	for m, err := range a.Members() {
		if end = err; err != nil {
			break
		}
		if Clean(m.Name) != Clean(name) {
			continue
		}
		if found = m; first {
			break
		}
	}
	switch {
	case found == nil && end == nil:
		return nil, &MissingError{name}
	case found == nil:
		return nil, end
	}
	if err := a.resolve([]*Member{found}); err != nil {
		return nil, err
	}
	return found, end
}

// Select returns the members of those names, and those that lie in directories
// of those names, in the order of the archive, and of several of a name the
// last; and the names that fit none. Hard links, and an archive that breaks off,
// are as with Find.
func (a *Archive) Select(names ...string) (found []*Member, missing []string, end error) {
	want := make([]string, len(names))
	for i, name := range names {
		want[i] = Clean(name)
	}
	met := make([]bool, len(names))
	last := make(map[string]*Member)
	for m, err := range a.Members() {
		if end = err; err != nil {
			break
		}
		for i, name := range want {
			if m.in(name) {
				met[i] = true
				last[Clean(m.Name)] = m
			}
		}
	}
	for i, name := range names {
		if !met[i] {
			missing = append(missing, name)
		}
	}
	for _, m := range last {
		found = append(found, m)
	}
	slices.SortFunc(found, func(a, b *Member) int { return a.index - b.index })
	if err := a.resolve(found); err != nil {
		return nil, nil, err
	}
	return found, missing, end
}

// A MissingError is a name that no member has.
type MissingError struct{ Name string }

func (e *MissingError) Error() string { return fmt.Sprintf("the archive has no member %q", e.Name) }

// maxLinks is how long a chain of hard links may be. Programs that make tars
// link to the first name of a file, so that chains have one.
const maxLinks = 8

// resolve makes those of the members that are hard links what they are names
// for. The archive is walked once for each link of the longest chain, and no
// further than to the last of them.
func (a *Archive) resolve(members []*Member) error {
	links := slices.Clone(members)
	for range maxLinks {
		links = slices.DeleteFunc(links, func(m *Member) bool { return m.Kind != HardLink || m.bad != nil })
		if len(links) == 0 {
			return nil
		}
		last := make(map[string]*Member) // before here, of each name that is linked to
		at := make(map[int][]*Member)    // the links of each entry
		for _, m := range links {
			last[Clean(m.Link)] = nil
			at[m.index] = append(at[m.index], m)
		}
		for m, err := range a.Members() {
			if err != nil {
				return err
			}
			for _, link := range at[m.index] {
				link.become(last[Clean(link.Link)])
			}
			if delete(at, m.index); len(at) == 0 {
				break
			}
			if _, ok := last[Clean(m.Name)]; ok {
				last[Clean(m.Name)] = m
			}
		}
	}
	for _, m := range links {
		if m.Kind == HardLink && m.bad == nil {
			m.bad = &LinkError{m.Name, m.Link, "through a long chain of others"}
		}
	}
	return nil
}

// become makes a hard link another name of to, which may be one itself; of nil
// if there is no such member.
func (m *Member) become(to *Member) {
	switch {
	case to == nil:
		m.bad = &LinkError{m.Name, m.Link, "which is not there before it"}
	case to.Kind == Dir:
		m.bad = &LinkError{m.Name, m.Link, "which is a directory"}
	default:
		name := m.Name
		*m = *to
		m.Name = name
	}
}

// in reports whether the member is the one of that clean name, or lies in the
// directory of that name.
func (m *Member) in(name string) bool {
	own := Clean(m.Name)
	return own == name || name == "." || strings.HasPrefix(own, name+"/")
}
