package vectors

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"bulla/format"
)

// Sets (spec/set.md). Every part is the container of a scenario of its own, so that
// one part stands in many sets.

// A setScenario is the vector of a set before it is made.
type setScenario struct {
	name, comment string
	of            *bundle // whose plaintext it is
	parts         setParts
	keys          []Key // the key-encryption key A if nil

	// The verdicts, as those of a scenario, with the part after the clause:
	//
	//	ok
	//	warning CLAUSE PART
	//	no-key PART
	//	CLAUSE PART [N]
	want   string
	random string // as want if empty

	verify string // what a verifier finds, "PART CLAUSE, …"; what random says if empty
	ranges []span
	covers []format.Clause
}

// setParts are the parts that are there.
type setParts map[string]scenario

// without is p without parts.
func (p setParts) without(parts ...string) setParts {
	p = maps.Clone(p)
	for _, part := range parts {
		delete(p, part)
	}
	return p
}

// with is p with another part in a place.
func (p setParts) with(part string, s scenario) setParts {
	p = maps.Clone(p)
	p[part] = s
	return p
}

// names are those of p's parts in order: the root, the index, the volumes.
func (p setParts) names() []string {
	return slices.SortedFunc(maps.Keys(p), func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
}

func rank(part string) string {
	switch part {
	case Root:
		return ""
	case indexPart:
		return "."
	}
	return part
}

// volumePart is what volume i is called.
func volumePart(i int) string { return fmt.Sprintf(".%06d", i) }

// part is the scenario of a container of b, which opens if it is asked for.
func (b *bundle) part(name, comment string, x *box, keys ...Key) scenario {
	s := scenario{name: "part_" + name, comment: comment, file: x.file, asked: x.role, keys: keys, want: "ok"}
	if s.content != nil && s.coding == 0 {
		s.decoded = s.content
	}
	if x.role != 2 && keys == nil {
		s.keys = []Key{withPQ(b.key)}
	}
	return s
}

// all are the parts of b as they should be, of which the vectors have that name.
func (b *bundle) all(name string) setParts {
	p := setParts{
		Root:      b.part(name+"_root", "the root of a set", b.root),
		indexPart: b.part(name+"_index", "the index of a set", b.index),
	}
	for i, v := range b.volumes {
		p[volumePart(i)] = b.part(fmt.Sprintf("%s_%d", name, i), fmt.Sprintf("volume %d of a set", i), v)
	}
	return p
}

// plaintext is a part of the set's plaintext.
func (b *bundle) plaintext(off, n int64) (plain []byte) {
	for _, v := range b.volumes {
		k := max(0, min(n, v.length()-off))
		plain = append(plain, v.plaintext(off, k)...)
		n -= k
		off = max(0, off-v.length())
	}
	return plain
}

func (b *bundle) length() (n int64) {
	for _, v := range b.volumes {
		n += v.length()
	}
	return n
}

// vector makes the vector of s.
func (s setScenario) vector() *Vector {
	v := &Vector{Name: "set_" + s.name, Comment: s.comment, Covers: s.covers, Keys: s.keys}
	if s.keys == nil {
		v.Keys = []Key{withKEK(keyA)}
	}
	v.Stream = s.verdict(s.want)
	if r := s.verdict(cmp.Or(s.random, s.want)); r != v.Stream {
		v.Random = &r
	}
	d := v.AtRandom()
	for _, part := range s.parts.names() {
		v.Members = append(v.Members, Member{part, s.parts[part].name})
	}
	switch {
	case s.verify != "":
		for _, f := range strings.Split(s.verify, ", ") {
			part, clause, _ := strings.Cut(f, " ")
			v.PartWise = append(v.PartWise, PartFinding{part, format.Clause(clause)})
		}
	case d.Clause != "":
		v.PartWise = []PartFinding{{d.Where, d.Clause}}
	}
	if d.Outcome == Success {
		v.Values = []Value{{"set-seed", fmt.Sprintf("%x", s.of.key.seed())}, {"set-mac-key", fmt.Sprintf("%x", s.of.mac)}}
	}
	if s.ranges == nil && d.Clause == "" && d.Outcome == Success {
		n := d.Length
		for _, off := range []int64{0, volumeSize - 3, 2*volumeSize - 3, n - 1, n, n + volumeSize} {
			if off >= 0 && (off <= n || off == n+volumeSize) && !slices.ContainsFunc(s.ranges, func(r span) bool { return r.offset == off }) {
				s.ranges = append(s.ranges, span{offset: off, length: 7, got: max(0, min(7, n-off))})
			}
		}
	}
	for _, r := range s.ranges {
		v.Ranges = append(v.Ranges, Range{r.offset, r.length, r.got, sha256.Sum256(s.of.plaintext(r.offset, r.got)), r.clause})
	}
	return v
}

// verdict makes a verdict of its text.
func (s setScenario) verdict(text string) Verdict {
	words := strings.Fields(text)
	d := Verdict{}
	switch words[0] {
	case "ok":
		d = Verdict{Outcome: Success, Length: s.of.length()}
	case "warning":
		d = Verdict{Outcome: Warning, Clause: format.Clause(words[1]), Where: words[2], Length: s.of.length()}
	case "no-key":
		d = Verdict{Outcome: NoKey, Where: words[1]}
	default:
		d = Verdict{Clause: format.Clause(words[0]), Where: words[1]}
		if d.Outcome = FailureOf(d.Clause); d.Outcome == "" {
			panic(fmt.Sprintf("%s: no reader fails with %q", s.name, d.Clause))
		}
		if len(words) > 2 {
			d.Length = must(strconv.ParseInt(words[2], 10, 64))
		}
	}
	d.Payload = sha256.Sum256(s.of.plaintext(0, d.Length))
	return d
}

// The sets of the scenarios. Three volumes are two full ones and one of 100 bytes.
const (
	V  = volumeSize
	V2 = 2 * V
)

func three(label string, attempt int) *bundle { return bundleOf(label, attempt, keyA, V, V, 100) }

// setScenarios are all sets.
func setScenarios() []setScenario {
	return slices.Concat(goodSets(), wrongParts(), damagedParts(), badRoots(), badIndexes(), badVolumes())
}

func goodSets() []setScenario {
	a, again := three("a", 0), three("a", 1)
	one, none := bundleOf("one", 0, keyA, 100), bundleOf("none", 0, keyA, 0)
	exact := bundleOf("exact", 0, keyA, V, 0)
	whole := a.all("a")
	two := a.root.file
	two.generation, two.slots = 2, []slot{kek(keyA), kek(keyB)}
	two.pages = 1
	rewrapped := a.part("a_root_rewrapped", "the root of a set, after a recipient was added", build(two))
	two.pages, two.label = 2, "a root of two pages"
	larger := a.part("a_root_pages_2", "the root of a set, of two pages", build(two))
	newer := a.volumes[2].file
	newer.generation = 2
	return []setScenario{
		{name: "three", comment: "two full volumes and one of 100 bytes", of: a, parts: whole, want: "ok"},
		{name: "one", comment: "one volume", of: one, parts: one.all("one"), want: "ok"},
		{name: "none", comment: "no plaintext: one empty volume", of: none, parts: none.all("none"), want: "ok"},
		{name: "exact", comment: "a plaintext that fills its volumes: the last is empty", of: exact, parts: exact.all("exact"), want: "ok"},
		{name: "exact_no_last", comment: "the last volume is missing, and empty: whoever reads to the end notices", of: exact, parts: exact.all("exact").without(volumePart(len(exact.volumes) - 1)),
			want: fmt.Sprintf("SET-1 %s %d", volumePart(len(exact.volumes)-1), exact.length()), ranges: []span{{offset: 0, length: 5, got: 5}, {offset: exact.length() - 5, length: 6, got: 5, clause: format.SET1}}},
		{name: "none_no_volume", comment: "no plaintext, and the empty volume is missing", of: none, parts: none.all("none").without(volumePart(0)), want: "SET-1 " + volumePart(0) + " 0"},
		{name: "again", comment: "another attempt at the same set, whole", of: again, parts: again.all("again").with(Root, whole[Root]), want: "ok"},
		zstdSet(),
		{name: "rewrapped", comment: "the recipients were changed: of the root alone", of: a, keys: []Key{withKEK(keyB)}, parts: whole.with(Root, rewrapped), want: "ok"},
		{name: "root_pages_2", comment: "the root has a head of two pages", of: a, keys: []Key{withKEK(keyB)}, parts: whole.with(Root, larger), want: "ok"},
		{name: "volume_rewrapped", comment: "a volume is of generation 2, and still for the set key alone", of: a,
			parts: whole.with(volumePart(2), a.part("a_2_rewrapped", "volume 2 of a set, of generation 2", build(newer))), want: "ok"},
		{name: "volume_more", comment: "there is a volume more than the index lists: it is no part", of: a, parts: whole.with(volumePart(3), whole[volumePart(0)]), want: "ok"},
		{name: "no_key", comment: "no key for the root", of: a, parts: whole, keys: []Key{withKEK(keyB)}, want: "no-key root"},
	}
}

// zstdSet has volumes with coding 1.
func zstdSet() setScenario {
	b := bundleOf("zstd", 0, keyA)
	b.shape[9] = 1
	b.root = build(b.holding("zstd root", b.shape))
	for i, f := range []file{seekable(full('a')), seekable(rle('b', 1000))} {
		b.volumes = append(b.volumes, b.volume(0, i, int64(len(f.decoded)), func(v *file) {
			v.coding, v.content, v.decoded = f.coding, f.content, f.decoded
		}))
	}
	b.index = b.indexOf(0, b.listing())
	return setScenario{name: "zstd", comment: "volumes with coding 1", of: b, parts: b.all("zstd"), want: "ok"}
}

// holding is a root of b with that plaintext.
func (b *bundle) holding(label string, plain []byte) file {
	return file{label: label, role: 2, set: b.id, content: plain, decoded: plain}
}

// wrongParts are sets whose parts are missing, or in the wrong places.
func wrongParts() (all []setScenario) {
	a, again, b := three("a", 0), three("a", 1), three("b", 0)
	whole, other, foreign := a.all("a"), again.all("again"), b.all("b")
	v0, v1, v2 := volumePart(0), volumePart(1), volumePart(2)
	around := []span{{V - 3, 10, 3, "SET-1"}, {V, 5, 0, "SET-1"}, {V2 - 2, 10, 0, "SET-1"}, {V2 + 10, 5, 5, ""}, {3, 5, 5, ""}}
	file := scenario{name: "size_100_suite_1"}
	for _, c := range []struct {
		name, comment string
		parts         setParts
		want, verify  string
		ranges        []span
	}{
		{"root_alone", "the root and nothing else", setParts{Root: whole[Root]}, "SET-1 .index", "", nil},
		{"no_index", "the index is missing", whole.without(indexPart), "SET-1 .index", "", nil},
		{"no_volumes", "all volumes are missing", whole.without(v0, v1, v2), "SET-1 .000000", ".000000 SET-1, .000001 SET-1, .000002 SET-1", nil},
		{"no_0", "the first volume is missing", whole.without(v0), "SET-1 .000000", "", nil},
		{"no_1", "the second volume is missing", whole.without(v1), "SET-1 .000001 2097152", "", around},
		{"no_2", "the last volume is missing", whole.without(v2), "SET-1 .000002 4194304", "", nil},

		{"swapped", "two volumes in each other's place", whole.with(v0, whole[v1]).with(v1, whole[v0]), "SET-2 .000000", ".000000 SET-2, .000001 SET-2", nil},
		{"doubled", "a volume stands in the place of another, too", whole.with(v1, whole[v0]), "SET-2 .000001 2097152", "", nil},
		{"index_as_volume", "the index stands in the place of a volume", whole.with(v1, whole[indexPart]), "SET-2 .000001 2097152", "", nil},
		{"volume_as_index", "a volume stands in the place of the index", whole.with(indexPart, whole[v0]), "SET-2 .index", "", nil},
		{"root_as_index", "the root stands in the place of the index", whole.with(indexPart, whole[Root]), "SET-2 .index", "", nil},
		{"file_as_root", "a file stands in the place of the root", whole.with(Root, file), "ROLE-2 root", "", nil},
		{"volume_as_root", "a volume stands in the place of the root", whole.with(Root, whole[v0]), "ROLE-2 root", "", nil},

		{"foreign_0", "the first volume is another set's of the same recipient", whole.with(v0, foreign[v0]), "SET-2 .000000", "", nil},
		{"foreign_2", "the last volume is another set's of the same recipient", whole.with(v2, foreign[v2]), "SET-2 .000002 4194304", "", nil},
		{"foreign_index", "the index is another set's", whole.with(indexPart, foreign[indexPart]), "SET-2 .index", "", nil},
		{"foreign_root", "the root is another set's", whole.with(Root, foreign[Root]), "SET-2 .index", "", nil},

		{"stale_0", "the first volume is of another attempt at the same set", whole.with(v0, other[v0]), "SET-17 .000000", "", nil},
		{"stale_2", "the last volume is of another attempt at the same set", whole.with(v2, other[v2]), "SET-17 .000002 4194304", "", nil},
		{"stale_index", "the index is of another attempt at the same set", whole.with(indexPart, other[indexPart]), "SET-17 .000000",
			".000000 SET-17, .000001 SET-17, .000002 SET-17", nil},
	} {
		all = append(all, setScenario{name: c.name, comment: c.comment, of: a, parts: c.parts, want: c.want, verify: c.verify, ranges: c.ranges})
	}
	return all
}

// damagedParts are sets in which something happened to a container.
func damagedParts() (all []setScenario) {
	a := three("a", 0)
	whole := a.all("a")
	v1, v2 := volumePart(1), volumePart(2)
	const tailOf2, size2 = tail100, size100 // of the last volume
	const cut = H + 3*S + 10
	change := func(part, name, comment string, s scenario, changes ...change) setParts {
		base := whole[part]
		s.name, s.comment = base.name+"_"+name, base.comment+": "+comment
		s.file, s.asked, s.keys, s.change = base.file, base.asked, base.keys, changes
		return whole.with(part, s)
	}
	damaged := scenario{want: "CHUNK-1", verify: at(format.CHUNK1, H)}
	tornTail := scenario{want: "warning TAIL-1", keyless: at(format.TAIL1, tailOf2)}
	tornHead := scenario{want: "HEAD-5", random: "warning HEAD-5", keyless: at(format.HEAD5, H-4)}
	tornBoth := scenario{want: "HEAD-5", keyless: at(format.HEAD5, H-4)}
	indexTail := H + 72 + 3*112 + format.TagSize
	stale := change(Root, "stale_tail", "its tail is of generation 1, its head of 2",
		scenario{want: "warning TAIL-2", keyless: at(format.TAIL2, 72+H+format.TagSize)}, inHead(rewrapped(2, kek(keyA), kek(keyB))))
	other := file{label: "another container", role: 1, set: a.id, number: 2, plain: 100}
	for _, c := range []struct {
		name, comment string
		parts         setParts
		want, random  string
		verify        string
	}{
		{"chunk_only", "the only chunk of the last volume is damaged", change(v2, "chunk", "its chunk is damaged", damaged, flipAt(H)), "CHUNK-1 .000002 4194304", "", ""},
		{"chunk_middle", "a chunk of the second volume is damaged", change(v1, "chunk_5", "its sixth chunk is damaged",
			scenario{want: "CHUNK-1 327680", verify: at(format.CHUNK1, H+5*S)}, flipAt(H+5*S)), fmt.Sprintf("CHUNK-1 .000001 %d", V+5*C), "", ""},
		{"chunk_last", "the last chunk of the second volume is damaged: with random access that shows first", change(v1, "chunk_last", "its last chunk is damaged",
			scenario{want: "CHUNK-1 2097152", random: "CHUNK-1", verify: at(format.CHUNK1, H+32*S)}, flipAt(H+32*S)),
			fmt.Sprintf("CHUNK-1 .000001 %d", V2), fmt.Sprintf("CHUNK-1 .000001 %d", V), ""},
		{"chunk_root", "the chunk of the root is damaged", change(Root, "chunk", "its chunk is damaged", damaged, flipAt(H)), "CHUNK-1 root", "", ""},
		{"chunk_index", "the chunk of the index is damaged", change(indexPart, "chunk", "its chunk is damaged", damaged, flipAt(H)), "CHUNK-1 .index", "", ""},

		{"cut_1", "the second volume is cut off", change(v1, "cut", "it is cut off",
			scenario{want: "FILE-1 131072", random: "FILE-1", keyless: at(format.TAIL1, cut-H), verify: at(format.TAIL1, cut-H, format.FILE1, cut)}, cutAt(cut)),
			fmt.Sprintf("FILE-1 .000001 %d", V+2*C), fmt.Sprintf("FILE-1 .000001 %d", V), ""},
		{"cut_2", "the last volume lacks its last byte", change(v2, "cut", "it lacks its last byte",
			scenario{want: "FILE-1", keyless: at(format.TAIL1, tailOf2-1), verify: at(format.TAIL1, tailOf2-1, format.FILE1, size2-1)}, cutAt(-1)),
			"FILE-1 .000002 4194304", "", ""},
		{"cut_root", "the root lacks its last byte", change(Root, "cut", "it lacks its last byte",
			scenario{want: "FILE-1", keyless: at(format.TAIL1, H+72+15), verify: at(format.TAIL1, H+72+15, format.FILE1, 2*H+72+15)}, cutAt(-1)), "FILE-1 root", "", ""},
		{"longer_2", "a byte follows the last volume", change(v2, "longer", "a byte follows it",
			scenario{want: "FILE-4", keyless: at(format.TAIL1, tailOf2+1), verify: at(format.TAIL1, tailOf2+1, format.FILE4, size2)}, followed([]byte{0})),
			"FILE-4 .000002 4194304", "", ""},

		{"head_torn", "the head of the last volume is damaged", change(v2, "head_torn", "its head is damaged", tornHead, inHead(flip(200))),
			"HEAD-5 .000002 4194304", "warning HEAD-5 .000002", ""},
		{"tail_torn", "the tail of the last volume is damaged", change(v2, "tail_torn", "its tail is damaged", tornTail, inTail(flip(200))), "warning TAIL-1 .000002", "", ""},
		{"both_torn", "both copies of the last volume's head are damaged", change(v2, "both_torn", "both copies of its head are damaged", tornBoth, inBoth(flip(200))),
			"HEAD-5 .000002 4194304", "", ""},
		{"root_head_torn", "the root's head is damaged", change(Root, "head_torn", "its head is damaged", tornHead, inHead(flip(200))), "warning HEAD-5 root", "", ""},
		{"index_head_torn", "the index's head is damaged", change(indexPart, "head_torn", "its head is damaged", tornHead, inHead(flip(200))), "warning HEAD-5 .index", "", ""},
		{"index_tail_torn", "the index's tail is damaged", change(indexPart, "tail_torn", "its tail is damaged",
			scenario{want: "warning TAIL-1", keyless: at(format.TAIL1, indexTail)}, inTail(flip(200))), "warning TAIL-1 .index", "", ""},
		{"root_both_torn", "both copies of the root's head are damaged", change(Root, "both_torn", "both copies of its head are damaged", tornBoth, inBoth(flip(200))),
			"HEAD-5 root", "", ""},
		{"root_stale_tail", "the root's tail is of an older generation", stale, "warning TAIL-2 root", "", ""},
		{"root_stale_and_tail_torn", "the root's tail is of an older generation, and the last volume's damaged: the root comes first",
			stale.with(v2, scenario{name: "part_a_2_tail_torn"}), "warning TAIL-2 root", "", "root TAIL-2, .000002 TAIL-1"},

		{"slot_of_other_newer", "the newer head of the last volume has a slot for someone else alone, the tail that for the set key: the copy that counts must have it",
			change(v2, "slot_of_other_newer", "its newer head is for someone else alone", scenario{want: "no-key", random: "warning TAIL-2", keyless: at(format.TAIL2, tailOf2)},
				inHead(rewrapped(2, pq(pqA)))), "SET-4 .000002 4194304", "", ""},
		{"two_tails", "the last volume has the tail of another one of its number", change(v2, "foreign_tail", "its tail is another one's",
			scenario{want: "COPY-1 100", random: "COPY-1", keyless: at(format.COPY1, tailOf2)}, inTail(of(other))),
			fmt.Sprintf("COPY-1 .000002 %d", V2+100), "COPY-1 .000002 4194304", ""},
		{"forged_2", "the generation of the last volume was raised, with the checksums repaired", change(v2, "forged", "its generation was raised, with the checksums repaired",
			scenario{want: "HEAD-13", keyless: none, verify: at(format.HEAD13, H-trailerSize)}, inBoth(set(atGeneration, 0, 0, 0, 2), repair)),
			"HEAD-13 .000002 4194304", "", ""},
	} {
		all = append(all, setScenario{name: c.name, comment: c.comment, of: a, parts: c.parts, want: c.want, random: c.random, verify: c.verify})
	}
	return all
}

// badRoots hold something else than a root does. Their containers are good.
func badRoots() (all []setScenario) {
	a := three("a", 0)
	whole := a.all("a")
	be := func(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
	put := func(off int, b ...byte) []byte {
		shape := bytes.Clone(a.shape)
		copy(shape[off:], b)
		return shape
	}
	coded := seekable(plainFrame(a.shape))
	for _, c := range []struct {
		name, comment string
		plain         []byte
		change        func(*file)
		want          string
	}{
		{"empty", "nothing", []byte{}, nil, "SET-5 root"},
		{"short", "a byte too few", a.shape[:71], nil, "SET-5 root"},
		{"long", "a byte too many", append(bytes.Clone(a.shape), 0), nil, "SET-5 root"},
		{"magic", "another magic", put(7, 'T'), nil, "SET-5 root"},
		{"layout_0", "layout 0", put(8, 0), nil, "SET-6 root"},
		{"layout_2", "layout 2 and coding 9: the layout comes first", put(8, 2, 9), nil, "SET-6 root"},
		{"reserved_15", "a reserved byte is not zero", put(15, 1), nil, "SET-6 root"},
		{"reserved_31", "another reserved byte is not zero", put(31, 1), nil, "SET-6 root"},
		{"coding_2", "coding 2, and a wrong set id: the coding comes first", put(9, 2, 0, 0, 0, 0, 0, 0, 1), nil, "SET-7 root"},
		{"id", "another set id, and V 0: the set id comes first", put(16, append(bytes.Repeat([]byte{9}, 12), make([]byte, 44)...)...), nil, "SET-8 root"},
		{"id_end", "the last byte of the set id", put(27, a.id[11]^1), nil, "SET-8 root"},
		{"v_0", "V 0", put(64, be(0)...), nil, "SET-9 root"},
		{"v_odd", "a V that is no multiple of 2 MiB", put(64, be(V+1)...), nil, "SET-9 root"},
		{"v_half", "a V of 1 MiB", put(64, be(V/2)...), nil, "SET-9 root"},
		{"v_over", "the least V over 2^45", put(64, be(1<<45+V)...), nil, "SET-9 root"},
		{"v_2_64", "the largest multiple of 2 MiB", put(64, be(1<<64-V)...), nil, "SET-9 root"},
		{"s", "another S: the index is not for its set key", put(32, 1, 2, 3, 4), nil, "SET-4 .index"},
		{"v_double", "twice the V: the index is of another", put(64, be(V2)...), nil, "SET-15 .index"},
		{"coding_1", "coding 1 for volumes that have 0", put(9, 1), nil, "SET-3 .000000"},
		{"zstd", "what it should, but with coding 1", coded.content, func(f *file) { f.coding, f.decoded = 1, coded.decoded }, "SET-3 root"},
	} {
		f := a.holding("a root "+c.name, c.plain)
		if c.change != nil {
			c.change(&f)
		}
		s := setScenario{name: "root_" + c.name, comment: "the root holds " + c.comment, of: a, want: c.want,
			parts: whole.with(Root, a.part("a_root_"+c.name, "a root that holds "+c.comment, build(f)))}
		if c.name == "coding_1" {
			s.verify = ".000000 SET-3, .000001 SET-3, .000002 SET-3"
		}
		all = append(all, s)
	}
	return all
}

// badIndexes hold something else than an index does.
func badIndexes() (all []setScenario) {
	a, b := three("a", 0), three("b", 0)
	whole := a.all("a")
	listing := a.listing()
	put := func(off int, with ...byte) []byte {
		l := bytes.Clone(listing)
		copy(l[off:], with)
		return l
	}
	be := func(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
	const entry0, entry2 = 40, 40 + 2*112
	end := func(off int) func(*file) { // changes a byte of the MAC
		return func(f *file) { f.content[len(f.content)-off] ^= 1 }
	}
	coded := func(f *file) {
		c := seekable(plainFrame(f.content))
		f.coding, f.content, f.decoded = c.coding, c.content, c.decoded
	}
	for _, c := range []struct {
		name, comment string
		plain         []byte // but for the MAC
		change        func(*file)
		want          string
		keys          []Key
	}{
		{"zstd", "coding 1", listing, coded, "SET-3 .index", nil},
		{"two_slots", "two slots for the set key", listing, func(f *file) { f.slots = []slot{pq(a.key), pq(a.key)} }, "SET-4 .index", nil},
		{"unknown_slot", "a slot of unknown type, too", listing, func(f *file) { f.slots = []slot{pq(a.key), unknown(0x7fff, 1)} }, "SET-4 .index", nil},
		{"kek_slot", "a slot for the root's recipient", listing, func(f *file) { f.slots = []slot{kek(keyA)} }, "SET-4 .index", []Key{withKEK(keyA)}},
		{"slot_of_other", "a slot for another set's key", listing, func(f *file) { f.slots = []slot{pq(b.key)} }, "SET-4 .index", []Key{withPQ(b.key)}},
		{"short", "a byte too few", listing[:len(listing)-1], nil, "SET-11 .index", nil},
		{"no_entry", "no entry", put(28, 0, 0, 0, 0)[:entry0], nil, "SET-11 .index", nil},
		{"magic", "another magic and layout 2: the magic comes first", put(7, 'X', 2), nil, "SET-11 .index", nil},
		{"layout_2", "layout 2, and its MAC wrong: the layout comes first", put(8, 2), end(1), "SET-12 .index", nil},
		{"mac", "the first byte of the MAC wrong", listing, end(32), "SET-13 .index", nil},
		{"mac_end", "the last byte of the MAC wrong, and a reserved byte that is not zero: the MAC comes first", put(15, 1), end(1), "SET-13 .index", nil},
		{"reserved", "a reserved byte that is not zero, and another set id: the reserved byte comes first", put(9, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3), nil, "SET-14 .index", nil},
		{"id", "another set id", put(27, a.id[11]^1), nil, "SET-15 .index", nil},
		{"v", "another V", put(32, be(V2)...), nil, "SET-15 .index", nil},
		{"n", "one entry fewer than there are", put(28, 0, 0, 0, 2), nil, "SET-15 .index", nil},
		{"content_first", "a first volume that is not full", put(entry0+104, be(V-1)...), nil, "SET-16 .index", nil},
		{"content_last", "a last volume that is full", put(entry2+104, be(V)...), nil, "SET-16 .index", nil},
		{"content_huge", "a last volume of 2^64 - 1 bytes", put(entry2+104, be(1<<64-1)...), nil, "SET-16 .index", nil},
		{"identity", "another commitment of the last volume", put(entry2+95, listing[entry2+95]^1), nil, "SET-17 .000002 4194304", nil},
		{"size", "a last volume that is a byte longer", put(entry2+96, be(size100+1)...), nil, "SET-18 .000002", nil},
		{"content", "a last volume that has a byte less", put(entry2+104, be(99)...), nil, "SET-18 .000002", nil},
	} {
		var changes []func(*file)
		if c.change != nil {
			changes = append(changes, c.change)
		}
		x := a.indexOf(0, c.plain, append(changes, func(f *file) { f.label = "a index " + c.name })...)
		s := setScenario{name: "index_" + c.name, comment: "the index has " + c.comment, of: a, want: c.want,
			parts: whole.with(indexPart, a.part("a_index_"+c.name, "an index with "+c.comment, x, c.keys...))}
		if strings.HasPrefix(c.want, "SET-18") { // one that streams knows at the end of the volume
			s.want, s.random = fmt.Sprintf("%s %d", c.want, V2+100), fmt.Sprintf("%s %d", c.want, V2)
		}
		all = append(all, s)
	}
	return all
}

// badVolumes were made so by somebody who makes volumes, or has the CEK of one; the
// index lists them.
func badVolumes() (all []setScenario) {
	for _, c := range []struct {
		name, comment string
		change        func(*bundle, *file)
		want          string
		keys          []Key
	}{
		{"zstd", "has coding 1, unlike the set", func(_ *bundle, f *file) {
			c := seekable(rle('a', 100))
			f.coding, f.content, f.decoded = c.coding, c.content, c.decoded
		}, "SET-3 .000002 4194304", nil},
		{"two_slots", "has two slots for the set key", func(b *bundle, f *file) { f.slots = []slot{pq(b.key), pq(b.key)} }, "SET-4 .000002 4194304", nil},
		{"passphrase", "has a slot for a passphrase, too", func(b *bundle, f *file) { f.slots = []slot{pq(b.key), passphrase(passA)} }, "SET-4 .000002 4194304", nil},
		{"kek_slot", "has a slot for the root's recipient alone", func(_ *bundle, f *file) { f.slots = []slot{kek(keyA)} }, "SET-4 .000002 4194304", []Key{withKEK(keyA)}},
		{"number", "has another number", func(_ *bundle, f *file) { f.number = 3 }, "SET-2 .000002 4194304", nil},
		{"number_high", "has a number that is another in its first byte", func(_ *bundle, f *file) { f.number |= 1 << 24 }, "SET-2 .000002 4194304", nil},
		{"id", "has another set id", func(_ *bundle, f *file) { f.set[11] ^= 1 }, "SET-2 .000002 4194304", nil},
	} {
		b := three("a", 0)
		label := "a volume " + c.name
		b.volumes[2] = b.volume(0, 2, 100, func(f *file) {
			f.label = label
			c.change(b, f)
		})
		b.index = b.indexOf(0, b.listing(), func(f *file) { f.label = label + " index" })
		p := three("a", 0).all("a").
			with(volumePart(2), b.part("a_2_"+c.name, "a volume that "+c.comment, b.volumes[2], c.keys...)).
			with(indexPart, b.part("a_index_for_"+c.name, "the index of a set whose last volume "+c.comment, b.index))
		all = append(all, setScenario{name: "volume_" + c.name, comment: "the last volume " + c.comment, of: b, parts: p, want: c.want})
	}
	// Sealed anew under its CEK.
	a := three("a", 0)
	shorter := a.volumes[2].file
	shorter.plain = 99
	return append(all, setScenario{name: "volume_resealed", comment: "the last volume was sealed anew under its CEK, with a byte less", of: a,
		parts: a.all("a").with(volumePart(2), a.part("a_2_resealed", "volume 2 of a set, sealed anew with a byte less", build(shorter))),
		want:  fmt.Sprintf("SET-18 .000002 %d", V2+99), random: "SET-18 .000002 4194304"})
}
