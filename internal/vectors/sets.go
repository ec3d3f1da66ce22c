package vectors

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"bulla/format"
)

// Root is what vectors call the root of a set. Every other part has the suffix of its
// name: .index, .000000.
const Root = "root"

// A Member is a part of a set: the container of another vector.
type Member struct{ Part, Vector string }

// A PartFinding is a part of a set in which a verifier finds something, and the clause
// that a reader with random access names for it.
type PartFinding struct {
	Part   string
	Clause format.Clause
}

// Grant is what the vector of a grant calls the grant, and Target the file that it is
// on; the volumes of a set are called as they are there.
const (
	Grant  = "grant"
	Target = "target"
)

// Granted is a range of the target's plaintext that a grant is on: From up to, not
// including, To.
type Granted struct{ From, To int64 }

// Refused stands in the place of a clause for a range that is not granted whole.
const Refused format.Clause = "refused"

// A Set is the vector of a set or a grant, and those of its parts.
type Set struct {
	*Vector
	Parts map[string]*Vector // by what they are called
}

// LoadSets reads every vector of a set in a directory, in the order of their names.
func LoadSets(dir string) ([]*Set, error) { return loadOf(dir, Root) }

// LoadGrants reads every vector of a grant in a directory, in the order of their names.
func LoadGrants(dir string) ([]*Set, error) { return loadOf(dir, Grant) }

func loadOf(dir, first string) ([]*Set, error) {
	all, err := load(dir, true)
	if err != nil {
		return nil, err
	}
	var sets []*Set
	for _, v := range all {
		if v.Members[0].Part != first {
			continue
		}
		s := &Set{v, make(map[string]*Vector)}
		for _, m := range v.Members {
			b, err := os.ReadFile(filepath.Join(dir, m.Vector+Extension))
			if err != nil {
				return nil, err
			}
			if s.Parts[m.Part], err = Parse(m.Vector, b); err != nil {
				return nil, fmt.Errorf("%s: %w", m.Vector, err)
			}
		}
		sets = append(sets, s)
	}
	return sets, nil
}

// isPart reports whether a word of a vector says a part.
func isPart(word string) bool { return word == Root || strings.HasPrefix(word, ".") }
