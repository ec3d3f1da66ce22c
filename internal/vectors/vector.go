package vectors

import (
	"crypto/sha256"

	"bulla/format"
)

// An Outcome is the class of what a reader says about a container.
type Outcome string

const (
	Success     Outcome = "success"     // all of the plaintext, and nothing is wrong
	Warning     Outcome = "warning"     // all of the plaintext, and a copy of the head is not as it should be
	NotBulla    Outcome = "not-bulla"   // something else than a container
	Truncated   Outcome = "truncated"   // the end is missing
	Damaged     Outcome = "damaged"     // bytes have changed
	Malformed   Outcome = "malformed"   // no writer may make this
	Unsupported Outcome = "unsupported" // a number or cost that this version does not have
	Forged      Outcome = "forged"      // changed by someone who could not open it
	NoKey       Outcome = "no-key"      // none of the keys opens it
	Limit       Outcome = "limit"       // finding out whether a key opens it would cost too much
)

// Outcomes lists them all.
var Outcomes = []Outcome{Success, Warning, NotBulla, Truncated, Damaged, Malformed, Unsupported, Forged, NoKey, Limit}

// failures says with which outcome a reader fails that names a clause.
var failures = map[format.Clause]Outcome{
	format.FILE1: Truncated, format.FILE2: Malformed, format.FILE3: Unsupported, format.FILE4: Malformed,
	format.HEAD1: NotBulla, format.HEAD2: Unsupported, format.HEAD3: Malformed, format.HEAD4: Truncated,
	format.HEAD5: Damaged, format.HEAD6: Unsupported, format.HEAD7: Unsupported, format.HEAD8: Unsupported,
	format.HEAD9: Malformed, format.HEAD10: Malformed, format.HEAD11: Malformed, format.HEAD12: Malformed,
	format.HEAD13: Forged, format.HEAD16: Malformed,
	format.ROLE1: Unsupported, format.ROLE2: Malformed,
	format.KEY1:  NoKey,
	format.HPKE1: Malformed,
	format.PASS1: Malformed, format.PASS2: Unsupported, format.PASS3: Unsupported, format.PASS5: Limit, format.PASS7: Malformed,
	format.AGE1: Malformed, format.AGE2: Malformed, format.AGE3: NoKey,
	format.KEK1:   Malformed,
	format.CHUNK1: Damaged,
	format.COPY1:  Forged,
	format.READ4:  Malformed,
	format.ZSTD1:  Malformed, format.ZSTD2: Unsupported, format.ZSTD3: Unsupported,
	format.ZSTD4: Malformed, format.ZSTD5: Malformed, format.ZSTD6: Damaged,
	format.SET1: Truncated, format.SET2: Malformed, format.SET3: Malformed, format.SET4: Malformed, format.SET5: Malformed,
	format.SET6: Unsupported, format.SET7: Unsupported, format.SET8: Malformed, format.SET9: Malformed,
	format.SET11: Malformed, format.SET12: Unsupported, format.SET13: Forged, format.SET14: Unsupported,
	format.GRANT1: Malformed, format.GRANT2: Malformed, format.GRANT3: Unsupported, format.GRANT4: Malformed, format.GRANT5: Malformed,
	format.GRANT6: Malformed, format.GRANT7: Malformed, format.GRANT8: Malformed, format.GRANT11: Malformed,
	format.SET15: Malformed, format.SET16: Malformed, format.SET17: Malformed, format.SET18: Malformed,
}

// FailureOf is the outcome with which a reader fails that names clause c; empty
// if no reader fails with c.
func FailureOf(c format.Clause) Outcome { return failures[c] }

// A Vector is one scenario: a container, keys, and what readers say.
type Vector struct {
	Name    string // of its file, without the extension
	Comment string
	Covers  []format.Clause // clauses it exercises without their being violated

	Raw     *Raw      // coding 1: what is sealed, which is the plaintext compressed
	Stream  Verdict   // of a reader that reads from the front to the end
	Random  *Verdict  // of one with random access; nil where it is the same
	Ranges  []Range   // what one with random access gives of parts
	Keyless []Finding // what a check without a key finds
	Verify  []Finding // what a verifier with the keys finds, more than the first thing wrong

	Role   format.Role // that the reader is told to read; 0, a file, unless it is told one
	Keys   []Key
	Values []Value // intermediate values

	// Of a set or a grant, which has no container of its own.
	Members  []Member
	PartWise []PartFinding // what a verifier finds
	Granted  []Granted     // by a grant

	Detached []byte // a detached head that goes with the container; nil if there is none

	recipe Recipe
	body   []byte // the bytes that the parts of the recipe take
}

// A Verdict is what a reader says in the end.
type Verdict struct {
	Outcome Outcome
	Clause  format.Clause // the first that is violated; empty if none is
	Where   string        // of a set: the part that violates it, or that does not open
	Length  int64         // bytes of plaintext released, before a failure too
	Payload [sha256.Size]byte
	InUse   InUse // zero where the copies are all equal, or none is used to the end
}

// InUse says which copy of the head a reader uses, by what tells it from others.
type InUse struct {
	Generation uint32
	Slots      int
}

// A Raw is the plaintext of a payload with coding 1: what a reader gives that does
// not decompress.
type Raw struct {
	Length  int64
	Payload [sha256.Size]byte
}

// AtRandom is the verdict of a reader with random access that gives everything
// from the start on.
func (v *Vector) AtRandom() Verdict {
	if v.Random != nil {
		return *v.Random
	}
	return v.Stream
}

// Negative reports whether a reader that streams the container fails.
func (v *Vector) Negative() bool { return v.Stream.Outcome != Success && v.Stream.Outcome != Warning }

// A Range is a part of the plaintext, and what a reader with random access gives
// of it: Got bytes. If they are fewer than asked for, the plaintext ends there, or
// Clause says what is wrong.
type Range struct {
	Offset, Length int64
	Got            int64
	Payload        [sha256.Size]byte // SHA-256 of the bytes given
	Clause         format.Clause
}

// A Finding is a clause that is violated, and where: the offset in the container
// of the field, chunk or copy concerned.
type Finding struct {
	Clause format.Clause
	Offset int64
}

// Kinds of [Key].
const (
	KeyIdentity    = "identity"     // AGE-SECRET-KEY-PQ-1… or AGE-SECRET-KEY-1…
	KeySSH         = "ssh-identity" // an ssh private key in PEM, in Base64
	KeyPassphrase  = "passphrase"
	KeyKEK         = "kek" // 64 hexadecimal digits
	valueCEK       = "cek"
	valuePreamble  = "preamble"
	valuePlaintext = "plaintext"
)

// A Key is something to open the container with, or to fail to.
type Key struct{ Kind, Text string }

// A Value is an intermediate value of the key schedule, for whoever writes a
// reader and wants to know how far it is right. Keys and texts are described in
// testdata/vectors/README.md.
type Value struct{ Key, Text string }

// Value returns the first value with that key, or "".
func (v *Vector) Value(key string) string {
	for _, x := range v.Values {
		if x.Key == key {
			return x.Text
		}
	}
	return ""
}

// Clauses lists every clause that the vector names, violated or exercised.
func (v *Vector) Clauses() (violated, covered []format.Clause) {
	add := func(c format.Clause) {
		if c != "" {
			violated = append(violated, c)
		}
	}
	add(v.Stream.Clause)
	add(v.AtRandom().Clause)
	for _, r := range v.Ranges {
		add(r.Clause)
	}
	for _, f := range append(v.Keyless[:len(v.Keyless):len(v.Keyless)], v.Verify...) {
		add(f.Clause)
	}
	return violated, v.Covers
}
