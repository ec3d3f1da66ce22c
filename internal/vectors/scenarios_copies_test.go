package vectors

import (
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
		{"version", "its version", []edit{set(atVersion, 9)}, "HEAD-2", format.HEAD2, atVersion, nil},
		{"pages_65", "its number of pages: one that cannot be", []edit{set(atPages, 0, 65)}, "HEAD-3", format.HEAD3, atPages, nil},
		{"pages_2", "its number of pages: one that could be", []edit{set(atPages, 0, 2)}, "HEAD-5", format.HEAD5, 2*H - 4, nil},
		{"pages_64", "its number of pages: more than the file has", []edit{set(atPages, 0, 64)}, "HEAD-4", format.HEAD4, size100, nil},
		{"checksum", "its checksum", []edit{flip(atChecksum)}, "HEAD-5", format.HEAD5, H - 4, nil},
		{"half", "its second half, which is zeros", []edit{set(H/2, make([]byte, H/2)...)}, "HEAD-5", format.HEAD5, H - 4, nil},
		{"zeros", "all of it: zeros", []edit{bytesOf(make([]byte, H))}, "HEAD-1", format.HEAD1, 0, nil},
		{"suite", "its suite, one that is not known, with the checksum repaired", []edit{set(atSuite, 3), repair}, "HEAD-6", format.HEAD6, atSuite, nil},
		{"generation", "its generation, 0, with the checksum repaired", []edit{set(atGeneration, 0, 0, 0, 0), repair}, "HEAD-9", format.HEAD9, atGeneration, nil},
		{"padding", "its padding, with the checksum repaired", []edit{set(2000, 1), repair}, "HEAD-12", format.HEAD12, 2000, nil},
		{"mac", "its MAC, with the checksum repaired", []edit{flip(atMAC), repair}, "HEAD-13", format.HEAD13, 0, at(format.TAIL2, tail100)},
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
		scenario{name: "torn_head_commitment", comment: "the head's commitment is changed and its checksum repaired; the tail is intact", file: file{plain: 100},
			change: []change{inHead(flip(atCommitment), repair)}, want: "no-key KEY-1", random: "warning KEY-1", keyless: at(format.TAIL1, tail100), verify: at(format.KEY1, 0)},
		scenario{name: "torn_head_of_2_pages", comment: "a head of two pages that is zeros; the tail has to be found", file: file{pages: 2, plain: C + 1},
			change: []change{inHead(bytesOf(make([]byte, 2*H)))}, want: "HEAD-1", random: "warning HEAD-1", keyless: at(format.HEAD1, 0),
			covers: []format.Clause{format.READ2}},
		scenario{name: "torn_head_of_64_pages", comment: "the longest head is zeros; the tail has to be found", file: file{pages: 64, plain: 100},
			change: []change{inHead(bytesOf(make([]byte, 64*H)))}, want: "HEAD-1", random: "warning HEAD-1", keyless: at(format.HEAD1, 0),
			covers: []format.Clause{format.READ2}},
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
		{"suite", "its suite, the other one, with the checksum repaired", []edit{set(atSuite, 2), repair}, format.TAIL1, tail100},
		{"commitment", "its commitment, with the checksum repaired", []edit{flip(atCommitment), repair}, format.TAIL1, tail100},
		{"padding", "its padding; the MAC is right", []edit{set(2000, 1), remac}, format.TAIL1, tail100},
		{"mac", "its MAC, with the checksum repaired", []edit{flip(atMAC), repair}, format.TAIL2, tail100},
		{"generation", "its generation, higher and with the checksum repaired", []edit{set(atGeneration, 0, 0, 0, 2), repair}, format.TAIL2, 0},
		{"other", "the tail of another container", []edit{of(file{label: "another container", plain: 100})}, format.TAIL1, tail100},
	} {
		all = append(all, scenario{
			name: "torn_tail_" + c.name, comment: "wrong in the tail alone: " + c.comment, file: file{plain: 100}, change: []change{inTail(c.edits...)},
			want: "warning TAIL-1", keyless: at(c.keyless, c.at), verify: at(format.TAIL1, tail100), covers: []format.Clause{format.TAIL3},
		})
	}
	return append(all, scenario{
		name: "torn_tail_behind_chunks", comment: "the tail is damaged behind more than one chunk", file: file{plain: C + 5}, change: []change{inTail(flip(5))},
		want: "warning TAIL-1", keyless: at(format.TAIL1, H+S+21), covers: []format.Clause{format.TAIL3},
	}, scenario{
		name: "torn_tail_and_chunk", comment: "the tail is damaged, and the last chunk: to all appearances the end is missing", file: file{plain: 100},
		change: []change{inTail(flip(5)), flipAt(H)}, want: "FILE-1", keyless: at(format.TAIL1, tail100), verify: at(format.TAIL1, tail100, format.FILE1, size100),
	}, scenario{
		name: "tail_longer", comment: "a head of one page, and a tail of two with the same CEK", file: file{label: "pages", plain: 100},
		change: []change{inTail(of(file{label: "pages", pages: 2, plain: 100}))}, want: "FILE-1",
		keyless: at(format.TAIL1, tail100), verify: at(format.TAIL1, tail100, format.FILE1, size100+H),
	}, scenario{
		name: "tail_shorter", comment: "a head of two pages, and a tail of one with the same CEK", file: file{label: "pages", pages: 2, plain: 100},
		change: []change{inTail(of(file{label: "pages", plain: 100}))}, want: "FILE-1",
		keyless: at(format.FILE1, size100+H, format.TAIL1, tail100),
	})
}

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
			want: "HEAD-13", random: "warning HEAD-13", keyless: stale, verify: at(format.HEAD13, 0), covers: reads},
	}
}

// detachedHeads come with a head in a file of its own.
func detachedHeads() []scenario {
	reads := []format.Clause{format.READ1}
	torn := at(format.HEAD5, H-4)
	return []scenario{
		{name: "detached_same", comment: "the detached head is that of the container", file: file{plain: 100}, change: []change{detached()}, want: "ok", covers: reads},
		{name: "detached_head_torn", comment: "the head is damaged, the detached head is not", file: file{plain: 100},
			change: []change{detached(), inHead(flip(200))}, want: "ok", random: "warning HEAD-5", keyless: torn, covers: reads},
		{name: "detached_head_zeros", comment: "the head is zeros, behind a detached head", file: file{pages: 2, plain: 100},
			change: []change{detached(), inHead(bytesOf(make([]byte, 2*H)))}, want: "ok", random: "warning HEAD-1", keyless: at(format.HEAD1, 0), covers: reads},
		{name: "detached_both_torn", comment: "both copies are damaged, the detached head is not", file: file{plain: 100},
			change: []change{detached(), inBoth(flip(200))}, want: "warning TAIL-1", random: "warning HEAD-5",
			keyless: torn, verify: append(torn[:1:1], at(format.TAIL1, tail100)...), covers: reads},
		{name: "detached_newer", comment: "the detached head is newer, and the key is in it alone", file: file{plain: 100}, keys: []Key{withKEK(keyB)},
			change: []change{detached(rewrapped(2, kek(keyB)))}, want: "ok", covers: reads},
		{name: "detached_older", comment: "the detached head is older, and the key is in it alone", file: file{generation: 2, plain: 100}, keys: []Key{withKEK(keyB)},
			change: []change{detached(rewrapped(1, kek(keyA), kek(keyB)))}, want: "ok", covers: reads},
		{name: "detached_forged", comment: "the generation of the detached head was raised, with the checksum repaired: it does not count", file: file{plain: 100},
			change: []change{detached(set(atGeneration, 0, 0, 0, 9), repair)}, want: "ok", covers: reads},
		{name: "detached_damaged", comment: "the detached head is damaged, the copies are not", file: file{plain: 100},
			change: []change{detached(flip(200))}, want: "HEAD-5", verify: none},
		{name: "detached_of_other_older", comment: "the detached head is another container's, of the same recipient and older than the head", file: file{generation: 2, plain: 100},
			change: []change{detached(of(file{label: "another container"}))}, want: "READ-4", verify: none, covers: reads},
	}
}
