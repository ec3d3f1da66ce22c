package vectors

import (
	"bytes"
	"fmt"

	"bulla/format"
)

// Payloads that are not as they should be (spec sections 2 and 6).

func badChunks() []scenario {
	three := file{plain: 2*C + 5}
	long := file{plain: 129*C + 5} // two chunks of the second segment
	const released1, released2 = "CHUNK-1 65536", "CHUNK-1 131072"
	where := func(chunks ...int64) []Finding {
		var f []Finding
		for _, i := range chunks {
			f = append(f, at(format.CHUNK1, H+i*S)...)
		}
		return f
	}
	all := []scenario{
		{name: "chunk_flip_first_byte", comment: "a bit of the payload's first byte", file: three, change: []change{flipAt(H)},
			want: "CHUNK-1", verify: where(0), ranges: []span{{0, 10, 0, format.CHUNK1}, {C - 5, 10, 0, format.CHUNK1}, {C, 10, 10, ""}, {2*C - 2, 20, 7, ""}}},
		{name: "chunk_flip_first_tag", comment: "a bit of the first chunk's tag", file: three, change: []change{flipAt(H + S - 1)},
			want: "CHUNK-1", verify: where(0)},
		{name: "chunk_flip_middle", comment: "a bit of the second chunk of three", file: three, change: []change{flipAt(H + S + 30000)},
			want: released1, verify: where(1), stored: true, covers: []format.Clause{format.CHUNK3},
			ranges: []span{{0, 10, 10, ""}, {C - 5, 10, 5, format.CHUNK1}, {C + 9, 1, 0, format.CHUNK1}, {2 * C, 5, 5, ""}, {2 * C, 6, 5, ""}}},
		{name: "chunk_flip_middle_suite_2", comment: "a bit of the second chunk of three, ChaCha20-Poly1305", file: file{suite: 2, plain: 2*C + 5},
			change: []change{flipAt(H + S + 30000)}, want: released1, verify: where(1), covers: []format.Clause{format.CHUNK3}},
		{name: "chunk_flip_last", comment: "a bit of the last chunk of three: no size is authentic", file: three, change: []change{flipAt(H + 2*S)},
			want: released2, random: "CHUNK-1", verify: where(2), covers: []format.Clause{format.CHUNK3}},
		{name: "chunk_flip_last_tag", comment: "a bit of the last chunk's tag", file: three, change: []change{flipAt(H + 2*S + 20)},
			want: released2, random: "CHUNK-1", verify: where(2)},
		{name: "chunk_flip_empty", comment: "a bit of the tag of an empty last chunk", file: file{plain: C}, change: []change{flipAt(H + S)},
			want: released1, random: "CHUNK-1", verify: where(1)},
		{name: "chunk_flip_only", comment: "a bit of the only chunk", file: file{plain: 100}, change: []change{flipAt(H + 50)},
			want: "CHUNK-1", verify: where(0)},
		{name: "chunk_flip_two", comment: "a bit of the first and of the third chunk", file: file{plain: 3*C + 5}, change: []change{flipAt(H), flipAt(H + 2*S)},
			want: "CHUNK-1", verify: where(0, 2)},
		{name: "chunk_flip_second_segment", comment: "a bit of the first chunk of the second segment", file: long, change: []change{flipAt(H + 128*S)},
			want: fmt.Sprintf("CHUNK-1 %d", format.SegmentSize), verify: where(128)},

		{name: "chunk_swap", comment: "two chunks of a segment in each other's place", file: three, change: []change{swap(0, 1)},
			want: "CHUNK-1", verify: where(0), stored: true},
		{name: "chunk_swap_segments", comment: "the first chunks of two segments in each other's place", file: long, change: []change{swap(0, 128)},
			want: "CHUNK-1", verify: where(0, 128)},
		{name: "chunk_swap_boundary", comment: "the chunks on both sides of a segment's end in each other's place", file: long, change: []change{swap(127, 128)},
			want: fmt.Sprintf("CHUNK-1 %d", 127*C), verify: where(127)},
		{name: "chunk_drop_first", comment: "the first chunk is missing", file: three, change: []change{drop(0)}, want: "CHUNK-1", verify: where(0)},
		{name: "chunk_drop_middle", comment: "the second chunk of three is missing", file: three, change: []change{drop(1)},
			want: released1, random: "CHUNK-1", verify: where(1)},
		{name: "chunk_drop_last", comment: "the last chunk is missing, and the tail is there", file: three, change: []change{drop(2)},
			want: "FILE-2 65536", random: "FILE-2", keyless: at(format.FILE2, H+2*S)},
		{name: "chunk_drop_only", comment: "the only chunk is missing", file: file{plain: 100}, change: []change{drop(0)},
			want: "FILE-1", keyless: at(format.FILE1, 2*H)},
		{name: "chunk_twice", comment: "the first chunk is there twice", file: three, change: []change{twice(0)},
			want: released1, random: "CHUNK-1", verify: where(1)},
		{name: "chunk_last_twice", comment: "the last chunk is there twice", file: three, change: []change{twice(2)},
			want: released2, random: "CHUNK-1", verify: where(2)},
		{name: "chunk_of_other", comment: "the payload is another container's", file: file{plain: 100},
			change: []change{payloadBytes(raw(file{label: "another container", plain: 100}))}, want: "CHUNK-1", verify: where(0)},
		{name: "chunk_last_of_other", comment: "the last chunk is another container's", file: file{plain: C + 100},
			change: []change{drop(1), add(1, 100, true), sealedFor("another container", 1)}, want: released1, random: "CHUNK-1", verify: where(1)},

		{name: "chunk_full_final", comment: "a full chunk sealed as the last, and nothing after it", file: file{plain: C},
			change: []change{drop(1), reseal(0, 0, C, true)}, want: "FILE-2", keyless: at(format.FILE2, H+S), verify: at(format.FILE2, H+S)},
		{name: "chunk_full_final_empty", comment: "a full chunk sealed as the last, and an empty last one after it", file: file{plain: C},
			change: []change{reseal(0, 0, C, true)}, want: "CHUNK-1", verify: where(0)},
		{name: "chunk_short_not_final", comment: "the last chunk sealed as not the last", file: file{plain: 100},
			change: []change{reseal(0, 0, 100, false)}, want: "CHUNK-1", verify: where(0)},
		{name: "chunk_empty_not_final", comment: "an empty last chunk sealed as not the last", file: file{plain: C},
			change: []change{reseal(1, 1, 0, false)}, want: released1, random: "CHUNK-1", verify: where(1)},
		{name: "chunk_short_middle", comment: "a short chunk, not the last, and another", file: file{plain: C + 100},
			change: []change{reseal(0, 0, 1000, false)}, want: "CHUNK-1", verify: where(0)},
		{name: "chunk_after_final", comment: "a chunk after the last one", file: file{plain: 100}, change: []change{add(1, 50, true)}, want: "CHUNK-1", verify: where(0)},
		{name: "chunk_after_final_full", comment: "a long last chunk and another after it", file: file{plain: C - 1}, change: []change{add(1, 50, true)},
			want: "CHUNK-1", verify: where(0)},
		{name: "chunk_long_final", comment: "a last chunk of one byte more than a chunk has", file: file{plain: 100},
			change: []change{reseal(0, 0, C+1, true)}, want: "FILE-2", keyless: at(format.FILE2, H+S)},
		{name: "chunk_index_1", comment: "the only chunk sealed with index 1", file: file{plain: 100}, change: []change{reseal(0, 1, 100, true)},
			want: "CHUNK-1", verify: where(0)},
		{name: "chunk_index_128", comment: "the only chunk sealed as the first of the second segment", file: file{plain: 100},
			change: []change{reseal(0, 128, 100, true)}, want: "CHUNK-1", verify: where(0)},
		{name: "chunk_associated_data", comment: "the only chunk sealed with associated data", file: file{plain: 100},
			change: []change{func(x *box) {
				b := x.aead(x.FinalKey(0)).Seal(nil, Nonce(0), Plaintext(x.seed, 0, 100), []byte{0})
				payloadBytes(b)(x)
			}}, want: "CHUNK-1", verify: where(0)},
	}
	all = append(all, wrongKeys()...)
	all = append(all, rests()...)
	all = append(all, cuts()...)
	return append(all, trailing()...)
}

// wrongKeys are chunks that are sealed under a key of this container, and not under
// theirs. Whoever was given some of the tree's keys can make such chunks, and no end.
func wrongKeys() (all []scenario) {
	one, two := file{plain: 100}, file{plain: C + 100}
	long := file{plain: 129*C + 5}
	ended := func(at int64, flag byte) []change { // cut at a chunk, which is then sealed as the end
		return []change{func(x *box) { x.payload = x.payload[:at+1] }, under(int(at), at, 50, flag, false)}
	}
	for _, c := range []struct {
		name, comment string
		file          file
		change        []change
		chunk         int64 // that fails
	}{
		{"nonce_end", "the only chunk sealed with a nonce whose last byte is 1, as the last chunk of version 1 has it", one, []change{under(0, 0, 100, 1, true)}, 0},
		{"nonce_255", "the only chunk sealed with a nonce whose last byte is 255", one, []change{under(0, 0, 100, 255, true)}, 0},
		{"nonce_1", "the only chunk sealed under its key with the nonce of chunk 1", one, []change{sealWith(0, 100, func(x *box) []byte { return x.FinalKey(0) }, Nonce(1))}, 0},
		{"final_key_1", "the only chunk sealed under the final key of chunk 1", one, []change{sealWith(0, 100, func(x *box) []byte { return x.FinalKey(1) }, Nonce(0))}, 0},
		{"final_key_head", "the only chunk sealed under K(head)", one, []change{sealWith(0, 100, func(x *box) []byte { return x.HeadKey }, Nonce(0))}, 0},
		{"segment_key_last", "the last of two chunks sealed under its segment's key", two, []change{under(1, 1, 100, 0, false)}, 1},
		{"segment_key_last_end", "the last of two chunks sealed under its segment's key, with a nonce whose last byte is 1", two, []change{under(1, 1, 100, 1, false)}, 1},
		{"final_key_first", "the first of two chunks sealed under its final key", two, []change{reseal(0, 0, C, true)}, 0},
		{"segment_key_0", "the first chunk of the second segment sealed under the key of the first", long,
			[]change{sealWith(128, C, func(x *box) []byte { return x.SegmentKey(0) }, Nonce(128))}, 128},
		{"node_as_key", "the first chunk sealed under the first half of its node of level 1", two,
			[]change{sealWith(0, C, func(x *box) []byte { return x.Node(1, 0)[:32] }, Nonce(0))}, 0},
		{"ended_early", "cut off after two of three chunks, the second of which was sealed as the end by someone who has only the segment's key",
			file{plain: 2*C + 5}, ended(1, 0), 1},
		{"ended_early_flag", "the same, with a nonce whose last byte is 1", file{plain: 2*C + 5}, ended(1, 1), 1},
		{"ended_early_segment", "the second segment was sealed as the end, and the rest cut off, by someone who has only that segment's key",
			long, ended(128, 0), 128},
	} {
		s := scenario{name: "chunk_" + c.name, comment: c.comment, file: c.file, change: c.change, want: "CHUNK-1", verify: at(format.CHUNK1, H+c.chunk*S)}
		if c.chunk > 0 {
			s.want = fmt.Sprintf("CHUNK-1 %d", c.chunk*C)
		}
		if s.random = "CHUNK-1"; c.name == "segment_key_0" {
			s.random = ""
		}
		all = append(all, s)
	}
	return all
}

// under puts at place i a chunk that is sealed with an index under its final or its
// segment's key, with a nonce that ends in another byte.
func under(i int, index, n int64, end byte, final bool) change {
	nonce := Nonce(index)
	nonce[len(nonce)-1] = end
	return sealWith(i, n, func(x *box) []byte { return x.ChunkKey(index, final) }, nonce)
}

// sealWith puts at place i a chunk that is sealed under another key or nonce.
func sealWith(i int, n int64, key func(*box) []byte, nonce []byte) change {
	return func(x *box) {
		x.payload[i] = chunk{b: x.aead(key(x)).Seal(nil, nonce, Plaintext(x.seed, int64(i)*C, n), nil)}
	}
}

// sealedFor makes chunk i that of a container with another label.
func sealedFor(label string, i int) change {
	return func(x *box) {
		c := &x.payload[i]
		other := build(file{label: label})
		c.b = other.chunkBytes(*c)
	}
}

// rests are payloads that end too early to hold a last chunk: every remainder that
// no payload has, without a full chunk and after one.
func rests() (all []scenario) {
	for r := 0; r < format.TagSize; r++ {
		all = append(all, scenario{
			name: fmt.Sprintf("rest_%02d", r), comment: fmt.Sprintf("a payload of %d bytes", r),
			file: file{noPayload: true}, change: []change{payloadBytes(bytes.Repeat([]byte{0x55}, r))},
			want: "FILE-1", keyless: at(format.FILE1, 2*H+r),
		}, scenario{
			name: fmt.Sprintf("rest_chunk_%02d", r), comment: fmt.Sprintf("a payload of a full chunk, not the last, and %d bytes", r),
			file:   file{plain: C},
			change: []change{drop(1), func(x *box) { x.payload = append(x.payload, chunk{b: bytes.Repeat([]byte{0x55}, r)}) }},
			want:   "FILE-2", keyless: at(format.FILE2, H+S),
		})
	}
	return all
}

// cuts are containers without their end, and such whose tail stands after the cut.
func cuts() (all []scenario) {
	const size = H + S + 116 + H // the file's
	for _, c := range []struct {
		at      int64
		comment string
		want    string
		random  string
		keyless []Finding
		verify  []Finding
	}{
		{1, "inside the magic", "HEAD-4", "", at(format.HEAD4, 1), nil},
		{9, "inside the magic", "HEAD-4", "", at(format.HEAD4, 9), nil},
		{10, "after the magic", "HEAD-4", "", at(format.HEAD4, 10), nil},
		{63, "inside the preamble", "HEAD-4", "", at(format.HEAD4, 63), nil},
		{64, "after the preamble", "HEAD-4", "", at(format.HEAD4, 64), nil},
		{H - 1, "inside the head", "HEAD-4", "", at(format.HEAD4, H-1), nil},
		{H, "after the head", "FILE-1", "", at(format.FILE1, H, format.TAIL1, 0), nil},
		{H + 1, "inside the first chunk", "FILE-1", "", at(format.FILE1, H+1, format.TAIL1, 1), nil},
		{2*H + 15, "where only 15 bytes are left for a payload", "FILE-1", "", at(format.FILE1, 2*H+15, format.TAIL1, H+15), nil},
		{2*H + 16, "where 16 bytes are left for a payload", "FILE-1", "", at(format.TAIL1, H+16), at(format.TAIL1, H+16, format.FILE1, 2*H+16)},
		{30000, "inside the first chunk", "FILE-1", "", at(format.TAIL1, 30000-H), at(format.TAIL1, 30000-H, format.FILE1, 30000)},
		{H + S, "after the first chunk", "FILE-1", "", at(format.TAIL1, S), at(format.TAIL1, S, format.FILE1, H+S)},
		{2*H + S + 15, "where the bytes before the last H leave a remainder that no payload has", "FILE-1", "",
			at(format.FILE2, H+S, format.TAIL1, H+S+15), nil},
		{size - H, "before the tail", "FILE-1", "", at(format.TAIL1, S+116), at(format.TAIL1, S+116, format.FILE1, H+S+116)},
		{size - H/2, "inside the tail", "FILE-1", "", at(format.TAIL1, S+116+H/2), at(format.TAIL1, S+116+H/2, format.FILE1, size-H/2)},
		{size - 100, "inside the tail, where a last chunk still fits before it", "FILE-1 65536", "FILE-1",
			at(format.TAIL1, H+S+16), at(format.TAIL1, H+S+16, format.FILE1, size-100)},
		{size - 1, "one byte before the end", "FILE-1 65536", "FILE-1",
			at(format.TAIL1, H+S+115), at(format.TAIL1, H+S+115, format.FILE1, size-1)},
	} {
		s := scenario{
			name: fmt.Sprintf("cut_%d", c.at), comment: "cut off " + c.comment, file: file{label: "cut", plain: C + 100},
			change: []change{cutAt(c.at)}, want: c.want, random: c.random, keyless: c.keyless, verify: c.verify,
		}
		if c.at == size-100 {
			s.stored = true
		}
		all = append(all, s)
	}
	long := file{label: "cut", plain: 129*C + 5}
	return append(all,
		scenario{name: "cut_0", comment: "an empty file", file: file{}, change: []change{nothing}, want: "HEAD-4", keyless: at(format.HEAD4, 0)},
		scenario{name: "cut_segment", comment: "cut off between two segments", file: long, change: []change{cutAt(H + 128*S)},
			want: fmt.Sprintf("FILE-1 %d", 127*C), random: "FILE-1",
			keyless: at(format.TAIL1, 128*S), verify: at(format.TAIL1, 128*S, format.FILE1, H+128*S), covers: []format.Clause{format.CHUNK2}},
		scenario{name: "cut_one_page_more", comment: "a head of two pages, cut off one page after it", file: file{pages: 2, plain: C}, change: []change{cutAt(3 * H)},
			want: "FILE-1", keyless: at(format.FILE1, 3*H, format.TAIL1, H)},
		scenario{name: "cut_head_pages_2", comment: "a head of two pages, cut off after the first", file: file{pages: 2}, change: []change{cutAt(H)},
			want: "HEAD-4", keyless: at(format.HEAD4, H)},

		scenario{name: "cut_head_magic", comment: "11 bytes, of which the tenth is not the magic's", change: []change{only(format.Magic[:9] + "\x00\x09")}, want: "HEAD-1", keyless: at(format.HEAD1, 0)},
		scenario{name: "cut_head_version", comment: "11 bytes, of which the last is the version, 9: a damaged one is not told from another", change: []change{only(format.Magic + "\x09")}, want: "HEAD-4", keyless: at(format.HEAD4, 11)},
		scenario{name: "cut_head_pages_half", comment: "15 bytes, of which the last is the first of a number of pages that cannot be", change: []change{only(format.Magic + "\x02\x01\x00\x00\x01")},
			want: "HEAD-4", keyless: at(format.HEAD4, 15)},
		scenario{name: "cut_head_pages", comment: "16 bytes, of which the last two are the number of pages, 65", change: []change{only(format.Magic + "\x02\x01\x00\x00\x00\x41")},
			want: "HEAD-3", keyless: at(format.HEAD3, 14)},
		scenario{name: "cut_head_pages_0", comment: "16 bytes of version 9, of which the last two are the number of pages, 0", change: []change{only(format.Magic + "\x09\x01\x00\x00\x00\x00")},
			want: "HEAD-3", keyless: at(format.HEAD3, 14)},
		cutHead("cut_head_copy_pages_half", "103 bytes, of which the last is the first of a number of copy pages that cannot be", 2, 103, "HEAD-4", at(format.HEAD4, 103)),
		cutHead("cut_head_copy_pages", "104 bytes, of which the last two are the copy pages, 256", 2, 104, "HEAD-16", at(format.HEAD16, atCopyPages)),
		cutHead("cut_head_copy_pages_version_9", "the same of version 9", 9, 104, "HEAD-16", at(format.HEAD16, atCopyPages)),
		cutHead("cut_head_copy_pages_version_1", "the same of version 1, which has no copy pages", 1, 104, "HEAD-4", at(format.HEAD4, 104)),

		scenario{name: "joined_at_chunk", comment: "the second of three chunks and what follows it are missing, but for the tail",
			file: file{plain: 2*C + 5}, change: []change{drop(2), drop(1)}, want: "FILE-2", keyless: at(format.FILE2, H+S)},
		scenario{name: "joined_in_chunk", comment: "all after the twentieth byte of the second chunk is missing, but for the tail",
			file: file{plain: 2*C + 5}, change: []change{drop(2), keep(1, 20)}, want: "CHUNK-1 65536", random: "CHUNK-1", verify: at(format.CHUNK1, H+S)},
		scenario{name: "joined_in_last_chunk", comment: "the last byte of the last chunk is missing", file: file{plain: 100}, change: []change{keep(0, 115)},
			want: "CHUNK-1", verify: at(format.CHUNK1, H)},
		scenario{name: "joined_more", comment: "a byte too many after the last chunk", file: file{plain: 100},
			change: []change{func(x *box) { x.payload = append(x.payload, chunk{b: []byte{0}}) }}, want: "CHUNK-1", verify: at(format.CHUNK1, H)},
	)
}

// cutHead is a file of the first bytes of a head whose copy pages are 256.
func cutHead(name, comment string, version byte, n int, want string, keyless []Finding) scenario {
	b := bytes.Clone(build(file{label: "cut head"}).head[:n])
	b[atVersion] = version
	b[atCopyPages] = 1
	if n > atCopyPages+1 {
		b[atCopyPages+1] = 0
	}
	return scenario{name: name, comment: comment, change: []change{only(string(b))}, want: want, keyless: keyless}
}

// inChunk puts bytes into chunk i.
func inChunk(i, off int, b []byte) change {
	return func(x *box) {
		c := bytes.Clone(x.chunkBytes(x.payload[i]))
		copy(c[off:], b)
		x.payload[i].b = c
	}
}

// keep cuts chunk i off.
func keep(i, n int) change {
	return func(x *box) { x.payload[i].b = x.chunkBytes(x.payload[i])[:n] }
}

// trailing are containers with something after them.
func trailing() []scenario {
	end := at(format.FILE4, size100)
	one := file{plain: 100}
	return []scenario{
		{name: "trailing_byte", comment: "one byte after the tail", file: one, change: []change{followed([]byte{0})},
			want: "FILE-4", keyless: at(format.TAIL1, tail100+1), verify: append(at(format.TAIL1, tail100+1), end...)},
		{name: "trailing_page", comment: "a page of zeros after the tail", file: one, change: []change{followed(make([]byte, H))},
			want: "FILE-4", keyless: at(format.TAIL1, size100), verify: append(at(format.TAIL1, size100), end...)},
		{name: "trailing_tail", comment: "the tail is there twice: nothing is wrong without a key", file: one,
			change: []change{func(x *box) { x.after = x.tail }}, want: "FILE-4", keyless: none, verify: end},
		{name: "trailing_zeros", comment: "200,000 zeros after the tail: the last chunk seems to be among them", file: one,
			change: []change{followed(make([]byte, 200000))}, want: "FILE-4", random: "CHUNK-1",
			keyless: at(format.TAIL1, tail100+200000), verify: append(at(format.TAIL1, tail100+200000), end...)},
		{name: "trailing_byte_after_chunk", comment: "one byte after the tail of a container of two chunks", file: file{plain: C + 100}, change: []change{followed([]byte{0})},
			want: "FILE-4 65536", random: "FILE-4", keyless: at(format.TAIL1, H+S+116+1),
			verify: at(format.TAIL1, H+S+116+1, format.FILE4, H+S+116+H)},
		{name: "trailing_byte_no_remainder", comment: "one byte after the tail, which leaves a remainder that no payload has", file: file{plain: C - 1},
			change: []change{followed([]byte{0})}, want: "FILE-4", keyless: at(format.FILE2, H+S, format.TAIL1, H+S),
			verify: at(format.FILE2, H+S, format.TAIL1, H+S, format.FILE4, H+S-1+H)},
		{name: "trailing_container", comment: "another container of the same recipient after it", file: one,
			change: []change{followed(whole(file{label: "another container", plain: 100}))}, want: "FILE-4", random: "COPY-1",
			keyless: at(format.COPY1, size100+tail100)},
		{name: "chunk_holds_foreign_copy", comment: "an intact copy of another container stands in the first of two chunks", file: file{plain: C + 100},
			change: []change{inChunk(0, 1000, build(file{label: "another container"}).head)}, want: "CHUNK-1", verify: at(format.CHUNK1, H)},
		{name: "chunk_holds_damaged_copy", comment: "a damaged copy of the head stands in the first of two chunks", file: file{label: "chunk holds", plain: C + 100},
			change: []change{inChunk(0, 1000, apply(nil, build(file{label: "chunk holds"}).head, []edit{flip(200)}))}, want: "CHUNK-1", verify: at(format.CHUNK1, H)},
		{name: "chunk_holds_copy", comment: "a copy of the head stands in the first of two chunks", file: file{label: "chunk holds", plain: C + 100},
			change: []change{inChunk(0, 1000, build(file{label: "chunk holds"}).head)}, want: "FILE-4", random: "FILE-4", verify: at(format.FILE4, 2*H+1000)},
		{name: "trailing_itself", comment: "the same container after it: nothing is wrong without a key", file: file{label: "itself", plain: 100},
			change: []change{followed(whole(file{label: "itself", plain: 100}))}, want: "FILE-4", keyless: none, verify: end},
		{name: "trailing_container_after_chunk", comment: "two containers of two chunks, one after the other", file: file{plain: C + 100},
			change: []change{followed(whole(file{label: "another container", plain: 100}))}, want: "FILE-4 65536", random: "COPY-1",
			keyless: at(format.COPY1, H+S+116+H+tail100)},
	}
}

// huge are sparse: what is not zeros is at the ends.
func huge() []scenario {
	const most = format.MaxChunks
	last := int64(most-1) * C
	tib := int64(1<<24-1) * C
	const edge1, edge2 = segmentsLevel1 * format.SegmentChunks, segmentsLevel2 * format.SegmentChunks
	return []scenario{
		{name: "huge_longest", comment: "the longest container there can be: all its chunks but the last are zeros", file: file{},
			change: []change{lastOnly(most, 1, C-1)}, want: "CHUNK-1",
			ranges: []span{{0, 10, 0, format.CHUNK1}, {last, 10, 10, ""}, {last - 5, 10, 10, ""}, {last + C - 4, 10, 3, ""}, {last - C - 1, 1, 0, format.CHUNK1}},
			covers: []format.Clause{format.READ3}, shown: []int64{most/format.SegmentChunks - 1}},
		{name: "huge_too_long", comment: "one chunk more than there may be", file: file{}, change: []change{lastOnly(most+1, 0, 0)},
			want: "CHUNK-1", random: "FILE-3", keyless: at(format.FILE3, H)},
		{name: "huge_tree", comment: "a container of 1,026 segments, of which the chunks at the edges of nodes are not zeros", file: file{},
			change: []change{islands(edge2+129, 77, edge1-1, edge1, edge2-1, edge2, edge2+128)}, want: "CHUNK-1", shown: []int64{31, 32, 1023, 1024, 1025},
			ranges: []span{{edge1*C - C, 10, 10, ""}, {edge1*C - 5, 10, 10, ""}, {edge1*C + C - 5, 10, 5, format.CHUNK1}, {edge1*C - C - 5, 10, 0, format.CHUNK1},
				{edge2*C - 5, 10, 10, ""}, {edge2*C - C, 2 * C, 2 * C, ""}, {(edge2 + 128) * C, C + 100, C + 77, ""}, {(edge2+128)*C - 1, 1, 0, format.CHUNK1}}},
		{name: "huge_tib", comment: "a container of a TiB, of which the last 131 chunks are not zeros", file: file{}, change: []change{lastOnly(1<<24, 130, 77)},
			want: "CHUNK-1", ranges: []span{{tib, 100, 77, ""}, {tib - 127*C - 5, 10, 10, ""}, {tib - 130*C, 3, 3, ""}, {tib - 130*C - 1, 2, 0, format.CHUNK1}}},
	}
}
