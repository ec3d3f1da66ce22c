package vectors

import (
	"fmt"

	"bulla/format"
)

// Containers that are as they should be: sizes, heads, slots.

func goodSizes() (all []scenario) {
	const segment = format.SegmentSize
	sizes := []struct {
		plain  int64
		suites []format.Suite
		stored bool
		what   string
	}{
		{0, both, false, "no plaintext: one empty chunk"},
		{1, both, false, "one byte"},
		{15, gcm, false, "one byte less than a tag"},
		{16, gcm, false, "as much as a tag"},
		{100, both, false, "a short chunk"},
		{C - 1, both, true, "the longest last chunk"},
		{C, both, true, "one full chunk, and so an empty last one"},
		{C + 1, gcm, true, "one full chunk and a byte"},
		{2*C + 5, both, true, "two full chunks and five bytes"},
		{segment - 1, gcm, false, "one byte less than a segment"},
		{segment, both, false, "one segment; the empty last chunk is in the next"},
		{segment + 1, both, false, "one byte in the second segment"},
		{3*segment + 10, gcm, false, "three segments and ten bytes"},
	}
	for _, z := range sizes {
		for _, s := range z.suites {
			all = append(all, scenario{
				name:    fmt.Sprintf("size_%d_suite_%d", z.plain, s),
				comment: fmt.Sprintf("%s, %v", z.what, s),
				file:    file{suite: byte(s), plain: z.plain},
				want:    "ok", stored: z.stored,
			})
		}
	}
	all[0].covers = []format.Clause{format.CHUNK2}
	return all
}

var (
	gcm  = []format.Suite{format.AES256GCM}
	both = []format.Suite{format.AES256GCM, format.ChaCha20Poly1305}
)

// fullSlot is the body of a slot that, beside one for a key-encryption key, fills
// a head of one page to the last byte.
const fullSlot = H - atSlots - trailerSize - (20 + format.KEKBodySize) - 20

func goodHeads() []scenario {
	two := []slot{kek(keyA), kek(keyB)}
	nested := append([]slot{unknown(0x7fff, 0)}, many(126, unknown(0x7ffe, 0))...)
	return []scenario{
		{name: "head_pages_2", comment: "a head of two pages", file: file{pages: 2, plain: 100}, want: "ok"},
		{name: "head_pages_64", comment: "the longest head", file: file{pages: 64, plain: 100}, want: "ok"},
		{name: "head_generation_2", comment: "rewrapped once", file: file{generation: 2, plain: 100}, want: "ok"},
		{name: "head_generation_max", comment: "the highest generation", file: file{generation: 1<<32 - 1, plain: 100}, want: "ok"},
		{name: "head_slot_id_unknown", comment: "the id of the slot is nobody's: readers do not need ids", file: file{plain: 100},
			change: []change{inBoth(flip(atSlots+4), remac)}, want: "ok"},
		{name: "slots_two_first", comment: "two slots, the key of the first", file: file{slots: two, plain: 100}, want: "ok",
			covers: []format.Clause{format.SLOT2}},
		{name: "slots_two_second", comment: "two slots, the key of the second", file: file{slots: two, plain: 100},
			keys: []Key{withKEK(keyB)}, want: "ok", covers: []format.Clause{format.SLOT2}},
		{name: "slots_two_keys_wrong_first", comment: "two keys, of which the first opens nothing", file: file{plain: 100},
			keys: []Key{withKEK(keyB), withKEK(keyA)}, want: "ok", covers: []format.Clause{format.SLOT2}},
		{name: "slots_same_twice", comment: "two slots for the same key", file: file{slots: many(2, kek(keyA)), plain: 100}, want: "ok"},
		{name: "slots_128", comment: "as many slots as there may be, the last for the key", file: file{slots: append(nested, kek(keyA)), plain: 100},
			want: "ok", covers: []format.Clause{format.SLOT1}},
		{name: "slots_fill_head", comment: "slots up to the last byte before the MAC: no padding",
			file: file{slots: []slot{kek(keyA), unknown(0x7fff, fullSlot)}, plain: 100}, want: "ok"},
		{name: "slot_unknown_before", comment: "a slot of unknown type before the one that opens",
			file: file{slots: []slot{unknown(5, 33), kek(keyA)}, plain: 100}, want: "ok", covers: []format.Clause{format.SLOT1}},
		{name: "slot_unknown_after", comment: "a slot of unknown type after the one that opens",
			file: file{slots: []slot{kek(keyA), unknown(0xffff, 1)}, plain: 100}, want: "ok", covers: []format.Clause{format.SLOT1}},
		{name: "slot_unknown_empty", comment: "a slot of unknown type without a body",
			file: file{slots: []slot{unknown(0x7fff, 0), kek(keyA)}, plain: 100}, want: "ok", covers: []format.Clause{format.SLOT1}},
		{name: "slot_unknown_longest", comment: "a slot of unknown type with the longest body there can be",
			file: file{pages: 17, slots: []slot{unknown(0x7fff, 1<<16-1), kek(keyA)}, plain: 100}, want: "ok",
			covers: []format.Clause{format.SLOT1, format.READ3}},
		{name: "slot_type_0", comment: "type 0 is unknown too: a slot count that counts twenty zeros of padding as a slot", file: file{plain: 100},
			change: []change{inBoth(set(atSlotCount, 0, 2), remac)}, want: "ok", covers: []format.Clause{format.SLOT1}},
	}
}

func goodSlots() []scenario {
	stocks := []slot{stock(stockAgeRecipient, stockAgeFile), stock(stockEd25519Recipient, stockEd25519File), stock(stockRSARecipient, stockRSAFile)}
	every := append([]slot{pq(pqA), passphrase(passA), kek(keyA)}, stocks...)
	all := []scenario{
		{name: "slot_hpke", comment: "a post-quantum public key", file: file{slots: []slot{pq(pqA)}, plain: 100}, keys: []Key{withPQ(pqA)}, want: "ok"},
		{name: "slot_hpke_second", comment: "two post-quantum public keys, the identity of the second",
			file: file{slots: []slot{pq(pqB), pq(pqA)}, plain: 100}, keys: []Key{withPQ(pqA)}, want: "ok", covers: []format.Clause{format.SLOT2}},
		{name: "slot_hpke_suite_2", comment: "a post-quantum public key, ChaCha20-Poly1305",
			file: file{suite: 2, slots: []slot{pq(pqA)}, plain: 100}, keys: []Key{withPQ(pqA)}, want: "ok"},
		{name: "slot_passphrase", comment: "a passphrase at the least cost", file: file{slots: []slot{passphrase(passA)}, plain: 100},
			keys: []Key{withPassphrase(passA)}, want: "ok"},
		{name: "slot_passphrase_passes_16", comment: "a passphrase with the most passes", file: file{slots: []slot{passphraseAt(passA, 64, 16)}, plain: 100},
			keys: []Key{withPassphrase(passA)}, want: "ok"},
		{name: "slot_passphrase_kib_37", comment: "an amount of memory that Argon2id rounds down, but not in what it hashes",
			file: file{slots: []slot{passphraseAt(passA, 37, 2)}, plain: 100}, keys: []Key{withPassphrase(passA)}, want: "ok"},
		{name: "slot_passphrase_utf8", comment: "a passphrase is bytes: here UTF-8", file: file{slots: []slot{passphrase("zwölf Boxkämpfer ☃")}, plain: 100},
			keys: []Key{withPassphrase("zwölf Boxkämpfer ☃")}, want: "ok"},
		{name: "slot_passphrase_second", comment: "two passphrases, that of the second slot",
			file: file{slots: []slot{passphrase(passB), passphrase(passA)}, plain: 100}, keys: []Key{withPassphrase(passA)}, want: "ok",
			covers: []format.Clause{format.SLOT2, format.PASS4}},
		{name: "slot_passphrase_expensive_unused", comment: "what a slot would cost that is not tried does not matter",
			file: file{slots: []slot{costing(1<<20, 16), kek(keyA)}, plain: 100}, want: "ok"},
		{name: "slot_kek_suite_2", comment: "a key-encryption key, ChaCha20-Poly1305", file: file{suite: 2, plain: 100}, want: "ok"},
		{name: "slot_age_grease", comment: "an age file with a stanza that is there to be ignored", file: file{slots: []slot{age(ageFile{before: grease(100)})}, plain: 100},
			keys: []Key{withAge(stockAgeIdentity)}, want: "ok"},
		{name: "slot_age_scryptx", comment: "an age file with a stanza of a type that begins as scrypt does",
			file: file{slots: []slot{age(ageFile{before: stanza(nil, "scryptx", "x")})}, plain: 100}, keys: []Key{withAge(stockAgeIdentity)}, want: "ok",
			covers: []format.Clause{format.AGE2}},
		{name: "slot_age_scrypt_argument", comment: "an age file with a stanza that has scrypt as its argument",
			file: file{slots: []slot{age(ageFile{before: stanza(nil, "x-grease", "scrypt")})}, plain: 100}, keys: []Key{withAge(stockAgeIdentity)}, want: "ok",
			covers: []format.Clause{format.AGE2}},
		{name: "slot_age_scrypt_after_header", comment: "an age file whose nonce, after the header, reads like a scrypt stanza",
			file: file{slots: []slot{age(ageFile{nonce: "-> scrypt abc d\n"})}, plain: 100}, keys: []Key{withAge(stockAgeIdentity)}, want: "ok",
			covers: []format.Clause{format.AGE2}},
		{name: "slot_age_longest", comment: "the longest age file there may be", file: file{pages: 5, slots: []slot{age(ageFile{pad: format.MaxAgeBody})}, plain: 100},
			keys: []Key{withAge(stockAgeIdentity)}, want: "ok"},
	}
	for _, k := range []struct {
		name, comment string
		slot          slot
		key           Key
	}{
		{"x25519", "an age file as age makes it", stocks[0], withAge(stockAgeIdentity)},
		{"ssh_ed25519", "an age file for an ssh-ed25519 key", stocks[1], withSSH(stockEd25519Identity)},
		{"ssh_rsa", "an age file for an ssh-rsa key", stocks[2], withSSH(stockRSAIdentity)},
	} {
		all = append(all, scenario{name: "slot_age_" + k.name, comment: k.comment,
			file: file{label: stockLabel, slots: []slot{k.slot}, plain: 100}, keys: []Key{k.key}, want: "ok"})
	}
	for _, k := range []struct {
		name string
		key  Key
	}{
		{"hpke", withPQ(pqA)}, {"passphrase", withPassphrase(passA)}, {"kek", withKEK(keyA)},
		{"age", withAge(stockAgeIdentity)}, {"ssh", withSSH(stockEd25519Identity)},
	} {
		all = append(all, scenario{name: "slots_every_type_" + k.name, comment: "a slot of every type; the key of one",
			file: file{label: stockLabel, pages: 2, slots: every, plain: 100}, keys: []Key{k.key}, want: "ok", covers: []format.Clause{format.SLOT2}})
	}
	return all
}
