package vectors

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"bulla/format"
)

// Heads that break a clause of section 3, in both copies: what a reader with
// random access says is what one says that streams.

// plain100 is where things stand in a container of one page with 100 bytes of
// plaintext.
const (
	tail100 = H + 100 + format.TagSize
	size100 = tail100 + H
)

func badHeads() (all []scenario) {
	for _, c := range []struct {
		name, comment string
		slots         []slot
		edits         []edit
		want          format.Clause
		at            int
	}{
		{"magic_first", "the first byte of the magic", nil, []edit{flip(0), remac}, format.HEAD1, 0},
		{"magic_last", "the last byte of the magic", nil, []edit{flip(9), remac}, format.HEAD1, 0},

		{"version_0", "version 0", nil, []edit{set(atVersion, 0), remac}, format.HEAD2, atVersion},
		{"version_1", "version 1, with the checksum repaired", nil, []edit{set(atVersion, 1), repair}, format.HEAD2, atVersion},
		{"version_3", "version 3, with the checksum repaired", nil, []edit{set(atVersion, 3), repair}, format.HEAD2, atVersion},
		{"version_255", "version 255, suite 255, and padding that is not zero: the version comes first", nil,
			[]edit{set(atVersion, 255, 255), set(2000, 1), repair}, format.HEAD2, atVersion},
		{"version_3_copy_pages", "version 3 and copy pages of 2, with the checksum repaired: the copy pages come first", nil,
			[]edit{set(atVersion, 3), set(atCopyPages, 0, 2), repair}, format.HEAD16, atCopyPages},
		{"version_1_copy_pages", "version 1, which has no copy pages: here 512, with the checksum repaired", nil,
			[]edit{set(atVersion, 1), set(atCopyPages, 2, 0), repair}, format.HEAD2, atVersion},
		{"damage_version_0", "a bit of the version, which makes it 0: damage", nil, []edit{set(atVersion, 0)}, format.HEAD5, H - 4},
		{"damage_version_3", "a bit of the version, which makes it 3: damage", nil, []edit{set(atVersion, 3)}, format.HEAD5, H - 4},
		{"damage_version_1", "two bits of the version, which make it 1: damage", nil, []edit{set(atVersion, 1)}, format.HEAD5, H - 4},

		{"pages_0", "a head of no pages", nil, []edit{set(atPages, 0, 0), remac}, format.HEAD3, atPages},
		{"pages_65", "one page more than there may be", nil, []edit{set(atPages, 0, 65), remac}, format.HEAD3, atPages},
		{"pages_65535", "a head of 256 MiB", nil, []edit{set(atPages, 255, 255), remac}, format.HEAD3, atPages},
		{"pages_0_version_3", "a head of no pages, of version 3: the pages come first", nil, []edit{set(atPages, 0, 0), set(atVersion, 3), repair}, format.HEAD3, atPages},
		{"pages_0_version_1", "a head of no pages, of version 1: the pages come first", nil, []edit{set(atPages, 0, 0), set(atVersion, 1), repair}, format.HEAD3, atPages},
		{"pages_more", "pages 2, while copy pages are 1", nil, []edit{set(atPages, 0, 2), remac}, format.HEAD16, atCopyPages},
		{"pages_64_copy_pages_64", "more pages than the file has", nil, []edit{set(atPages, 0, 64), set(atCopyPages, 0, 64), remac}, format.HEAD4, size100},

		{"copy_pages_0", "no copy pages", nil, []edit{set(atCopyPages, 0, 0), remac}, format.HEAD16, atCopyPages},
		{"copy_pages_2", "copy pages 2, while pages are 1", nil, []edit{set(atCopyPages, 0, 2), remac}, format.HEAD16, atCopyPages},
		{"copy_pages_64", "copy pages 64, while pages are 1", nil, []edit{set(atCopyPages, 0, 64), remac}, format.HEAD16, atCopyPages},
		{"copy_pages_65", "copy pages 65", nil, []edit{set(atCopyPages, 0, 65), remac}, format.HEAD16, atCopyPages},
		{"copy_pages_65535", "copy pages 65,535, with a wrong checksum: the copy pages come first", nil, []edit{set(atCopyPages, 255, 255)}, format.HEAD16, atCopyPages},

		{"checksum", "a bit of the checksum", nil, []edit{flip(atChecksum)}, format.HEAD5, H - 4},
		{"damage_salt", "a bit of the salt", nil, []edit{flip(atSalt)}, format.HEAD5, H - 4},
		{"damage_suite", "an unknown suite, but the checksum says that it is damage", nil, []edit{set(atSuite, 9)}, format.HEAD5, H - 4},
		{"damage_commitment", "a bit of the commitment", nil, []edit{flip(atCommitment)}, format.HEAD5, H - 4},
		{"damage_slot", "a bit of the slot", nil, []edit{flip(atBody + 70)}, format.HEAD5, H - 4},
		{"damage_padding", "a bit of the padding", nil, []edit{flip(2000)}, format.HEAD5, H - 4},
		{"damage_mac", "a bit of the MAC", nil, []edit{flip(atMAC)}, format.HEAD5, H - 4},

		{"suite_0", "suite 0, with the checksum repaired", nil, []edit{set(atSuite, 0), repair}, format.HEAD6, atSuite},
		{"suite_3", "suite 3", nil, []edit{set(atSuite, 3), remac}, format.HEAD6, atSuite},
		{"suite_255", "suite 255 and coding 255: the suite comes first", nil, []edit{set(atSuite, 255, 255), remac}, format.HEAD6, atSuite},
		{"coding_2", "coding 2", nil, []edit{set(atCoding, 2), remac}, format.HEAD7, atCoding},
		{"coding_255", "coding 255 and role 255: the coding comes first", nil, []edit{set(atCoding, 255, 255), remac}, format.HEAD7, atCoding},
		{"role_5_repaired", "role 5, with the checksum repaired", nil, []edit{set(atRole, 5), repair}, format.ROLE1, atRole},

		{"generation_0", "generation 0", nil, []edit{set(atGeneration, 0, 0, 0, 0), remac}, format.HEAD9, atGeneration},
		{"generation_0_no_slots", "generation 0 and no slots: the generation comes first", nil,
			[]edit{set(atGeneration, 0, 0, 0, 0, 0, 0), remac}, format.HEAD9, atGeneration},
		{"slots_0", "no slots", nil, []edit{set(atSlotCount, 0, 0), remac}, format.HEAD10, atSlotCount},
		{"slots_129", "one slot more than there may be", append(many(128, unknown(0x7fff, 0)), kek(keyA)), nil, format.HEAD10, atSlotCount},
		{"slots_65535", "65,535 slots", nil, []edit{set(atSlotCount, 255, 255), remac}, format.HEAD10, atSlotCount},

		{"slot_longest", "a slot that claims 65,535 bytes", nil, []edit{set(atSlots+2, 255, 255), remac}, format.HEAD11, atSlots + 2},
		{"slot_into_mac", "a slot that ends one byte past its room", []slot{unknown(0x7fff, fullSlot), kek(keyA)},
			[]edit{set(atSlots+20+fullSlot+2, 0, format.KEKBodySize+1), remac}, format.HEAD11, atSlots + 20 + fullSlot + 2},
		{"slot_past_end", "one slot more than there is room for", []slot{unknown(0x7fff, fullSlot), kek(keyA)},
			[]edit{set(atSlotCount, 0, 3), remac}, format.HEAD11, H - trailerSize},
		{"slot_header_past_end", "a slot whose header ends one byte past its room", []slot{unknown(0x7fff, fullSlot-19), kek(keyA)},
			[]edit{set(atSlotCount, 0, 3), remac}, format.HEAD11, H - trailerSize - 19},

		{"padding_first", "the first byte of the padding is not zero; the MAC is right", nil,
			[]edit{set(atBody+format.KEKBodySize, 1), remac}, format.HEAD12, atBody + format.KEKBodySize},
		{"padding_last", "the last byte of the padding is not zero; the MAC is right", nil, []edit{set(atMAC-1, 1), remac}, format.HEAD12, H - trailerSize - 1},
		{"padding_no_mac", "a byte of the padding is not zero, and the MAC is wrong", nil, []edit{set(2000, 1), repair}, format.HEAD12, 2000},
	} {
		all = append(all, scenario{
			name: "head_" + c.name, comment: c.comment,
			file: file{slots: c.slots, plain: 100}, change: []change{inBoth(c.edits...)},
			want: string(c.want), keyless: at(c.want, c.at),
		})
	}
	all = append(all, reservedHeads()...)
	all = append(all, forgedHeads()...)
	return append(all, foreignFiles()...)
}

// reservedHeads use what is reserved: by a writer that means it, so that all keys
// derive from it, and by someone else.
func reservedHeads() (all []scenario) {
	id := [12]byte{11: 1} // the last byte alone
	for _, c := range []struct {
		name, comment string
		file          file
		want          format.Clause
		at            int
	}{
		{"role_5", "role 5", file{role: 5}, format.ROLE1, atRole},
		{"role_255", "role 255, a set id and a number: the role comes first", file{role: 255, set: id, number: 1}, format.ROLE1, atRole},
		{"role_0_set", "role 0 and a set id", file{set: id}, format.HEAD8, atSet + 11},
		{"role_0_set_first", "role 0 and a set id, of which only the first byte is not zero", file{set: [12]byte{1}}, format.HEAD8, atSet},
		{"role_0_number", "role 0 and the number 1", file{number: 1}, format.HEAD8, atNumber + 3},
		{"role_0_number_high", "role 0 and the number 2^24", file{number: 1 << 24}, format.HEAD8, atNumber},
		{"role_2_number", "role 2 and the number 1", file{role: 2, set: id, number: 1}, format.HEAD8, atNumber + 3},
		{"role_3_number", "role 3 and the number 2^24", file{role: 3, set: id, number: 1 << 24}, format.HEAD8, atNumber},
		{"role_4_set", "role 4 and a set id", file{role: 4, set: id}, format.HEAD8, atSet + 11},
		{"role_4_number", "role 4 and the number 1", file{role: 4, number: 1}, format.HEAD8, atNumber + 3},
	} {
		c.file.plain = 100
		all = append(all, scenario{name: "head_" + c.name, comment: c.comment + "; everything else is right",
			file: c.file, want: string(c.want), keyless: at(c.want, c.at)})
	}
	return append(all, scenario{
		name: "head_reserved_repaired", comment: "byte 20 is not zero, with the checksum repaired", file: file{plain: 100},
		change: []change{inBoth(set(20, 1), repair)}, want: "HEAD-8", keyless: at(format.HEAD8, 20),
	}, scenario{
		name: "head_reserved_generation_0", comment: "the number is not zero, and the generation is: the number comes first", file: file{plain: 100},
		change: []change{inBoth(set(atNumber+3, 1), set(atGeneration, 0, 0, 0, 0), repair)}, want: "HEAD-8", keyless: at(format.HEAD8, atNumber+3),
	})
}

// forgedHeads were changed by someone who can compute a checksum and no MAC.
func forgedHeads() (all []scenario) {
	two := []slot{kek(keyA), unknown(0x7fff, 10)}
	const second = atBody + format.KEKBodySize
	for _, c := range []struct {
		name, comment string
		edit          edit
	}{
		{"mac_first", "the first byte of the MAC", flip(atMAC)},
		{"mac_last", "the last byte of the MAC", flip(atMAC + 31)},
		{"generation", "the generation was raised", set(atGeneration, 0, 0, 0, 2)},
		{"slot_id", "a slot's id was changed", flip(atSlots + 4)},
		{"unknown_slot", "the body of a slot of unknown type was changed", flip(second + 20)},
		{"unknown_type", "the type of a slot of unknown type was changed", set(second, 0x6f)},
		{"slot_removed", "a slot was removed", func(_ *box, c []byte) []byte {
			c[atSlotCount+1] = 1
			clear(c[second : second+30])
			return c
		}},
		{"slot_added", "a slot was added", func(_ *box, c []byte) []byte {
			c[atSlotCount+1] = 3
			copy(c[second+30:], c[second:second+30])
			return c
		}},
	} {
		s := scenario{
			name: "forged_" + c.name, comment: c.comment + ", with the checksum repaired",
			file: file{slots: two, plain: 100}, change: []change{inBoth(c.edit, repair)},
			want: "HEAD-13", keyless: none, verify: at(format.HEAD13, H-trailerSize),
		}
		if strings.HasPrefix(c.name, "unknown") {
			s.covers = []format.Clause{format.SLOT1}
		}
		all = append(all, s)
	}
	return all
}

// foreignFiles are no containers, or were some before they went through something
// that takes files for text.
func foreignFiles() (all []scenario) {
	container := whole(file{label: "foreign", plain: 100})
	text := string(container)
	for _, c := range []struct{ name, comment, content string }{
		{"text", "a text", "This is no container.\n"},
		{"zeros", "zeros", strings.Repeat("\x00", 10000)},
		{"age", "an age file", must(stockFile())},
		{"gzip", "a gzip file", "\x1f\x8b\x08\x00" + strings.Repeat("\x00", 100)},
		{"unix_line_ends", "a container whose CR LF were made LF", strings.ReplaceAll(text, "\r\n", "\n")},
		{"dos_line_ends", "a container whose LF were made CR LF", strings.ReplaceAll(text, "\n", "\r\n")},
		{"utf8", "a container that was converted from Latin-1 to UTF-8", latin1(container)},
		{"utf16", "a container that was converted from Latin-1 to UTF-16", wide(container)},
		{"stripped", "a container that lost every eighth bit", seven(container)},
	} {
		all = append(all, scenario{
			name: "not_bulla_" + c.name, comment: c.comment, file: file{label: "foreign"},
			change: []change{only(c.content)}, want: "HEAD-1", keyless: at(format.HEAD1, 0),
		})
	}
	// Here the tail is where it should be, for those who look.
	return append(all, scenario{
		name: "not_bulla_byte_before", comment: "a container with a byte before it", file: file{plain: 100},
		change: []change{func(x *box) { x.head = append([]byte{0}, x.head...) }}, want: "HEAD-1", random: "CHUNK-1",
		keyless: at(format.HEAD1, 0), verify: at(format.HEAD1, 0, format.CHUNK1, H),
	})
}

func stockFile() (string, error) {
	_, _, body := stock(stockAgeRecipient, stockAgeFile)(nil, 0)
	return string(body), nil
}

func latin1(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

func wide(b []byte) string {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(latin1(b))) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return string(out)
}

func seven(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = c & 0x7f
	}
	return string(out)
}
