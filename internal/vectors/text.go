package vectors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bulla/format"
)

// The file of a vector: lines of "key: value" in a fixed order, an empty line, and
// a body. testdata/vectors/README.md says what the keys mean.
const (
	keyComment  = "comment"
	keyExpect   = "expect"
	keyClause   = "clause"
	keyWhere    = "where"
	keyLength   = "length"
	keyPayload  = "payload"
	keyInUse    = "in-use"
	randomly    = "random-" // before those six
	keyRaw      = "raw"
	keyRange    = "range"
	keyKeyless  = "keyless"
	keyVerify   = "verify"
	keyCovers   = "covers"
	keyRole     = "role"
	keyDetached = "detached"
	keyMember   = "member"
	keyGranted  = "granted"
	keyPart     = "part"
	keyXor      = "xor"
	keyCut      = "cut"
	keySize     = "size"
	keySum      = "sha256"
)

// valueKeys are the keys of intermediate values.
var valueKeys = []string{
	valueCEK, valuePreamble, valuePlaintext, "prk", "commitment", "head-key", "slot-id-key", "mac",
	"payload-node", "node", "segment-key", "final-key", "nonce", "slot-id", "slot-argon2", "slot-okm", "slot-secret",
	"set-seed", "set-mac-key",
}

var keyKinds = []string{KeyIdentity, KeySSH, KeyPassphrase, KeyKEK}

const (
	lineEnd   = "\n"
	separator = ": "
)

// Append appends the file of v to b.
func (v *Vector) Append(b []byte) []byte {
	line := func(key, format string, args ...any) {
		b = append(b, key+separator...)
		b = fmt.Appendf(b, format, args...)
		b = append(b, lineEnd...)
	}
	line(keyComment, "%s", v.Comment)
	verdict := func(prefix string, d *Verdict) {
		line(prefix+keyExpect, "%s", d.Outcome)
		if d.Clause != "" {
			line(prefix+keyClause, "%s", d.Clause)
		}
		if d.Where != "" {
			line(prefix+keyWhere, "%s", d.Where)
		}
		line(prefix+keyLength, "%d", d.Length)
		line(prefix+keyPayload, "%x", d.Payload)
		if d.InUse != (InUse{}) {
			line(prefix+keyInUse, "%d %d", d.InUse.Generation, d.InUse.Slots)
		}
	}
	verdict("", &v.Stream)
	if v.Random != nil {
		verdict(randomly, v.Random)
	}
	if v.Raw != nil {
		line(keyRaw, "%d %x", v.Raw.Length, v.Raw.Payload)
	}
	for _, r := range v.Ranges {
		line(keyRange, "%s", strings.TrimSpace(fmt.Sprintf("%d %d %d %x %s", r.Offset, r.Length, r.Got, r.Payload, r.Clause)))
	}
	for _, f := range v.Keyless {
		line(keyKeyless, "%s %d", f.Clause, f.Offset)
	}
	for _, f := range v.Verify {
		line(keyVerify, "%s %d", f.Clause, f.Offset)
	}
	for _, f := range v.PartWise {
		line(keyVerify, "%s %s", f.Part, f.Clause)
	}
	if len(v.Covers) > 0 {
		line(keyCovers, "%s", joined(v.Covers))
	}
	if v.Role != 0 {
		line(keyRole, "%d", v.Role)
	}
	for _, k := range v.Keys {
		line(k.Kind, "%s", k.Text)
	}
	for _, x := range v.Values {
		line(x.Key, "%s", x.Text)
	}
	for _, g := range v.Granted {
		line(keyGranted, "%d %d", g.From, g.To)
	}
	for _, m := range v.Members {
		line(keyMember, "%s %s", m.Part, m.Vector)
	}
	if v.Detached != nil {
		line(keyDetached, "%d", len(v.Detached))
	}
	v.recipe.append(line)
	b = append(b, lineEnd...)
	b = append(b, v.Detached...)
	return append(b, v.body...)
}

func (r *Recipe) append(line func(key, format string, args ...any)) {
	if len(r.Parts) == 0 {
		return
	}
	for _, p := range r.Parts {
		switch p.Kind {
		case PartChunk:
			line(keyPart, "%s %d %d %t", p.Kind, p.First, p.PlaintextSize, p.Final)
		case PartChunks, PartZeroChunks:
			line(keyPart, "%s %d %d", p.Kind, p.First, p.Count)
		default:
			line(keyPart, "%s %d", p.Kind, p.Count)
		}
	}
	for _, x := range r.Xors {
		line(keyXor, "%d %x", x.Offset, x.Mask)
	}
	if r.Cut > 0 {
		line(keyCut, "%d", r.Cut)
	}
	line(keySize, "%d", r.Size)
	if r.Sum != nil {
		line(keySum, "%x", *r.Sum)
	}
}

func joined(clauses []format.Clause) string {
	var s []string
	for _, c := range clauses {
		s = append(s, string(c))
	}
	return strings.Join(s, " ")
}

// Parse reads the file of a vector. It knows every key, and each line is of the
// form that Append gives it.
func Parse(name string, file []byte) (*Vector, error) {
	text, body, ok := bytes.Cut(file, []byte(lineEnd+lineEnd))
	if !ok {
		return nil, errors.New("there is no empty line")
	}
	v := &Vector{Name: name, body: body}
	detached := 0
	for n, line := range strings.Split(string(text), lineEnd) {
		key, value, ok := strings.Cut(line, separator)
		p := fields{words: strings.Fields(value), text: value}
		if ok {
			ok = v.set(key, &p, &detached)
		}
		if !ok || p.bad || len(p.words) > 0 {
			return nil, fmt.Errorf("line %d is not understood", n+1)
		}
	}
	if v.Stream.Outcome == "" || v.Random != nil && v.Random.Outcome == "" {
		return nil, errors.New("it does not say what to expect")
	}
	if detached > len(v.body) {
		return nil, errors.New("the detached head is longer than the body")
	}
	if detached > 0 {
		v.Detached, v.body = v.body[:detached:detached], v.body[detached:]
	}
	return v, nil
}

// set takes one line; false for a key that is not known.
func (v *Vector) set(key string, p *fields, detached *int) bool {
	if slices.Contains(keyKinds, key) {
		v.Keys = append(v.Keys, Key{key, p.rest()})
		return true
	}
	if slices.Contains(valueKeys, key) {
		v.Values = append(v.Values, Value{key, p.rest()})
		return true
	}
	verdict := &v.Stream
	if k, ok := strings.CutPrefix(key, randomly); ok {
		if v.Random == nil {
			v.Random = &Verdict{}
		}
		key, verdict = k, v.Random
	}
	r := &v.recipe
	switch key {
	case keyComment:
		v.Comment = p.rest()
	case keyExpect:
		verdict.Outcome = Outcome(p.word())
	case keyClause:
		verdict.Clause = format.Clause(p.word())
	case keyWhere:
		verdict.Where = p.word()
	case keyLength:
		verdict.Length = p.number()
	case keyPayload:
		verdict.Payload = p.sum()
	case keyInUse:
		verdict.InUse = InUse{uint32(p.number()), int(p.number())}
	case keyRaw:
		v.Raw = &Raw{p.number(), p.sum()}
	case keyRange:
		v.Ranges = append(v.Ranges, Range{p.number(), p.number(), p.number(), p.sum(), format.Clause(p.last())})
	case keyKeyless:
		v.Keyless = append(v.Keyless, Finding{format.Clause(p.word()), p.number()})
	case keyGranted:
		v.Granted = append(v.Granted, Granted{p.number(), p.number()})
	case keyMember:
		v.Members = append(v.Members, Member{p.word(), p.word()})
	case keyVerify:
		if len(p.words) > 0 && isPart(p.words[0]) {
			v.PartWise = append(v.PartWise, PartFinding{p.word(), format.Clause(p.word())})
			break
		}
		v.Verify = append(v.Verify, Finding{format.Clause(p.word()), p.number()})
	case keyCovers:
		for len(p.words) > 0 {
			v.Covers = append(v.Covers, format.Clause(p.word()))
		}
	case keyRole:
		v.Role = format.Role(p.number())
	case keyDetached:
		*detached = int(p.number())
	case keyPart:
		r.Parts = append(r.Parts, p.part())
	case keyXor:
		r.Xors = append(r.Xors, Xor{p.number(), p.hex()})
	case keyCut:
		r.Cut = p.number()
	case keySize:
		r.Size = p.number()
	case keySum:
		sum := p.sum()
		r.Sum = &sum
	default:
		return false
	}
	return true
}

// fields takes the value of a line apart.
type fields struct {
	words []string
	text  string
	bad   bool
}

// rest is the value as it stands.
func (p *fields) rest() string {
	p.words = nil
	return p.text
}

// last is the word that may stand at the end.
func (p *fields) last() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.word()
}

func (p *fields) word() string {
	if len(p.words) == 0 {
		p.bad = true
		return ""
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

func (p *fields) number() int64 {
	n, err := strconv.ParseInt(p.word(), 10, 64)
	p.bad = p.bad || err != nil || n < 0
	return n
}

func (p *fields) hex() []byte {
	b, err := hex.DecodeString(p.word())
	p.bad = p.bad || err != nil
	return b
}

func (p *fields) sum() (sum [sha256.Size]byte) {
	b := p.hex()
	p.bad = p.bad || len(b) != len(sum)
	copy(sum[:], b)
	return sum
}

func (p *fields) part() Part {
	switch kind := p.word(); kind {
	case PartChunk:
		x := Part{Kind: kind, First: p.number(), PlaintextSize: p.number()}
		final, err := strconv.ParseBool(p.word())
		p.bad = p.bad || err != nil
		x.Final = final
		return x
	case PartChunks, PartZeroChunks:
		return Part{Kind: kind, First: p.number(), Count: p.number()}
	default:
		return Part{Kind: kind, Count: p.number()}
	}
}
