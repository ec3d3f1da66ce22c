package vectors

import (
	"fmt"
	"slices"

	"bulla/format"
)

// Containers whose copies of the head are not both as they should be, or differ
// (spec sections 7 and 8).

// one are heads that are damaged while the tail is not: a reader that streams
// fails, one with random access does not.
func tornHeads() (all []scenario) {
	plain := file{plain: 100}
	for _, c := range []struct {
		name, comment string
		edits         []edit
		want          string
		clause        format.Clause
		at            int
		keyless       []Finding // as that if nil
	}{
		{"magic", "a bit of its magic", []edit{flip(0)}, "HEAD-1", format.HEAD1, 0, nil},
		{"version", "its version", []edit{set(atVersion, 3)}, "HEAD-5", format.HEAD5, H - 4, nil},
		{"version_1", "its version, which is 1", []edit{set(atVersion, 1)}, "HEAD-5", format.HEAD5, H - 4, nil},
		{"pages_65", "its number of pages: one that cannot be", []edit{set(atPages, 0, 65)}, "HEAD-3", format.HEAD3, atPages, nil},
		{"pages_2", "its number of pages: not that of the copy's", []edit{set(atPages, 0, 2)}, "HEAD-16", format.HEAD16, atCopyPages, nil},
		{"copy_pages_2", "its copy pages", []edit{set(atCopyPages, 0, 2)}, "HEAD-16", format.HEAD16, atCopyPages, nil},
		{"copy_pages_0", "its copy pages: fewer than pages, with the checksum repaired", []edit{set(atCopyPages, 0, 0), repair}, "HEAD-16", format.HEAD16, atCopyPages, nil},
		{"both_pages_2", "its pages and copy pages: a length that could be", []edit{set(atPages, 0, 2), set(atCopyPages, 0, 2)}, "HEAD-5", format.HEAD5, 2*H - 4, nil},
		{"both_pages_64", "its pages and copy pages: more than the file has", []edit{set(atPages, 0, 64), set(atCopyPages, 0, 64)}, "HEAD-4", format.HEAD4, size100, nil},
		{"checksum", "its checksum", []edit{flip(atChecksum)}, "HEAD-5", format.HEAD5, H - 4, nil},
		{"half", "its second half, which is zeros", []edit{set(H/2, make([]byte, H/2)...)}, "HEAD-5", format.HEAD5, H - 4, nil},
		{"zeros", "all of it: zeros", []edit{bytesOf(make([]byte, H))}, "HEAD-1", format.HEAD1, 0, nil},
		{"generation", "its generation, 0, with the checksum repaired", []edit{set(atGeneration, 0, 0, 0, 0), repair}, "HEAD-9", format.HEAD9, atGeneration, nil},
		{"padding", "its padding, with the checksum repaired", []edit{set(2000, 1), repair}, "HEAD-12", format.HEAD12, 2000, nil},
	} {
		all = append(all, scenario{
			name: "torn_head_" + c.name, comment: "damaged in the head alone: " + c.comment, file: plain, change: []change{inHead(c.edits...)},
			want: c.want, random: "warning " + string(c.clause), keyless: c.keyless, verify: at(c.clause, c.at),
			covers: []format.Clause{format.READ1, format.READ2},
		})
		if s := &all[len(all)-1]; s.keyless == nil {
			s.keyless = s.verify
		}
	}
	return append(all,
		scenario{name: "torn_head_of_2_pages", comment: "a head of two pages that is zeros; the tail has to be found", file: file{pages: 2, plain: C + 1},
			change: []change{inHead(bytesOf(make([]byte, 2*H)))}, want: "HEAD-1", random: "warning HEAD-1", keyless: at(format.HEAD1, 0),
			covers: []format.Clause{format.READ2}},
		scenario{name: "torn_head_of_64_pages", comment: "the longest head is zeros; the tail has to be found", file: file{pages: 64, plain: 100},
			change: []change{inHead(bytesOf(make([]byte, 64*H)))}, want: "HEAD-1", random: "warning HEAD-1", keyless: at(format.HEAD1, 0),
			covers: []format.Clause{format.READ2}},
		decoyTail(),
		scenario{name: "torn_both", comment: "both copies are damaged", file: plain, change: []change{inHead(flip(200)), inTail(flip(300))},
			want: "HEAD-5", keyless: at(format.HEAD5, H-4)},
		scenario{name: "torn_head_and_chunk", comment: "the head is damaged, and a chunk", file: file{plain: C + 5}, change: []change{inHead(flip(200)), flipAt(H)},
			want: "HEAD-5", random: "CHUNK-1", keyless: at(format.HEAD5, H-4), verify: at(format.HEAD5, H-4, format.CHUNK1, H)},
		scenario{name: "torn_head_half_new", comment: "a rewrap that ended inside the head: half of it is of generation 2, and the tail all",
			file: plain, change: []change{
				inTail(rewrapped(2, kek(keyA), kek(keyB))),
				func(x *box) { x.head = slices.Concat(x.tail[:H/2], x.head[H/2:]) },
			}, want: "HEAD-5", random: "warning HEAD-5", keyless: at(format.HEAD5, H-4), covers: []format.Clause{format.READ1, format.READ2}},
	)
}

func tornTails() (all []scenario) {
	for _, c := range []struct {
		name, comment string
		edits         []edit
		keyless       format.Clause
		at            int
	}{
		{"magic", "a bit of its magic", []edit{flip(0)}, format.TAIL1, tail100},
		{"checksum", "its checksum", []edit{flip(atChecksum)}, format.TAIL1, tail100},
		{"zeros", "all of it: zeros", []edit{bytesOf(make([]byte, H))}, format.TAIL1, tail100},
		{"padding", "its padding; the MAC is right", []edit{set(2000, 1), remac}, format.TAIL1, tail100},
		{"copy_pages_2", "its copy pages, 2; the MAC is right", []edit{set(atCopyPages, 0, 2), remac}, format.TAIL1, tail100},
		{"copy_pages_0", "its copy pages, 0; the MAC is right", []edit{set(atCopyPages, 0, 0), remac}, format.TAIL1, tail100},
		{"version", "its version: damage", []edit{set(atVersion, 3)}, format.TAIL1, tail100},
	} {
		all = append(all, scenario{
			name: "torn_tail_" + c.name, comment: "wrong in the tail alone: " + c.comment, file: file{plain: 100}, change: []change{inTail(c.edits...)},
			want: "warning TAIL-1", keyless: at(c.keyless, c.at), verify: at(format.TAIL1, tail100), covers: []format.Clause{format.TAIL3},
		})
	}
	return append(all, scenario{
		name: "torn_tail_after_chunks", comment: "the tail is damaged after more than one chunk", file: file{plain: C + 5}, change: []change{inTail(flip(5))},
		want: "warning TAIL-1", keyless: at(format.TAIL1, H+S+21), covers: []format.Clause{format.TAIL3},
	}, scenario{
		name: "torn_tail_and_chunk", comment: "the tail is damaged, and the last chunk: what has the length of a tail, and is like one, is not missing", file: file{plain: 100},
		change: []change{inTail(flip(5)), flipAt(H)}, want: "CHUNK-1", keyless: at(format.TAIL1, tail100), verify: at(format.TAIL1, tail100, format.CHUNK1, H),
	}, scenario{
		name: "end_zeros", comment: "the second of two chunks and the tail are zeros", file: file{plain: C + 100},
		change: []change{inTail(bytesOf(make([]byte, H))), func(x *box) { x.payload[1] = chunk{b: make([]byte, 116)} }}, want: "CHUNK-1 65536", random: "CHUNK-1",
		keyless: at(format.TAIL1, H+S+116), verify: at(format.TAIL1, H+S+116, format.CHUNK1, H+S),
	}, scenario{
		name: "end_noise", comment: "the second of two chunks and the tail are something else: there is no end", file: file{plain: C + 100},
		change: []change{inTail(bytesOf(noise(H))), func(x *box) { x.payload[1] = chunk{b: noise(116)} }}, want: "FILE-1 65536", random: "FILE-1",
		keyless: at(format.TAIL1, H+S+116), verify: at(format.TAIL1, H+S+116, format.FILE1, H+S+116+H),
	}, scenario{
		name: "end_noise_magic", comment: "the second of two chunks and the tail are something else, but for the tail's first 96 bytes: there is no end", file: file{plain: C + 100},
		change: []change{inTail(func(_ *box, c []byte) []byte { return append(c[:96], noise(H-96)...) }), func(x *box) { x.payload[1] = chunk{b: noise(116)} }},
		want:   "FILE-1 65536", random: "FILE-1", keyless: at(format.TAIL1, H+S+116), verify: at(format.TAIL1, H+S+116, format.FILE1, H+S+116+H),
	}, scenario{
		name: "end_copy_shorter", comment: "a head of two pages; the last two pages are an intact copy of one page and noise: no end", file: file{label: "pages", pages: 2, plain: 100},
		change: []change{flipAt(2 * H), inTail(of(file{label: "pages", slots: []slot{kek(keyA), unknown(0x7fff, 3700)}}),
			func(_ *box, c []byte) []byte { return slices.Concat(c, noise(H)) })},
		want: "FILE-1", keyless: at(format.TAIL1, 2*H+116), verify: at(format.TAIL1, 2*H+116, format.FILE1, 4*H+116),
	}, scenario{
		name: "tail_longer", comment: "a head of one page, and a tail of two with the same CEK", file: file{label: "pages", plain: 100},
		change: []change{inTail(of(file{label: "pages", pages: 2, plain: 100}))}, want: "CHUNK-1",
		keyless: at(format.TAIL1, tail100+H), verify: at(format.TAIL1, tail100+H, format.CHUNK1, H),
	}, scenario{
		name: "tail_shorter", comment: "a head of two pages, and a tail of one with the same CEK", file: file{label: "pages", pages: 2, plain: 100},
		change: []change{inTail(of(file{label: "pages", plain: 100}))}, want: "FILE-1",
		keyless: at(format.FILE1, size100+H, format.TAIL1, tail100),
	})
}

// noise is n bytes that are like nothing else.
func noise(n int) []byte { return secretBytes("noise", n) }

// generations are containers after an interrupted rewrap.
func generations() []scenario {
	a, b := []slot{kek(keyA)}, []slot{kek(keyB)}
	ab := []slot{kek(keyA), kek(keyB)}
	keyB := []Key{withKEK(keyB)}
	reads := []format.Clause{format.READ1, format.TAIL3}
	stale, staleHead := at(format.TAIL2, tail100), at(format.TAIL2, 0)
	return []scenario{
		{name: "stale_tail", comment: "the head is of generation 2, the tail of 1", file: file{generation: 2, slots: ab, plain: 100},
			change: []change{inTail(rewrapped(1, a...))}, want: "warning TAIL-2", keyless: stale, covers: reads},
		{name: "stale_tail_far", comment: "the head is of the highest generation, the tail of 1", file: file{generation: 1<<32 - 1, plain: 100},
			change: []change{inTail(rewrapped(1, a...))}, want: "warning TAIL-2", keyless: stale, covers: reads},
		{name: "stale_tail_new_key", comment: "the head is of generation 2, the tail of 1; the key is in the head alone",
			file: file{generation: 2, slots: ab, plain: 100}, keys: keyB,
			change: []change{inTail(rewrapped(1, a...))}, want: "warning TAIL-2", keyless: stale, covers: reads},
		{name: "stale_tail_old_key", comment: "the head is of generation 2, the tail of 1; the key is in the tail alone",
			file: file{generation: 2, slots: a, plain: 100}, keys: keyB,
			change: []change{inTail(rewrapped(1, ab...))}, want: "no-key", random: "warning TAIL-2", keyless: stale, covers: reads},
		{name: "stale_head", comment: "the head is of generation 1, the tail of 2", file: file{slots: a, plain: 100},
			change: []change{inTail(rewrapped(2, ab...))}, want: "warning TAIL-2", keyless: staleHead, covers: reads},
		{name: "stale_head_new_key", comment: "the head is of generation 1, the tail of 2; the key is in the tail alone",
			file: file{slots: a, plain: 100}, keys: keyB,
			change: []change{inTail(rewrapped(2, ab...))}, want: "no-key", random: "warning TAIL-2", keyless: staleHead, covers: reads},
		{name: "stale_head_old_key", comment: "the head is of generation 1, the tail of 2; the key is in the head alone",
			file: file{slots: ab, plain: 100}, keys: keyB,
			change: []change{inTail(rewrapped(2, a...))}, want: "warning TAIL-2", keyless: staleHead, covers: reads},
		{name: "same_generation", comment: "the copies are of the same generation and differ", file: file{slots: ab, plain: 100},
			change: []change{inTail(rewrapped(1, a...))}, want: "warning TAIL-2", keyless: stale, covers: reads},
		{name: "same_generation_tail_key", comment: "the copies are of the same generation and differ; the key is in the tail alone",
			file: file{slots: a, plain: 100}, keys: keyB,
			change: []change{inTail(rewrapped(1, b...))}, want: "no-key", random: "warning TAIL-2", keyless: stale, covers: reads},
		{name: "stale_tail_forged_head", comment: "the head is of generation 2 and its MAC wrong, the tail of 1",
			file: file{generation: 2, plain: 100}, change: []change{inTail(rewrapped(1, a...)), inHead(flip(atMAC), repair)},
			want: "HEAD-13", keyless: stale, verify: at(format.HEAD13, 0), covers: reads},
	}
}

// forgedCopies are of the container by their preamble and commitment, and changed by
// someone who cannot open it: an error, whatever the other copy is (HEAD-13).
func forgedCopies() (all []scenario) {
	mac, raised := []edit{flip(atMAC), repair}, []edit{set(atGeneration, 0, 0, 0, 2), repair}
	for _, c := range []struct {
		name, comment string
		change        change
		want, random  string
		keyless       []Finding
		at            int
	}{
		{"torn_head_mac", "the head's MAC, with the checksum repaired; the tail is intact", inHead(mac...), "HEAD-13", "", at(format.TAIL2, tail100), 0},
		{"torn_tail_mac", "the tail's MAC, with the checksum repaired", inTail(mac...), "HEAD-13 100", "HEAD-13", at(format.TAIL2, tail100), tail100},
		{"torn_tail_generation", "the tail's generation, higher and with the checksum repaired", inTail(raised...), "HEAD-13 100", "HEAD-13", at(format.TAIL2, 0), tail100},
		{"forged_head_type", "the type of the head's only slot, which becomes an unknown one, with the checksum repaired; the tail is intact",
			inHead(func(_ *box, c []byte) []byte { c[atSlots] = 0x70; return c }, repair), "no-key", "HEAD-13", at(format.TAIL2, tail100), 0},
		{"forged_head_slots", "a slot was added to the head, without its key; the tail is intact",
			inHead(rewrapped(1, kek(keyA), kek(keyB)), flip(atMAC), repair), "HEAD-13", "", at(format.TAIL2, tail100), 0},
	} {
		all = append(all, scenario{name: c.name, comment: c.comment, file: file{plain: 100}, change: []change{c.change},
			want: c.want, random: c.random, keyless: c.keyless, verify: at(format.HEAD13, c.at)})
	}
	withPass := file{slots: []slot{passphrase(passA)}, plain: 100}
	return append(all, scenario{name: "forged_head_cost", comment: "the cost of the head's passphrase slot was raised to the most, with the checksum repaired; the tail is intact",
		file: withPass, keys: []Key{withPassphrase(passA)}, change: []change{inHead(set(atBody, cost(1<<20, 16)...), repair)},
		want: "PASS-5", random: "HEAD-13", keyless: at(format.TAIL2, tail100), verify: at(format.HEAD13, 0), covers: []format.Clause{format.PASS5}},
		scenario{name: "limit_in_older", comment: "the older tail has a passphrase slot that costs too much, the head one that opens",
			file: file{generation: 2, slots: withPass.slots, plain: 100}, keys: []Key{withPassphrase(passA)},
			change: []change{inTail(rewrapped(1, costing(1<<20, 16)))}, want: "warning TAIL-2", keyless: at(format.TAIL2, tail100), covers: []format.Clause{format.PASS5}},
		scenario{name: "limit_in_newer", comment: "the newer head has a passphrase slot that costs too much, the tail one that opens",
			file: file{generation: 2, slots: []slot{costing(1<<20, 16)}, plain: 100}, keys: []Key{withPassphrase(passA)},
			change: []change{inTail(rewrapped(1, passphrase(passA)))}, want: "PASS-5", random: "warning TAIL-2", keyless: at(format.TAIL2, tail100), covers: []format.Clause{format.PASS5}},
		scenario{name: "forged_tail_zstd", comment: "coding 1, and the tail's MAC is wrong, with the checksum repaired",
			file: seekable(rle('a', 1000)), change: []change{inTail(mac...)}, want: "HEAD-13 1000", random: "HEAD-13", keyless: at(format.TAIL2, 4150), verify: at(format.HEAD13, 4150)})
}

// twoContainers have intact copies of two containers (COPY-1). A reader that seeks
// says so first of all; one that streams at the end, if it gets there.
func twoContainers() (all []scenario) {
	other := file{label: "another container", plain: 100}
	theirs := file{label: "another container", slots: []slot{kek(keyB)}, plain: 100}
	where := at(format.COPY1, tail100)
	for _, c := range []struct {
		name, comment string
		change        change
		want          string
		keyless       []Finding // as where if nil
	}{
		{"head", "the head of another container of the same recipient", inHead(of(other)), "CHUNK-1", nil},
		{"head_of_others", "the head of another container, for someone else", inHead(of(theirs)), "no-key", nil},
		{"head_role", "the head's role is 5, with the checksum repaired", inHead(set(atRole, 5), repair), "ROLE-1", at(format.ROLE1, atRole, format.COPY1, tail100)},
		{"head_number", "the head's number is not zero, with the checksum repaired", inHead(set(atNumber, 1), repair), "HEAD-8", at(format.HEAD8, atNumber, format.COPY1, tail100)},
		{"head_version", "the head's version is 9, with the checksum repaired", inHead(set(atVersion, 9), repair), "HEAD-2", at(format.HEAD2, atVersion, format.COPY1, tail100)},
		{"head_suite", "the head's suite is one that is not known, with the checksum repaired", inHead(set(atSuite, 3), repair), "HEAD-6", at(format.HEAD6, atSuite, format.COPY1, tail100)},
		{"head_commitment", "a bit of the head's commitment, with the checksum repaired", inHead(flip(atCommitment), repair), "no-key KEY-1", nil},
		{"tail", "the tail of another container of the same recipient", inTail(of(other)), "COPY-1 100", nil},
		{"tail_of_others", "the tail of another container, for someone else", inTail(of(theirs)), "COPY-1 100", nil},
		{"tail_role", "the tail's role is 2, with the checksum repaired", inTail(set(atRole, 2), repair), "COPY-1 100", nil},
		{"tail_number", "the last bit of the tail's number, with the checksum repaired", inTail(set(atNumber+3, 1), repair), "COPY-1 100", nil},
		{"tail_version", "the tail's version is 9, with the checksum repaired", inTail(set(atVersion, 9), repair), "COPY-1 100", nil},
		{"tail_suite", "the tail's suite is the other one, with the checksum repaired", inTail(set(atSuite, 2), repair), "COPY-1 100", nil},
		{"tail_commitment", "the last bit of the tail's commitment; its MAC is right", inTail(set(atCommitment+31, 0), remac), "COPY-1 100", nil},
		{"tail_malformed", "the tail of another container, and malformed, with the checksum repaired", inTail(of(other), set(2000, 1), repair), "COPY-1 100", nil},
	} {
		s := scenario{name: "copies_" + c.name, comment: "of the copies, " + c.comment, file: file{plain: 100}, change: []change{c.change},
			want: c.want, random: "COPY-1", keyless: c.keyless}
		if s.keyless == nil {
			s.keyless = where
		}
		all = append(all, s)
	}
	return append(all,
		scenario{name: "copies_tail_after_chunks", comment: "the tail of another container after more than one chunk", file: file{plain: C + 5},
			change: []change{inTail(of(other))}, want: fmt.Sprintf("COPY-1 %d", C+5), random: "COPY-1", keyless: at(format.COPY1, H+S+21)},
		scenario{name: "copies_torn_head_tail", comment: "the head is damaged, and the tail another container's of the same recipient", file: file{plain: 100},
			change: []change{inHead(flip(200)), inTail(of(other))}, want: "HEAD-5", random: "CHUNK-1", keyless: at(format.HEAD5, H-4), verify: at(format.HEAD5, H-4, format.CHUNK1, H)},
	)
}

// largerHeads are detached heads of more pages than the container's copies have.
func largerHeads() []scenario {
	reads := []format.Clause{format.READ1}
	onlyB := []Key{withKEK(keyB)}
	more := []slot{kek(keyA), kek(keyB)}
	full := []slot{kek(keyA), unknown(0x7fff, fullSlot)}
	one := file{plain: 100}
	torn := at(format.HEAD5, H-4)
	return []scenario{
		{name: "larger_newer", comment: "a detached head of two pages for a container of one; the key is in it alone", file: one, keys: onlyB,
			change: []change{detached(larger(2, 2, more...))}, want: "ok", covers: reads},
		{name: "larger_full", comment: "the head is full, and one slot more stands in a detached head of two pages, whose key it is", file: file{slots: full, plain: 100}, keys: onlyB,
			change: []change{detached(larger(2, 2, append(full[:2:2], kek(keyB))...))}, want: "ok", covers: reads},
		{name: "larger_64", comment: "a detached head of 64 pages for a container of one, with slots up to its end", file: one, keys: onlyB,
			change: []change{detached(larger(64, 2, unknown(0x7ffd, 1<<16-1), unknown(0x7ffd, 1<<16-1), unknown(0x7ffd, 1<<16-1), unknown(0x7ffd, 60000), kek(keyB)))}, want: "ok", covers: reads},
		{name: "larger_8_of_2", comment: "a detached head of 8 pages for a container of two", file: file{pages: 2, plain: C + 5}, keys: onlyB,
			change: []change{detached(larger(8, 2, more...))}, want: "ok", covers: reads},
		{name: "larger_same_generation", comment: "a detached head of two pages of the head's generation: the head counts", file: file{slots: more, plain: 100},
			change: []change{detached(larger(2, 1, kek(keyA)))}, want: "ok", covers: reads},
		{name: "larger_stale", comment: "a detached head of two pages that is older; the key is in it alone", file: file{generation: 2, plain: 100}, keys: onlyB,
			change: []change{detached(larger(2, 1, more...))}, want: "ok", covers: reads},
		{name: "larger_head_torn", comment: "the head is damaged; the detached head has two pages", file: one, keys: onlyB,
			change: []change{detached(larger(2, 2, more...)), inHead(flip(200))}, want: "warning HEAD-5", keyless: torn, covers: reads},
		{name: "larger_head_zeros", comment: "the head is zeros; the detached head has three pages, and says that the container's have two", file: file{pages: 2, plain: 100}, keys: onlyB,
			change: []change{detached(larger(3, 2, more...)), inHead(bytesOf(make([]byte, 2*H)))}, want: "warning HEAD-1", keyless: at(format.HEAD1, 0), covers: reads},
		{name: "larger_both_torn", comment: "both copies are damaged; the detached head has two pages", file: one, keys: onlyB,
			change: []change{detached(larger(2, 2, more...)), inBoth(flip(200))}, want: "warning HEAD-5", keyless: torn,
			verify: append(torn[:1:1], at(format.TAIL1, tail100)...), covers: reads},
		{name: "larger_after", comment: "bytes follow a detached head of two pages: they count for nothing", file: one, keys: onlyB,
			change: []change{detached(larger(2, 2, more...)), func(x *box) { x.detached = append(x.detached, make([]byte, 2*H)...) }}, want: "ok", covers: reads},
		{name: "larger_forged", comment: "a detached head of two pages whose generation was raised, with the checksum repaired", file: one,
			change: []change{detached(larger(2, 1, more...), set(atGeneration, 0, 0, 0, 9), repair)}, want: "HEAD-13", verify: none, covers: reads},
		{name: "larger_damaged", comment: "a detached head of two pages, damaged in the second", file: one,
			change: []change{detached(larger(2, 2, more...), flip(H+200))}, want: "HEAD-5", verify: none},
		{name: "larger_padding", comment: "a detached head of two pages; a byte of the padding in the second is not zero, and the MAC is right", file: one,
			change: []change{detached(larger(2, 2, more...), set(H+200, 1), remac)}, want: "HEAD-12", verify: none},
		{name: "larger_cut", comment: "a detached head of two pages without its last byte", file: one,
			change: []change{detached(larger(2, 2, more...)), func(x *box) { x.detached = x.detached[:2*H-1] }}, want: "HEAD-4", verify: none},
		{name: "larger_cut_page", comment: "a detached head of two pages without the second", file: one,
			change: []change{detached(larger(2, 2, more...)), func(x *box) { x.detached = x.detached[:H] }}, want: "HEAD-4", verify: none},
		{name: "larger_foreign", comment: "a detached head of two pages of another container of the same recipient", file: one,
			change: []change{detached(foreignLarger)}, want: "READ-4", verify: none, covers: reads},
		{name: "larger_foreign_head_torn", comment: "the same, and the head is damaged", file: one,
			change: []change{detached(foreignLarger), inHead(flip(200))}, want: "CHUNK-1", random: "READ-4", keyless: torn, verify: torn, covers: reads},
		{name: "larger_foreign_both_torn", comment: "the same, and both copies are damaged", file: one,
			change: []change{detached(foreignLarger), inBoth(flip(200))}, want: "CHUNK-1", keyless: torn,
			verify: append(torn[:1:1], at(format.TAIL1, tail100, format.CHUNK1, H)...), covers: reads},
		{name: "detached_copy_pages_0", comment: "a detached head of no copy pages, with the checksum repaired", file: one,
			change: []change{detached(set(atCopyPages, 0, 0), repair)}, want: "HEAD-16", verify: none},
		{name: "detached_copy_pages_less", comment: "a detached head of one page for a container of two; the MAC is right", file: file{pages: 2, plain: 100},
			change: []change{detached(set(atCopyPages, 0, 1), func(_ *box, c []byte) []byte { return c[:H] }, remac)}, want: "HEAD-16", verify: none},
		{name: "detached_copy_pages_more", comment: "a detached head that claims a page more than it has", file: one,
			change: []change{detached(set(atCopyPages, 0, 2), remac)}, want: "HEAD-4", verify: none},
		{name: "detached_copy_pages_65", comment: "a detached head that claims 65 copy pages", file: one,
			change: []change{detached(set(atCopyPages, 0, 65), remac)}, want: "HEAD-16", verify: none},
		{name: "larger_in_head", comment: "a copy of two pages stands in the place of the head, which has one", file: one,
			change: []change{inHead(larger(2, 2, more...))}, want: "HEAD-16", random: "CHUNK-1", keyless: at(format.HEAD16, atCopyPages),
			verify: at(format.HEAD16, atCopyPages, format.CHUNK1, H)},
		{name: "larger_in_tail", comment: "a copy of two pages stands in the place of the tail, which has one", file: one,
			change: []change{inTail(larger(2, 2, more...))}, want: "CHUNK-1", keyless: at(format.TAIL1, tail100+H), verify: at(format.TAIL1, tail100+H, format.CHUNK1, H)},
	}
}

// foreignLarger is a detached head of two pages of another container.
func foreignLarger(_ *box, _ []byte) []byte {
	return build(file{label: "another container", plain: 100}).copy(2, 2, kek(keyA))
}

// detachedHeads come with a head in a file of its own.
func detachedHeads() []scenario {
	reads := []format.Clause{format.READ1}
	torn, foreign := at(format.HEAD5, H-4), at(format.COPY1, tail100)
	other := file{label: "another container", plain: 100}
	return []scenario{
		{name: "detached_same", comment: "the detached head is that of the container", file: file{plain: 100}, change: []change{detached()}, want: "ok", covers: reads},
		{name: "detached_head_torn", comment: "the head is damaged, the detached head is not", file: file{plain: 100},
			change: []change{detached(), inHead(flip(200))}, want: "warning HEAD-5", keyless: torn, covers: reads},
		{name: "detached_head_zeros", comment: "the head is zeros; a detached head is given", file: file{pages: 2, plain: 100},
			change: []change{detached(), inHead(bytesOf(make([]byte, 2*H)))}, want: "warning HEAD-1", keyless: at(format.HEAD1, 0), covers: reads},
		{name: "detached_both_torn", comment: "both copies are damaged, the detached head is not", file: file{plain: 100},
			change: []change{detached(), inBoth(flip(200))}, want: "warning HEAD-5",
			keyless: torn, verify: append(torn[:1:1], at(format.TAIL1, tail100)...), covers: reads},
		{name: "detached_newer", comment: "the detached head is newer, and the key is in it alone", file: file{plain: 100}, keys: []Key{withKEK(keyB)},
			change: []change{detached(rewrapped(2, kek(keyB)))}, want: "ok", covers: reads},
		{name: "detached_older", comment: "the detached head is older, and the key is in it alone", file: file{generation: 2, plain: 100}, keys: []Key{withKEK(keyB)},
			change: []change{detached(rewrapped(1, kek(keyA), kek(keyB)))}, want: "ok", covers: reads},
		{name: "detached_forged", comment: "the generation of the detached head was raised, with the checksum repaired", file: file{plain: 100},
			change: []change{detached(set(atGeneration, 0, 0, 0, 9), repair)}, want: "HEAD-13", keyless: none, verify: none, covers: reads},
		{name: "detached_damaged", comment: "the detached head is damaged, the copies are not", file: file{plain: 100},
			change: []change{detached(flip(200))}, want: "HEAD-5", verify: none},
		{name: "detached_of_other_older", comment: "the detached head is another container's, of the same recipient and older than the head", file: file{generation: 2, plain: 100},
			change: []change{detached(of(file{label: "another container"}))}, want: "READ-4", verify: none, covers: reads},
		{name: "detached_of_other_torn", comment: "the detached head is another container's, and the head damaged", file: file{plain: 100},
			change: []change{detached(of(other)), inHead(flip(200))}, want: "CHUNK-1", random: "READ-4", keyless: torn, verify: torn, covers: reads},
		{name: "detached_and_foreign_head", comment: "the head is another container's; the detached head is the tail's", file: file{plain: 100},
			change: []change{detached(), inHead(of(other))}, want: "READ-4", random: "COPY-1", keyless: foreign, covers: reads},
		{name: "detached_and_foreign_tail", comment: "the tail is another container's; the detached head is the head's", file: file{plain: 100},
			change: []change{detached(), inTail(of(other))}, want: "COPY-1 100", random: "COPY-1", keyless: foreign, covers: reads},
		{name: "detached_torn_and_foreign_tail", comment: "the head is damaged, the tail another container's; the detached head was the head's", file: file{plain: 100},
			change: []change{detached(), inHead(flip(200)), inTail(of(other))}, want: "READ-4 100", random: "READ-4", keyless: torn, verify: torn, covers: reads},
		{name: "detached_after", comment: "bytes follow the detached head: they count for nothing", file: file{plain: 100},
			change: []change{detached(), func(x *box) { x.detached = append(x.detached, 1, 2, 3) }}, want: "ok", covers: reads},
		{name: "detached_cut", comment: "the detached head is cut off", file: file{plain: 100},
			change: []change{detached(), func(x *box) { x.detached = x.detached[:H-1] }}, want: "HEAD-4", verify: none, covers: reads},
		{name: "detached_longer", comment: "the detached head has two pages and the same CEK, the container's copies have one", file: file{label: "pages", plain: 100},
			change: []change{detached(of(file{label: "pages", pages: 2, plain: 100}))}, want: "READ-4", verify: none, covers: reads},
		{name: "detached_shorter", comment: "the detached head has one page and the same CEK, the container's copies have two", file: file{label: "pages", pages: 2, plain: 100},
			change: []change{detached(of(file{label: "pages", plain: 100}))}, want: "READ-4", verify: none, covers: reads},
		{name: "detached_head_pages", comment: "the head is damaged in its number of pages; the detached head says the right one", file: file{plain: 100},
			change: []change{detached(), inHead(set(atPages, 0, 64), set(atCopyPages, 0, 64))}, want: "warning HEAD-4", keyless: at(format.HEAD4, size100), covers: reads},
		{name: "detached_head_copy_pages", comment: "the head is damaged in its copy pages; the detached head is not", file: file{plain: 100},
			change: []change{detached(), inHead(set(atCopyPages, 0, 64))}, want: "warning HEAD-16", keyless: at(format.HEAD16, atCopyPages), covers: reads},
		{name: "detached_head_version", comment: "the head is damaged in its version; the detached head is not", file: file{plain: 100},
			change: []change{detached(), inHead(set(atVersion, 1))}, want: "warning HEAD-5", keyless: torn, covers: reads},
		{name: "detached_of_other_last", comment: "the last bit of the detached head's commitment, with the checksum repaired", file: file{plain: 100},
			change: []change{detached(func(_ *box, c []byte) []byte { c[atCommitment+31] ^= 1; return c }, repair)}, want: "READ-4", verify: none, covers: reads},
		{name: "detached_of_tail_head_torn", comment: "the head is damaged, the tail another container's of the same recipient, and the detached head that one's", file: file{plain: 100},
			change: []change{detached(of(other)), inHead(flip(200)), inTail(of(other))}, want: "CHUNK-1", random: "CHUNK-1", keyless: torn,
			verify: at(format.HEAD5, H-4, format.CHUNK1, H), covers: reads},
	}
}
