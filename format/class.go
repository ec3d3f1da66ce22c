package format

import (
	"bytes"
	"errors"
	"slices"
	"strings"
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

// Class returns the class of s, which must parse. It takes no key to tell.
func (s *Slot) Class() Class {
	switch s.Type {
	case SlotHPKE:
		return PostQuantum
	case SlotAge:
		return classOfAge(s.Body)
	}
	return Neutral
}

// CheckClasses enforces SLOT-4: it returns ErrMixedClasses if slots has both
// post-quantum and classical ones.
func CheckClasses(slots []Slot) error {
	classes := make([]Class, len(slots))
	for i := range slots {
		classes[i] = slots[i].Class()
	}
	if Mixed(classes) {
		return ErrMixedClasses
	}
	return nil
}

// Mixed reports whether there are both post-quantum and classical ones among
// classes.
func Mixed(classes []Class) bool {
	return slices.Contains(classes, PostQuantum) && slices.Contains(classes, Classical)
}

// What tells an age stanza's class: its type. A stanza whose type ends so is
// there to be ignored.
const (
	ageHybrid    = "mlkem768x25519"
	ageHybridTag = "mlkem768p256tag"
	ageGrease    = "-grease"
)

// classOfAge returns the class of an age file: post-quantum if each of its
// stanzas is, and there is one.
func classOfAge(body []byte) Class {
	class := Classical
	for kind := range ageStanzas(body) {
		switch {
		case strings.HasSuffix(kind, ageGrease):
		case kind == ageHybrid || kind == ageHybridTag:
			class = PostQuantum
		default:
			return Classical
		}
	}
	return class
}

// ageStanzas yields the types of the stanzas of an age file's header, with
// their offsets in the file. The header is lines: an arrow begins a stanza, a
// footer ends it all, and the stanzas' bodies, in Base64, begin with neither.
func ageStanzas(body []byte) func(yield func(kind string, offset int) bool) {
	return func(yield func(string, int) bool) {
		for off := len(ageIntro); off < len(body); {
			line, _, _ := bytes.Cut(body[off:], []byte("\n"))
			if bytes.HasPrefix(line, []byte(ageFooter)) {
				return
			}
			if stanza, ok := bytes.CutPrefix(line, []byte(ageArrow)); ok {
				kind, _, _ := strings.Cut(string(stanza), " ")
				if !yield(kind, off) {
					return
				}
			}
			off += len(line) + 1
		}
	}
}
