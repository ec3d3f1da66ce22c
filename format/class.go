package format

import (
	"errors"
	"slices"
)

// A Class says what a quantum computer would do to a slot. A container is as
// weak as its weakest slot: one classical public key undoes what post-quantum
// ones beside it are for. So a writer keeps them apart unless its user asks,
// across rewraps too (SLOT-4).
type Class int

const (
	Neutral     Class = iota // symmetric: types 2 and 4, and types this reader does not know
	PostQuantum              // a public key that withstands it: type 1, and age's hybrids
	Classical                // a public key that it breaks: the rest of type 3
)

func (c Class) String() string {
	switch c {
	case Neutral:
		return "neutral"
	case PostQuantum:
		return "post-quantum"
	}
	return "classical"
}

// ErrMixedClasses is post-quantum and classical public-key slots in one
// container (SLOT-4).
var ErrMixedClasses = errors.New("post-quantum and classical recipients do not mix")

// Mixed reports whether there are both post-quantum and classical ones among
// classes.
func Mixed(classes []Class) bool {
	return slices.Contains(classes, PostQuantum) && slices.Contains(classes, Classical)
}
