package vectors

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"bulla/format"
)

// Containers that are no files of their own (ROLE-1, ROLE-2), and containers of
// version 1.

var setA = [12]byte(secret("set a")[:12])

// roles are containers of every role, as far as they are containers: what they hold
// is for the texts on sets and grants.
func roles() (all []scenario) {
	reads := []format.Clause{format.ROLE2}
	refused := func(s scenario) scenario {
		s.want, s.keyless, s.covers = "ROLE-2", none, reads
		return s
	}
	for _, c := range []struct {
		role byte
		what string
		file file
	}{
		{1, "a volume", file{role: 1, set: setA, number: 7, plain: C + 100}},
		{2, "a set's root", file{role: 2, set: setA, plain: 100}},
		{3, "a set's index", file{role: 3, set: setA, plain: 100}},
		{4, "a grant", file{role: 4, plain: 100}},
	} {
		name := fmt.Sprintf("role_%d", c.role)
		c.file.label = name
		other := c.role%4 + 1
		all = append(all,
			refused(scenario{name: name, comment: c.what + ", not asked for", file: c.file}),
			refused(scenario{name: name + "_no_key", comment: c.what + " without a key: no key is needed to refuse it", file: c.file, keys: []Key{}}),
			refused(scenario{name: name + "_other", comment: fmt.Sprintf("%s, read as role %d", c.what, other), file: c.file, asked: other}),
			scenario{name: name + "_asked", comment: c.what + ", asked for", file: c.file, asked: c.role, want: "ok"},
			scenario{name: name + "_flip", comment: c.what + ", asked for; a bit of the first chunk", file: c.file, asked: c.role,
				change: []change{flipAt(H)}, want: "CHUNK-1", verify: at(format.CHUNK1, H)},
			refused(scenario{name: fmt.Sprintf("role_0_as_%d", c.role), comment: "a file, read as " + c.what, file: file{plain: 100}, asked: c.role}),
		)
	}
	volume := file{role: 1, set: setA, plain: 100}
	aged := []slot{age(ageFile{})}
	ageKey := []Key{withAge(stockAgeIdentity)}
	torn := at(format.HEAD5, H-4)
	foreign := at(format.COPY1, tail100)
	return append(all,
		scenario{name: "role_1_last", comment: "the volume of the highest number", file: file{role: 1, set: setA, number: 1<<32 - 1, plain: 100}, asked: 1, want: "ok"},
		scenario{name: "role_1_set_zero", comment: "a volume with a set id of zeros: random ids are not looked into", file: file{role: 1, plain: 100}, asked: 1, want: "ok"},
		scenario{name: "role_1_zstd", comment: "a volume with coding 1", file: compressedAs(1), asked: 1, want: "ok"},
		scenario{name: "role_1_head_torn", comment: "a volume, not asked for; its head is damaged", file: volume,
			change: []change{inHead(flip(200))}, want: "HEAD-5", random: "ROLE-2", keyless: torn, verify: torn, covers: reads},
		scenario{name: "role_1_head_torn_asked", comment: "a volume, asked for; its head is damaged", file: volume, asked: 1,
			change: []change{inHead(flip(200))}, want: "HEAD-5", random: "warning HEAD-5", keyless: torn, verify: torn},
		scenario{name: "role_1_detached", comment: "a volume, not asked for, with a detached head", file: volume,
			change: []change{detached(rewrapped(2, kek(keyA)))}, want: "ROLE-2", keyless: none, covers: reads},
		scenario{name: "role_1_tail_0", comment: "a volume's tail says that it is a file, with the checksum repaired", file: volume,
			change: []change{inTail(set(atRole, 0), set(atSet, make([]byte, 12)...), repair)}, want: "ROLE-2", random: "COPY-1", keyless: foreign, covers: reads},
		scenario{name: "role_0_tail_1", comment: "a file's tail says that it is a volume, with the checksum repaired", file: file{plain: 100},
			change: []change{inTail(set(atRole, 1), repair)}, want: "COPY-1 100", random: "COPY-1", keyless: foreign},
		scenario{name: "role_1_made_0", comment: "a volume that was made a file, with the checksums repaired: the slot is bound to the role", file: volume,
			change: []change{inBoth(set(atRole, 0), set(atSet, make([]byte, 12)...), repair)}, want: "no-key", covers: []format.Clause{format.SLOT3}},
		scenario{name: "role_0_made_1", comment: "a file that was made a volume, with the checksums repaired, asked for; the slot is not bound to it, the commitment is",
			file: file{slots: aged, plain: 100}, keys: ageKey, asked: 1, change: []change{inBoth(set(atRole, 1), repair)}, want: "no-key KEY-1"},
		scenario{name: "role_1_number_changed", comment: "the number of a volume was changed, with the checksums repaired", file: volume, asked: 1,
			change: []change{inBoth(set(atNumber+3, 1), repair)}, want: "no-key", covers: []format.Clause{format.SLOT3}},
		scenario{name: "role_1_set_changed", comment: "the set id of a volume was changed, with the checksums repaired; the slot is not bound to it, the commitment is",
			file: file{role: 1, set: setA, slots: aged, plain: 100}, keys: ageKey, asked: 1, change: []change{inBoth(flip(atSet+11), repair)}, want: "no-key KEY-1"},
	)
}

func compressedAs(role byte) file {
	f := seekable(rle('a', 1000))
	f.role, f.set = role, setA
	return f
}

// A container as version 1 of the format had it: one byte of plaintext, one slot of
// type 4, 8,209 bytes. Between the two pieces are zeros, and the tail is the head
// once more. The last of the pieces is the MAC, the checksum, and the chunk.
const (
	version1Head = "" +
		"iWJ1bGxhDQoaCgEBAAAAAQAAAAAAAAAAAAAAAAAAAADCGjJwyhEibmDwRlgB64PJEsJW4UIbtt8J9sE42IPo/LPb2iZFjOq586hL" +
		"3OQtII4pH3Xt5tO8EfhaGxu8b1IYAAAAAQABAAQAcAnMJdlddYHPuTDABYZ/g8j0MTcNbb0QVKpZBLxSXaNI5QjzyjQCOxMX/RdI" +
		"JCysQuMpZFSebQZEcO8aNFstvqsqpWXGjRyQBK+CulteI9VraprJ4AlVG5/HRlEcXD6Crq28wi0O5nMEdtItM4LhRzJ4mDj29QyT" +
		"4k7J78ydILkc"
	version1End = "" +
		"dBhEfCEon4H5+AkYhsmVrdS6VHvMQ+SaBBoMbm+BUD+DWhuqhSFzz2NC5UhldqOCQwDcsDU="
)

// version1 is that container.
func version1() []byte {
	b := must(base64.StdEncoding.DecodeString(version1Head))
	end := must(base64.StdEncoding.DecodeString(version1End))
	b = append(b, make([]byte, H-trailerSize-len(b))...)
	b = append(b, end...)
	return append(b, b[:H]...)
}

// versions are containers of version 1, whole and not.
func versions() (all []scenario) {
	whole := version1()
	intact := at(format.HEAD2, atVersion)
	torn := at(format.HEAD5, H-4)
	flipped := func(off int, more ...int) []byte {
		b := bytes.Clone(whole)
		for _, at := range append(more, off) {
			b[at] ^= 0x40
		}
		return b
	}
	const tail = H + 17
	for _, c := range []struct {
		name, comment string
		content       []byte
		want, random  string
		keyless       []Finding
	}{
		{"whole", "whole", whole, "HEAD-2", "", intact},
		{"flip_head", "with a flipped bit in its head", flipped(300), "HEAD-5", "", torn},
		{"flip_both", "with a flipped bit in its head and in its tail", flipped(300, tail+300), "HEAD-5", "", torn},
		{"flip_tail", "with a flipped bit in its tail", flipped(tail + 300), "HEAD-2", "", intact},
		{"cut", "cut off inside its head", whole[:H-1], "HEAD-4", "", at(format.HEAD4, H-1)},
		{"head_alone", "of which only the head is left", whole[:H], "HEAD-2", "", intact},
	} {
		all = append(all, scenario{name: "version_1_" + c.name, comment: "a container of version 1, " + c.comment,
			change: []change{only(string(c.content))}, want: c.want, random: c.random, keyless: c.keyless})
	}
	return append(all,
		scenario{name: "version_1_tail", comment: "a container whose tail is one of version 1", file: file{plain: 100},
			change: []change{inTail(bytesOf(whole[:H]))}, want: "COPY-1 100", random: "COPY-1", keyless: at(format.COPY1, tail100)},
		scenario{name: "version_1_head", comment: "a container whose head is one of version 1", file: file{plain: 100},
			change: []change{inHead(bytesOf(whole[:H]))}, want: "HEAD-2", random: "COPY-1", keyless: append(intact[:1:1], at(format.COPY1, tail100)...)},
		scenario{name: "version_1_detached", comment: "a container with a detached head of version 1", file: file{plain: 100},
			change: []change{detached(bytesOf(whole[:H]))}, want: "HEAD-2", keyless: none},
	)
}
