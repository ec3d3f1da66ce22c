package vectors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bulla/format"
	"bulla/keyslot"
	sets "bulla/set"
	"bulla/stream"
)

// The two readers say the same about grants that somebody has changed, made otherwise,
// or brought to another container: outcome, clause, part and what was released.
func TestReadersAgreeOnGrants(t *testing.T) {
	m := newGrantMutator()
	ids := []stream.Identity{must(keyslot.NewKEK(keyA)), must(keyslot.NewKEK(keyB))}
	agreeOn(t, second(t), containers/10, func(i int) (framed, string) {
		x := m.mutant(i)
		return x, x.holder(t, ids)
	}, Success, Warning, Truncated, Damaged, Malformed, Forged, NoKey, Unsupported)
}

// A grantMutator changes grants and what they are on.
type grantMutator struct {
	*mutator
	files []*box  // to grant a part of
	set   *bundle // the same
}

func newGrantMutator() *grantMutator {
	m := &grantMutator{mutator: newMutator(), set: bundleOf("granted", 0, keyA, volumeSize, 70)}
	for _, x := range m.bases {
		if x.role == 0 && x.coding == 0 && x.plain > 0 {
			m.files = append(m.files, x)
		}
	}
	m.files = append(m.files, build(file{label: "segments", plain: 2*format.SegmentSize + 100}))
	return m
}

// holder is what this project's reader says, which reads all that is granted.
func (x *setMutant) holder(t *testing.T, ids []stream.Identity) string {
	grant := bytes.NewReader(x.parts["grant"])
	var plain bytes.Buffer
	where := "grant"
	var warnings []format.Finding
	g, err := stream.OpenGrant(t.Context(), grant, grant.Size(), ids, func(p format.Part) (stream.Target, error) {
		name := ""
		if p.Role == format.RoleVolume {
			name = sets.VolumeSuffix(int(p.Number))
		}
		b, ok := x.parts[name]
		if !ok {
			return nil, &format.ParseError{Clause: format.SET1, Kind: format.ErrTruncated}
		}
		return bytes.NewReader(b), nil
	}, &stream.GrantOptions{Workers: 1})
	if err == nil {
		defer g.Close()
		warnings = g.Warnings()
		for _, r := range g.Ranges() {
			if err == nil {
				_, err = g.WriteRange(t.Context(), &plain, r.Offset, r.Length)
			}
		}
	}
	if err == nil && len(warnings) == 0 {
		where = "-"
	}
	if e, ok := errors.AsType[*stream.TargetError](err); ok {
		if where = "root"; e.Role == format.RoleVolume {
			where = sets.VolumeSuffix(int(e.Number))
		}
	}
	return strings.TrimSuffix(said(err, warnings, &format.Head{}, &plain), "0 0") + where
}

// mutant is number i: always the same.
func (m *grantMutator) mutant(i int) *setMutant {
	r := rand.New(rand.NewPCG(2028, uint64(i)))
	y := &setMutant{kind: kindGrant, parts: make(map[string][]byte)}
	boxes := make(map[string]*box)
	var shares []share
	var v, plaintext int64
	if r.IntN(3) == 0 {
		v = volumeSize
		for i, x := range m.set.volumes {
			boxes[volumePart(i)] = x
			plaintext += x.plain
		}
		from, to := spanOf(r, plaintext, 0, v-1, v)
		for i, x := range m.set.volumes {
			if a, b := max(0, from-int64(i)*v), min(x.plain, to-int64(i)*v); a < b {
				shares = append(shares, x.shares([2]int64{a, b})...)
			}
		}
	} else {
		x := m.files[min(r.IntN(12), r.IntN(len(m.files)))]
		const s = format.SegmentSize
		boxes[""], plaintext = x, x.plain
		from, to := spanOf(r, x.plain, 0, C, s-1, s, s+1, 2*s, x.plain)
		shares = x.shares([2]int64{from, to})
		if to < x.plain && r.IntN(3) == 0 {
			shares = append(shares, x.shares([2]int64{to, x.plain})...)
		}
	}
	switch r.IntN(8) {
	case 0:
		shares = append(shares, shares[0])
		y.what = "a part twice; "
	case 1:
		shares[0].size += int64(r.IntN(3) - 1)
		y.what = "another size; "
	case 2:
		shares[0].content += int64(r.IntN(3) - 1)
		y.what = "another content; "
	}
	plain := grantOf(v, plaintext, shares...)
	f := file{label: "a grant", role: 4, content: plain, slots: []slot{kek(keyA)}}
	for range r.IntN(3) {
		y.what += remake(r, &f) + "; "
	}
	boxes["grant"] = build(f)
	for suffix, x := range boxes {
		y.parts[suffix] = x.bytes()
	}
	suffixes := slices.Sorted(maps.Keys(boxes))
	suffix := suffixes[r.IntN(len(suffixes))]
	switch r.IntN(6) {
	case 0, 1: // what containers suffer
		z := &mutant{container: bytes.Clone(y.parts[suffix])}
		did := m.change(r, boxes[suffix], z)
		y.parts[suffix] = append([]byte{}, z.container...)
		y.what += fmt.Sprintf("%q: %s%s; ", suffix, z.what, did)
	case 2:
		y.parts[suffix] = m.bases[r.IntN(len(m.bases))].bytes()
		y.what += fmt.Sprintf("another container as %q; ", suffix)
	case 3:
		if v > 0 && suffix != "grant" {
			delete(y.parts, suffix)
			y.what += fmt.Sprintf("without %q; ", suffix)
		}
	}
	return y
}

// spanOf is a range of n bytes, rather at one of the edges.
func spanOf(r *rand.Rand, n int64, edges ...int64) (from, to int64) {
	at := func() int64 {
		if k := r.IntN(len(edges) + 2); k < len(edges) {
			return min(n, edges[k])
		}
		return r.Int64N(n + 1)
	}
	if from, to = at(), at(); from == to {
		return 0, n
	}
	return min(from, to), max(from, to)
}

// remake makes something about a grant otherwise.
func remake(r *rand.Rand, f *file) string {
	b := slices.Clone(f.content)
	f.content = b
	const part = grantPart
	if len(b) < grantKeys {
		return "nothing"
	}
	switch r.IntN(8) {
	case 0:
		return field(r, b, []int{0, 8, 9, 11, grantN, grantN + 3, grantV, 20, 21, grantPlaintext - 1, grantPlaintext, grantPart - 1})
	case 1:
		return field(r, b[part:], []int{0, atVersion, atSuite, atCoding, atRole, atPages + 1, atSet, atSet + 11, atNumber, atNumber + 3, 40, 80})
	case 2, 3:
		at := []int{grantV, grantPlaintext, grantSize, grantContent, grantFrom, grantTo, grantBegin, grantEnd}[r.IntN(8)]
		more := []uint64{1, 1<<64 - 1, 16, C, S, 1 << 63, volumeSize}[r.IntN(7)]
		binary.BigEndian.PutUint64(b[at:], binary.BigEndian.Uint64(b[at:])+more)
		return fmt.Sprintf("the number at %d is %d more", at, more)
	case 4:
		f.content = b[:r.IntN(len(b))]
		return "cut"
	case 5:
		f.content = append(b, make([]byte, 1+r.IntN(200))...)
		return "more"
	case 6:
		at := grantKeys + r.IntN(len(b)-grantKeys)
		b[at] ^= 1
		return fmt.Sprintf("a bit at %d", at)
	}
	odd(r)(f)
	return "made otherwise"
}
