package keyslot

import (
	"bytes"
	"strings"

	"bulla/format"
)

// A Class says what a quantum computer would do to a slot. A container is as
// weak as its weakest slot, so that one classical public key undoes what the
// post-quantum ones beside it are for. SLOT-4 has writers keep them apart
// unless their user asks, and that across rewraps: the slots that are already
// there count like the recipients that are added.
type Class int

const (
	// Neutral slots rest on a symmetric secret and may stand beside any
	// other: types 2 and 4. So may slots of a type this package does not know.
	Neutral Class = iota

	// PostQuantum slots withstand a quantum computer: type 1, and type 3 with
	// one of age's hybrid stanzas.
	PostQuantum

	// Classical slots are for a public key that a quantum computer breaks:
	// the rest of type 3.
	Classical
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

// Mixed reports whether there are both post-quantum and classical ones among
// classes: what SLOT-4 forbids unless the user asked for it.
func Mixed(classes ...Class) bool {
	var seen [Classical + 1]bool
	for _, c := range classes {
		seen[c] = true
	}
	return seen[PostQuantum] && seen[Classical]
}

// ClassOfRecipient is the class of the slots that r makes: what r's method
// Class() Class says, or else, for an r without one, what its type implies.
func ClassOfRecipient(r Recipient) Class {
	if r, ok := r.(interface{ Class() Class }); ok {
		return r.Class()
	}
	return classOfType(r.Type())
}

// ClassOf is the class of a slot, told without any key.
func ClassOf(s *format.Slot) Class {
	if s.Type == format.SlotAge {
		return classOfAge(s.Body)
	}
	return classOfType(s.Type)
}

func classOfType(t format.SlotType) Class {
	switch t {
	case format.SlotHPKE:
		return PostQuantum
	case format.SlotAge:
		return Classical
	}
	return Neutral
}

// The header of an age file, as far as it matters here, is lines: a stanza
// begins with an arrow, its type and arguments; "---" and a MAC end them. The
// lines between, a stanza's body in Base64, begin with neither.
const (
	ageArrow       = "-> "
	ageFooter      = "---"
	ageGreaseMark  = "-grease" // ends the type of a stanza that is there to be ignored
	ageHybrid      = "mlkem768x25519"
	ageHybridTag   = "mlkem768p256tag"
	ageLineFeed    = "\n"
	ageArgumentSep = " "
)

// classOfAge reads the stanzas of an age file: it is post-quantum if each of
// them is, not counting grease, and there is one.
func classOfAge(body []byte) Class {
	class := Classical
	for line := range bytes.SplitSeq(body, []byte(ageLineFeed)) {
		if bytes.HasPrefix(line, []byte(ageFooter)) {
			break
		}
		stanza, ok := strings.CutPrefix(string(line), ageArrow)
		if !ok {
			continue
		}
		kind, _, _ := strings.Cut(stanza, ageArgumentSep)
		switch {
		case strings.HasSuffix(kind, ageGreaseMark):
		case kind == ageHybrid || kind == ageHybridTag:
			class = PostQuantum
		default:
			return Classical
		}
	}
	return class
}
