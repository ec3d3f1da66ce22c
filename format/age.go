package format

import (
	"bytes"
	"fmt"
	"strings"
)

// An age file, the body of a slot of type 3: what is read of it without a key.
const (
	ageIntro  = "age-encryption.org/v1\n"
	ageArrow  = "-> "
	ageFooter = "---"
	ageScrypt = "scrypt"

	MinAgeBody = 64 // AGE-1
	MaxAgeBody = 16 << 10
)

// checkAgeBody enforces AGE-1 and AGE-2 on the body of a slot of type 3. The
// rest of an age file's grammar is left to age itself.
func checkAgeBody(b []byte) error {
	if len(b) < MinAgeBody || len(b) > MaxAgeBody {
		return &ParseError{AGE1, "age body", 0, ErrMalformed, fmt.Sprintf("%d bytes, not %d to %d", len(b), MinAgeBody, MaxAgeBody)}
	}
	if !bytes.HasPrefix(b, []byte(ageIntro)) {
		return &ParseError{AGE1, "age body", 0, ErrMalformed, "not an age v1 file"}
	}
	for kind, off := range ageStanzas(b) {
		if kind == ageScrypt {
			return &ParseError{AGE2, "age body", int64(off), ErrMalformed, "a scrypt stanza"}
		}
	}
	return nil
}

func describeAge(body []byte, d *SlotDescription) {
	for kind := range ageStanzas(body) {
		d.Stanza = strings.Map(func(r rune) rune { // it is not authenticated
			if r <= ' ' || r > '~' {
				return '?'
			}
			return r
		}, kind)
		break
	}
	d.Text = d.Stanza + ", " + d.Class
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
