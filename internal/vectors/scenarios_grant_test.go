package vectors

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bulla/format"
)

// Grants (spec/grant.md). Grant and target are containers of scenarios of their own.

// A grantScenario is the vector of a grant before it is made.
type grantScenario struct {
	name, comment string
	v             int64 // V if the target is a set
	shares        []share
	plain         []byte              // what the grant holds, if not what the shares say
	grant         *scenario           // the container of the grant, if it is not a good one
	targets       map[string]scenario // what the parts of the target are
	keys          []Key               // the key-encryption key A if nil

	// As that of a set. The plaintext of it is what is granted, part by part.
	want   string
	ranges []span // of the target's plaintext
}

// place is where a share begins in the target's plaintext.
func (s *grantScenario) place(x share) int64 { return int64(x.x.number) * s.v }

// granted is the first n bytes of what is granted.
func (s *grantScenario) granted(n int64) (b []byte) {
	for _, x := range s.shares {
		k := min(n, x.to-x.from)
		b = append(b, x.x.plaintext(x.from, k)...)
		n -= k
	}
	return b
}

// target is a part of the target's plaintext.
func (s *grantScenario) target(off, n int64) (b []byte) {
	for _, x := range s.shares {
		from := max(off, s.place(x)+x.from)
		k := min(off+n, s.place(x)+x.to) - from
		if k > 0 {
			b = append(b, x.x.plaintext(from-s.place(x), k)...)
		}
	}
	return b
}

// container is the scenario of the grant's container.
func (s *grantScenario) container() scenario {
	if s.grant != nil {
		return *s.grant
	}
	plain := s.plain
	if plain == nil {
		plain = s.holds()
	}
	return scenario{name: "part_g_" + s.name, comment: "the grant of grant_" + s.name, file: file{role: 4, content: plain, decoded: plain}, asked: 4, want: "ok"}
}

// holds is what the grant should hold.
func (s *grantScenario) holds() []byte {
	total := s.shares[len(s.shares)-1].content
	if s.v > 0 {
		total = 0
		for _, x := range s.shares {
			total = max(total, s.place(x)+x.content)
		}
	}
	return grantOf(s.v, total, s.shares...)
}

func (s *grantScenario) members() map[string]scenario {
	m := map[string]scenario{Grant: s.container()}
	for part, t := range s.targets {
		m[part] = t
	}
	return m
}

// vector makes the vector of s.
func (s grantScenario) vector() *Vector {
	v := &Vector{Name: "grant_" + s.name, Comment: s.comment, Keys: s.keys}
	if s.keys == nil {
		v.Keys = []Key{withKEK(keyA)}
	}
	words := strings.Fields(s.want)
	d := &v.Stream
	switch words[0] {
	case "ok":
		d.Outcome, d.Length = Success, 1<<62
	case "warning":
		*d = Verdict{Outcome: Warning, Clause: format.Clause(words[1]), Where: words[2], Length: 1 << 62}
	case "no-key":
		*d = Verdict{Outcome: NoKey, Where: words[1]}
	default:
		*d = Verdict{Outcome: FailureOf(format.Clause(words[0])), Clause: format.Clause(words[0]), Where: words[1]}
		if d.Outcome == "" {
			panic(fmt.Sprintf("%s: no reader fails with %q", s.name, d.Clause))
		}
		if len(words) > 2 {
			d.Length = must(strconv.ParseInt(words[2], 10, 64))
		}
	}
	if d.Length > 0 {
		plain := s.granted(d.Length)
		d.Length, d.Payload = int64(len(plain)), sha256.Sum256(plain)
	} else {
		d.Payload = sha256.Sum256(nil)
	}
	for _, x := range s.shares {
		if d.Outcome == Success || s.ranges != nil {
			v.Granted = append(v.Granted, Granted{s.place(x) + x.from, s.place(x) + x.to})
		}
	}
	for _, r := range s.ranges {
		v.Ranges = append(v.Ranges, Range{r.offset, r.length, r.got, sha256.Sum256(s.target(r.offset, r.got)), r.clause})
	}
	members := s.members()
	for _, part := range append([]string{Grant}, slices.DeleteFunc(keysOf(members), func(p string) bool { return p == Grant })...) {
		v.Members = append(v.Members, Member{part, members[part].name})
	}
	return v
}

func keysOf(m map[string]scenario) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func grantScenarios() []grantScenario {
	return slices.Concat(goodGrants(), setGrants(), hugeGrants(), badTargets(), badGrants(), badParts())
}

// there is a container that has a vector already.
func there(name string, f file, change ...change) (*box, map[string]scenario) {
	f.label = name
	x := build(f)
	for _, c := range change {
		c(x)
	}
	return x, map[string]scenario{Target: {name: name}}
}

const (
	grantSegment = format.SegmentSize
	grantLength  = 3*grantSegment + 10 // of the target of most grants: three segments and a last chunk
)

// threeSegments is that target.
func threeSegments() (*box, map[string]scenario) {
	return there("size_25165834_suite_1", file{suite: 1, plain: grantLength})
}

func goodGrants() (all []grantScenario) {
	const M, P = grantSegment, grantLength
	long, longAt := threeSegments()
	one, oneAt := there("size_100_suite_1", file{suite: 1, plain: 100})
	chunk, chunkAt := there("size_65536_suite_2", file{suite: 2, plain: C})
	even, evenAt := there("size_8388608_suite_1", file{suite: 1, plain: M})
	over, overAt := there("size_8388609_suite_2", file{suite: 2, plain: M + 1})
	coded, codedAt := there("zstd_three", seekable(full('a'), full('b'), stockFrame()))
	const F = frameContent
	content := coded.length()
	for _, c := range []struct {
		name, comment string
		x             *box
		at            map[string]scenario
		shares        [][2]int64
		ranges        []span
	}{
		{"whole", "all of three segments and a last chunk: three segment keys and the final key", long, longAt, [][2]int64{{0, P}},
			[]span{{0, 5, 5, ""}, {M - 3, 7, 7, ""}, {3*M - 2, 8, 8, ""}, {P - 1, 1, 1, ""}}},
		{"first_byte", "the first byte: no key", long, longAt, [][2]int64{{0, 1}}, []span{{0, 1, 1, ""}, {0, 2, 0, Refused}, {1, 1, 0, Refused}}},
		{"inside", "a range inside a segment: no key", long, longAt, [][2]int64{{100, 200}}, []span{{100, 100, 100, ""}, {99, 2, 0, Refused}, {150, 51, 0, Refused}}},
		{"across", "a range across the boundary of two segments, with neither of them: no key", long, longAt, [][2]int64{{M - 5, M + 5}}, []span{{M - 1, 2, 2, ""}, {M - 6, 1, 0, Refused}}},
		{"segment", "a segment: its key alone", long, longAt, [][2]int64{{M, 2 * M}},
			[]span{{M, 10, 10, ""}, {M + C - 1, 2, 2, ""}, {2*M - 5, 5, 5, ""}, {M - 1, 1, 0, Refused}, {2*M - 1, 2, 0, Refused}, {2 * M, 1, 0, Refused}}},
		{"segment_less", "a segment but its first byte: no key", long, longAt, [][2]int64{{2*M - 100, 2*M - 1}}, []span{{2*M - 2, 1, 1, ""}, {2*M - 1, 1, 0, Refused}}},
		{"segment_and_edges", "a segment, five bytes before it and seven after it", long, longAt, [][2]int64{{M - 5, 2*M + 7}},
			[]span{{M - 5, 10, 10, ""}, {2*M - 1, 8, 8, ""}, {M - 6, 1, 0, Refused}, {2*M + 7, 1, 0, Refused}}},
		{"two_segments", "the first two segments", long, longAt, [][2]int64{{0, 2 * M}}, []span{{M - 1, 2, 2, ""}, {2 * M, 1, 0, Refused}}},
		{"three_segments", "the three full segments, without the last chunk: no final key", long, longAt, [][2]int64{{0, 3 * M}}, []span{{3*M - 1, 1, 1, ""}, {3 * M, 1, 0, Refused}}},
		{"all_but_last", "all but the last byte: no final key", long, longAt, [][2]int64{{0, P - 1}}, []span{{3*M - 1, 10, 10, ""}, {P - 1, 1, 0, Refused}}},
		{"end", "the last five bytes: no key", long, longAt, [][2]int64{{P - 5, P}}, []span{{P - 5, 5, 5, ""}, {P - 6, 2, 0, Refused}}},
		{"end_segment", "the third segment and the last chunk", long, longAt, [][2]int64{{2 * M, P}}, []span{{3*M - 1, 2, 2, ""}, {2*M - 1, 2, 0, Refused}}},
		{"end_and_edge", "the third segment and the last chunk, and five bytes before", long, longAt, [][2]int64{{2*M - 5, P}}, []span{{2*M - 5, 6, 6, ""}, {P - 10, 10, 10, ""}}},
		{"parts", "two parts: ten bytes, and a segment", long, longAt, [][2]int64{{0, 10}, {M, 2 * M}}, []span{{0, 10, 10, ""}, {M, 5, 5, ""}, {5, 6, 0, Refused}, {9, M, 0, Refused}}},
		{"touching", "two parts that touch", long, longAt, [][2]int64{{0, 10}, {10, 20}}, []span{{5, 10, 10, ""}, {0, 20, 20, ""}, {19, 2, 0, Refused}}},
		{"short", "all of a container of one chunk: no key", one, oneAt, [][2]int64{{0, 100}}, []span{{0, 100, 100, ""}}},
		{"full_chunk", "all of a full chunk and an empty last one: a segment key and a final key", chunk, chunkAt, [][2]int64{{0, C}}, []span{{C - 1, 1, 1, ""}}},
		{"even", "all of a segment and an empty last chunk", even, evenAt, [][2]int64{{0, M}}, []span{{M - 1, 1, 1, ""}}},
		{"over", "all of a segment and a last chunk of one byte", over, overAt, [][2]int64{{0, M + 1}}, []span{{M - 1, 2, 2, ""}}},
		{"zstd_first", "the first of three frames", coded, codedAt, [][2]int64{{0, F}}, []span{{F - 5, 5, 5, ""}, {F - 1, 2, 0, Refused}}},
		{"zstd_last", "the last two of three frames", coded, codedAt, [][2]int64{{F, content}}, []span{{2*F - 5, 10, 10, ""}, {F - 1, 2, 0, Refused}}},
		{"zstd_parts", "the first and the last of three frames", coded, codedAt, [][2]int64{{0, F}, {2 * F, content}}, []span{{2 * F, 10, 10, ""}, {F, 1, 0, Refused}}},
	} {
		all = append(all, grantScenario{name: c.name, comment: c.comment, shares: c.x.shares(c.shares...), targets: c.at, want: "ok", ranges: c.ranges})
	}
	return append(all, grantScenario{name: "no_key", comment: "no key for the grant", shares: one.shares([2]int64{0, 100}), targets: oneAt,
		keys: []Key{withKEK(keyB)}, want: "no-key grant"})
}

// setGrants are on volumes of a set.
func setGrants() []grantScenario {
	a := three("a", 0)
	whole := a.all("a")
	parts := func(numbers ...int) map[string]scenario {
		m := make(map[string]scenario)
		for _, i := range numbers {
			m[volumePart(i)] = scenario{name: whole[volumePart(i)].name}
		}
		return m
	}
	of := func(i int, from, to int64) share { return a.volumes[i].shares([2]int64{from, to})[0] }
	return []grantScenario{
		{name: "volume", comment: "a volume of a set", v: V, shares: []share{of(1, 0, V)}, targets: parts(1), want: "ok",
			ranges: []span{{V, 5, 5, ""}, {V2 - 1, 1, 1, ""}, {V - 1, 2, 0, Refused}, {V2, 1, 0, Refused}}},
		{name: "volumes", comment: "the end of a volume and the next one", v: V, shares: []share{of(1, V-5, V), of(2, 0, 100)}, targets: parts(1, 2), want: "ok",
			ranges: []span{{V2 - 5, 10, 10, ""}, {V2 + 99, 1, 1, ""}, {V2 - 6, 2, 0, Refused}}},
		{name: "volume_missing", comment: "two volumes, the second of which is missing", v: V, shares: []share{of(1, V-5, V), of(2, 0, 100)}, targets: parts(1),
			want: "SET-1 .000002 5", ranges: []span{{V2 - 5, 5, 5, ""}, {V2, 1, 0, "SET-1"}}},
		{name: "volume_swapped", comment: "another volume of the set stands in the place of that which is granted", v: V, shares: []share{of(1, 0, V)},
			targets: map[string]scenario{volumePart(1): {name: whole[volumePart(0)].name}}, want: "GRANT-11 .000001"},
	}
}

// hugeGrants have nodes of both levels.
func hugeGrants() (all []grantScenario) {
	const M, N1, N2 = grantSegment, segmentsLevel1, segmentsLevel2
	const edge1, edge2 = N1 * format.SegmentChunks, N2 * format.SegmentChunks
	x, at := there("huge_tree", file{}, islands(edge2+129, 77, edge1-1, edge1, edge2-1, edge2, edge2+128))
	const end = (edge2+129)*C + 77
	at1, at2 := []span{{edge1*C - 5, 10, 10, ""}, {edge1*C - C, C, C, ""}}, []span{{edge2*C - 5, 10, 10, ""}, {edge2 * C, C, C, ""}}
	for _, c := range []struct {
		name, comment string
		from, to      int64
		ranges        []span
	}{
		{"segments_31_32", "the segments on both sides of the boundary of two nodes of level 1: two segment keys", 31 * M, 33 * M,
			append(at1, span{33*M - 1, 1, 0, "CHUNK-1"}, span{33 * M, 1, 0, Refused}, span{31*M - 1, 1, 0, Refused})},
		{"node_1", "a node of level 1", N1 * M, 2 * N1 * M, []span{{edge1 * C, C, C, ""}, {edge1*C - 1, 2, 0, Refused}}},
		{"nodes_1", "all nodes of level 1 but the first, and the segment after them", N1 * M, (N2 + 1) * M, append(at2, span{edge1 * C, 5, 5, ""}, span{edge1*C - 1, 2, 0, Refused})},
		{"node_2", "a node of level 2", 0, N2 * M, append(at1, span{edge2*C - 5, 5, 5, ""}, span{edge2*C - 5, 6, 0, Refused})},
		{"all_levels", "a segment, nodes of level 1, and a segment after them", 31 * M, (N2 + 1) * M, append(slices.Clone(at1), at2...)},
		{"both_edges", "five bytes, a segment, nodes of level 1, a segment, and seven bytes", 31*M - 5, (N2+1)*M + 7, append(slices.Clone(at1), at2...)},
		{"tree", "all: a node of level 2, two segment keys and the final key", 0, end, append(slices.Concat(at1, at2), span{end - 5, 5, 5, ""}, span{end - 77 - C, C + 77, C + 77, ""})},
	} {
		s := x.shares([2]int64{c.from, c.to})
		s[0].content = end
		g := grantScenario{name: c.name, comment: c.comment, shares: s, targets: at, want: "CHUNK-1 target", ranges: c.ranges}
		switch c.name {
		case "node_1", "nodes_1":
			g.want = fmt.Sprintf("CHUNK-1 target %d", C) // its first chunk is there
		case "both_edges":
			g.want = "CHUNK-1 target 5"
		}
		all = append(all, g)
	}
	return all
}

// badTargets are not, or no longer, what was granted.
func badTargets() (all []grantScenario) {
	const M = grantSegment
	long, _ := threeSegments()
	base := scenario{file: long.file}
	share := long.shares([2]int64{M - 5, 2*M + 7})
	target := func(name, comment string, s scenario, changes ...change) map[string]scenario {
		s.name, s.comment, s.change = "part_target_"+name, "three segments and ten bytes: "+comment, changes
		s.file = base.file
		return map[string]scenario{Target: s}
	}
	const size, tail = grantLength + 385*16 + 2*H, grantLength + 385*16 + H
	tornHead := scenario{want: "HEAD-5", random: "warning HEAD-5", keyless: at(format.HEAD5, H-4)}
	chunk := func(i int64) scenario {
		return scenario{want: fmt.Sprintf("CHUNK-1 %d", i*C), verify: at(format.CHUNK1, H+i*S)}
	}
	flipChunk := func(i int64) change { return flipAt(H + i*S + 1000) }
	for _, c := range []struct {
		name, comment string
		targets       map[string]scenario
		want          string
	}{
		{"longer", "a byte follows it", target("longer", "a byte follows it",
			scenario{want: fmt.Sprintf("FILE-4 %d", 3*M), random: "FILE-4", keyless: at(format.TAIL1, tail+1), verify: at(format.TAIL1, tail+1, format.FILE4, size)}, followed([]byte{0})), "GRANT-11 target"},
		{"other", "it is another container, of the same size", map[string]scenario{Target: {name: "part_target_other", comment: "another container of three segments and ten bytes",
			file: file{plain: grantLength}, want: "ok"}}, "GRANT-11 target"},
		{"two_containers", "its tail is another container's", target("two_containers", "its tail is another container's",
			scenario{want: fmt.Sprintf("COPY-1 %d", grantLength), random: "COPY-1", keyless: at(format.COPY1, tail)}, inTail(of(file{label: "another container"}))), "COPY-1 target"},
		{"head_torn", "its head is damaged: a holder cannot judge it", target("head_torn", "its head is damaged", tornHead, inHead(flip(200))), "ok"},
		{"both_torn", "both copies of its head are damaged", target("both_torn", "both copies of its head are damaged",
			scenario{want: "HEAD-5", keyless: at(format.HEAD5, H-4)}, inBoth(flip(200))), "ok"},
		{"rewrapped", "its recipients were changed", target("rewrapped", "its recipients were changed", scenario{want: "no-key"}, inBoth(rewrapped(2, kek(keyB)))), "ok"},
		{"chunk_before", "a chunk before the segment that is granted is damaged: the five bytes of it are in the grant", target("chunk_before", "chunk 127 is damaged", chunk(127), flipChunk(127)), "ok"},
		{"chunk_granted", "a chunk that is granted is damaged", target("chunk_granted", "chunk 130 is damaged", chunk(130), flipChunk(130)), fmt.Sprintf("CHUNK-1 target %d", 5+2*C)},
	} {
		all = append(all, grantScenario{name: "target_" + c.name, comment: "of the target: " + c.comment, shares: share, targets: c.targets, want: c.want})
	}
	return all
}

// badGrants are containers that are no good grant.
func badGrants() (all []grantScenario) {
	const M = grantSegment
	long, targets := threeSegments()
	s := grantScenario{shares: long.shares([2]int64{M - 5, 2*M + 7}), targets: targets}
	plain := s.holds()
	good := func(name string) scenario { // as a container
		return scenario{name: "part_g_" + name, comment: "the grant of grant_" + name, file: file{role: 4, content: plain, decoded: plain}, asked: 4, want: "ok"}
	}
	add := func(name, comment, want string, change func(*scenario)) {
		g := s
		c := good(name)
		change(&c)
		g.name, g.comment, g.want, g.grant = name, comment, want, &c
		all = append(all, g)
	}
	tail := H + len(plain) + format.TagSize
	add("file", "a file in the place of the grant", "ROLE-2 grant", func(s *scenario) { *s = scenario{name: "size_100_suite_1"} })
	add("chunk", "the grant's chunk is damaged", "CHUNK-1 grant", func(s *scenario) {
		s.change, s.want, s.verify = []change{flipAt(H)}, "CHUNK-1", at(format.CHUNK1, H)
	})
	add("tail_torn", "the grant's tail is damaged", "warning TAIL-1 grant", func(s *scenario) {
		s.change, s.want, s.keyless = []change{inTail(flip(200))}, "warning TAIL-1", at(format.TAIL1, tail)
	})
	add("head_torn", "the grant's head is damaged", "warning HEAD-5 grant", func(s *scenario) {
		s.change, s.want, s.random, s.keyless = []change{inHead(flip(200))}, "HEAD-5", "warning HEAD-5", at(format.HEAD5, H-4)
	})
	add("zstd", "a grant with coding 1", "GRANT-1 grant", func(s *scenario) {
		c := seekable(plainFrame(plain))
		s.file.coding, s.file.content, s.file.decoded = c.coding, c.content, c.decoded
	})
	return all
}

// badParts are good containers that hold something else than a grant does.
func badParts() (all []grantScenario) {
	const M = grantSegment
	long, targets := threeSegments()
	x := grantScenario{shares: long.shares([2]int64{M - 5, 2*M + 7}), targets: targets}
	good := x.holds()
	edit := func(off int, with ...byte) []byte { return put(good, off, with...) }
	num := func(off int, n int64) []byte { return edit(off, be64(n)...) }
	count := func(b []byte, n uint32) []byte { return put(b, grantN, binary.BigEndian.AppendUint32(nil, n)...) }
	type bad struct {
		name, comment string
		plain         []byte
		want          string
	}
	run := func(x grantScenario, list []bad) {
		for _, c := range list {
			g := x
			g.name, g.comment, g.plain, g.want = "holds_"+c.name, "the grant has "+c.comment, c.plain, cmp.Or(c.want, "ok")
			if len(strings.Fields(g.want)) == 1 {
				g.want += " grant"
			}
			all = append(all, g)
		}
	}
	id := func(off int) int { return grantPart + off }
	run(x, []bad{
		{"empty", "nothing", []byte{}, "GRANT-2"},
		{"magic", "another magic and layout 2: the magic comes first", edit(7, 'T', 2), "GRANT-2"},
		{"31_bytes", "31 bytes", good[:31], "GRANT-4"},
		{"layout_0", "layout 0", edit(8, 0), "GRANT-3"},
		{"layout_2", "layout 2 and no parts: the layout comes first", count(edit(8, 2), 0), "GRANT-3"},
		{"reserved", "a reserved byte that is not zero", edit(11, 1), "GRANT-3"},
		{"n_0", "no parts, and an odd V: the number comes first", count(num(grantV, 1), 0), "GRANT-4"},
		{"n_over", "a part more than there may be", count(good, 131073), "GRANT-4"},
		{"n_2", "a part fewer than it says", count(good, 2), "GRANT-4"},
		{"cut", "a byte too few", good[:len(good)-1], "GRANT-4"},
		{"cut_keys", "no keys", good[:grantKeys], "GRANT-4"},
		{"cut_part", "a byte too few of the part's fields", good[:grantKeys-1], "GRANT-4"},
		{"byte_more", "a byte too many", append(bytes.Clone(good), 0), "GRANT-4"},
		{"v_odd", "a V that is no multiple of 2 MiB", num(grantV, V+1), "GRANT-5"},
		{"v_over", "a V over 2^45", num(grantV, 1<<45+V), "GRANT-5"},
		{"v_of_file", "a V, and a part about a file", num(grantV, V), "GRANT-5"},
		{"id_magic", "an identity with another magic", edit(id(0), 0), "GRANT-5"},
		{"id_version", "an identity of version 1", edit(id(atVersion), 1), "GRANT-5"},
		{"id_suite", "an identity of an unknown suite", edit(id(atSuite), 3), "GRANT-5"},
		{"id_coding", "an identity of an unknown coding", edit(id(atCoding), 2), "GRANT-5"},
		{"id_role_1", "the identity of a volume, without a V", edit(id(atRole), 1), "GRANT-5"},
		{"id_role_5", "an identity of an unknown role", edit(id(atRole), 5), "GRANT-5"},
		{"id_pages_0", "an identity of no pages", edit(id(atPages), 0, 0), "GRANT-5"},
		{"id_pages_65", "an identity of 65 pages", edit(id(atPages), 0, 65), "GRANT-5"},
		{"id_set", "a file's identity with a set id", edit(id(atSet), 1), "GRANT-5"},
		{"id_number", "a file's identity with a number", edit(id(atNumber+3), 1), "GRANT-5"},
		{"size_small", "a size without room for a chunk", num(grantSize, 2*H+15), "GRANT-6"},
		{"size_between", "a size that no payload has", num(grantSize, 2*H+S+1), "GRANT-6"},
		{"size_huge", "a size of more than 2^46 chunks", num(grantSize, 2*H+1<<46*S+16), "GRANT-6"},
		{"size_2_64", "a size of 2^64 - 1", num(grantSize, -1), "GRANT-6"},
		{"content", "a content that the size does not give", num(grantContent, grantLength-1), "GRANT-6"},
		{"plaintext", "another plaintext than the content", num(grantPlaintext, grantLength+1), "GRANT-6"},
		{"from_to", "a part of nothing", num(grantTo, M-5), "GRANT-7"},
		{"to_before", "a part that ends before it begins", num(grantFrom, 2*M+8), "GRANT-7"},
		{"to_over", "a part that ends after the content", num(grantTo, grantLength+1), "GRANT-7"},
		{"to_2_64", "a part that ends at 2^64 - 1", num(grantTo, -1), "GRANT-7"},
		{"begin", "begin that is not from", num(grantBegin, M-4), "GRANT-8"},
		{"end", "end that is not to", num(grantEnd, 2*M+6), "GRANT-8"},
		{"key", "a key that is another", edit(grantKeys, good[grantKeys]^1), "CHUNK-1 target 5"},
	})

	// Sizes that give a content all the same.
	sized := func(size, content int64) []byte {
		return grantOf(0, content, share{long, size, content, 0, 10})
	}
	run(x, []bad{
		{"size_rest_15", "a size that leaves 15 bytes for the last chunk, and the content that the formula gives", sized(2*H+S+15, C-1), "GRANT-6"},
		{"size_15", "a size that leaves 15 bytes for a payload, and the content that the formula gives", sized(2*H+15, -1), "GRANT-6"},
		{"size_chunks", "a size of 2^46 + 1 chunks, and the content that the formula gives", sized(2*H+1<<46*S+16, 1<<46*C), "GRANT-6"},
	})

	// Two parts.
	two := grantScenario{shares: long.shares([2]int64{0, 10}, [2]int64{20, 30}), targets: targets}
	swapped := grantScenario{shares: []share{two.shares[1], two.shares[0]}}
	overlap := grantScenario{shares: long.shares([2]int64{0, 10}, [2]int64{9, 20})}
	second := build(file{label: "another container", plain: grantLength})
	mixed := grantScenario{shares: []share{two.shares[0], second.shares([2]int64{20, 30})[0]}}
	both := two.holds()
	run(two, []bad{
		{"order", "two parts in the wrong order", swapped.holds(), "GRANT-7"},
		{"overlap", "two parts that overlap in a byte", overlap.holds(), "GRANT-7"},
		{"two_files", "parts about two files", mixed.holds(), "GRANT-5"},
		{"two_sizes", "two parts that give the file different sizes", put(both, len(both)-10-48, be64(two.shares[0].size-1)...), "GRANT-5"},
	})

	// Volumes.
	a, b := three("a", 0), three("b", 0)
	volumes := func(one, other *box) []share {
		return []share{one.shares([2]int64{0, 10})[0], other.shares([2]int64{0, 10})[0]}
	}
	of := grantScenario{v: V, shares: volumes(a.volumes[1], a.volumes[2]), targets: map[string]scenario{
		volumePart(1): {name: "part_a_1"}, volumePart(2): {name: "part_a_2"},
	}}
	two2 := grantScenario{v: V, shares: volumes(a.volumes[1], b.volumes[2])}
	again := grantScenario{v: V, shares: volumes(three("a", 1).volumes[1], a.volumes[1])}
	again.shares[1].from, again.shares[1].to = 20, 30
	set := of.holds()
	far := a.volume(0, 2, 100, func(f *file) { f.number = 131072 })
	run(of, []bad{
		{"v_3_mib", "a V of 3 MiB, and parts about volumes", put(set, grantV, be64(3<<20)...), "GRANT-5"},
		{"v_2_46", "a V of 2^46, and parts about volumes", put(set, grantV, be64(1<<46)...), "GRANT-5"},
		{"number_131072", "a part about volume 131,072", grantOf(V, 131072*V+100, far.shares([2]int64{0, 10})...), "GRANT-5"},
		{"two_sets", "parts about volumes of two sets", two2.holds(), "GRANT-5"},
		{"two_attempts", "parts about two volumes of one number", again.holds(), "GRANT-5"},
		{"volume_content", "a volume with more content than V", put(put(set, grantV, be64(V)...), grantContent, be64(V+1)...), "GRANT-6"},
		{"set_plaintext", "a plaintext that ends before the last volume's content does", put(set, grantPlaintext, be64(2*V+99)...), "GRANT-6"},
		{"no_v", "parts about volumes, and no V", put(set, grantV, be64(0)...), "GRANT-5"},
	})

	// Coding 1.
	coded, codedAt := there("zstd_three", seekable(full('a'), full('b'), stockFrame()))
	frames := grantScenario{shares: coded.shares([2]int64{0, 2 * frameContent}), targets: codedAt}
	z := frames.holds()
	sum := binary.BigEndian.Uint32(z[grantEnd+4:])
	sizes := func(b []byte, one, other uint32) []byte { // of the two frames
		return put(b, grantKeys, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, one), other)...)
	}
	run(frames, []bad{
		{"zstd_from", "a range that begins inside a frame", put(z, grantFrom, be64(1)...), "GRANT-8"},
		{"zstd_to", "a range that ends inside a frame", put(z, grantTo, be64(2*frameContent-1)...), "GRANT-8"},
		{"zstd_frame_0", "a frame of no bytes", put(z, grantKeys, 0, 0, 0, 0), "GRANT-8"},
		{"zstd_frame_long", "a frame of more bytes than there may be", put(z, grantKeys, binary.BigEndian.AppendUint32(nil, maxFrame+1)...), "GRANT-8"},
		{"zstd_sum", "frames that are together longer than end - begin", put(z, grantEnd, be64(int64(binary.BigEndian.Uint64(z[grantEnd:]))-1)...), "GRANT-8"},
		{"zstd_cut_frames", "no frames", z[:grantKeys], "GRANT-4"},
		{"zstd_content_huge", "a content over 2^48", put(put(z, grantContent, be64(1<<48+1)...), grantPlaintext, be64(1<<48+1)...), "GRANT-6"},
		{"zstd_frames_0", "a frame of no bytes, and another that makes up for it", sizes(z, 0, sum), "GRANT-8"},
		{"zstd_frames_long", "a frame of more bytes than there may be, and an end that fits", put(put(sizes(z, maxFrame+1, 100), grantEnd, be64(maxFrame+101)...), grantSize, be64(2*H+100*S+16)...), "GRANT-8"},
		{"zstd_no_table", "a range that ends where the payload's plaintext does: there is no room for the table", put(z, grantSize, be64(2*H+int64(sum)+16)...), "GRANT-8"},
	})
	return all
}
